"""A store in memory: the protocol's second implementation, for the simulated cluster and for tests.

Owns a dict of keys, their sorted order and a bounded history of changes, from which older lists and watches are
answered. Guarantees what etcd guarantees: one revision per write, lists as of one revision, watches without gaps.
Every operation gives the event loop a turn first, so that races which etcd would show are seen here too (a broken
retry loop once passed its test because nothing ever yielded).

Time is the event loop's: a ttl ends by `loop.call_later`, so under a loop with virtual time it ends virtually.
Not durable, not for several processes.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Sequence

from apiserver.storage.protocol import (
    ABSENT,
    Change,
    Compacted,
    Conflict,
    Page,
    Progress,
    StorageError,
    Stored,
    TooLarge,
)

#: etcd's default limit of a request (--max-request-bytes).
MAX_BYTES = 1536 * 1024


class MemoryStorage:
    """A `Storage` whose content dies with it. `keep` bounds the history, in changes."""

    def __init__(self, *, keep: int = 100_000, max_bytes: int = MAX_BYTES) -> None:
        self._keep = keep
        self._max_bytes = max_bytes
        self._now: dict[str, Stored] = {}
        self._keys: list[str] = []  # sorted
        self._revision = 1  # etcd's first revision, of the empty store
        self._compacted = 0  # lists at, and watches from, revisions up to here are refused
        self._history: list[Change] = []  # ascending; all changes above `_compacted` are here
        self._changed: asyncio.Future[None] | None = None  # shared by all waiting watches

    def copy(self) -> "MemoryStorage":
        """Another store with the same content and history, where nothing ends by itself. The values are shared."""
        made = MemoryStorage(keep=self._keep, max_bytes=self._max_bytes)
        made._now, made._keys, made._history = dict(self._now), self._keys.copy(), self._history.copy()
        made._revision, made._compacted = self._revision, self._compacted
        return made

    async def get(self, key: str) -> Stored | None:
        """The key as it is now."""
        await asyncio.sleep(0)
        return self._now.get(key)

    async def list(self, prefix: str, *, after: str = "", limit: int = 0, at: int = 0) -> Page:
        """Keys of the prefix in order, now or as of the revision `at`."""
        await asyncio.sleep(0)
        if at > self._revision:
            raise StorageError(f"revision {at} is in the future: the store is at {self._revision}")
        if at and at < self._compacted:
            raise Compacted(f"revision {at} has been compacted", compacted=self._compacted)
        keys = self._range(prefix, after)
        if at and at < self._revision and self._changed_since(at, prefix):
            found = self._rewound(keys, prefix, after, at)
            items, total = found[: limit or None], len(found)
        else:
            items, total = [self._now[key] for key in keys[: limit or None]], len(keys)
        beyond = total - len(items)
        return Page(tuple(items), at or self._revision, more=beyond > 0, remaining=beyond)

    async def put(self, key: str, value: bytes, *, expect: int, ttl: int = 0) -> Stored:
        """Compare-and-swap."""
        await asyncio.sleep(0)
        if len(key) + len(value) > self._max_bytes:
            raise TooLarge(f"{key}: {len(value)} bytes are over the store's limit of {self._max_bytes}")
        old = self._expected(key, expect)
        new = Stored(key, value, self._revision + 1)
        self._now[key] = new
        if old is None:
            insort(self._keys, key)
        self._commit(Change(new.revision, new, old))
        if ttl:
            asyncio.get_running_loop().call_later(ttl, self._expire, new)
        return new

    async def delete(self, key: str, *, expect: int) -> Stored:
        """Compare-and-delete; what was there, at the revision of the delete."""
        await asyncio.sleep(0)
        old = self._expected(key, expect)
        if old is None:
            raise Conflict(f"{key} is absent", current=None)
        return Stored(key, old.value, self._remove(old))

    async def watch(
        self,
        prefix: str,
        *,
        after: int,
        previous: bool = True,  # noqa: ARG002  # costs nothing here
    ) -> AsyncIterator[tuple[Change, ...] | Progress]:
        """Every change above `after`: first from the history, then as they come."""
        await asyncio.sleep(0)
        seen = after
        while True:
            if seen < self._compacted:
                raise Compacted(f"revision {seen} has been compacted", compacted=self._compacted)
            position = bisect_right(self._history, seen, key=_revision)
            if position == len(self._history):
                await self._wait()
                continue
            change = self._history[position]
            seen = change.revision
            if _key(change).startswith(prefix):
                yield (change,)

    async def revision(self) -> int:
        """The newest revision."""
        await asyncio.sleep(0)
        return self._revision

    async def compact(self, revision: int) -> None:
        """Forget the history below `revision`; the state as of `revision` itself stays readable, as in etcd."""
        await asyncio.sleep(0)
        if revision <= self._compacted:
            raise Compacted(f"revision {revision} has been compacted", compacted=self._compacted)
        if revision > self._revision:
            raise StorageError(f"revision {revision} is in the future: the store is at {self._revision}")
        self._forget(revision)
        self._wake()

    def _expected(self, key: str, expect: int) -> Stored | None:
        current = self._now.get(key)
        if (current.revision if current else ABSENT) != expect:
            raise Conflict(f"{key} is not at revision {expect}", current=current)
        return current

    def _range(self, prefix: str, after: str) -> Sequence[str]:
        start = bisect_right(self._keys, after) if after >= prefix else bisect_left(self._keys, prefix)
        # Keys of one prefix are neighbours; the first one that is not ends them.
        end = bisect_left(self._keys, True, lo=start, key=lambda key: not key.startswith(prefix))
        return self._keys[start:end]

    def _since(self, revision: int) -> Sequence[Change]:
        return self._history[bisect_right(self._history, revision, key=_revision) :]

    def _changed_since(self, revision: int, prefix: str) -> bool:
        return any(_key(change).startswith(prefix) for change in self._since(revision))

    def _rewound(self, keys: Sequence[str], prefix: str, after: str, at: int) -> Sequence[Stored]:
        """Undo, newest first, what happened since `at`."""
        state: dict[str, Stored | None] = {key: self._now[key] for key in keys}
        for change in reversed(self._since(at)):
            key = _key(change)
            if key.startswith(prefix) and key > after:
                state[key] = change.old
        return [item for _, item in sorted(state.items()) if item is not None]

    def _remove(self, old: Stored) -> int:
        del self._now[old.key]
        del self._keys[bisect_left(self._keys, old.key)]
        self._commit(Change(self._revision + 1, None, old))
        return self._revision

    def _expire(self, stored: Stored) -> None:
        if self._now.get(stored.key) is stored:  # else written again since, with a time of its own
            self._remove(stored)

    def _commit(self, change: Change) -> None:
        self._revision = change.revision
        self._history.append(change)
        if len(self._history) >= 2 * self._keep:
            self._forget(self._history[-self._keep].revision)
        self._wake()

    def _forget(self, revision: int) -> None:
        del self._history[: bisect_right(self._history, revision, key=_revision)]
        self._compacted = revision

    async def _wait(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # Shielded: cancelling one watch must not cancel the future that the others wait for.
        await asyncio.shield(self._changed)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None


def _revision(change: Change) -> int:
    return change.revision


def _key(change: Change) -> str:
    stored = change.new or change.old
    assert stored is not None
    return stored.key
