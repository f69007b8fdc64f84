"""The store on etcd: one key an object, compare-and-swap by mod revision, as upstream's etcd3 storage does it.

A thin client over aetcd's generated stubs. Guarantees:
- a put or delete is one transaction that happens or answers with what is there (`Conflict.current`), in one trip;
- a list, however large, is of one revision, read in pieces of a bounded size;
- a watch delivers every change once, in order, all changes of one revision in one tuple. It ends with an error when
  its connection ends; going on from the last revision is the reader's part (see watchcache.py).
Reads are linearizable. The public extras beyond the protocol (`compact`, `swap_version`, `status`) are for
compaction.py and for whoever reports on the store.

`Progress` is given for every progress notification of etcd, with the revision this watch has DELIVERED, not the one
etcd claims: notifications of etcd 3.4 before 3.4.25 and 3.5 before 3.5.8 are not to be trusted (FINDINGS.md).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import aetcd.rpc
import grpc
import grpc.aio

from apiserver.storage.etcd_channel import Endpoint, EtcdChannel, EtcdTLS, translated
from apiserver.storage.leases import Leases
from apiserver.storage.protocol import Change, Compacted, Conflict, Page, Progress, StorageError, Stored

rpc: Any = aetcd.rpc  # generated, without types

TIMEOUT = 10.0  # seconds for one small call
RANGE_TIMEOUT = 60.0  # a piece of a list on a busy machine
FIRST_PIECE = 500  # keys
MOST_KEYS = 10_000
PIECE_BYTES = 2 << 20  # aimed at; gRPC holds a piece in memory twice

_EQUAL = rpc.Compare.CompareResult.Value("EQUAL")
_MOD = rpc.Compare.CompareTarget.Value("MOD")
_VERSION = rpc.Compare.CompareTarget.Value("VERSION")
_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs miss it
#: A member cut off from the others shall end its watches, not be silent (clientv3.WithRequireLeader).
_REQUIRE_LEADER = (("hasleader", "true"),)
_DELETED = 1  # mvccpb.Event.EventType.DELETE


@dataclass(frozen=True, slots=True)
class EtcdStatus:
    """What a member says of itself."""

    version: str
    bytes_used: int
    revision: int
    leader: bool
    problems: tuple[str, ...]


class EtcdStorage:
    """A `Storage` on etcd. Make it inside the event loop, and close it: `async with EtcdStorage([...]) as storage`."""

    def __init__(self, endpoints: Sequence[str], *, tls: EtcdTLS | None = None, timeout: float = TIMEOUT) -> None:
        self._etcd = EtcdChannel(endpoints, tls=tls, timeout=timeout)
        self._leases = Leases(self._grant, asyncio.get_running_loop().time)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections up; calls under way end with Unavailable."""
        await self._etcd.close()

    async def get(self, key: str) -> Stored | None:
        """The key as it is now."""
        reply = await self._etcd.call(_range, rpc.RangeRequest(key=key.encode()))
        return _stored(reply.kvs[0]) if reply.kvs else None

    async def list(self, prefix: str, *, after: str = "", limit: int = 0, at: int = 0) -> Page:
        """Keys of the prefix in order; read in pieces, all of one revision."""
        key, end = _interval(prefix)
        if after >= prefix and after:
            key = after.encode() + b"\0"
        items: list[Stored] = []
        piece = FIRST_PIECE
        while True:
            wanted = min(piece, limit - len(items)) if limit else piece
            request = rpc.RangeRequest(key=key, range_end=end, limit=wanted, revision=at)
            reply = await self._etcd.call(_range, request, seconds=RANGE_TIMEOUT)
            at = at or reply.header.revision
            items += map(_stored, reply.kvs)
            beyond = reply.count - len(reply.kvs)
            if beyond <= 0 or not reply.kvs or (limit and len(items) >= limit):
                return Page(tuple(items), at, more=beyond > 0, remaining=max(beyond, 0))
            key = reply.kvs[-1].key + b"\0"
            piece = _next_piece(piece, len(reply.kvs), reply.ByteSize())

    async def put(self, key: str, value: bytes, *, expect: int, ttl: int = 0) -> Stored:
        """Compare-and-swap; with `ttl` on a shared lease."""
        if not ttl:
            return await self._put(key, value, expect, lease=0)
        lease = await self._leases.lease(ttl)
        try:
            return await self._put(key, value, expect, lease)
        except StorageError as error:
            if "lease not found" not in error.message:
                raise
            self._leases.forget(lease)  # revoked by hand, or etcd was restored from a backup
            return await self._put(key, value, expect, await self._leases.lease(ttl))

    async def delete(self, key: str, *, expect: int) -> Stored:
        """Compare-and-delete; what was there, at the revision of the delete."""
        name = key.encode()
        request = _swap_request(name, expect)
        delete = request.success.add().request_delete_range
        delete.key = name
        delete.prev_kv = True
        reply = await self._swap(request, key, expect)
        gone = reply.responses[0].response_delete_range.prev_kvs
        if not gone:
            raise Conflict(f"{key} is absent", current=None)
        return Stored(key, gone[0].value, reply.header.revision)

    async def watch(
        self, prefix: str, *, after: int, previous: bool = True
    ) -> AsyncIterator[tuple[Change, ...] | Progress]:
        """Every change above `after`. Without `previous`, `old` is None throughout: half the work for etcd."""
        self._etcd.check_open()
        endpoint = self._etcd.endpoint
        stream = endpoint.watch(metadata=_REQUIRE_LEADER)
        try:
            await stream.write(rpc.WatchRequest(create_request=_watch_request(prefix, after, previous=previous)))
            await self._opened(await stream.read(), after)
            seen = after
            async for events in _messages(stream):
                if not events:
                    yield Progress(seen)
                for changes in grouped(events, seen):
                    seen = changes[0].revision
                    yield changes
        except grpc.aio.AioRpcError as error:
            self._etcd.turn_from(endpoint)
            raise translated(error, endpoint.url) from None
        finally:
            stream.cancel()

    async def revision(self) -> int:
        """The newest revision, by a linearizable read of no key."""
        reply = await self._etcd.call(_range, rpc.RangeRequest(key=b"\0", count_only=True))
        return int(reply.header.revision)

    async def compact(self, revision: int) -> None:
        """Let etcd forget the history below `revision`."""
        await self._etcd.call(_compact, rpc.CompactionRequest(revision=revision), seconds=RANGE_TIMEOUT)

    async def swap_version(self, key: str, value: bytes, *, version: int) -> tuple[bool, int, int]:
        """Put if the key was written `version` times: whether so, the key's version now, the store's revision."""
        name = key.encode()
        compare = rpc.Compare(result=_EQUAL, target=_VERSION, key=name, version=version)
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=name, value=value))
        get = rpc.RequestOp(request_range=rpc.RangeRequest(key=name))
        reply = await self._etcd.call(_txn, rpc.TxnRequest(compare=[compare], success=[put], failure=[get]))
        if reply.succeeded:
            return True, version + 1, int(reply.header.revision)
        kvs = reply.responses[0].response_range.kvs
        return False, int(kvs[0].version) if kvs else 0, int(reply.header.revision)

    async def status(self) -> EtcdStatus:
        """How the member that answers is."""
        reply = await self._etcd.call(lambda endpoint: endpoint.maintenance.Status, rpc.StatusRequest())
        leader = reply.leader == reply.header.member_id
        return EtcdStatus(reply.version, reply.dbSize, reply.header.revision, leader, tuple(reply.errors))

    async def _put(self, key: str, value: bytes, expect: int, lease: int) -> Stored:
        name = key.encode()
        request = _swap_request(name, expect)
        put = request.success.add().request_put
        put.key = name
        put.value = value
        put.lease = lease
        reply = await self._swap(request, key, expect)
        return Stored(key, value, reply.header.revision)

    async def _swap(self, request: Any, key: str, expect: int) -> Any:
        reply = await self._etcd.call(_txn, request)
        if not reply.succeeded:
            kvs = reply.responses[0].response_range.kvs
            current = _stored(kvs[0]) if kvs else None
            raise Conflict(f"{key} is not at revision {expect}", current=current)
        return reply

    async def _grant(self, seconds: int) -> int:
        reply = await self._etcd.call(lambda endpoint: endpoint.lease.LeaseGrant, rpc.LeaseGrantRequest(TTL=seconds))
        return int(reply.ID)

    async def _opened(self, reply: Any, after: int) -> None:
        """Whether the watch can begin: etcd has the history, and has not gone back behind it."""
        if reply is _EOF:
            raise _ended()
        _refused(reply)
        # A member that lags says less than `after`, too: only a linearizable read tells a restored backup from it.
        if reply.header.revision < after and (newest := await self.revision()) < after:
            raise Compacted(f"etcd is at revision {newest}, before {after}: was it restored from a backup?")


