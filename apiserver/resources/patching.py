"""The handler of PATCH, for objects and for the subresources that are parts of them; an apply may create them.

It says how the new object comes from the old one and leaves the rest to the write stages. Source:
endpoints/handlers/patch.go.
"""

from dataclasses import replace
from functools import partial

import msgspec

from apimachinery import errors, schema, times
from apimachinery.apply.ownership import without_entries
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call, Response
from apiserver.registry import Resource
from apiserver.resources import committing, decoding, fields, managing, patch_bodies, presenting
from apiserver.resources.addressing import attributes_of, key_of, namespace_of
from apiserver.resources.api import Api
from apiserver.resources.options import WriteOptions, write_options
from apiserver.resources.patch_bodies import Patch
from apiserver.resources.preconditions import check_version, demands_version
from apiserver.resources.stages import Write


async def patch_object(api: Api, call: Call, resource: Resource) -> Response:
    """PATCH of an object or of one of its parts."""
    media_type = negotiation.patch_type(
        call.headers.get("content-type", ""), patch_bodies.types_for(resource), custom=not resource.is_typed
    )
    options, now = write_options(call), api.clock()
    if applies := media_type == negotiation.APPLY_PATCH:
        rules = managing.ownership(resource, call.target.subresource)
        made = patch_bodies.applied(rules, call, options, await call.body(), times.rfc3339(now))
        resource = resource.for_applying()
    else:
        made = _kept_small(patch_bodies.patched(resource, media_type, await call.body(), options), await call.body())
    write = _write(api, call, resource, options, made, applies=applies, now=now)
    may_create = applies and (not write.subresource or resource.strategy.allow_create_on_update)
    committed = await committing.update(write, key_of(call, resource), may_create=may_create)
    await presenting.prepare(resource, [committed.entry])
    return presenting.present(call, resource, committed.entry, api.clock(), 201 if committed.created else 200)


def _kept_small(made: Patch, data: bytes) -> Patch:
    """The patch, put onto objects without managedFields where it says nothing of them: most do not."""
    if b"managedFields" in data or b"\\u" in data:
        return made
    return replace(made, change=lambda old: made.change(without_entries(old) if old is not None else None))


def _write(
    api: Api, call: Call, resource: Resource, options: WriteOptions, made: Patch, *, applies: bool, now: float
) -> Write:
    return Write(
        api=api,
        call=call,
        resource=resource,
        attributes=attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=partial(_result, call, resource, options, made),
        precondition=partial(check_version, resource, is_needed=demands_version(resource)),
        is_patch=True,
        duplicates=made.mistakes,
        has_entries=applies,
        version=made.version if options.dry_run else "",
        subresource=call.target.subresource,
        now=now,
    )


def _result(call: Call, resource: Resource, options: WriteOptions, made: Patch, old: Json | None) -> Json:
    """What the patch makes of an object, if that is still one, of its kind and in its place. Raises 400, 409, 422."""
    new = made.change(old)
    if not isinstance(new, dict):
        raise errors.bad_request("the patched object is not an object")
    new = of_kind(call, resource.kind, new, options, made.mistakes, is_typed=resource.is_typed)
    if not _is_in_place(new, call, resource):  # whatever of it does not decode is told of first
        fields.checked(new, resource, options, call, made.mistakes, is_patch=True)
    new = decoding.place(new, resource.kind, namespace_of(call, resource))
    decoding.check_name(new, call.target.name)
    if old is None and (uid := new["metadata"].get("uid")):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise resource.conflict(call.target.name, why)
    return new


def of_kind(
    call: Call, kind: Kind, new: Json, options: WriteOptions, mistakes: tuple[str, ...], *, is_typed: bool
) -> Json:
    """What a patch made, still of its kind. Raises 400, and 422 where the result does not decode."""
    media_type = negotiation.media_type_of(call.headers["content-type"])
    if media_type == negotiation.APPLY_PATCH:
        return decoding.check_kind(new, kind)
    if media_type == negotiation.STRATEGIC_PATCH:  # merged into what has its type already
        return {**new, "kind": kind.kind, "apiVersion": kind.api_version}
    if why := decoding.not_of_a_kind(new):
        raise fields.of_patch(call, new, why)
    return _typed(call, kind, new, options, mistakes) if is_typed else _custom(call, kind, new)


def _typed(call: Call, kind: Kind, new: Json, options: WriteOptions, mistakes: tuple[str, ...]) -> Json:
    if not new.get("apiVersion"):
        raise _without_version(call, new, options, mistakes)
    try:
        return decoding.check_kind(new, kind)
    except errors.ApiError as error:
        raise fields.of_patch(call, new, fields.undecodable(kind, error.message)) from None


def _custom(call: Call, kind: Kind, new: Json) -> Json:
    if not new.get("kind"):
        text = msgspec.json.encode(new, order="sorted").decode()
        raise fields.of_patch(call, new, f"Object 'Kind' is missing in '{text}'")
    if "apiVersion" in new and new["apiVersion"] is None:
        why = ".apiVersion accessor error: <nil> is of the type <nil>, expected string"
        raise fields.of_patch(call, new, why)
    if (new.get("apiVersion"), new["kind"]) == (kind.api_version, kind.kind):
        return new
    decoding.check_name(new, call.target.name)
    if not new.get("apiVersion"):  # upstream finds it when it writes: a 500 there
        raise errors.not_internal("Object 'apiVersion' is missing in 'object has no apiVersion field'")
    raise decoding.mistaken(new, kind)


def _is_in_place(tree: Json, call: Call, resource: Resource) -> bool:
    """Whether an object's metadata says that it lies where the request's path leads, in the types that it should."""
    metadata, there = tree.get("metadata"), namespace_of(call, resource)
    return (
        isinstance(metadata, dict)
        and metadata.get("name") == call.target.name
        and metadata.get("namespace", there) == there
        and all(isinstance(metadata.get(name, ""), str) for name in ("resourceVersion", "uid"))
    )


def _without_version(call: Call, new: Json, options: WriteOptions, mistakes: tuple[str, ...]) -> errors.ApiError:
    """How upstream refuses an object that does not say its version: it reads its internal type, with other names."""
    validation = options.field_validation
    unknown = [f'unknown field "{name}"' for name in sorted(new) if name not in ("apiVersion", "kind")]
    strict = [*mistakes, *unknown]
    if strict and validation == "Strict":
        return fields.of_patch(call, new, schema.strict_error(strict))
    for text in strict if validation == "Warn" else ():
        call.warn(text)
    return decoding.unnamed(call.target.name)
