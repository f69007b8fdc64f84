"""Errors that cross the API: what went wrong, as a `metav1.Status` with upstream's reasons, codes and wording.

    ApiError            code, reason, message, details; rendered as a Status
    FieldError          one problem with one field; collected, never raised alone

`ApiError` is the only error that crosses the API. The server renders it with `status()`, the client raises the same
class again with `from_status()`. Validation returns every `FieldError` it finds; `invalid()` puts them into one 422.
Source of reasons, codes and texts: apimachinery/pkg/api/errors/errors.go and util/validation/field/errors.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec

from apimachinery.types import Json

FORBIDDEN_FIELD = "FieldValueForbidden"
REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
DUPLICATE = "FieldValueDuplicate"
NOT_SUPPORTED = "FieldValueNotSupported"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
NOT_FOUND_FIELD = "FieldValueNotFound"
TYPE_INVALID = "FieldValueTypeInvalid"
INTERNAL_FIELD = "InternalError"

_TITLES = {
    FORBIDDEN_FIELD: "Forbidden",
    REQUIRED: "Required value",
    INVALID: "Invalid value",
    DUPLICATE: "Duplicate value",
    NOT_SUPPORTED: "Unsupported value",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
    NOT_FOUND_FIELD: "Not found",
    TYPE_INVALID: "Invalid value",
    INTERNAL_FIELD: "Internal error",
}
_WITHOUT_VALUE = (FORBIDDEN_FIELD, REQUIRED, TOO_LONG, INTERNAL_FIELD)


#: The value of an error that shows none (upstream's OmitValueType).
NO_VALUE: Any = object()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem with one field. `path` is upstream's, e.g. `spec.containers[0].image`; `value` is what was sent."""

    path: str
    kind: str
    detail: str = ""
    value: Any = None

    def body(self) -> str:
        """The text without the path, as it stands in a Status cause: `Invalid value: "x": must be ...`."""
        text = _TITLES[self.kind]
        shows = self.kind not in _WITHOUT_VALUE and self.value is not NO_VALUE
        if shows and not (self.kind == TOO_MANY and self.value is None):
            text += f": {_shown(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.path}: {self.body()}"


class Ordered(dict[str, Any]):
    """An object that is a struct in Go: shown in its own order, where maps are sorted."""


class Pointed(str):
    """A string that is behind a pointer in Go: shown as JSON, as all that is no plain scalar."""

    __slots__ = ()


def _shown(value: Any) -> str:
    """How Go's `%q` / `%v` show a value in a field error: strings quoted, numbers plain, the rest as JSON."""
    if isinstance(value, Pointed):
        value = str(value)
    elif isinstance(value, str):
        return go_quoted(value)
    if isinstance(value, float):
        return go_number(value)
    return msgspec.json.encode(_as_go_has_it(value)).decode().translate(_ESCAPED)


def go_quoted(text: str) -> str:
    """How Go's `%q` shows a string."""
    return f'"{text.translate(_QUOTED) if text.isprintable() else "".join(map(_letter, text))}"'


