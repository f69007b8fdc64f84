"""The watch cache: all objects in memory, as they go on the wire, and the recent changes, fed by ONE storage watch.

Guarantees:
- what it shows is the store as of `revision`; revisions only move on by whole transactions;
- after `await wait_until(await storage.revision(), ...)` a read is consistent (linearizable);
- a watcher sees every change once, in order, or gets `Compacted` and lists again: never a silent gap.

Why the watch is on the WHOLE keyspace and not on /registry/: a consistent read must know when the cache has everything
up to the store's revision R. etcd's revision moves on with every transaction that changes any key, ours or not
(compact_rev_key, another program's keys), and only then. So in a watch of all keys every revision has an event, events
come in order, and "the event of R has come" says exactly "everything up to R has come". On /registry/ alone R may never
show. Rejected: etcd's progress requests (they run ahead of the events before 3.4.25 and 3.5.8, and Debian's is 3.4.23);
the highest mod revision under /registry/ (deleted keys have none, and sorting costs etcd a scan of everything);
writing a key of our own for each such read (right, but reads would write). Foreign keys cost their events, no memory.

When the watch breaks (etcd restarts), it goes on from the last revision: nobody notices. When the history is gone by
then, everything is listed anew and all watchers are cut, as upstream does it: a difference of two lists cannot tell
"deleted and created again" from "modified", and would lie to them.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import thread_time

import structlog

from apiserver.storage.entry import CacheEvent, Decode, Entry, entry, no_protobuf
from apiserver.storage.index import Index
from apiserver.storage.protocol import Change, Compacted, Progress, Storage, StorageError
from apiserver.storage.questions import Questions
from apiserver.storage.ring import Cursor, Predicate, Ring
from apiserver.storage.turns import Turns

log = structlog.get_logger(__name__)

ROOT = "/registry/"
#: A page of the first list: few of them, since for each etcd walks all keys that are left, and none that fills memory.
FIRST_PAGE, MOST_OBJECTS, PAGE_BYTES = 1000, 10_000, 4 << 20
#: How many objects are taken in before others get their turn.
PORTION = 500
RETRY_SECONDS = 0.1
MOST_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What the cache holds and what befell it."""

    revision: int
    objects: int
    bytes: int  # of the objects as they are stored
    rings: int
    ring_groups: int
    ring_bytes: int
    waiting_watchers: int
    loads: int  # full lists: one at the start, one each time the history was lost
    resumes: int  # watches begun again without a loss


