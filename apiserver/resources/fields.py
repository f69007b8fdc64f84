"""The `prune` stage: an object against its schema. Mistyped fields are refused, unknown ones warned of or refused.

fieldValidation Strict refuses with 400 (a body) or 422 (a patch), Warn tells in Warning headers, Ignore drops silently.
Source of the wording: endpoints/handlers/{create,update,patch}.go, rest.go (transformDecodeError).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from apimachinery import errors, schema, strict_json
from apimachinery.errors import ApiError, FieldError
from apimachinery.fields import Mistyped
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.call import Call
from apiserver.negotiation import STRATEGIC_PATCH, media_type_of
from apiserver.registry import Resource
from apiserver.resources import decoding
from apiserver.resources.options import WriteOptions, write_options

METADATA, STATUS = "metadata", "status"


@dataclass(slots=True)
class Empties:
    """What an object said and is not stored: the lists and maps in it that were there, and empty."""

    #: Whether there were any.
    any: bool = False
    #: The object as it said so.
    sent: Json = field(default_factory=dict)

    def count(self, kind: Kind, made: Json, name: str) -> bool:
        """Whether one is left in a field of the object that was made of it."""
        return self.any and name != "" and schema.has_empty(kind, self.sent.get(name), made.get(name), name)

    def seen(self, kind: Kind, made: Json, *, is_status: bool) -> Json:
        """The object that was made of it as upstream's rules see it: with them."""
        if not self.any:
            return made
        parts = {STATUS} if is_status else self.sent.keys() - {METADATA, STATUS}
        return schema.with_empties(kind, self.sent, made, parts)


def checked(
    tree: Json,
    resource: Resource,
    options: WriteOptions,
    call: Call,
    duplicates: tuple[str, ...],
    *,
    is_patch: bool,
    empties: Empties | None = None,
) -> Json:
    """A write's body or result as its resource knows it. Raises for what Strict or the types forbid."""
    if resource.decode is not None:
        return _checked(tree, resource.kind, options, call, duplicates, resource.decode, is_patch=is_patch)
    noted = False

    def decode(tree: Json, strict: bool) -> tuple[Json, list[str]]:  # noqa: FBT001 - a Resource's decode
        nonlocal noted
        decoded, unknown, noted = schema.decode_noting(resource.kind, tree, strict=strict)
        return decoded, unknown

    found = _checked(tree, resource.kind, options, call, duplicates, decode, is_patch=is_patch, is_typed=True)
    if empties is not None:
        empties.any, empties.sent = noted, tree
    return found


def _typed(kind: Kind, tree: Json, strict: bool) -> tuple[Json, list[str]]:  # noqa: FBT001 - a Resource's decode
    return schema.decode_object(kind, tree, strict=strict)


def _checked(
    tree: Json,
    kind: Kind,
    options: WriteOptions,
    call: Call,
    duplicates: tuple[str, ...],
    decode: Callable[[Json, bool], tuple[Json, list[str]]],
    *,
    is_patch: bool,
    is_typed: bool = False,
) -> Json:
    """A fresh tree, typed values only: unknown fields and nulls gone. Raises for what Strict or the types forbid."""
    reports = options.field_validation != "Ignore"
    try:
        decoded, unknown = decode(tree, reports)
    except ApiError as error:
        raise of_patch(call, tree, _why(call, kind, error)) if is_patch else error from None
    strict = [*duplicates, *unknown]
    if duplicates and unknown and is_typed and not is_patch:  # elsewhere upstream finds them one after the other
        strict = strict_json.in_order(call.received, strict)
    if not strict:
        return decoded
    if options.field_validation == "Strict":
        why = schema.strict_error(strict)
        raise of_patch(call, tree, why) if is_patch else schema.cannot_be_handled(kind, why)
    for text in strict:
        call.warn(text)
    return decoded


async def typed_body(call: Call, kind: Kind, older: str = "") -> Json:
    """The body of a request whose kind is answered and forgotten, as the schema knows it. Raises 400, 413, 415."""
    options = write_options(call)
    body = await decoding.body_of(call, kind, duplicates=options.field_validation != "Ignore", older=older)
    decoding.metadata_of(body.tree)
    return _checked(
        body.tree, kind, options, call, body.duplicates, partial(_typed, kind), is_patch=False, is_typed=True
    )


def patched(call: Call, tree: Json, kind: Kind, options: WriteOptions, mistakes: tuple[str, ...]) -> Json:
    """What a patch made of an object that is not stored as such. Raises 422."""
    return _checked(tree, kind, options, call, mistakes, partial(_typed, kind), is_patch=True, is_typed=True)


def _why(call: Call, kind: Kind, error: ApiError) -> str:
    """A strategic patch makes a tree, which upstream decodes in other words than a text."""
    cause = error.__cause__
    if isinstance(cause, Mistyped) and media_type_of(call.headers.get("content-type", "")) == STRATEGIC_PATCH:
        return cause.converted
    return undecodable(kind, error.message)


def undecodable(kind: Kind, message: str) -> str:
    """The reason alone of "... cannot be handled as a ...: reason"."""
    return message.rpartition(f" cannot be handled as a {kind.kind}: ")[2]


def of_patch(call: Call, tree: Json, why: str) -> ApiError:
    """A patch whose result does not decode into its kind: shown with a strategic patch itself, else with the result."""
    if media_type_of(call.headers.get("content-type", "")) == STRATEGIC_PATCH:
        shown = errors.go_value(strict_json.decode(call.received)[0])
    else:
        shown = msgspec.json.encode(tree).decode()
    return errors.invalid("", "", "", [FieldError("patch", errors.INVALID, why, shown)])