_QUOTED = {ord('"'): '\\"', ord("\\"): "\\\\"}
_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _letter(letter: str) -> str:
    code = ord(letter)
    if letter.isprintable():
        return letter.translate(_QUOTED)
    if letter in _NAMED:
        return _NAMED[letter]
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _as_go_has_it(value: Any) -> Any:
    """The tree without Python's `.0`, maps sorted: Go writes a float that is whole like an integer."""
    if isinstance(value, dict):
        names = value if isinstance(value, Ordered) else sorted(value)
        return {name: _as_go_has_it(value[name]) for name in names}
    if isinstance(value, list):
        return [_as_go_has_it(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: What Go's JSON never shows as it is.
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def go_value(value: Any) -> str:
    """How Go's `%v` shows a decoded JSON value: map[a:1 b:[x y]]."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_value(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_value, value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    return go_number(value) if isinstance(value, int | float) else str(value)


def go_number(value: float) -> str:
    """How Go's `%v` writes a number: 1e+06, 0.5, 3."""
    if isinstance(value, int):
        return str(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int), value
    size = exponent + len(digits) - 1  # of the first digit
    if -4 <= size < 6:
        return f"{Decimal(repr(value)).normalize():f}"
    text = "".join(map(str, digits))
    return f"{'-' * sign}{text[0]}{'.' + text[1:] if text[1:] else ''}e{size:+03d}"


def not_supported(path: str, value: Any, supported: Sequence[str]) -> FieldError:
    """A value outside an enum, listing what is allowed as upstream does: `supported values: "A", "B"`."""
    values = ", ".join(f'"{v}"' for v in supported)
    return FieldError(path, NOT_SUPPORTED, f"supported values: {values}" if values else "", value)


#: What upstream's router answers by itself has details, if only empty ones.
_ALWAYS_DETAILED = ("NotFound", "MethodNotAllowed")


@dataclass(eq=False)  # two errors are never the same, and exceptions must be hashable
class ApiError(Exception):
    """A refusal of the API. `reason` is upstream's CamelCase word, `code` the HTTP status."""

    code: int
    reason: str
    message: str
    details: Json = field(default_factory=dict)
    #: Shows its details even where they are empty, as what upstream's router answers by itself.
    is_detailed: bool = False

    def __str__(self) -> str:
        return self.message

    def status(self) -> Json:
        """The `metav1.Status` to send."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details or self.is_detailed or self.reason in _ALWAYS_DETAILED:
            status["details"] = self.details
        status["code"] = self.code
        return status

    @property
    def retry_after(self) -> int:
        """Seconds after which to try again, 0 for no advice."""
        return int(self.details.get("retryAfterSeconds", 0))


def from_status(status: Json, code: int) -> ApiError:
    """The error that a Status body stands for; `code` is the HTTP code, used where the body has none."""
    return ApiError(
        status.get("code") or code,
        status.get("reason", ""),
        status.get("message", f"the server answered with HTTP {code}"),
        status.get("details") or {},
    )


def _details(group: str, resource: str, name: str, **more: Any) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details | more


def qualified(group: str, resource: str) -> str:
    """`deployments.apps`, or `pods` for the core group: how messages name a resource."""
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> ApiError:
    """404 for an object: `pods "x" not found`."""
    message = f'{qualified(group, resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(group, resource, name))


def path_not_found() -> ApiError:
    """404 for a path that no resource serves."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, resource: str, name: str) -> ApiError:
    """409 on a create of a name that is taken."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(group, resource, name))


#: Upstream's text for a resourceVersion that is no longer the stored one (registry/generic/registry/store.go).
OPTIMISTIC_LOCK = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, resource: str, name: str, why: str = OPTIMISTIC_LOCK) -> ApiError:
    """409: the write lost a race, or a precondition did not hold."""
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, resource, name))


def joined(errors: Sequence[FieldError]) -> str:
    """Several problems in one text."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with every problem at once. `kind` is the Kind's name (`Pod`), as upstream writes it here."""
    causes = [{"reason": e.kind, "message": e.body(), "field": e.path} for e in errors]
    message = f'{qualified(group, kind)} "{name}" is invalid: {joined(errors)}'
    return ApiError(422, "Invalid", message, _details(group, kind, name, causes=causes))


def bad_request(message: str) -> ApiError:
    """400: the request itself cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unconverted(message: str) -> ApiError:
    """400 for a mistake that upstream answers with a 500 without a reason, since nothing there gave it a code."""
    return ApiError(400, "", message)


def not_internal(message: str) -> ApiError:
    """400 for a mistake that upstream calls its own: in its words, and with its reason, for those who act on that."""
    return replace(internal(message), code=400)


def unauthorized() -> ApiError:
    """401: nobody we know."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, why: str) -> ApiError:
    """403 for a resource: `pods "x" is forbidden: ...`."""
    subject = f'{qualified(group, resource)} "{name}" is' if name else f"{qualified(group, resource)} is"
    return ApiError(403, "Forbidden", f"{subject} forbidden: {why}", _details(group, resource, name))


def method_not_allowed(group: str, resource: str, verb: str) -> ApiError:
    """405: the resource has no such verb."""
    message = f'{verb} is not supported on resources of kind "{qualified(group, resource)}"'
    return ApiError(405, "MethodNotAllowed", message, _details(group, resource, ""))


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406: none of the media types asked for can be produced."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body's Content-Type cannot be read."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(415, "UnsupportedMediaType", message)


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    """410: the revision asked for has been compacted."""
    return ApiError(410, "Expired", message)


def gone(message: str) -> ApiError:
    """410 Gone, as a watch's in-stream error says it."""
    return ApiError(410, "Gone", message)


def too_large_resource_version(wanted: int, current: int) -> ApiError:
    """504 for a revision from the future (storage/errors.go NewTooLargeResourceVersionError)."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(504, "Timeout", message, {"retryAfterSeconds": 1, "causes": causes})


def too_many_requests(message: str, retry_after: int) -> ApiError:
    """429, with advice when to come back, in seconds, or without."""
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after} if retry_after else {})


def request_too_large(message: str) -> ApiError:
    """413: the body, or the object as stored, is over the limit."""
    return ApiError(413, "RequestEntityTooLarge", message)


def timeout(message: str, retry_after: int = 0) -> ApiError:
    """504: the server gave up waiting."""
    return ApiError(504, "Timeout", message, {"retryAfterSeconds": retry_after} if retry_after else {})


def service_unavailable(message: str) -> ApiError:
    """503: a part that the server needs is away."""
    return ApiError(503, "ServiceUnavailable", message)


def internal(message: str) -> ApiError:
    """500: a fault of ours."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})