def _range(endpoint: Endpoint) -> Any:
    return endpoint.kv.Range


def _txn(endpoint: Endpoint) -> Any:
    return endpoint.kv.Txn


def _compact(endpoint: Endpoint) -> Any:
    return endpoint.kv.Compact


def _swap_request(key: bytes, expect: int) -> Any:
    """If the key is at `expect`, then what the caller adds to `success`, else read it.

    Filled field by field: half the time of nested constructors, on the hottest path there is.
    """
    request = rpc.TxnRequest()
    compare = request.compare.add()  # its `result` is EQUAL by default
    compare.target = _MOD
    compare.key = key
    compare.mod_revision = expect
    request.failure.add().request_range.key = key
    return request


def _stored(kv: Any) -> Stored:
    return Stored(kv.key.decode(), kv.value, kv.mod_revision)


def _interval(prefix: str) -> tuple[bytes, bytes]:
    """The interval [key, end) for a prefix; the empty prefix is every key."""
    key = prefix.encode()
    if not key:
        return b"\0", b"\0"
    return key, key[:-1] + bytes([key[-1] + 1])  # UTF-8 never ends in 0xff


def _next_piece(piece: int, keys: int, size: int) -> int:
    """How many keys to ask for next so that about PIECE_BYTES come; at most four times as many as before."""
    fitting = PIECE_BYTES * keys // max(size, 1)
    return max(1, min(fitting, 4 * piece, MOST_KEYS))


