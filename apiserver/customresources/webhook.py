"""The conversion webhook: objects into another version by a ConversionReview, and what its answer must be.

What comes back is checked as upstream checks it: as many objects as were sent, of the version asked for, each still
itself. Of metadata a webhook may change labels and annotations only; the rest is put back.
Source: pkg/apiserver/conversion/webhook_converter.go.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from apimachinery import errors, names
from apimachinery.errors import ApiError
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.admission.review import no_object
from apiserver.admission.webhook_client import Unreachable, WebhookClient
from apiserver.metrics import custom as metrics

_GROUP = "apiextensions.k8s.io"
_SPOKEN = ("v1", "v1beta1")
#: Upstream has no limit of its own here; a request has (DefaultRequestTimeout is 60 s).
SECONDS = 30
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}", type(None): "<nil>"}


class BadAnswer(Exception):
    """An answer that cannot be taken; `str()` is upstream's text."""


class WebhookConverter:
    """Asks the webhook of one definition."""

    def __init__(self, client: WebhookClient, name: str, webhook: Json, new_uid: Callable[[], str]) -> None:
        self._name = name  # of the definition
        self._client = client
        self._config = webhook["clientConfig"]
        self._versions = webhook.get("conversionReviewVersions") or ()
        self._new_uid = new_uid

    async def convert(self, trees: Sequence[Json], api_version: str) -> Sequence[Json]:
        """The objects in another version, all in one call. Raises 500 in upstream's words."""
        began, failure = perf_counter(), ""
        try:
            return await self._convert(trees, api_version)
        except ApiError as error:
            failure = _failure(error)
            raise
        finally:
            before, after = (text.rpartition("/")[2] for text in (trees[0]["apiVersion"], api_version))
            metrics.converted(self._name, before, after, perf_counter() - began, failure)

    async def _convert(self, trees: Sequence[Json], api_version: str) -> Sequence[Json]:
        kind = trees[0]
        what = f"{kind['apiVersion']}, Kind={kind['kind']}"
        version = next((version for version in self._versions if version in _SPOKEN), None)
        if version is None:
            raise errors.internal("no supported conversion review versions")
        uid = self._new_uid()
        try:
            answer = await self._client.ask(self._config, review(version, uid, trees, api_version), SECONDS)
            found = converted(answer, version, uid)
        except (Unreachable, BadAnswer) as error:
            raise _failed(f"conversion webhook for {what} failed: {error}") from None
        if len(found) != len(trees):
            raise _failed(f"conversion webhook for {what} returned {len(found)} objects, expected {len(trees)}")
        return [
            _accepted(what, i, before, after, api_version)
            for i, (before, after) in enumerate(zip(trees, found, strict=True))
        ]


def _failure(error: ApiError) -> str:
    """What went wrong, in the metric's words (conversion/metrics.go)."""
    if isinstance(error.__cause__ or error.__context__, Unreachable):
        return "conversion_webhook_call_failure"
    if "invalid converted object" in error.message or "invalid metadata in object" in error.message:
        return "conversion_webhook_invalid_converted_object_failure"
    return "conversion_webhook_malformed_response_failure"


def _failed(why: str) -> ApiError:
    return ApiError(500, "", why)


def review(version: str, uid: str, trees: Sequence[Json], api_version: str) -> Json:
    """The question."""
    return {
        "kind": "ConversionReview",
        "apiVersion": f"{_GROUP}/{version}",
        "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(trees)},
    }


def converted(answer: Any, version: str, uid: str) -> list[Any]:
    """The objects of an answer. Raises BadAnswer in upstream's words."""
    if not isinstance(answer, dict):
        raise BadAnswer(no_object(answer))
    wanted = (f"{_GROUP}/{version}", "ConversionReview")
    said = (answer.get("apiVersion") or "", answer.get("kind") or "")
    if version == "v1" and said != wanted:
        raise BadAnswer(f"expected webhook response of {wanted[0]}, Kind={wanted[1]}, got {said[0]}, Kind={said[1]}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise BadAnswer("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        if result.get("message"):
            raise BadAnswer(str(result["message"]))
        raise BadAnswer(f"response.result.status was '{result.get('status') or ''}', not 'Success'")
    objects = response.get("convertedObjects")
    return objects if isinstance(objects, list) else []


def _accepted(what: str, index: int, before: Json, after: Any, api_version: str) -> Json:
    """One object as it is taken over. Raises 500."""
    prefix = f"conversion webhook for {what} returned invalid converted object at index {index}: "
    if not isinstance(after, dict) or not after.get("kind"):
        raise _failed(f"{prefix}Object 'Kind' is missing in '{after}'")
    if after.get("apiVersion") != api_version:
        said = after.get("apiVersion") or ""
        raise _failed(f"{prefix}invalid groupVersion (expected {api_version}, received {said})")
    if after["kind"] != before["kind"]:
        raise _failed(f"{prefix}invalid kind (expected {before['kind']}, received {after['kind']})")
    if why := differs(before, after):
        raise _failed(prefix + why)
    try:
        return {**after, "metadata": restored(before["metadata"], after.get("metadata"))}
    except BadAnswer as error:
        raise _failed(
            f"conversion webhook for {what} returned invalid metadata in object at index {index}: {error}"
        ) from None


def differs(before: Json, after: Json) -> str:
    """Whether an object is another one now, "" when it is not."""
    meta, now = before["metadata"], after.get("metadata")
    now = now if isinstance(now, dict) else {}
    for name in ("name", "namespace", "uid"):
        old, new = meta.get(name) or "", now.get(name) or ""
        if old != new:
            shown = "UID" if name == "uid" else name
            return f"must have the same {shown}: {old} != {new}"
    return ""


def restored(before: Json, after: Any) -> Json:
    """The metadata that was, with the labels and annotations that came back. Raises BadAnswer."""
    if after is None:
        raise BadAnswer("missing metadata in converted object")
    if not isinstance(after, dict):
        raise BadAnswer(f"invalid metadata of type {_GO_TYPES[type(after)]} in converted object")
    made: Json = copied(before)
    for name, check in (("labels", names.check_labels), ("annotations", names.check_annotations)):
        values = after.get(name)
        made.pop(name, None)
        if values is None:
            continue
        if not isinstance(values, dict):
            raise BadAnswer(f"invalid metadata.{name} of type {_GO_TYPES[type(values)]} in converted object")
        for key, value in values.items():
            if not isinstance(value, str):
                kind = _GO_TYPES.get(type(value), "map[string]interface {}")
                raise BadAnswer(f"metadata.{name}[{key}] must be a string, but is {kind} in converted object")
        problems = check(values, f"metadata.{name}") if values != before.get(name) else []
        if problems:
            texts = ", ".join(map(str, problems))
            raise BadAnswer(f"[{texts}]" if len(problems) > 1 else texts)
        made[name] = values
    return made
