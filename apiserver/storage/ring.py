"""Recent changes of one resource and the cursors that read them: the watch cache's fan-out.

A `Ring` holds the last events of one top-level resource prefix (`/registry/pods/`), events of one revision together,
bounded in bytes and events; `floor` is the revision up to which it may have forgotten. A `Cursor` is a position in it.
A watcher that waits is asked synchronously, by its predicate, whether a change concerns it, before its task is woken: a
thousand kubelets that each watch their own pods cost a function call an event, not a task switch. Those whom it does
concern are woken a few at a time (`turns`). A watcher that does not wait, because its client is slow, costs nothing; it
gets `Compacted` when the ring has moved on past it.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence

from apiserver.storage.entry import CacheEvent
from apiserver.storage.protocol import Compacted, Progress
from apiserver.storage.turns import Turns

Group = tuple[CacheEvent, ...]
Predicate = Callable[[CacheEvent], bool]

#: A ring costs no more memory than this beside the cache's own, and never holds more groups than MOST_GROUPS.
RING_BYTES = 16 << 20
MOST_GROUPS = 65_536
#: However large the objects: so many changes can always be caught up (upstream's least capacity).
FEWEST_GROUPS = 100
#: What an event takes beside its objects' bytes.
EVENT_BYTES = 400
#: Watch frames and the like are kept with the newest events only; for a slow watcher they are made again.
HOT_GROUPS = 256
#: How much a watcher may be given at a time.
BATCH = 256


class Ring:
    """The recent events of one resource prefix, and who waits for more."""

    def __init__(
        self, floor: int, *, turns: Turns | None = None, bytes_: int = RING_BYTES, groups: int = MOST_GROUPS
    ) -> None:
        self.floor = floor
        self.turns = turns or Turns()
        self.seen = floor  # the newest change that there was, or may have been
        self.bytes = 0
        self._limit = bytes_
        self._most = groups
        self._groups: list[Group] = []
        self._revisions: list[int] = []
        self._first = 0  # the absolute position of _groups[0]
        #: Waiting cursors by the prefix they watch, in the order they came: dicts, for a reproducible order.
        self.waiting: dict[str, dict[Cursor, None]] = {}

    @property
    def end(self) -> int:
        """The position of the next group to come."""
        return self._first + len(self._groups)

    def after(self, revision: int) -> int:
        """The position of the first group above the revision. Raises Compacted."""
        if revision < self.floor:
            raise Compacted(f"revision {revision} is no longer in the watch cache", compacted=self.floor)
        return self._first + bisect_right(self._revisions, revision)

    def at(self, position: int) -> Group:
        """The group at a position. Raises Compacted when it has been forgotten."""
        if position < self._first:
            raise Compacted(
                "the watcher was too slow: its events are no longer in the watch cache", compacted=self.floor
            )
        return self._groups[position - self._first]

    def append(self, group: Group, folders: Sequence[Sequence[str]]) -> None:
        """Add the events of one revision; `folders` are, for each event, its key's prefixes that end in a slash."""
        self._groups.append(group)
        self._revisions.append(group[0].revision)
        self.seen = group[0].revision
        self.bytes += _size(group)
        if self.bytes > self._limit or len(self._groups) > self._most:
            self._trim()
        if len(self._groups) > HOT_GROUPS:
            for event in self._groups[-HOT_GROUPS - 1]:
                event.forget_made()
        if self.waiting:
            self._offer(group, folders)

    def break_off(self, floor: int) -> None:
        """Forget everything: the events up to `floor` are not known. Every cursor gets Compacted."""
        # The positions move on by one, so that also a cursor that had seen everything is behind.
        self._first = self.end + 1
        self._groups.clear()
        self._revisions.clear()
        self.bytes = 0
        self.floor = self.seen = floor
        for waiting in self.waiting.values():
            for cursor in waiting:
                cursor.wake()

    def _trim(self) -> None:
        """Drop the oldest quarter at a time, so that dropping costs little per event."""
        dropped = max(1, len(self._groups) // 4)
        if self.bytes > self._limit and len(self._groups) - dropped < FEWEST_GROUPS:
            return
        self.bytes -= sum(map(_size, self._groups[:dropped]))
        self.floor = self._revisions[dropped - 1]
        del self._groups[:dropped], self._revisions[:dropped]
        self._first += dropped

    def _offer(self, group: Group, folders: Sequence[Sequence[str]]) -> None:
        for event, prefixes in zip(group, folders, strict=True):
            for prefix in (event.key, *prefixes):
                # A cursor waits under one prefix only, and an offer made twice is harmless.
                for cursor in self.waiting.get(prefix, ()):
                    cursor.offer(group)

    def __len__(self) -> int:
        return len(self._groups)


def _size(group: Group) -> int:
    """What a group costs: the objects it replaced, which nothing else holds. New ones are in the cache anyway."""
    return sum((event.old.size if event.old is not None else 0) + EVENT_BYTES for event in group)


class Cursor:
    """One watcher's place in a ring. For one task: `next` must not be called twice at a time.

    Needs no closing: a cursor that nobody waits on is not known to the ring.
    """

    __slots__ = ("_after", "_future", "_is_called", "_newest", "_position", "_prefix", "_ring", "_wanted", "_whole")

    def __init__(
        self, ring: Ring, prefix: str, after: int, wanted: Predicate | None, newest: Callable[[], int]
    ) -> None:
        self._ring = ring
        self._prefix = prefix
        self._whole = not prefix.endswith("/")  # one key, not a folder
        self._wanted = wanted
        self._newest = newest  # the cache's revision, which moves on when other resources change
        self._after = after  # may lie in the future; what comes up to here is not for this watcher
        self._position = ring.after(after)
        self._future: asyncio.Future[bool] | None = None  # True: look again; False: the time is over
        self._is_called = False  # it stands in line to be woken

    @property
    def revision(self) -> int:
        """Everything that concerns this watcher up to here has been given out: a bookmark's resourceVersion."""
        if self._position >= self._ring.end:
            return max(self._after, self._newest())
        # The groups still to be read begin at this one; everything below its revision is done.
        return max(self._after, self._ring.at(self._position)[0].revision - 1)

    def ready(self) -> Sequence[Group]:
        """What can be given at once, oldest first, at most BATCH groups; without waiting. Raises Compacted."""
        found: list[Group] = []
        ring, end = self._ring, self._ring.end
        while self._position < end and len(found) < BATCH:
            group = self._mine(ring.at(self._position))
            self._position += 1
            if group:
                found.append(group)
        return found

    async def next(self, timeout: float | None = None) -> Group | Progress:  # noqa: ASYNC109  # a quiet end, not an error
        """The next group of events; Progress when none came within `timeout` seconds. Raises Compacted."""
        while True:
            ring = self._ring
            while self._position < ring.end:
                group = self._mine(ring.at(self._position))
                self._position += 1
                if group:
                    return group
            if not await self._wait(timeout):
                return Progress(self.revision)

    def __aiter__(self) -> AsyncIterator[Group]:
        return self

    async def __anext__(self) -> Group:
        group = await self.next()
        assert not isinstance(group, Progress)
        return group

    def offer(self, group: Group) -> None:
        """From the ring, while waiting at its end: wake up for a group that concerns the watcher, else step over it."""
        future = self._future
        if future is None or self._is_called or future.done():
            return  # on its way already; it will find the group in the ring
        try:
            mine = self._mine(group)
        except Exception:  # noqa: BLE001  # the predicate is the watcher's: it shall fail in the watcher's task
            mine = group
        if mine:
            self._is_called = True
            self._ring.turns.wake(future)
        else:
            self._position = self._ring.end

    def wake(self) -> None:
        """From the ring: look again."""
        self._finish(more=True)

    def interrupt(self) -> None:
        """End a waiting `next` as if its time were over."""
        self._finish()

    def _mine(self, group: Group) -> Group:
        """The part of a group that this watcher wants."""
        if group[0].revision <= self._after:
            return ()
        prefix, wanted = self._prefix, self._wanted
        if len(group) == 1:  # nearly always
            event = group[0]
            key = event.key
            inside = key == prefix if self._whole else key.startswith(prefix)
            return group if inside and (wanted is None or wanted(event)) else ()
        inside_ = [e for e in group if (e.key == prefix if self._whole else e.key.startswith(prefix))]
        return tuple(inside_ if wanted is None else filter(wanted, inside_))

    async def _wait(self, timeout: float | None) -> bool:  # noqa: ASYNC109
        """Until the ring has something for the watcher; False when the time is over before."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._future, self._is_called = future, False
        waiting = self._ring.waiting.setdefault(self._prefix, {})
        waiting[self] = None
        timer = loop.call_later(timeout, self._finish) if timeout is not None else None
        try:
            return await future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()
            del waiting[self]
            if not waiting:
                del self._ring.waiting[self._prefix]

    def _finish(self, *, more: bool = False) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(more)
