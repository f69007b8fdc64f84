"""A store whose every operation is counted and timed, by operation and folder. metrics/stored.py shows it.

Operations are called as upstream calls them: get, list, create, update, delete.
Source: apiserver/pkg/storage/etcd3/metrics/metrics.go.
"""

from collections.abc import AsyncIterator
from time import perf_counter

from apiserver.storage.protocol import ABSENT, Change, Conflict, Page, Progress, Storage, Stored
from serving.series import Distribution

SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip


class Operation:
    """One operation on the keys of one folder."""

    __slots__ = ("errors", "objects", "seconds")

    def __init__(self) -> None:
        self.seconds = Distribution(SECONDS)
        self.errors = 0
        self.objects = 0  # that lists gave

    @property
    def count(self) -> float:
        """How often there was one."""
        return sum(self.seconds.counts)

    def merge(self, other: "Operation") -> None:
        """Take in another's."""
        self.seconds.merge(other.seconds)
        self.errors += other.errors
        self.objects += other.objects


class Measured:
    """A `Storage` over another."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.rows: dict[tuple[str, str], Operation] = {}  # by operation and folder
        self.size = 0  # of the store's database in bytes, as last asked; 0 where it has none

    async def get(self, key: str) -> Stored | None:
        """As the store's."""
        began = perf_counter()
        try:
            found = await self._storage.get(key)
        except BaseException:
            self._add("get", key, began, failed=True)
            raise
        self._add("get", key, began)
        return found

    async def list(self, prefix: str, *, after: str = "", limit: int = 0, at: int = 0) -> Page:
        """As the store's."""
        began = perf_counter()
        try:
            found = await self._storage.list(prefix, after=after, limit=limit, at=at)
        except BaseException:
            self._add("list", prefix, began, failed=True)
            raise
        self._add("list", prefix, began).objects += len(found.items)
        return found

    async def put(self, key: str, value: bytes, *, expect: int, ttl: int = 0) -> Stored:
        """As the store's; a lost race is no error."""
        began, operation = perf_counter(), "create" if expect == ABSENT else "update"
        try:
            stored = await self._storage.put(key, value, expect=expect, ttl=ttl)
        except BaseException as error:
            self._add(operation, key, began, failed=not isinstance(error, Conflict))
            raise
        self._add(operation, key, began)
        return stored

    async def delete(self, key: str, *, expect: int) -> Stored:
        """As the store's."""
        began = perf_counter()
        try:
            gone = await self._storage.delete(key, expect=expect)
        except BaseException as error:
            self._add("delete", key, began, failed=not isinstance(error, Conflict))
            raise
        self._add("delete", key, began)
        return gone

    def watch(self, prefix: str, *, after: int, previous: bool = True) -> AsyncIterator[tuple[Change, ...] | Progress]:
        """As the store's."""
        return self._storage.watch(prefix, after=after, previous=previous)

    async def revision(self) -> int:
        """As the store's."""
        return await self._storage.revision()

    def _add(self, operation: str, key: str, began: float, *, failed: bool = False) -> Operation:
        row_key = (operation, key[: key.find("/", 10) + 1] or key)  # behind "/registry/"
        row = self.rows.get(row_key)
        if row is None:
            row = self.rows[row_key] = Operation()
        row.seconds.add(perf_counter() - began)
        row.errors += failed
        return row
