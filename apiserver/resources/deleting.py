"""The handlers of delete and deletecollection: decide purely, then compare-and-swap, again after every lost race."""

from dataclasses import replace
from functools import partial

import msgspec

from apimachinery import errors, schema, strict_json
from apimachinery.errors import ApiError
from apimachinery.fields import Mistyped
from apimachinery.types import Json
from apiserver import negotiation, protobuf
from apiserver.call import Call, Response
from apiserver.registry import Resource
from apiserver.request import Attributes
from apiserver.resources import committing, decoding, deletion, listing, metadata, presenting, reviewing
from apiserver.resources.addressing import attributes_of, key_of
from apiserver.resources.api import Api
from apiserver.resources.options import DeleteOptions, delete_options, list_options
from apiserver.storage.entry import Entry, entry
from apiserver.storage.protocol import Conflict


async def delete(api: Api, call: Call, resource: Resource) -> Response:
    """DELETE of one object."""
    options = delete_options(call, await _options_body(call))
    _warn(call, resource, options)
    key = key_of(call, resource)
    removed, shown = await remove(api, resource, key, options, attributes_of(call, dry_run=options.dry_run), call=call)
    if not removed or _shows_deleted(resource):
        await presenting.prepare(resource, [shown])
        is_begun = not removed and options.orphan is False  # who says so in the old way hears that it takes a while
        return presenting.present(call, resource, shown, api.clock(), 202 if is_begun else 200)
    return presenting.status(call, _details(resource, shown))


def _warn(call: Call, resource: Resource, options: DeleteOptions) -> None:
    """Tell who asks for nothing that dependents stay behind."""
    if resource.strategy.orphans_warning and options.orphan is None and not options.propagation:
        call.warn(resource.strategy.orphans_warning)


_OPTIONS = "DeleteOptions"
_META_VERSION = "meta.k8s.io/v1"
_SCHEME = "pkg/runtime/scheme.go:110"


