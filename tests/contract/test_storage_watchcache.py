"""The watch cache over memory and over real etcd, which is also killed under it."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import msgspec
import pytest
from aetcd import rpc

from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT, Compacted, Conflict, Progress, Unavailable
from apiserver.storage.watchcache import WatchCache
from tests.contract.storage_servers import EtcdServer

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    server = EtcdServer(tmp_path_factory.mktemp("etcd")).start()
    yield server
    server.end()


@pytest.fixture(params=["memory", "etcd"])
async def storage(request):
    if request.param == "memory":
        yield MemoryStorage()
        return
    async with request.getfixturevalue("etcd").storage() as storage:
        yield storage


@asynccontextmanager
async def running(storage):
    cache = WatchCache(storage)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        await cache.wait_until(1, timeout=30)
        yield cache
        task.cancel()


@pytest.fixture
def at():
    number = next(NUMBERS)
    return lambda name="": f"/registry/t{number}s/ns/{name}"


def value(name, **more):
    return msgspec.json.encode({"kind": "Thing", "apiVersion": "v1", "metadata": {"name": name}, **more})


def shown(entry):
    tree = msgspec.json.decode(entry.value)
    assert tree["metadata"]["resourceVersion"] == str(entry.revision)
    return tree["metadata"]["name"], entry.revision


async def test_it_shows_what_was_there_and_what_comes(storage, at):
    a = await storage.put(at("a"), value("a"), expect=ABSENT)
    async with running(storage) as cache:
        await cache.wait_fresh(timeout=30)
        assert shown(cache.get(at("a"))) == ("a", a.revision)
        b = await storage.put(at("b"), value("b"), expect=ABSENT)
        a = await storage.put(at("a"), value("a", spec={}), expect=a.revision)
        await cache.wait_fresh(timeout=30)
        assert [shown(e) for e in cache.list(at())] == [("a", a.revision), ("b", b.revision)]
        await storage.delete(at("a"), expect=a.revision)
        await cache.wait_fresh(timeout=30)
        assert cache.get(at("a")) is None
        assert [shown(e) for e in cache.list(at()[:-3])] == [("b", b.revision)]


async def test_a_consistent_read_waits_for_foreign_keys_too(storage, at):
    """The store's revision may have moved on by keys that are not ours: waiting for it must not hang."""
    async with running(storage) as cache:
        for key in ("compact_rev_key", "/other/x", "/registry", "/registry0"):
            current = await storage.get(key)
            foreign = await storage.put(key, b"no json", expect=current.revision if current else ABSENT)
            await cache.wait_fresh(timeout=30)
            assert cache.revision >= foreign.revision
            assert cache.get(key) is None if "/" in key[1:] else True


async def test_waiting_for_the_future_ends(storage):
    async with running(storage) as cache:
        with pytest.raises(TimeoutError):
            await cache.wait_until(cache.revision + 100, timeout=0.01)
        assert cache._waiters == {}


async def test_every_reader_reads_its_own_write(storage, at):
    async def write_and_read(i, cache):
        written = await storage.put(at(f"{i}"), value(f"{i}"), expect=ABSENT)
        await cache.wait_fresh(timeout=30)
        assert cache.get(at(f"{i}")).revision == written.revision
        await storage.delete(at(f"{i}"), expect=written.revision)
        await cache.wait_fresh(timeout=30)
        assert cache.get(at(f"{i}")) is None

    async with running(storage) as cache:
        await asyncio.gather(*[write_and_read(i, cache) for i in range(100)])
        assert cache._questions.asked < 200, "the question is shared"


async def test_list_and_watch_together_are_the_store(storage, at):
    """The central property: a list at R plus the events above R give what is stored."""
    start = await storage.put(at("0"), value("0"), expect=ABSENT)

    async def churn(i):
        for _ in range(10):
            try:
                stored = await storage.put(at(f"{i % 5}"), value(f"{i % 5}", i=i), expect=ABSENT)
                await storage.delete(at(f"{i % 5}"), expect=stored.revision)
            except Conflict:
                pass

    async def mirror(cache):
        after = cache.revision
        state = {e.key: e.revision for e in cache.list(at())}
        cursor, last = cache.watch(at(), after), after
        while last < stop.result().revision if stop.done() else True:
            group = await cursor.next(timeout=0.05)
            if isinstance(group, Progress):
                last = group.revision
                continue
            for event in group:
                last = event.revision
                assert state.get(event.key) == (event.old.revision if event.old else None)
                if event.new:
                    state[event.key] = event.new.revision
                else:
                    del state[event.key]
        return state

    stop = asyncio.get_running_loop().create_future()
    async with running(storage) as cache, asyncio.TaskGroup() as group:
        mirrors = []
        async with asyncio.TaskGroup() as churning:
            for i in range(10):
                churning.create_task(churn(i))
                await asyncio.sleep(0)
                mirrors.append(group.create_task(mirror(cache)))
        stop.set_result(await storage.put(at("end"), value("end"), expect=ABSENT))
        states = await asyncio.gather(*mirrors)
    page = await storage.list(at())
    assert start.revision < page.revision
    assert all(state == {i.key: i.revision for i in page.items} for state in states)