class WatchCache:
    """See the module. `run` must be running; until its first list is in, `revision` is 0 and waits wait.

    `decode` turns a protobuf value (as an upstream server stored it) into a tree. `work`: the seconds that were worked.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        decode: Decode = no_protobuf,
        root: str = ROOT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        work: Callable[[], float] = thread_time,
    ) -> None:
        self.revision = 0
        self._storage = storage
        self._decode = decode
        self._root = root
        self._sleep = sleep
        self._index = Index()
        self._rings: dict[str, Ring] = {}
        self._floor = 0  # the revision of the last full list: no ring knows events up to it
        self._waiters: dict[asyncio.Future[None], int] = {}
        self._questions = Questions(storage.revision)
        self._turns = Turns(work)
        self._loads = self._resumes = 0
        self.changes: Counter[str] = Counter()  # that came, by the folder of the resource

    async def run(self) -> None:
        """Load and follow, for ever. Storage errors are logged and tried again; anything else is a bug and raised."""
        lost, delay = True, RETRY_SECONDS
        while True:
            before = self.revision
            try:
                if lost:
                    await self._load()
                    lost = False
                await self._follow()
            except StorageError as error:
                lost = lost or isinstance(error, Compacted)
                delay = RETRY_SECONDS if self.revision != before else min(2 * delay, MOST_RETRY_SECONDS)
                next_step = "listing everything anew" if lost else "going on from the last revision"
                log.warning("the store's watch broke", error=error.message, then=next_step, retry_seconds=delay)
                await self._sleep(delay)
                self._resumes += not lost

    def get(self, key: str) -> Entry | None:
        """The object at this key as of `revision`."""
        return self._index.get(key)

    def list(self, prefix: str) -> Sequence[Entry]:
        """The objects below a prefix that ends in a slash (or at one whole key), in the order of their keys."""
        return self._index.list(prefix)

    def with_label(self, prefix: str, name: str, values: Sequence[str]) -> Sequence[Entry]:
        """The objects below a prefix that ends in a slash with one of these values of a label. Raises Undecodable."""
        return self._index.with_label(prefix, name, values)

    def size(self, prefix: str) -> tuple[int, int]:
        """Objects below a prefix, and roughly their bytes."""
        return self._index.size(prefix)

    def shows(self, prefix: str, revision: int) -> bool:
        """Whether the list of the prefix as of an older revision is the one of now: nothing there changed since."""
        return self._ring(prefix).seen <= revision <= self.revision

    def watch(self, prefix: str, after: int, wanted: Predicate | None = None) -> Cursor:
        """The changes above `after` below a prefix (as for `list`), of one resource at most.

        `wanted` says which events concern the watcher; it must be quick, and is asked more than once. Raises Compacted.
        """
        return Cursor(self._ring(prefix), prefix, after, wanted, self._newest)

    async def wait_until(self, revision: int, timeout: float | None = None) -> None:  # noqa: ASYNC109  # a limit, passed on
        """Until the cache has everything up to `revision` (at least its first list). Raises TimeoutError."""
        wanted = max(1, revision)
        if wanted <= self.revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = wanted
        try:
            async with asyncio.timeout(timeout):
                await future
        finally:
            del self._waiters[future]

    async def wait_fresh(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Until the cache has everything that was committed before this call: then a read is consistent.

        Callers share the question to the store, but only one that was asked after they came. Raises TimeoutError, and
        StorageError where the store does not answer.
        """
        async with asyncio.timeout(timeout):
            await self.wait_until(await self._questions.revision())

    def statistics(self) -> CacheStatistics:
        rings = self._rings.values()
        return CacheStatistics(
            revision=self.revision,
            objects=self._index.objects,
            bytes=self._index.bytes,
            rings=len(rings),
            ring_groups=sum(map(len, rings)),
            ring_bytes=sum(ring.bytes for ring in rings),
            waiting_watchers=sum(len(waiting) for ring in rings for waiting in ring.waiting.values()),
            loads=self._loads,
            resumes=self._resumes,
        )

    async def _load(self) -> None:
        """List everything, page by page and of one revision, and swap it in at once; watchers are cut."""
        index, at, after, limit = Index(), 0, "", FIRST_PAGE
        while True:
            page = await self._storage.list(self._root, after=after, limit=limit, at=at)
            for start in range(0, len(page.items), PORTION):
                for item in page.items[start : start + PORTION]:
                    index.put(index.folder(item.key), entry(item.key, item.value, item.revision, self._decode))
                await asyncio.sleep(0)
            at = page.revision
            if not page.more:
                break
            after = page.items[-1].key
            limit = max(1, min(MOST_OBJECTS, PAGE_BYTES * index.objects // max(1, index.bytes)))
        self._index = index
        self._floor = at
        self._loads += 1
        for ring in self._rings.values():
            ring.break_off(at)
        self._move(at)

    async def _follow(self) -> None:
        # Every key, see the module. Old values are not asked for: the cache has them, ready for the wire.
        async for group in self._storage.watch("", after=self.revision, previous=False):
            if not isinstance(group, Progress):
                self._fold(group)

    def _fold(self, group: tuple[Change, ...]) -> None:
        """Take one transaction in: index, rings, revision. Nothing else runs in between."""
        revision = group[0].revision
        if len(group) == 1:
            self._fold_one(group[0], revision)
        else:
            self._fold_many(group, revision)
        self._move(revision)

    def _fold_one(self, change: Change, revision: int) -> None:
        folded = self._index_change(change, revision)
        if folded is not None:
            event, folders = folded
            self._ring(event.key).append((event,), (folders,))

    def _fold_many(self, group: tuple[Change, ...], revision: int) -> None:
        """A transaction of several keys: one group in each ring that it concerns."""
        by_ring: dict[Ring, list[tuple[CacheEvent, Sequence[str]]]] = {}
        for change in group:
            folded = self._index_change(change, revision)
            if folded is not None:
                by_ring.setdefault(self._ring(folded[0].key), []).append(folded)
        for ring, events in by_ring.items():
            ring.append(tuple(event for event, _ in events), tuple(folders for _, folders in events))

    def _index_change(self, change: Change, revision: int) -> tuple[CacheEvent, Sequence[str]] | None:
        """The event that a change is, and the folders it concerns; None for what is not ours."""
        new = change.new
        index = self._index
        if new is not None:
            if not new.key.startswith(self._root):
                return None
            now = entry(new.key, new.value, revision, self._decode)
            folder = index.folder(new.key)
            self.changes[folder.resource] += 1
            return CacheEvent(revision, now, index.put(folder, now)), folder.ancestors
        assert change.old is not None
        key = change.old.key
        if index.get(key) is None:
            return None
        folder = index.folder(key)
        self.changes[folder.resource] += 1
        return CacheEvent(revision, None, index.remove(folder, key)), folder.ancestors

    def _ring(self, prefix: str) -> Ring:
        """The ring of the resource (or API group of custom resources) that a key or prefix lies in."""
        end = prefix.find("/", len(self._root)) + 1
        if not end and not prefix.startswith(self._root):
            raise ValueError(f"{prefix} is not below {self._root}")
        name = prefix[:end] or self._root
        ring = self._rings.get(name)
        if ring is None:
            ring = self._rings[name] = Ring(self._floor, turns=self._turns)
        return ring

    def _newest(self) -> int:
        return self.revision

    def _move(self, revision: int) -> None:
        self.revision = revision
        if self._waiters:
            for future, wanted in self._waiters.items():
                if wanted <= revision and not future.done():
                    future.set_result(None)
