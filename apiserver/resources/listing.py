"""The handler of list: which objects, as of which revision, and how they are sent.

    resourceVersion ""      consistent: the cache, once it has caught up with the store
    "0"                     whatever the cache holds
    N, NotOlderThan         the cache, once it has reached N
    N, Exact; continue      the store's history at that revision

From the cache a list is its items' bytes, joined in chunks and never encoded; large ones are compressed a chunk at a
time, so that no other request waits for long. Items are sorted by key. A list in protobuf is joined as well, but its
length stands before it, so that all its items are made first.
Source: apiserver/pkg/storage/{cacher/cacher.go,etcd3/store.go}, endpoints/filters/compression.go.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import msgspec
from isal import isal_zlib

from apimachinery import errors
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.call import Call, Response
from apiserver.negotiation import JSON, PARTIAL, PROTOBUF, TABLE, Accepted
from apiserver.registry import Resource
from apiserver.resources import presenting, tokens
from apiserver.resources.addressing import key_of
from apiserver.resources.api import Api
from apiserver.resources.committing import as_entry
from apiserver.resources.options import EXACT, ListOptions, check_start, list_options
from apiserver.resources.reads import ListCount
from apiserver.resources.selecting import Selects, selector, values_of_a_label
from apiserver.storage.entry import Entry
from apiserver.storage.protocol import Compacted

CHUNK = 64
GZIP_FROM = 128 * 1024
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31
#: How many objects are read at a time when a selector leaves few of them.
_PAGE = 500
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a list, all as of `revision`."""

    entries: Sequence[Entry]
    revision: int
    token: str = ""
    remaining: int = 0

    def metadata(self) -> Json:
        """The ListMeta."""
        tree: Json = {"resourceVersion": str(self.revision)}
        if self.token:
            tree["continue"] = self.token
        if self.remaining:
            tree["remainingItemCount"] = self.remaining
        return tree


async def list_objects(api: Api, call: Call, resource: Resource) -> Response:
    """GET of a collection."""
    options = list_options(call)
    call.must_be_acceptable()
    selection = await select(api, call, resource, options)
    await presenting.prepare(resource, selection.entries)
    return answer(api, call, resource, selection)


def prefix_of(call: Call, resource: Resource) -> str:
    """The folder of the collection: one namespace's or all."""
    prefix = resource.stored.storage_prefix()
    namespace = call.target.namespace if resource.kind.namespaced else ""
    return f"{prefix}{namespace}/" if namespace else prefix


async def select(api: Api, call: Call, resource: Resource, options: ListOptions) -> Selection:
    """The objects a list asks for. Raises 400, 410 and 504."""
    prefix, selects = prefix_of(call, resource), selector(resource, options)
    token = tokens.decode(options.token) if options.token else None
    check_start(options)
    if token is not None:
        return await _continued(api, resource, prefix, options, selects, token)
    version = options.revision
    if version and (options.match == EXACT or (options.limit and not options.match)):
        return await _as_of(api, resource, prefix, options, selects, version)
    count = api.reads.lists[resource.kind.group, resource.kind.plural]
    if not options.resource_version:
        await _fresh(api, count)
    elif version:
        await api.reach(version)
    entries, revision = _cached(api, call, resource, prefix, options), api.cache.revision
    if options.fields is not None:
        await presenting.prepare(resource, entries)
    limit = options.limit if options.resource_version != "0" else 0  # as upstream: any version, all of it
    selection = _page(entries, revision, prefix, selects, limit)
    count.lists += 1
    count.fetched += len(entries)
    count.returned += len(selection.entries)
    return selection


async def _fresh(api: Api, count: ListCount) -> None:
    """Wait until the cache is as fresh as the store."""
    began = perf_counter()
    try:
        await api.fresh()
    except errors.ApiError:
        count.late += 1
        raise
    count.waits.add(perf_counter() - began)


def _cached(api: Api, call: Call, resource: Resource, prefix: str, options: ListOptions) -> Sequence[Entry]:
    """The collection from the cache, at least what is selected; one object where the request names it."""
    name = call.target.name
    if name and (not resource.kind.namespaced or call.target.namespace):
        entry = api.cache.get(key_of(call, resource))
        return [entry] if entry is not None else []
    if options.labels is not None and (indexed := values_of_a_label(options.labels)) is not None:
        return api.cache.with_label(prefix, *indexed)
    return api.cache.list(prefix)


def _page(entries: Sequence[Entry], revision: int, prefix: str, selects: Selects | None, limit: int) -> Selection:
    if not limit:
        return Selection(entries if selects is None else [e for e in entries if selects(e)], revision)
    if selects is None:
        chosen, rest = entries[:limit], len(entries) - limit
        token = tokens.encode(chosen[-1].key, prefix, revision) if rest > 0 else ""
        return Selection(chosen, revision, token, max(rest, 0))
    found: list[Entry] = []
    for entry in entries:
        if len(found) == limit:
            # There may be nothing more that fits, but only the next page knows.
            return Selection(found, revision, tokens.encode(found[-1].key, prefix, revision))
        if selects(entry):
            found.append(entry)
    return Selection(found, revision)


async def _continued(
    api: Api, resource: Resource, prefix: str, options: ListOptions, selects: Selects | None, token: tokens.Token
) -> Selection:
    if token.revision != tokens.INCONSISTENT:
        return await _as_of(api, resource, prefix, options, selects, token.revision, token.start)
    await api.fresh()
    start = prefix + token.start
    entries = [entry for entry in api.cache.list(prefix) if entry.key >= start]
    if options.fields is not None:
        await presenting.prepare(resource, entries)
    return _page(entries, api.cache.revision, prefix, selects, options.limit)