async def test_one_transaction_is_one_group(etcd, at):
    async with etcd.storage() as storage, running(storage) as cache:
        cursor = cache.watch(at(), cache.revision)
        puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=at(n).encode(), value=value(n))) for n in ("a", "b", "c")]
        puts.append(rpc.RequestOp(request_put=rpc.PutRequest(key=b"/registry/others/x", value=value("x"))))
        reply = await storage._etcd.call(lambda e: e.kv.Txn, rpc.TxnRequest(success=puts))
        group = await cursor.next(timeout=30)
        assert [shown(e.new) for e in group] == [(n, reply.header.revision) for n in ("a", "b", "c")]


async def test_lost_history_cuts_the_watchers_and_lists_anew(at):
    class Breaking(MemoryStorage):
        """The first watch ends, and when it is back the history is gone."""

        broken = False

        async def watch(self, prefix, *, after, previous=True):
            if not Breaking.broken:
                async for group in super().watch(prefix, after=after):
                    yield group
                    if self._revision >= 3:
                        break
                Breaking.broken = True
                for i in range(5):
                    await self.put(at(f"missed{i}"), value(f"missed{i}"), expect=ABSENT)
                await self.delete(at("a"), expect=2)
                await self.compact(self._revision)
                raise Unavailable("broken")
            async for group in super().watch(prefix, after=after):
                yield group

    storage = Breaking()
    async with running(storage) as cache:
        await storage.put(at("a"), value("a"), expect=ABSENT)
        await cache.wait_fresh(timeout=30)
        cursor, caught_up = cache.watch(at(), 1), cache.watch(at(), 2)
        await storage.put(at("b"), value("b"), expect=ABSENT)
        await caught_up.next(timeout=30)
        with pytest.raises(Compacted):
            await caught_up.next(timeout=30)
        with pytest.raises(Compacted):
            await cursor.next(timeout=30)
        await cache.wait_fresh(timeout=30)
        assert [e.name for e in cache.list(at())] == ["b", *(f"missed{i}" for i in range(5))]
        assert cache.statistics().loads == 2


@pytest.mark.slow
async def test_etcds_crash_and_return_is_not_noticed(tmp_path, at):
    server = EtcdServer(tmp_path).start()
    try:
        async with server.storage() as storage, running(storage) as cache:
            cursor = cache.watch(at(), cache.revision)
            for i in range(3):
                await storage.put(at(f"{i}"), value(f"{i}"), expect=ABSENT)
            assert [(await cursor.next(timeout=30))[0].new.name for _ in range(3)] == ["0", "1", "2"]
            server.kill()
            with pytest.raises(Unavailable):
                await cache.wait_fresh(timeout=30)
            server.start()
            async with server.storage() as other:  # somebody writes before our watch is back
                missed = await written(other, at("missed"))
            again = await written(storage, at("again"))
            assert [(await cursor.next(timeout=30))[0].revision for _ in range(2)] == [missed.revision, again.revision]
            await cache.wait_fresh(timeout=30)
            assert [e.name for e in cache.list(at())] == ["0", "1", "2", "again", "missed"]
            assert cache.statistics().loads == 1
            assert cache.statistics().resumes >= 1
    finally:
        server.end()


@pytest.mark.slow
async def test_a_store_set_back_is_noticed(tmp_path, at):
    """etcd restored from a backup: its revisions begin anew below ours."""
    server = EtcdServer(tmp_path / "one").start()
    try:
        async with server.storage() as storage, running(storage) as cache:
            for i in range(20):
                await storage.put(at(f"{i}"), value(f"{i}"), expect=ABSENT)
            await cache.wait_fresh(timeout=30)
            cursor = cache.watch(at(), cache.revision)
            server.kill()
            server.folder = tmp_path / "two"
            server.start()
            async with server.storage() as other:
                await written(other, at("new"))
            with pytest.raises(Compacted):
                await cursor.next(timeout=30)
            await cache.wait_fresh(timeout=30)
            assert [e.name for e in cache.list(at())] == ["new"]
    finally:
        server.end()


async def written(storage, key):
    """Put, as often as it takes until the store is back."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await storage.put(key, value(key.rsplit("/", 1)[1]), expect=ABSENT)
            except Unavailable:
                await asyncio.sleep(0.02)
