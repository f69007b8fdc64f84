"""The handlers of create and update, for objects and for the subresources that are parts of them.

They read the request, say how the new object comes from the old one, and leave the rest to the write stages. Source:
endpoints/handlers/{create,update}.go, registry/generic/registry/store.go (Update).
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec

from apimachinery import errors, times
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call, Response
from apiserver.registry import Resource
from apiserver.resources import committing, decoding, fields, managing, metadata, presenting, reviewing
from apiserver.resources.addressing import attributes_of, key_of, namespace_of
from apiserver.resources.api import Api
from apiserver.resources.options import WriteOptions, write_options
from apiserver.resources.preconditions import check_uid, check_version, demands_version
from apiserver.resources.stages import Write


async def create(api: Api, call: Call, resource: Resource) -> Response:
    """POST to a collection."""
    options = write_options(call)
    tree, sent, empties = await _sent(call, resource, options)
    meta = tree["metadata"]

    def source(_old: Json | None) -> Json:
        new = sent()
        metadata.wipe(new["metadata"])
        return new

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
    tree, sent, empties = await _sent(call, resource, options, call.target.name)
    may_create = resource.strategy.allow_create_on_update

    def source(old: Json | None) -> Json:
        new = sent()
        if old is not None or may_create:
            check_uid(call, resource, options, new, old)
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
        precondition=partial(check_version, resource, is_needed=demands_version(resource)),
        version=(tree["metadata"].get("resourceVersion") or "") if options.dry_run else "",
        subresource=call.target.subresource,
        now=api.clock(),
    )
    committed = await committing.update(write, key_of(call, resource), may_create=may_create)
    await presenting.prepare(resource, [committed.entry])
    return presenting.present(call, resource, committed.entry, api.clock(), 201 if committed.created else 200)


async def _sent(
    call: Call, resource: Resource, options: WriteOptions, name: str = ""
) -> tuple[Json, Callable[[], Json], fields.Empties]:
    """The body as its schema knows it, in its place, of this name; the source of a fresh one for every attempt.

    Raises 400.
    """
    kind, empties = resource.kind, fields.Empties()
    body = await decoding.body_of(call, kind, duplicates=options.field_validation != "Ignore", any_version=True)
    decoding.metadata_of(body.tree)
    body = replace(body, tree=managing.keep_resets(body.tree))

    def decoded(options: WriteOptions, duplicates: tuple[str, ...]) -> Json:
        tree = fields.checked(body.tree, resource, options, call, duplicates, is_patch=False, empties=empties)
        tree = decoding.check_kind(tree, kind)
        if call.witness is not None:
            call.witness(tree["metadata"], lambda: resource.strategy.default(copy.deepcopy(tree)))
        tree = decoding.place(tree, kind, namespace_of(call, resource))
        if name:
            decoding.check_name(tree, name)
        metadata.deduplicate(tree["metadata"], call.warn)
        return tree

    first = decoded(options, body.duplicates)
    fresh, quiet = [first], msgspec.structs.replace(options, field_validation="Ignore")
    return first, lambda: fresh.pop() if fresh else decoded(quiet, ()), empties
