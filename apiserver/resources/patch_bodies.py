"""What the body of a PATCH says, and the function of an object that it stands for, one for each of the four types.

A body that is none of its type makes a function that refuses: upstream tells of it where there is an object to patch.
Source: endpoints/handlers/patch.go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from apimachinery import errors, patch, schema, strict_json
from apimachinery.apply.ownership import Ownership
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call
from apiserver.registry import Resource
from apiserver.resources import decoding
from apiserver.resources.options import WriteOptions

#: What a patch may be.
SERVED_PATCHES = negotiation.PATCH_TYPES
#: What one may be of an object that has no Go type.
_WITHOUT_STRATEGIC = tuple(kind for kind in SERVED_PATCHES if kind != negotiation.STRATEGIC_PATCH)


@dataclass(frozen=True, slots=True)
class Patch:
    """What the body of a PATCH stands for."""

    change: Callable[[Json | None], Json]  #: what it makes of an object; an apply may do without one
    mistakes: tuple[str, ...] = ()  #: what it says in vain, if that is to be reported when the result is decoded
    version: str = ""  #: the resourceVersion that an applied configuration names


def types_for(resource: Resource) -> tuple[str, ...]:
    """What a patch of a resource's objects may be."""
    return SERVED_PATCHES if resource.is_typed else _WITHOUT_STRATEGIC


def applied(rules: Ownership, call: Call, options: WriteOptions, data: bytes, now: str) -> Patch:
    """A configuration that is applied to what is there."""
    try:
        sent, doubled = _configuration(data)
    except errors.ApiError as error:
        return Patch(_refusing(error))

    def change(old: Json | None) -> Json:
        made = rules.apply(old, sent, options.field_manager, now, force=options.force)
        if doubled:
            _tell(call, options, doubled)
        return made

    return Patch(change, version=_version_of(sent))


def _tell(call: Call, options: WriteOptions, doubled: str) -> None:
    """Refuse what a configuration says twice, or warn of it."""
    if options.field_validation == "Strict":
        raise errors.bad_request(f"error strict decoding YAML: {doubled}")
    if options.field_validation == "Warn":
        for line in doubled.split("\n")[1:] or [doubled]:  # the first says what the others are
            call.warn(line.strip())


def _version_of(tree: Json) -> str:
    metadata = tree.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else ""


def _configuration(data: bytes) -> tuple[Json, str]:
    """What a body applies, and what it says twice, as upstream tells it."""
    try:
        tree, doubled = strict_json.decode(data, duplicates=True)  # most clients send JSON, which is YAML
    except errors.ApiError:
        tree, doubled = None, [""]
    if doubled:
        try:
            tree, doubled = strict_json.decode(data, is_yaml=True, duplicates=True)
        except errors.ApiError as error:
            why = f"error converting YAML to JSON: {error.message}"
            raise errors.bad_request(f"error decoding YAML: {why}") from None
    if tree is not None and not isinstance(tree, dict):
        why = f"json: cannot unmarshal {decoding.go_type(tree)} into Go value of type map[string]interface {{}}"
        raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    return tree or {}, f"error converting YAML to JSON: {doubled[0]}" if doubled else ""


def patched(resource: Resource, media_type: str, data: bytes, options: WriteOptions) -> Patch:
    """A patch of one of the other types. Raises 415."""
    try:
        body, mistakes = _body(media_type, data, reports=options.field_validation != "Ignore")
    except errors.ApiError as error:
        return Patch(_refusing(error))
    if media_type == negotiation.JSON_PATCH:
        return Patch(_onto(patch.json_patch, body), mistakes)
    if media_type == negotiation.MERGE_PATCH:
        return Patch(_onto(patch.merge_patch, body), mistakes)
    definition = schema.definition(resource.kind) if resource.is_typed else None
    if definition is None:
        raise errors.unsupported_media_type(_WITHOUT_STRATEGIC)
    return Patch(_onto(partial(patch.strategic_merge, definition=definition), body), mistakes)


def _onto(put: Callable[[Json, Any], Json], body: Any) -> Callable[[Json | None], Json]:
    def change(old: Json | None) -> Json:
        assert old is not None  # only an apply creates
        return put(old, body)

    return change


def _refusing(error: errors.ApiError) -> Callable[[Json | None], Json]:
    """What a body that cannot be read does to an object: it is told of where there is one."""

    def refuse(_old: Json | None) -> Json:
        raise error

    return refuse


def _body(media_type: str, data: bytes, *, reports: bool) -> tuple[Any, tuple[str, ...]]:
    """What a patch says; what it says twice, and what its operations have that none has. Raises 400.

    A strategic null changes nothing.
    """
    decoding_of = "" if media_type == negotiation.STRATEGIC_PATCH else "error decoding patch: "
    try:
        body, doubled = strict_json.decode(data, duplicates=reports)
    except errors.ApiError as error:
        raise errors.bad_request(decoding_of + error.message.removeprefix("error decoding patch: ")) from None
    if media_type == negotiation.JSON_PATCH:
        unknown = patch.unknown_fields(body) if reports else ()
        return body, tuple(f"json patch {mistake}" for mistake in (*doubled, *unknown))
    if isinstance(body, dict):
        return body, tuple(doubled)
    if body is None and media_type == negotiation.STRATEGIC_PATCH:
        return {}, ()
    if body is None:
        raise errors.bad_request("Invalid JSON Patch")
    why = f"json: cannot unmarshal {decoding.go_type(body)} into Go value of type map[string]interface {{}}"
    raise errors.bad_request(decoding_of + why)
