"""The `prune` stage: an object against its schema. Mistyped fields are refused, unknown ones warned of or refused.

fieldValidation Strict refuses with 400 (a body) or 422 (a patch), Warn tells in Warning headers, Ignore drops silently.
Source of the wording: endpoints/handlers/{create,update,patch}.go, rest.go (transformDecodeError).
"""

from apimachinery import errors, schema
from apimachinery.errors import ApiError, FieldError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.call import Call
from apiserver.resources.options import WriteOptions


def checked(
    tree: Json, kind: Kind, options: WriteOptions, call: Call, duplicates: tuple[str, ...], *, patch: bool
) -> Json:
    """The tree with typed values only: unknown fields and nulls gone. Raises for what Strict or the types forbid."""
    decoded = schema.decode(kind, tree)
    if decoded.errors:
        raise refusal(kind, decoded.errors[0], patch=patch, sent="")
    if options.field_validation == "Ignore":
        return decoded.tree
    strict = [*duplicates, *decoded.unknown]
    if strict and options.field_validation == "Strict":
        raise refusal(kind, f"strict decoding error: {', '.join(strict)}", patch=patch, sent="")
    for text in strict:
        call.warn(text)
    return decoded.tree


def refusal(kind: Kind, why: str, *, patch: bool, sent: str) -> ApiError:
    """A body or a patch that does not decode into its kind."""
    if patch:
        return errors.invalid("", "", "", [FieldError("patch", errors.INVALID, why, sent)])
    return errors.bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')
