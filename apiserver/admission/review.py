"""AdmissionReview: what a webhook is sent, and whether what it answers makes sense. Pure.

Source: apiserver/pkg/admission/plugin/webhook/request/admissionreview.go, webhook/errors/statuserror.go.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.admission.subject import Form, Subject

_GROUP = "admission.k8s.io"
KNOWN = ("v1", "v1beta1")


class Nonsense(Exception):
    """The webhook's answer cannot be used; the text is upstream's."""


class Undecodable(Exception):
    """What came is no AdmissionReview; the text is that of Go's decoder."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook decided."""

    allowed: bool
    status: Json | None = None
    patch: bytes = b""
    patch_type: str = "JSONPatch"
    warnings: Sequence[str] = ()
    audit: dict[str, str] = field(default_factory=dict)


def version_for(accepted: Sequence[str]) -> str | None:
    """The first version of AdmissionReview that both sides know."""
    return next((version for version in accepted if version in KNOWN), None)


def review(version: str, uid: str, subject: Subject, form: Form, new: Json | None, old: Json | None) -> Json:
    """The body to send. Objects are in the form given."""
    request = {"uid": uid, **subject.request(form), "object": new, "oldObject": old}
    return {"kind": "AdmissionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}


def verified(tree: Any, version: str, uid: str, *, mutating: bool) -> Answer:
    """The decision in an answer. Raises Nonsense, Undecodable."""
    response = _response(tree, version)
    if version == "v1":
        if response.get("uid", "") != uid:
            raise Nonsense(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
        _check_kind(tree)
    patch = _patch(response)
    kind = response.get("patchType")
    if version == "v1":
        _check_patch(patch, kind, mutating=mutating)
    return Answer(
        allowed=bool(response.get("allowed", False)),
        status=response.get("status"),
        patch=patch if mutating else b"",
        patch_type=kind if version == "v1" and kind is not None else "JSONPatch",
        warnings=[str(text) for text in response.get("warnings") or ()],
        audit={str(key): str(value) for key, value in (response.get("auditAnnotations") or {}).items()},
    )


def _response(tree: Any, version: str) -> Json:
    if not isinstance(tree, dict):
        raise Undecodable(no_object(tree))
    said = (tree.get("apiVersion", ""), tree.get("kind", ""))
    if said[0] and said != (f"{_GROUP}/{version}", "AdmissionReview"):
        short = said[0].rpartition("/")[2]
        raise Undecodable(
            f'no kind "{said[1]}" is registered for version "{said[0]}" in scheme "pkg/runtime/scheme.go:110"'
            if said[0] not in (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
            else f"converting ({short}.{said[1]}) to ({version}.AdmissionReview): unknown conversion"
        )
    response = tree.get("response")
    if response is None:
        raise Nonsense("webhook response was absent")
    if not isinstance(response, dict):
        raise _mistyped(response, "AdmissionReview.response", "v1.AdmissionResponse")
    for name, kind, go in _SHAPES:
        if not isinstance(response.get(name), kind | None):
            raise _mistyped(response[name], f"AdmissionResponse.response.{name}", go)
    return response


#: Members of a response: what they are in JSON, and in Go.
_SHAPES: tuple[tuple[str, type, str], ...] = (
    ("uid", str, "types.UID"),
    ("allowed", bool, "bool"),
    ("status", dict, "v1.Status"),
    ("patch", str, "[]uint8"),
    ("patchType", str, "v1.PatchType"),
    ("auditAnnotations", dict, "map[string]string"),
    ("warnings", list, "[]string"),
)


def _mistyped(value: Any, field: str, go: str) -> Undecodable:
    return Undecodable(f"json: cannot unmarshal {json_name(value)} into Go struct field {field} of type {go}")


def no_object(value: Any) -> str:
    """What Go's decoder says of a body that is no object."""
    members = r'APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\""'
    why = f"json: cannot unmarshal {json_name(value)} into Go value of type struct {{ {members} }}"
    return f"couldn't get version/kind; json parse error: {why}"


def json_name(value: Any) -> str:
    """What Go's decoder calls a value."""
    return _JSON_NAMES.get(type(value), "number")


_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}


def _check_kind(tree: Json) -> None:
    version, kind = tree.get("apiVersion", ""), tree.get("kind", "")
    if (version, kind) != (f"{_GROUP}/v1", "AdmissionReview"):
        group, _, short = version.rpartition("/")
        raise Nonsense(
            f"expected webhook response of {_GROUP}/v1, Kind=AdmissionReview, got {group}/{short}, Kind={kind}"
        )


def _patch(response: Json) -> bytes:
    text: str = response.get("patch") or ""
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        at = next((i for i, letter in enumerate(text) if letter not in _BASE64), len(text))
        raise Undecodable(f"illegal base64 data at input byte {at}") from None


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def _check_patch(patch: bytes, kind: str | None, *, mutating: bool) -> None:
    if not mutating:
        if patch:
            raise Nonsense("validating webhook may not return response.patch")
        if kind is not None:
            raise Nonsense("validating webhook may not return response.patchType")
        return
    if patch and kind is None:
        raise Nonsense("webhook returned response.patch but not response.patchType")
    if not patch and kind is not None:
        raise Nonsense("webhook returned response.patchType but not response.patch")
    if kind == "":
        raise Nonsense('webhook returned invalid response.patchType of ""')


def denied(name: str, status: Json | None) -> ApiError:
    """The refusal that a webhook's `allowed: false` stands for (ToStatusErr)."""
    status = status or {}
    code, reason = status.get("code") or 0, status.get("reason") or ""
    message = status.get("message") or reason
    text = f'admission webhook "{name}" denied the request' + (f": {message}" if message else " without explanation")
    return ApiError(max(code, 400), reason, text, status.get("details") or {})


def failed(name: str, why: str) -> ApiError:
    """500: a webhook that fails closed could not be asked."""
    return errors.internal(f'failed calling webhook "{name}": {why}')


def no_dry_run(name: str) -> ApiError:
    """The refusal of a dry run by a webhook with side effects."""
    return errors.bad_request(f'admission webhook "{name}" does not support dry run')
