"""The handlers of create, update and patch, for objects and for the subresources that are parts of them.

They read the request, say how the new object comes from the old one, and leave the rest to the write stages. The
checks against what is stored (resourceVersion, uid, the name) belong to that function, since it runs again after every
lost race. Source: endpoints/handlers/{create,update,patch}.go, registry/generic/registry/store.go (Update).
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from apimachinery import errors, patch, schema, strict_json, times
from apimachinery.apply.ownership import Ownership, without_entries
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call, Response
from apiserver.registry import Resource
from apiserver.request import Attributes
from apiserver.resources import committing, decoding, fields, managing, presenting, reviewing
from apiserver.resources.api import Api
from apiserver.resources.options import WriteOptions, no_revision, write_options
from apiserver.resources.stages import Write

#: What a patch may be.
SERVED_PATCHES = negotiation.PATCH_TYPES
#: What one may be of an object that has no Go type.
_WITHOUT_STRATEGIC = tuple(kind for kind in SERVED_PATCHES if kind != negotiation.STRATEGIC_PATCH)


def attributes_of(call: Call, verb: str = "", name: str = "", *, dry_run: bool = False) -> Attributes:
    """The request as authorizers and admission plugins see it."""
    info = call.target
    return Attributes(
        user=call.asker,
        verb=verb or info.verb,
        group=info.group,
        version=info.version,
        plural=info.plural,
        subresource=info.subresource,
        namespace=info.namespace,
        name=name or info.name,
        path=info.path,
        dry_run=dry_run,
    )


async def create(api: Api, call: Call, resource: Resource) -> Response:
    """POST to a collection."""
    options = write_options(call)
    tree, source, empties = await _sent(call, resource, options)
    meta = tree["metadata"]
    write = Write(
        api=api,
        call=call,
        resource=resource,
        attributes=attributes_of(call, name=meta.get("name") or "", dry_run=options.dry_run),
        options=options,
        source=source,
        is_decoded=True,
        empties=empties,
        version=meta.get("resourceVersion") or "",
        now=api.clock(),
    )
    committed = await committing.create(write)
    await presenting.prepare(resource, [committed.entry])
    return presenting.present(call, resource, committed.entry, api.clock(), 201)


async def respond(api: Api, call: Call, resource: Resource) -> Response:
    """POST of a kind that is computed and forgotten: a review."""
    assert resource.respond is not None
    if call.accepted.transform == negotiation.TABLE:
        raise errors.not_acceptable(negotiation.MEDIA_TYPES)
    tree = await fields.typed_body(call, resource.kind)
    if resource.kind.namespaced:
        decoding.place(tree, resource.kind, call.target.namespace)
    options = write_options(call)
    tree = owned(api, call, resource, options, tree)
    subject = partial(reviewing.posted, call, resource, attributes_of(call), resource.kind, options)
    tree = await api.admission.review(subject, tree, call.warn)
    answer = await resource.respond(call, tree)
    return presenting.computed(call, answer, presenting.go_type(resource), 201)


def owned(api: Api, call: Call, resource: Resource, options: WriteOptions, tree: Json, subresource: str = "") -> Json:
    """What is sent once and not stored, with whose fields it has."""
    manager, now = managing.manager_of(call, options), times.rfc3339(api.clock())
    decoding.metadata_of(tree)
    entries = managing.ownership(resource, subresource).update(None, tree, manager, now)
    return managing.with_entries(tree, entries)


async def update(api: Api, call: Call, resource: Resource) -> Response:
    """PUT of an object or of one of its parts."""
    options = write_options(call)
    tree, fresh, empties = await _sent(call, resource, options)
    decoding.check_name(tree, call.target.name)
    may_create = resource.strategy.allow_create_on_update

    def source(old: Json | None) -> Json:
        new = fresh(old)
        if old is None and may_create and (uid := new["metadata"].get("uid")):
            raise uid_conflict(call, resource, options, uid, "")
        return new

    write = Write(
        api=api,
        call=call,
        resource=resource,
        attributes=attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=source,
        is_decoded=True,
        empties=empties,
        precondition=partial(check_version, call, resource, options, is_needed=_demands_version(resource)),
        subresource=call.target.subresource,
        now=api.clock(),
    )
    committed = await committing.update(write, key_of(call, resource), may_create=may_create)
    await presenting.prepare(resource, [committed.entry])
    return presenting.present(call, resource, committed.entry, api.clock(), 201 if committed.created else 200)


async def patch_object(api: Api, call: Call, resource: Resource) -> Response:
    """PATCH of an object or of one of its parts."""
    media_type = negotiation.patch_type(
        call.headers.get("content-type", ""),
        SERVED_PATCHES if resource.is_typed else _WITHOUT_STRATEGIC,
        custom=not resource.is_typed,
    )
    options, now, applies = write_options(call), api.clock(), media_type == negotiation.APPLY_PATCH
    subresource, mistakes = call.target.subresource, tuple[str, ...]()
    if applies:
        rules = managing.ownership(resource, subresource)
        change = applier(rules, call, options, await call.body(), times.rfc3339(now))
    else:
        data = await call.body()
        put, mistakes = patcher(resource, media_type, data, reports=options.field_validation != "Ignore")
        change = _patching(put, touches_entries(data))

    def source(old: Json | None) -> Json:
        new = change(old)
        if not isinstance(new, dict):
            raise errors.bad_request("the patched object is not an object")
        new = _kind_kept(call, resource, new)
        if not _is_in_place(new, call, resource):  # whatever of it does not decode is told of first
            fields.checked(new, resource, options, call, mistakes, is_patch=True)
        new = decoding.place(new, resource.kind, namespace_of(call, resource))
        decoding.check_name(new, call.target.name)
        if old is None and (uid := new["metadata"].get("uid")):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise resource.conflict(call.target.name, why)
        return new

    write = Write(
        api=api,
        call=call,
        resource=resource.for_applying() if applies else resource,
        attributes=attributes_of(call, dry_run=options.dry_run),
        options=options,
        source=source,
        precondition=partial(
            check_version, call, resource, options, is_needed=_demands_version(resource), is_patch=True
        ),
        is_patch=True,
        duplicates=mistakes,
        has_entries=applies,
        version=_version_sent(await call.body()) if applies and options.dry_run else "",
        subresource=subresource,
        now=now,
    )
    may_create = applies and (not subresource or resource.strategy.allow_create_on_update)
    committed = await committing.update(write, key_of(call, resource), may_create=may_create)
    await presenting.prepare(resource, [committed.entry])
    return presenting.present(call, resource, committed.entry, api.clock(), 201 if committed.created else 200)


def _demands_version(resource: Resource) -> bool:
    """Whether a change has to name the version it was made from."""
    return not resource.strategy.allow_unconditional_update


def _version_sent(data: bytes) -> str:
    """The resourceVersion of what is applied: a dry run that creates it tells it back."""
    metadata = _configuration(data)[0].get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else ""


def _kind_kept(call: Call, resource: Resource, new: Json) -> Json:
    """What a patch made, still of its kind. Raises 400, and 422 where the result does not decode."""
    media_type = negotiation.media_type_of(call.headers["content-type"])
    if media_type == negotiation.STRATEGIC_PATCH:  # merged into what has its type already
        return {**new, "kind": resource.kind.kind, "apiVersion": resource.kind.api_version}
    if not resource.is_typed and media_type != negotiation.APPLY_PATCH and _claims(new, resource):
        raise decoding.mistaken(new, resource.kind)
    if resource.is_typed and media_type != negotiation.APPLY_PATCH and not new.get("apiVersion"):
        raise _without_version(call, new)
    try:
        return decoding.check_kind(new, resource.kind)
    except errors.ApiError as error:
        if not resource.is_typed or media_type == negotiation.APPLY_PATCH:
            raise
        raise fields.of_patch(call, new, fields.undecodable(resource.kind, error.message)) from None


def _is_in_place(tree: Json, call: Call, resource: Resource) -> bool:
    """Whether an object's metadata says that it lies where the request's path leads, in the types that it should."""
    metadata, there = tree.get("metadata"), namespace_of(call, resource)
    return (
        isinstance(metadata, dict)
        and metadata.get("name") == call.target.name
        and metadata.get("namespace", there) == there
        and all(isinstance(metadata.get(name, ""), str) for name in ("resourceVersion", "uid"))
    )


def _without_version(call: Call, new: Json) -> errors.ApiError:
    """How upstream refuses an object that does not say its version: it reads its internal type, with other names."""
    validation = write_options(call).field_validation
    unknown = [f'unknown field "{name}"' for name in sorted(new) if name not in ("apiVersion", "kind")]
    if unknown and validation == "Strict":
        return fields.of_patch(call, new, schema.strict_error(unknown))
    for text in unknown if validation == "Warn" else ():
        call.warn(text)
    return decoding.unnamed(call.target.name)


def _claims(tree: Json, resource: Resource) -> bool:
    """Whether an object says, in words, that it is of another kind."""
    said, kind = (tree.get("apiVersion"), tree.get("kind")), resource.kind
    return all(isinstance(word, str) and word for word in said) and said != (kind.api_version, kind.kind)


def applier(
    rules: Ownership, call: Call, options: WriteOptions, data: bytes, now: str
) -> Callable[[Json | None], Json]:
    """The function that applies a configuration to what is there. It raises 400 for a body that is none."""
    try:
        applied, doubled = _configuration(data)
    except errors.ApiError as error:
        return _refusing(error)

    def change(old: Json | None) -> Json:
        made = rules.apply(old, applied, options.field_manager, now, force=options.force)
        if doubled and options.field_validation == "Strict":
            raise errors.bad_request(f"error strict decoding YAML: {doubled}")
        if doubled and options.field_validation == "Warn":
            for line in doubled.split("\n")[1:] or [doubled]:  # the first says what the others are
                call.warn(line.strip())
        return made

    return change


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


def touches_entries(data: bytes) -> bool:
    """Whether a patch may say something of managedFields; most do not, and those need not be carried along."""
    return b"managedFields" in data or b"\\u" in data


def _patching(apply: Callable[[Json], Json], touches: bool) -> Callable[[Json | None], Json]:  # noqa: FBT001
    def change(old: Json | None) -> Json:
        assert old is not None
        return apply(old if touches else without_entries(old))

    return change


def patcher(
    resource: Resource, media_type: str, data: bytes, *, reports: bool
) -> tuple[Callable[[Json], Json], tuple[str, ...]]:
    """The function that puts a patch onto an object, and if it is to be reported, what the patch says in vain.

    The function raises 400 for a body that is no patch of its type.
    """
    try:
        body, mistakes = _patch_body(media_type, data, reports=reports)
    except errors.ApiError as error:
        return _refusing(error), ()
    if media_type == negotiation.JSON_PATCH:
        return lambda old: patch.json_patch(old, body), mistakes
    if media_type == negotiation.MERGE_PATCH:
        return lambda old: patch.merge_patch(old, body), mistakes
    definition = schema.definition(resource.kind) if resource.is_typed else None
    if definition is None:
        raise errors.unsupported_media_type(_WITHOUT_STRATEGIC)
    return lambda old: patch.strategic_merge(old, body, definition), mistakes


def _refusing(error: errors.ApiError) -> Callable[[Json | None], Json]:
    """What a body that cannot be read does to an object: it is told of where there is one."""

    def refuse(_old: Json | None) -> Json:
        raise error

    return refuse


def _patch_body(media_type: str, data: bytes, *, reports: bool) -> tuple[Any, tuple[str, ...]]:
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


def namespace_of(call: Call, resource: Resource) -> str:
    """The namespace that the object lies in; a namespace itself lies in none."""
    return call.target.namespace if resource.kind.namespaced else ""


def key_of(call: Call, resource: Resource) -> str:
    """Where the object that the path names is stored."""
    return resource.stored.storage_key(namespace_of(call, resource), call.target.name)


async def _sent(
    call: Call, resource: Resource, options: WriteOptions
) -> tuple[Json, Callable[[Json | None], Json], fields.Empties]:
    """The body as its schema knows it, in its place; the source of a fresh one for every attempt. Raises 400."""
    kind, empties = resource.kind, fields.Empties()
    body = await decoding.body_of(call, kind, duplicates=options.field_validation != "Ignore", any_version=True)
    decoding.metadata_of(body.tree)
    body = replace(body, tree=managing.keep_resets(body.tree))

    def decoded(options: WriteOptions, duplicates: tuple[str, ...]) -> Json:
        tree = fields.checked(body.tree, resource, options, call, duplicates, is_patch=False, empties=empties)
        tree = decoding.check_kind(tree, kind)
        if call.witness is not None:
            call.witness(resource.strategy.default(copy.deepcopy(tree)))
        return decoding.place(tree, kind, namespace_of(call, resource))

    first = decoded(options, body.duplicates)
    fresh, quiet = [first], msgspec.structs.replace(options, field_validation="Ignore")
    return first, lambda _old: fresh.pop() if fresh else decoded(quiet, ()), empties


def uid_conflict(call: Call, resource: Resource, options: WriteOptions, wanted: str, found: str) -> errors.ApiError:
    """409: the object is not the one that the client means."""
    why = failed_precondition(key_of(call, resource), "UID", wanted, found, dry_run=options.dry_run)
    return resource.conflict(call.target.name, why)


def failed_precondition(key: str, what: str, wanted: str, found: str, *, dry_run: bool) -> str:
    """What upstream's store says of another UID or ResourceVersion; in a dry run it does not know its own root."""
    return (
        f"StorageError: invalid object, Code: 4, Key: {key.removeprefix('/registry') if dry_run else key}, "
        "ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
    )


def check_version(
    call: Call,
    resource: Resource,
    options: WriteOptions,
    new: Json,
    old: Json,
    *,
    is_needed: bool,
    is_patch: bool = False,
) -> None:
    """Raise 409 when the object was changed or replaced since the client read it, 422 when a version is missing.

    Another uid in a patch is no precondition, but a change of what cannot be changed: validation's business.
    """
    meta, before = new["metadata"], old["metadata"]
    name, version = before["name"], meta.get("resourceVersion") or ""
    if why := no_revision(version):
        raise errors.unconverted(why)
    uid = meta.get("uid") or ""
    if uid and uid != before.get("uid") and not is_patch:
        raise uid_conflict(call, resource, options, uid, before.get("uid", ""))
    if version in ("", "0") and is_needed:
        problem = FieldError("metadata.resourceVersion", errors.INVALID, "must be specified for an update", 0)
        raise errors.invalid(resource.kind.group, resource.kind.plural, name, [problem])
    if version not in ("", "0") and version != before["resourceVersion"]:
        raise resource.conflict(name)
