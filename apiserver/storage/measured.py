"""A store whose every operation is counted and timed: etcd_requests_total, etcd_request_duration_seconds, ..._errors.

Labels are upstream's: the operation (get, list, create, update, delete) and the resource whose folder the key lies in.
Source: apiserver/pkg/storage/etcd3/metrics/metrics.go.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import accumulate
from time import perf_counter
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apiserver.storage.protocol import ABSENT, Change, Conflict, Page, Progress, Storage, Stored

T = TypeVar("T")
_SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip
_LABELS = ("operation", "group", "resource")


class _Row:
    __slots__ = ("buckets", "errors", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_SECONDS) + 1)
        self.seconds = 0.0
        self.errors = 0


class Measured:
    """A `Storage` over another."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.rows: dict[tuple[str, str], _Row] = {}  # by operation and folder

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
        self._add("list", prefix, began)
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

    def _add(self, operation: str, key: str, began: float, *, failed: bool = False) -> None:
        seconds = perf_counter() - began
        row_key = (operation, key[: key.find("/", 10) + 1] or key)  # behind "/registry/"
        row = self.rows.get(row_key)
        if row is None:
            row = self.rows[row_key] = _Row()
        row.buckets[bisect_left(_SECONDS, seconds)] += 1
        row.seconds += seconds
        row.errors += failed


class StorageCollector(Collector):
    """Shows a `Measured`. `resource_of` names the group and resource of a folder, ("", "") where several share it."""

    def __init__(self, measured: Measured, resource_of: Callable[[str], tuple[str, str]]) -> None:
        self._measured = measured
        self._resource_of = resource_of

    def collect(self) -> Iterator[Metric]:
        merged: dict[tuple[str, str, str], _Row] = {}
        for (operation, folder), row in self._measured.rows.items():
            into = merged.setdefault((operation, *self._resource_of(folder)), _Row())
            into.buckets = [a + b for a, b in zip(into.buckets, row.buckets, strict=True)]
            into.seconds += row.seconds
            into.errors += row.errors
        duration = HistogramMetricFamily(
            "etcd_request_duration_seconds", "Etcd request latency in seconds for each operation and object type.",
            labels=_LABELS,
        )  # fmt: skip
        total = CounterMetricFamily(
            "etcd_requests_total", "Etcd request counts for each operation and object type.", labels=_LABELS
        )
        errors = CounterMetricFamily(
            "etcd_request_errors_total", "Etcd failed request counts for each operation and object type.",
            labels=_LABELS,
        )  # fmt: skip
        limits = [*(f"{limit:g}" for limit in _SECONDS), "+Inf"]
        for labels, row in merged.items():
            duration.add_metric(labels, list(zip(limits, accumulate(row.buckets), strict=True)), row.seconds)
            total.add_metric(labels, sum(row.buckets))
            errors.add_metric(labels, row.errors)
        yield from (duration, total, errors)
