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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook decided."""

    allowed: bool
    status: Json | None = None
    patch: bytes = b""
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
    """The decision in an answer. Raises Nonsense."""
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
        warnings=[str(text) for text in response.get("warnings") or ()],
        audit={str(key): str(value) for key, value in (response.get("auditAnnotations") or {}).items()},
    )


def _response(tree: Any, version: str) -> Json:
    if not isinstance(tree, dict):
        raise Nonsense("couldn't get version/kind; json parse error")
    said = (tree.get("apiVersion", ""), tree.get("kind", ""))
    if said[0] and said != (f"{_GROUP}/{version}", "AdmissionReview"):
        short = said[0].rpartition("/")[2]
        raise Nonsense(
            f'no kind "{said[1]}" is registered for version "{said[0]}"'
            if said[0] not in (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
            else f"converting ({short}.{said[1]}) to ({version}.AdmissionReview): unknown conversion"
        )
    response = tree.get("response")
    if response is None:
        raise Nonsense("webhook response was absent")
    shapes = (
        ("status", dict),
        ("warnings", list),
        ("auditAnnotations", dict),
        ("patch", str),
        ("patchType", str),
        ("allowed", bool),
    )
    if not isinstance(response, dict) or any(not isinstance(response.get(k), t | None) for k, t in shapes):
        raise Nonsense("json: cannot unmarshal into Go struct field AdmissionReview.response")
    return response


def _check_kind(tree: Json) -> None:
    version, kind = tree.get("apiVersion", ""), tree.get("kind", "")
    if (version, kind) != (f"{_GROUP}/v1", "AdmissionReview"):
        group, _, short = version.rpartition("/")
        raise Nonsense(
            f"expected webhook response of {_GROUP}/v1, Kind=AdmissionReview, got {group}/{short}, Kind={kind}"
        )


def _patch(response: Json) -> bytes:
    try:
        return b64decode(response.get("patch") or "", validate=True)
    except (Base64Error, ValueError):
        raise Nonsense("illegal base64 data in response.patch") from None


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
    if kind not in (None, "JSONPatch"):
        raise Nonsense(f'unsupported patch type "{kind}"')


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
    return errors.bad_request(f'admission webhook "{name}" does not support dry run')