async def _options_body(call: Call) -> Json | None:
    """The DeleteOptions sent along, None without any. Their apiVersion may be that of any group. Raises 400."""
    data = await call.body()
    if not data:
        return None
    media_type = negotiation.body_type(call.headers.get("content-type", ""))
    if media_type == negotiation.PROTOBUF:
        try:
            tree = protobuf.decode(data)
        except protobuf.Malformed as error:
            raise errors.unconverted(str(error)) from None
    else:
        tree = _options_tree(data, is_yaml=media_type == negotiation.YAML)
    version, kind = tree.get("apiVersion") or _META_VERSION, tree.get("kind") or _OPTIONS
    if version.count("/") > 1:
        raise errors.unconverted(f"unexpected GroupVersion string: {version}")
    if kind != _OPTIONS:
        raise errors.unconverted(f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"')
    try:
        return schema.decode_definition(schema.DELETE_OPTIONS, tree, strict=False)[0]
    except Mistyped as error:
        raise errors.unconverted(str(error)) from None


def _options_tree(data: bytes, *, is_yaml: bool) -> Json:
    """What a body says, which names itself in words if at all. Raises 400."""
    try:
        tree, _ = strict_json.decode(data, is_yaml=is_yaml)
    except ApiError as error:
        unread = "" if is_yaml else decoding.UNREAD
        raise errors.unconverted(unread + error.message.removeprefix("error decoding patch: ")) from None
    tree = {} if tree is None else tree
    if why := decoding.not_of_a_kind(tree):
        raise errors.unconverted(why)
    found: Json = tree
    return found


def _shows_deleted(resource: Resource) -> bool:
    """Whether a delete answers with the object in place of a Status."""
    return resource.strategy.graceful or resource.strategy.shows_deleted


class _Metadata(msgspec.Struct, gc=False):
    uid: str = ""


class _Gone(msgspec.Struct, gc=False):
    """All that is told of a deleted object; most of these are gone for good, so none is decoded for it."""

    metadata: _Metadata


_gone = msgspec.json.Decoder(_Gone)


def _details(resource: Resource, gone: Entry) -> Json:
    details: Json = {"name": gone.name}
    if resource.kind.group:
        details["group"] = resource.kind.group
    return {**details, "kind": resource.kind.plural, "uid": _gone.decode(gone.value).metadata.uid}


async def remove(
    api: Api,
    resource: Resource,
    key: str,
    options: DeleteOptions,
    attributes: Attributes,
    *,
    call: Call | None = None,
    admits: bool = True,
) -> tuple[bool, Entry]:
    """Delete the object or mark it. Gives whether it is gone, and what to show. Raises 404, 409.

    Nobody is asked for admission where the server itself cleans up (`admits` off); without a call no webhook is asked.
    """
    current, is_sure = api.cache.get(key), False
    while True:
        if current is None and not is_sure:
            current, is_sure = await committing.read(api, key), True
        if current is None:
            raise resource.not_found(attributes.name)
        refused: ApiError | None = None
        try:
            done = await _attempt(api, resource, current, options, attributes, call, admits=admits)
        except ApiError as error:
            if is_sure:
                raise
            done, refused = None, error
        except Conflict as conflict:
            current = committing.as_entry(api, conflict.current) if conflict.current is not None else None
            is_sure = True
            continue
        if done is not None and (is_sure or done[1].revision != current.revision or options.dry_run):
            return done
        seen, is_sure = current.revision, True
        current = await committing.read(api, key)
        if current is not None and current.revision == seen:  # the cache was right, and so was what came of it
            if refused is not None:
                raise refused
            if done is not None:
                return done


async def _attempt(
    api: Api,
    resource: Resource,
    current: Entry,
    options: DeleteOptions,
    attributes: Attributes,
    call: Call | None,
    *,
    admits: bool,
) -> tuple[bool, Entry]:
    tree = presenting.private(current)
    deletion.check_preconditions(resource, tree, options)
    if admits:
        # Not `current.tree`: that would keep the tree of an object that goes, in the place of one that is read again.
        seen = tree if resource.transforms is None else await presenting.loaded(resource, current)
        await _admitted(api, resource, seen, options, attributes, call)
    outcome = deletion.decide(resource, tree, options, api.clock())
    if not (outcome.removes or outcome.changes):
        return False, current
    value = msgspec.json.encode(metadata.stored_order(outcome.tree))
    if options.dry_run:
        return outcome.removes, entry(current.key, value, current.revision)
    if outcome.removes:
        stored = await api.storage.delete(current.key, expect=current.revision)
        if resource.is_obeyed:
            await api.follow(stored.revision)
        if resource.reserves is not None:
            await resource.reserves.release(outcome.tree)
        return True, entry(current.key, value, stored.revision)
    return False, committing.as_entry(
        api, await api.storage.put(current.key, value, expect=current.revision, ttl=resource.ttl)
    )


async def _admitted(
    api: Api, resource: Resource, old: Json, options: DeleteOptions, attributes: Attributes, call: Call | None
) -> None:
    if call is None:
        await api.admission.validate(attributes, None, old, api.lookup, _unheard)
        return
    subject = partial(reviewing.deleted, api.registry, resource, attributes, options, call.annotate)
    await api.admission.validate(attributes, None, old, api.lookup, call.warn, subject)


def _unheard(_text: str) -> None:
    """Nobody to warn."""


async def delete_collection(api: Api, call: Call, resource: Resource) -> Response:
    """DELETE of all objects that the selectors choose, or of a page of them. Answers with the list of them."""
    selecting, options = list_options(call), delete_options(call, await _options_body(call))
    _warn(call, resource, options)
    found = await listing.select(api, call, resource, selecting)
    shown: list[Entry] = []
    for item in found.entries:
        attributes = attributes_of(call, verb="delete", name=item.name, dry_run=options.dry_run)
        attributes = msgspec.structs.replace(attributes, namespace=item.namespace or attributes.namespace)
        try:
            await remove(api, resource, item.key, options, attributes, call=call)
            shown.append(item)  # as it was listed, whatever the deletion has left of it
        except ApiError as error:
            if error.code != 404:  # gone meanwhile: what was wanted
                raise
    await presenting.prepare(resource, shown)
    return listing.answer(api, call, resource, replace(found, entries=shown))
