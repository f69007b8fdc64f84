"""What the API server needs from a store, and nothing else: five methods over keys, values and revisions.

`EtcdStorage` and `MemoryStorage` implement it and pass the same contract suite (tests/contract/test_storage.py).
Everything richer is written once over it: `update` (compare-and-swap with retry), paging, the watch cache.

    StorageError
      Conflict       the key is not at the revision expected; carries what is there now
      Compacted      the revision asked for is gone from the history
      Full           the store is out of space (etcd's NOSPACE alarm)
      TooLarge       the value is over the store's limit
      Unavailable    the store cannot be reached
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

#: `expect` of a put that must create.
ABSENT = 0


class Stored(msgspec.Struct, frozen=True):
    """One key as it was written. `revision` is that of its last write: the object's resourceVersion."""

    key: str
    value: bytes
    revision: int


class Change(msgspec.Struct, frozen=True):
    """One committed change. `new` is None for a delete, `old` is None for a create."""

    revision: int
    new: Stored | None
    old: Stored | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A watch has delivered everything up to and including `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, all of it as of one revision of the store."""

    items: tuple[Stored, ...]
    revision: int
    more: bool = False
    #: How many keys of the prefix there are beyond this page.
    remaining: int = 0


@dataclass(eq=False)  # compared by identity: an exception must be hashable, tracebacks keep them in sets
class StorageError(Exception):
    """The root of this module's errors."""

    message: str = ""


@dataclass(eq=False)
class Conflict(StorageError):
    """The key was not at the revision expected."""

    current: Stored | None = field(default=None, kw_only=True)


@dataclass(eq=False)
class Compacted(StorageError):
    """The revision is older than `compacted`, below which there is no history."""

    compacted: int = field(default=0, kw_only=True)


class Full(StorageError):
    """The store refuses writes for lack of space."""


class TooLarge(StorageError):
    """The value is larger than the store takes."""


class Unavailable(StorageError):
    """The store did not answer."""


class Storage(Protocol):
    """A revisioned key-value store. Revisions are those of etcd: one counter for all keys, one step a transaction."""

    async def get(self, key: str) -> Stored | None:
        """The key as it is now (linearizable), None when absent."""
        ...

    async def list(self, prefix: str, *, after: str = "", limit: int = 0, at: int = 0) -> Page:
        """Keys of the prefix in order, from the first one above `after`. `at` asks for an older revision (0: now).

        Raises Compacted when the history does not reach back to `at`.
        """
        ...

    async def put(self, key: str, value: bytes, *, expect: int, ttl: int = 0) -> Stored:
        """Write if the key is at revision `expect` (ABSENT to create), else raise Conflict. `ttl` in seconds."""
        ...

    async def delete(self, key: str, *, expect: int) -> Stored:
        """Delete if the key is at revision `expect`, else raise Conflict. Gives the revision of the delete."""
        ...

    def watch(self, prefix: str, *, after: int, previous: bool = True) -> AsyncIterator[tuple[Change, ...] | Progress]:
        """Every change to the prefix with a revision above `after`, in order, without gaps.

        Changes of one revision come together in one tuple. Raises Compacted when `after` lies before the history, and
        Unavailable when the connection breaks: go on from the last revision then. Without `previous` the store may
        leave `old` out of updates, and of deletes tell only the key: that spares etcd a read per event.
        """
        ...

    async def revision(self) -> int:
        """The store's newest revision (linearizable): what a consistent list must reach."""
        ...


async def update(storage: Storage, key: str, change: Callable[[Stored | None], bytes]) -> Stored:
    """Read, change, compare-and-swap, and start over from the fresh value on a conflict.

    `change` may run several times and must therefore be pure.
    """
    current = await storage.get(key)
    while True:
        value = change(current)
        if current is not None and value == current.value:
            return current  # nothing to write: no new revision, no event
        try:
            return await storage.put(key, value, expect=current.revision if current else ABSENT)
        except Conflict as conflict:
            current = conflict.current
