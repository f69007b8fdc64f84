"""The objects of one kind as they are on the server, held as frozen views and kept fresh by a watch.

The contract, as client-go's shared informer has it:

- `run` lists once, then follows the watch, and starts over from a list where the server has lost the history (410).
  `wait_synced` returns when the first list is in.
- What is held never goes back in time: every object held is as of some revision, and `revision` says up to which one
  the cache knows everything of its kind (bookmarks move it, too). `wait_for` returns when that point is reached.
- Readers get the objects themselves. They are frozen, so nobody can change what others read.
- A subscriber is called with (old, new) after the cache and its indexes hold `new`; old is None for an addition, new
  for a removal. It sees every state that the cache held, in order, but not every state there ever was: what happened
  between a lost watch and the next list arrives as one difference. It must neither block nor raise.
- Subscribing to a filled cache replays its content as additions.
- Losing the server changes nothing in the cache but its age; the watch is resumed where it stopped.

An object that does not decode is treated as absent (and logged), so that one odd object cannot blind a component to all
others. Revisions are compared within this kind only: against upstream, kinds may lie in different etcds. Objects are
decoded from the bytes of a frame straight to the view: no dict of the whole object is ever made.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

import msgspec
import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.objects.base import decode
from client.client import Client, Frame, Unreachable

T = TypeVar("T")
Subscriber = Callable[[T | None, T | None], None]

FIRST_PAUSE, LONGEST_PAUSE, UNREACHABLE_PAUSE = 0.2, 30.0, 1.0
WATCH_SECONDS = 300  # a watch is asked to end after one to two times this, so that load spreads over servers
SHORT_WATCH = 1.0  # a watch that ends sooner counts as a failure: the server is refusing us politely

_log = structlog.get_logger("client.cache")


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Identity(msgspec.Struct, frozen=True):
    """As much of an object as every object has: a bookmark, or what would not decode as its kind."""

    metadata: _Meta = _Meta()


class _RawList(msgspec.Struct, frozen=True):
    metadata: _Meta
    items: tuple[msgspec.Raw, ...] | None = None


_decode_identity = msgspec.json.Decoder(_Identity).decode
_decode_raw_list = msgspec.json.Decoder(_RawList).decode


class Cache(Generic[T]):
    """Objects of `kind` (in `namespace`, matching the selectors) as views. See the module for the contract."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        view: type[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexes: Mapping[str, Callable[[T], Iterable[str]]] = MappingProxyType({}),
        random: Callable[[], float] = random.random,
    ) -> None:
        self.kind = kind
        self.revision = 0
        self._client = client
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._random = random
        self._view = view
        self._objects: dict[str, dict[str, T]] = {}
        self._index_of = dict(indexes)
        self._indexes: dict[str, dict[str, dict[tuple[str, str], T]]] = {name: {} for name in indexes}
        self._subscribers: list[Subscriber[T]] = []
        self._synced = asyncio.Event()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap: revision, order of coming
        self._order = itertools.count()
        self._changes: dict[tuple[str, str], list[asyncio.Future[None]]] = {}
        self._fresh = False  # whether `revision` is one to watch from

    # ---------------------------------------------------------------------------------------------- reading

    def get(self, namespace: str, name: str) -> T | None:
        """The object, None where there is none."""
        return self._objects.get(namespace, {}).get(name)

    def list(self, namespace: str = "") -> Sequence[T]:
        """All objects, or those of one namespace, in no particular order."""
        if namespace:
            return tuple(self._objects.get(namespace, {}).values())
        return tuple(item for objects in self._objects.values() for item in objects.values())

    def by_index(self, index: str, value: str) -> Sequence[T]:
        """The objects for which the index function of that name gave `value`."""
        return tuple(self._indexes[index].get(value, {}).values())

    def __len__(self) -> int:
        return sum(len(objects) for objects in self._objects.values())

    @property
    def synced(self) -> bool:
        """Whether the first list is in."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return once the first list is in."""
        await self._synced.wait()

    async def wait_for(self, revision: int) -> None:
        """Return once the cache knows everything up to `revision` of its kind."""
        if self.revision >= revision:
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._order), reached))
        await reached

    async def wait_deleted(self, namespace: str, name: str, uid: str) -> None:
        """Return once the cache knows that the object of that uid was deleted: gone, or with a deletionTimestamp."""
        while not _is_deleted(self.get(namespace, name), uid):
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._changes.setdefault((namespace, name), []).append(changed)
            await changed

    def subscribe(self, notify: Subscriber[T]) -> None:
        """Have `notify(old, new)` called after each change; what is there already comes as additions, now."""
        self._subscribers.append(notify)
        for item in self.list():
            notify(None, item)

    # ---------------------------------------------------------------------------------------------- following

    async def run(self) -> None:
        """Keep the cache fresh until cancelled."""
        pause = FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        while True:
            started, longest = clock(), LONGEST_PAUSE
            try:
                if not self._fresh:
                    await self._list()
                await self._follow()
                if clock() - started > SHORT_WATCH:
                    pause = FIRST_PAUSE
                    continue
            except (Unreachable, msgspec.DecodeError) as error:
                longest = UNREACHABLE_PAUSE  # asking a server that is away costs it nothing
                _log.warning("watch lost", resource=self.kind.resource, error=str(error))
            except ApiError as error:
                # Overload passes. Anything else (410, a revision the server does not know) needs a new list.
                self._fresh = self._fresh and error.code in (429, 503)
                if error.code != 410:
                    _log.warning("watch refused", resource=self.kind.resource, error=str(error))
            pause = FIRST_PAUSE if clock() - started > LONGEST_PAUSE else pause
            pause = min(pause, longest)
            await asyncio.sleep(pause * (1 + self._random()))
            pause *= 2

    async def _list(self) -> None:
        query = {"labelSelector": self._labels, "fieldSelector": self._fields}
        path = self.kind.path(self._namespace)
        answer = await self._client.request("GET", path, query={k: v for k, v in query.items() if v})
        page = _decode_raw_list(answer.content)
        listed = [item for raw in page.items or () if (item := self._decoded(raw)) is not None]
        self._replace(listed, _number(page.metadata.resource_version))
        self._fresh = True
        self._synced.set()

    async def _follow(self) -> None:
        frames = self._client.frames(
            self.kind,
            self._namespace,
            resource_version=str(self.revision),
            labels=self._labels,
            fields=self._fields,
            timeout=int(WATCH_SECONDS * (1 + self._random())),
        )
        async with aclosing(frames):
            async for frame in frames:
                self._apply(frame)

    def _decoded(self, raw: msgspec.Raw) -> T | None:
        try:
            return decode(raw, self._view)
        except msgspec.DecodeError as error:  # ValidationError is one
            meta = _identity(raw)
            _log.error(
                "object does not decode; it counts as absent",
                resource=self.kind.resource,
                namespace=meta.namespace,
                name=meta.name,
                error=str(error),
            )
            return None

    # ---------------------------------------------------------------------------------------------- changing

    def _apply(self, frame: Frame) -> None:
        if frame.type == "BOOKMARK":
            self._advance(_number(_identity(frame.object).resource_version))
            return
        item = self._decoded(frame.object)
        meta = cast("Any", item).metadata if item is not None else _identity(frame.object)
        kept = item if frame.type in ("ADDED", "MODIFIED") else None
        self._set(meta.namespace, meta.name, kept)
        self._advance(_number(meta.resource_version))

    def _replace(self, items: Iterable[T], revision: int) -> None:
        """A new list: tell subscribers the differences from what was held."""
        new = {(_meta(item).namespace, _meta(item).name): item for item in items}
        held = [(namespace, name) for namespace, objects in self._objects.items() for name in objects]
        for key in held:
            if key not in new:
                self._set(*key, None)
        for key, item in new.items():
            old = self.get(*key)
            if old is None or _meta(old).resource_version != _meta(item).resource_version:
                self._set(*key, item)
        self.revision = 0  # a restored etcd may be at a lower one
        self._advance(revision)

    def _set(self, namespace: str, name: str, new: T | None) -> None:
        objects = self._objects.setdefault(namespace, {})
        old = objects.pop(name, None)
        if new is not None:
            objects[name] = new
        elif not objects:
            del self._objects[namespace]
        if old is None and new is None:
            return
        self._reindex((namespace, name), old, new)
        for notify in self._subscribers:
            notify(old, new)
        for changed in self._changes.pop((namespace, name), ()):
            if not changed.done():
                changed.set_result(None)

    def _reindex(self, key: tuple[str, str], old: T | None, new: T | None) -> None:
        for name, values_of in self._index_of.items():
            index = self._indexes[name]
            for value in values_of(old) if old is not None else ():
                bucket = index.get(value, {})
                bucket.pop(key, None)
                if not bucket:
                    index.pop(value, None)
            for value in values_of(new) if new is not None else ():
                index.setdefault(value, {})[key] = new  # type: ignore[assignment]

    def _advance(self, revision: int) -> None:
        self.revision = max(self.revision, revision)
        while self._waiting and self._waiting[0][0] <= self.revision:
            *_, reached = heapq.heappop(self._waiting)
            if not reached.done():
                reached.set_result(None)


def _meta(item: object) -> Any:
    return cast("Any", item).metadata


def _is_deleted(item: object | None, uid: str) -> bool:
    return item is None or _meta(item).uid != uid or _meta(item).deletion_timestamp is not None


def _identity(raw: msgspec.Raw) -> _Meta:
    try:
        return _decode_identity(raw).metadata
    except msgspec.DecodeError:
        return _Meta()


def _number(revision: str) -> int:
    return int(revision) if revision.isdigit() else 0