def _watch_request(prefix: str, after: int, *, previous: bool) -> Any:
    key, end = _interval(prefix)
    return rpc.WatchCreateRequest(
        key=key, range_end=end, start_revision=after + 1, prev_kv=previous, progress_notify=True, fragment=True
    )


async def _messages(stream: Any) -> AsyncIterator[Sequence[Any]]:
    """The events of whole responses: fragments of a large one are put together. None in a progress notification."""
    parts: list[Any] = []
    while (reply := await stream.read()) is not _EOF:
        _refused(reply)
        if reply.fragment or parts:
            parts += reply.events
            if reply.fragment:
                continue
            yield parts
            parts = []
        else:
            yield reply.events
    raise _ended()


def _refused(reply: Any) -> None:
    if reply.compact_revision:
        raise Compacted("the watch's revision has been compacted", compacted=reply.compact_revision)
    if reply.canceled:
        raise StorageError(f"etcd ended the watch: {reply.cancel_reason or 'no reason given'}")


def _ended() -> grpc.aio.AioRpcError:
    """What it means that etcd closed the stream in order, as it does when it stops."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "it ended the watch", "")


def grouped(events: Iterable[Any], seen: int) -> Iterator[tuple[Change, ...]]:
    """The changes of each revision together. Those up to `seen` are left out: etcd may repeat after a reconnect."""
    group: list[Change] = []
    revision = 0
    for event in events:
        change = _change(event)
        if change.revision <= seen:
            continue
        if change.revision != revision and group:
            yield tuple(group)
            group = []
        revision = change.revision
        group.append(change)
    if group:
        yield tuple(group)


def _change(event: Any) -> Change:
    kv = event.kv
    old = _stored(event.prev_kv) if event.HasField("prev_kv") else None
    if event.type == _DELETED:
        # Where the old value is unknown (not asked for, or compacted) the key must still be told.
        return Change(kv.mod_revision, None, old or Stored(kv.key.decode(), b"", 0))
    return Change(kv.mod_revision, _stored(kv), old)
