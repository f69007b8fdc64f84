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
    tree: Json, kind: Kind, options: WriteOptions, call: Call, duplicates: tuple[str, ...], *, is_patch: bool
) -> Json:
    """A fresh tree, typed values only: unknown fields and nulls gone. Raises for what Strict or the types forbid."""
    reports = options.field_validation != "Ignore"
    try:
        decoded, unknown = schema.decode_object(kind, tree, strict=reports)
    except ApiError as error:
        raise _of_patch(error.message) if is_patch else error from None
    strict = [*duplicates, *unknown]
    if not strict:
        return decoded
    if options.field_validation == "Strict":
        why = schema.strict_error(strict)
        raise _of_patch(why) if is_patch else schema.cannot_be_handled(kind, why)
    for text in strict:
        call.warn(text)
    return decoded


def _of_patch(why: str) -> ApiError:
    """A patch whose result does not decode into its kind."""
    # differs: upstream quotes the whole patch here.
    return errors.invalid("", "", "", [FieldError("patch", errors.INVALID, why, "")])
