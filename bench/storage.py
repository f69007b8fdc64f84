"""How fast the store and the watch cache are: prints a table, with the machine and its load in it.

    PYTHONPATH=. .venv/bin/python bench/storage.py [--objects 100000]

Starts an etcd of its own (without fsync, so that the disk is not what is measured) and takes it away again. CPU is that
of this process; etcd shares the machine's cores, so rates wander and CPU microseconds are what to compare.
"""

import asyncio
import gc
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from apiserver.storage.entry import CacheEvent, Entry
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT, Progress, Storage
from apiserver.storage.watchcache import WatchCache
from tests.contract.storage_servers import EtcdServer

WRITES = 5000
IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    result: str
    cpu: str = ""


@dataclass
class Clock:
    """Wall and CPU seconds of a block."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def measured():
    clock, wall, cpu = Clock(), time.perf_counter(), time.process_time()
    yield clock
    clock.wall, clock.cpu = time.perf_counter() - wall, time.process_time() - cpu


def pod(i: int, size: int = 4000) -> bytes:
    """A Pod of about this many bytes."""
    metadata = {
        "name": f"pod-{i:06}",
        "namespace": f"ns-{i % 20}",
        "uid": f"0000-{i}",
        "labels": {"app": f"a{i % 50}"},
    }
    tree = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": f"n{i % 100}"}}
    return msgspec.json.encode(tree | {"status": {"message": "x" * max(0, size - 180)}})


def key(i: int) -> str:
    return f"/registry/pods/ns-{i % 20}/pod-{i:06}"


async def in_flight(count: int, work: Callable, at_once: int = IN_FLIGHT) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for i in numbers:
            await work(i)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def calls(storage: EtcdStorage) -> list[Row]:
    value, rows = pod(0, 2000), []
    with measured() as clock:
        await in_flight(WRITES, lambda i: storage.put(f"/bench/{i:05}", value, expect=ABSENT))
    rows.append(_rate(f"create, 2 kB, {IN_FLIGHT} in flight", WRITES, clock))
    with measured() as clock:
        await in_flight(500, lambda i: storage.put(f"/bench/one-{i:05}", value, expect=ABSENT), 1)
    rows.append(_rate("create, one after the other", 500, clock))
    with measured() as clock:
        await in_flight(WRITES, lambda i: storage.get(f"/bench/{i:05}"))
    rows.append(_rate(f"get, {IN_FLIGHT} in flight", WRITES, clock))
    with measured() as clock:
        await in_flight(WRITES, lambda _: storage.revision())
    rows.append(_rate(f"revision, {IN_FLIGHT} in flight", WRITES, clock))
    with measured() as clock:
        page = await storage.list("/bench/")
    rows.append(Row(f"range of {len(page.items)}, 2 kB", f"{clock.wall * 1e3:.0f} ms", f"{clock.cpu * 1e3:.0f} ms"))
    rows += [await _watch(storage, page.revision, previous=previous) for previous in (True, False)]
    return rows


async def _watch(storage: EtcdStorage, revision: int, *, previous: bool) -> Row:
    seen = 0
    with measured() as clock:
        async for group in storage.watch("/bench/", after=revision - WRITES, previous=previous):
            seen += 0 if isinstance(group, Progress) else len(group)
            if seen >= WRITES:
                break
    return _each(f"watch from history, {'with' if previous else 'without'} old values", seen, clock)


async def cache_speed(storage: Storage, label: str) -> list[Row]:
    cache, rows = WatchCache(storage), []
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run())
        await cache.wait_until(1)
        before = cache.revision
        with measured() as clock:
            await in_flight(WRITES, lambda i: storage.put(key(i), pod(i), expect=ABSENT))
            await cache.wait_fresh()
        rows.append(_each(f"{label}: create 4 kB and see it in the cache", WRITES, clock))
        with measured() as clock:
            await in_flight(WRITES, lambda _: cache.wait_fresh())
        rows.append(_each(f"{label}: wait for a consistent read, {IN_FLIGHT} in flight", WRITES, clock))
        with measured() as clock:
            cursor, events = cache.watch("/registry/pods/", before), 0
            while found := cursor.ready():
                events += sum(map(len, found))
        rows.append(_each(f"{label}: a cursor through {events} events", events, clock))
        rows += [await _fan_out(storage, cache, label)]
        running.cancel()
    return rows


async def _fan_out(storage: Storage, cache: WatchCache, label: str, watchers: int = 200, events: int = 200) -> Row:
    def all_of(_: CacheEvent) -> bool:
        return True

    async def follow() -> None:
        cursor = cache.watch("/registry/pods/", start, all_of)
        for _ in range(events):
            await cursor.next()

    start = cache.revision
    with measured() as clock:
        async with asyncio.TaskGroup() as group:
            for _ in range(watchers):
                group.create_task(follow())
            for i in range(events):
                await storage.put(f"/registry/pods/fan/{i}", pod(i), expect=ABSENT)
    return _each(f"{label}: events to {watchers} watchers, per delivery", watchers * events, clock)


async def lists_and_memory(objects: int) -> list[Row]:
    storage, rows = MemoryStorage(keep=1), []
    for i in range(objects):
        await storage.put(key(i), pod(i), expect=ABSENT)
    stored = sum(len(s.value) for s in storage._now.values())  # noqa: SLF001
    cache = WatchCache(storage)
    gc.collect()
    before = _resident()
    async with asyncio.TaskGroup() as group:
        with measured() as clock:
            running = group.create_task(cache.run())
            await cache.wait_until(1)
        rows.append(_each(f"first load of {objects} objects of 4 kB", objects, clock))
        gc.collect()
        used = _resident() - before
        ratio = f"{used / stored:.2f} x the {stored >> 20} MiB stored"
        rows.append(Row(f"memory of the cache, {objects} objects", f"{used >> 20} MiB, {ratio}"))
        rows += _lists(cache)
        running.cancel()
    return rows


def _lists(cache: WatchCache) -> list[Row]:
    rows = []
    for prefix in ("/registry/pods/ns-1/", "/registry/pods/"):
        for changed in (True, False):
            found = _list(cache, prefix, changed=changed)
            with measured() as clock:
                for _ in range(10):
                    found = _list(cache, prefix, changed=changed)
            rows.append(_per(f"cache list of {len(found)}{' after a change' if changed else ''}", clock, 10))
    for count in (5_000, 10_000):
        some = cache.list("/registry/pods/")[:count]
        with measured() as clock:
            body = b",".join([entry.value for entry in some])
        rows.append(_per(f"join of {count} for the wire ({len(body) >> 20} MiB)", clock, 1))
    with measured() as clock:
        matching = [entry for entry in some if entry.labels.get("app") == "a1"]
    rows.append(_each(f"labels, first time ({len(matching)} of {len(some)} match)", len(some), clock))
    with measured() as clock:
        matching = [entry for entry in some if entry.labels.get("app") == "a1"]
    rows.append(_each("labels, again", len(some), clock))
    return rows


def _list(cache: WatchCache, prefix: str, *, changed: bool) -> list[Entry]:
    if changed:
        entry = cache.list(prefix)[0]
        cache._index.put(cache._index.folder(entry.key), entry)  # noqa: SLF001
    return cache.list(prefix)


def _rate(what: str, count: int, clock: Clock) -> Row:
    return Row(what, f"{count / clock.wall:,.0f}/s", f"{clock.cpu / count * 1e6:.0f} us each")


def _each(what: str, count: int, clock: Clock) -> Row:
    return Row(what, f"{clock.wall / count * 1e6:.1f} us each", f"{clock.cpu / count * 1e6:.1f} us each")


def _per(what: str, clock: Clock, times: int) -> Row:
    return Row(what, f"{clock.wall / times * 1e3:.2f} ms", f"{clock.cpu / times * 1e3:.2f} ms")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def run(objects: int) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        server = EtcdServer(Path(folder), tls=True).start()
        try:
            async with server.storage() as storage:
                rows += await calls(storage)
                rows += await cache_speed(storage, "etcd")
        finally:
            server.kill()
    rows += await cache_speed(MemoryStorage(), "memory")
    return rows + await lists_and_memory(objects)


def main(objects: int = 100_000) -> None:
    """Measure, and print the table."""
    load = os.getloadavg()
    rows = uvloop.run(run(objects))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, uvloop, etcd with TLS"
    loads = f"load {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    table = Table("what", "result", "CPU of this process", title=f"Storage on {machine}; {loads}")
    for row in rows:
        table.add_row(row.what, row.result, row.cpu)
    Console(width=130).print(table)


if __name__ == "__main__":
    typer.run(main)