async def _as_of(
    api: Api,
    resource: Resource,
    prefix: str,
    options: ListOptions,
    selects: Selects | None,
    revision: int,
    start: str = "",
) -> Selection:
    """A list at a revision of the past, from the store's history."""
    if revision > api.cache.revision:
        await api.reach(revision)
    found: list[Entry] = []
    after = (prefix + start).removesuffix("\0") if start else ""
    while True:
        size = options.limit if selects is None else _PAGE
        try:
            page = await api.storage.list(prefix, after=after, limit=size, at=revision)
        except Compacted:
            raise _expired(start) from None
        for item in page.items:
            entry = as_entry(api, item)
            if options.fields is not None:
                await presenting.prepare(resource, [entry])
            after = item.key
            if selects is None or selects(entry):
                found.append(entry)
            if options.limit and len(found) == options.limit:
                break
        is_last = not page.more and (not page.items or after == page.items[-1].key)
        if is_last:
            return Selection(found, revision)
        if options.limit and len(found) == options.limit:
            remaining = page.remaining if selects is None else 0
            return Selection(found, revision, tokens.encode(after, prefix, revision), remaining)


class _Resumable(errors.ApiError):
    """A 410 that brings a token with which the list can go on, inconsistently."""

    start = ""

    def status(self) -> Json:
        tree = super().status()
        tree["metadata"] = {"continue": self.start}
        return tree


def _expired(start: str) -> errors.ApiError:
    if not start:
        return errors.expired("The resourceVersion for the provided list is too old.")
    error = _Resumable(410, "Expired", _TOO_OLD)
    error.start = tokens.encode(start.removesuffix("\0"), "", tokens.INCONSISTENT)
    return error


def answer(api: Api, call: Call, resource: Resource, selection: Selection) -> Response:
    """The list as the client asked for it."""
    accepted = call.accepted
    if accepted.transform == PARTIAL:
        text = f"you requested PartialObjectMetadata, but the requested object is a list (*{_list_type(resource)})"
        raise errors.ApiError(406, "NotAcceptable", text)
    entries, metadata = selection.entries, selection.metadata()
    if accepted.media_type == PROTOBUF:
        return _sent(call, _messages(resource, accepted, entries, metadata), sum(entry.size for entry in entries))
    if accepted.transform == TABLE:
        tree = presenting.table(resource, accepted, entries, api.clock(), metadata, presenting.included(call))
        return _whole(call, msgspec.json.encode(tree))
    if not resource.is_typed and not accepted.transform:
        metadata.setdefault("continue", "")  # upstream's untyped lists always have it
    head = presenting.list_head(resource, accepted, metadata)
    if accepted.transform and not entries:
        return _whole(call, head.removesuffix(b"[") + b"null}\n")  # as Go shows a list that nobody has made
    if len(entries) <= CHUNK or accepted.media_type != JSON or presenting.pretty(call):
        return _whole(call, head + presenting.joined(resource, accepted, entries) + b"]}\n")
    return _sent(call, _chunks(resource, accepted, head, entries), sum(entry.size for entry in entries))


def _list_type(resource: Resource) -> str:
    return f"{presenting.go_type(resource)}List"


def _sent(call: Call, chunks: AsyncIterator[bytes], size: int) -> Response:
    """A body in chunks, compressed where that pays."""
    headers: list[tuple[str, str]] = []
    if _compresses(call, size):
        chunks = compressed(chunks)
        headers = [("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
    return Response(content_type=call.accepted.media_type, headers=headers, chunks=chunks)


def _whole(call: Call, data: bytes) -> Response:
    """A body that is small or had to be made whole."""
    response = presenting.encoded(call, data)
    if _compresses(call, len(response.body)):
        packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
        response.body = packer.compress(response.body) + packer.flush()
        response.headers = [("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
    return response


def _compresses(call: Call, size: int) -> bool:
    return size >= GZIP_FROM and "gzip" in call.headers.get("accept-encoding", "")


async def _chunks(
    resource: Resource, accepted: Accepted, head: bytes, entries: Sequence[Entry]
) -> AsyncIterator[bytes]:
    """The list's bytes, giving way to other requests after each chunk."""
    lead = head
    for start in range(0, len(entries), CHUNK):
        yield lead + presenting.joined(resource, accepted, entries[start : start + CHUNK])
        lead = b","
        await asyncio.sleep(0)
    yield b"]}\n"


async def _messages(
    resource: Resource, accepted: Accepted, entries: Sequence[Entry], metadata: Json
) -> AsyncIterator[bytes]:
    """The list as protobuf, giving way to other requests while its items are made."""
    items: list[bytes] = []
    for start in range(0, len(entries), CHUNK):
        items += [presenting.raw(resource, accepted, entry) for entry in entries[start : start + CHUNK]]
        await asyncio.sleep(0)
    api_version, kind = presenting.list_type(resource, accepted)
    parts = protobuf.list_body(api_version, kind, metadata, items)
    for start in range(0, len(parts), 4 * CHUNK):
        yield b"".join(parts[start : start + 4 * CHUNK])
        await asyncio.sleep(0)


async def compressed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks as one gzip stream."""
    packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
    async for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()
