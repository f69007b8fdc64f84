"""What every store must do, run against memory and real etcd (one of them with TLS and client certificates)."""

import asyncio
import itertools

import pytest

from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT, Change, Compacted, Conflict, Progress, Stored, TooLarge, update
from tests.contract.storage_servers import EtcdServer

NUMBERS = itertools.count()
TTL = 4  # seconds: long enough for all writes of a test to be done before, on a machine that is busy


@pytest.fixture(scope="module", params=["memory", "etcd", "etcd-tls"])
def server(request, tmp_path_factory):
    if request.param == "memory":
        yield None
        return
    etcd = EtcdServer(tmp_path_factory.mktemp("etcd"), tls=request.param == "etcd-tls").start()
    yield etcd
    etcd.end()


@pytest.fixture
async def storage(server):
    if server is None:
        yield MemoryStorage()
        return
    async with server.storage() as etcd:
        yield etcd


@pytest.fixture
def at():
    """A prefix of this test's own: `at("x")` is a key below it."""
    number = next(NUMBERS)
    return lambda name="": f"/registry/t{number}/ns/{name}"


async def events(watch, count):
    """The next `count` groups of a watch."""
    found = []
    async for group in watch:
        if not isinstance(group, Progress):
            found.append(group)
            if len(found) == count:
                return found
    raise AssertionError("a watch has no end")


async def test_a_write_is_read_back_with_its_revision(storage, at):
    before = await storage.revision()
    written = await storage.put(at("x"), b"one", expect=ABSENT)
    assert written == Stored(at("x"), b"one", before + 1)
    assert await storage.get(at("x")) == written
    assert await storage.revision() == before + 1


async def test_absent_is_none(storage, at):
    assert await storage.get(at("nothing")) is None
    assert (await storage.list(at())).items == ()


@pytest.mark.parametrize("expect", [ABSENT, 1])
async def test_a_conflict_carries_what_is_there(storage, at, expect):
    there = await storage.put(at("x"), b"one", expect=ABSENT)
    revision = await storage.revision()
    with pytest.raises(Conflict) as conflict:
        await storage.put(at("x"), b"two", expect=expect)
    assert conflict.value.current == there
    with pytest.raises(Conflict) as conflict:
        await storage.delete(at("x"), expect=expect)
    assert conflict.value.current == there
    assert await storage.revision() == revision, "a conflict writes nothing"


async def test_what_is_absent_conflicts_with_nothing_there(storage, at):
    for expect in (ABSENT, 7):
        with pytest.raises(Conflict) as conflict:
            await storage.delete(at("x"), expect=expect)
        assert conflict.value.current is None
    with pytest.raises(Conflict) as conflict:
        await storage.put(at("x"), b"", expect=7)
    assert conflict.value.current is None


async def test_delete_gives_its_revision_and_create_follows(storage, at):
    one = await storage.put(at("x"), b"one", expect=ABSENT)
    gone = await storage.delete(at("x"), expect=one.revision)
    assert gone == Stored(at("x"), b"one", one.revision + 1)
    assert await storage.get(at("x")) is None
    again = await storage.put(at("x"), b"two", expect=ABSENT)
    assert again.revision == gone.revision + 1


async def test_of_many_creators_one_wins(storage, at):
    async def create(i):
        try:
            return await storage.put(at("x"), b"%d" % i, expect=ABSENT)
        except Conflict as conflict:
            return conflict.current

    winners = set(await asyncio.gather(*map(create, range(20))))
    assert winners == {await storage.get(at("x"))}, "who lost was told who won"


async def test_concurrent_updates_lose_nothing(storage, at):
    async def add():
        await update(storage, at("n"), lambda old: b"%d" % (int(old.value if old else 0) + 1))

    await asyncio.gather(*[add() for _ in range(20)])
    assert (await storage.get(at("n"))).value == b"20"


async def test_an_update_that_changes_nothing_writes_nothing(storage, at):
    one = await storage.put(at("x"), b"one", expect=ABSENT)
    assert await update(storage, at("x"), lambda old: old.value) == one
    assert await storage.revision() == one.revision


async def test_lists_are_in_order_and_in_pages(storage, at):
    for name in ("b", "a/x", "a-b/x", "c", "a", "é"):
        await storage.put(at(name), name.encode(), expect=ABSENT)
    await storage.put(at()[:-1] + "0", b"not below", expect=ABSENT)
    everything = await storage.list(at())
    assert [i.key for i in everything.items] == [at(n) for n in ("a", "a-b/x", "a/x", "b", "c", "é")]
    assert (everything.more, everything.remaining) == (False, 0)
    first = await storage.list(at(), limit=4)
    assert (len(first.items), first.more, first.remaining) == (4, True, 2)
    rest = await storage.list(at(), limit=4, after=first.items[-1].key, at=first.revision)
    assert first.items + rest.items == everything.items
    assert (rest.more, rest.remaining, rest.revision) == (False, 0, first.revision)


async def test_a_list_at_a_revision_is_how_it_was(storage, at):
    a = await storage.put(at("a"), b"1", expect=ABSENT)
    b = await storage.put(at("b"), b"1", expect=ABSENT)
    then = await storage.list(at())
    await storage.put(at("a"), b"2", expect=a.revision)
    await storage.delete(at("b"), expect=b.revision)
    await storage.put(at("c"), b"1", expect=ABSENT)
    assert (await storage.list(at(), at=b.revision)).items == then.items == (a, b)
    assert (await storage.list(at(), at=b.revision, after=at("a"), limit=1)).items == (b,)
    assert (await storage.list(at(), at=a.revision)).items == (a,)
    assert [i.value for i in (await storage.list(at())).items] == [b"2", b"1"]


async def test_a_large_list_is_whole(storage, at):
    async with asyncio.TaskGroup() as group:
        for i in range(1700):
            group.create_task(storage.put(at(f"{i:05}"), b"x" * (20_000 if i < 600 else 10), expect=ABSENT))
    page = await storage.list(at())
    assert [i.key for i in page.items] == [at(f"{i:05}") for i in range(1700)]
    assert not page.more
    limited = await storage.list(at(), limit=1500)
    assert (len(limited.items), limited.remaining) == (1500, 200)


async def test_the_watch_tells_each_change_with_old_and_new(storage, at):
    start = await storage.revision()
    one = await storage.put(at("x"), b"one", expect=ABSENT)
    two = await storage.put(at("x"), b"two", expect=one.revision)
    gone = await storage.delete(at("x"), expect=two.revision)
    expected = [
        (Change(one.revision, one, None),),
        (Change(two.revision, two, one),),
        (Change(gone.revision, None, two),),
    ]
    assert await events(storage.watch(at(), after=start), 3) == expected
    assert await events(storage.watch(at(), after=one.revision), 2) == expected[1:]


async def test_the_watch_goes_over_from_history_to_news_without_a_gap(storage, at):
    start = await storage.revision()

    async def write():
        for i in range(300):
            await storage.put(at(f"{i:03}"), b"", expect=ABSENT)
            await storage.put(at()[:-1] + f"-other/{i}", b"", expect=ABSENT)

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        watches = [group.create_task(events(storage.watch(at(), after=start), 300)) for _ in range(3)]
    await writing
    for watch in watches:
        groups = watch.result()
        assert [g[0].new.key for g in groups] == [at(f"{i:03}") for i in range(300)]
        assert [g[0].revision for g in groups] == sorted({c.revision for g in groups for c in g})


async def test_cancelling_one_watch_leaves_the_others(storage, at):
    start = await storage.revision()
    async with asyncio.TaskGroup() as group:
        doomed = group.create_task(events(storage.watch(at(), after=start), 1))
        lasting = group.create_task(events(storage.watch(at(), after=start), 2))
        await storage.put(at()[:-1] + "-other/x", b"", expect=ABSENT)
        for _ in range(5):
            await storage.revision()  # by now both wait for news
        doomed.cancel()
        await storage.put(at("a"), b"", expect=ABSENT)
        await storage.put(at("b"), b"", expect=ABSENT)
    assert len(lasting.result()) == 2


async def test_compaction_ends_history_but_not_the_present(storage, at):
    one = await storage.put(at("x"), b"1", expect=ABSENT)
    two = await storage.put(at("x"), b"2", expect=one.revision)
    three = await storage.put(at("x"), b"3", expect=two.revision)
    await storage.compact(two.revision)
    with pytest.raises(Compacted):
        await storage.list(at(), at=one.revision)
    assert (await storage.list(at(), at=two.revision)).items == (two,)
    with pytest.raises(Compacted) as compacted:
        await events(storage.watch(at(), after=one.revision - 2), 1)
    assert compacted.value.compacted == two.revision
    assert await events(storage.watch(at(), after=two.revision), 1) == [(Change(three.revision, three, two),)]
    with pytest.raises(Compacted):
        await storage.compact(two.revision)


@pytest.mark.slow
async def test_a_ttl_ends_with_a_delete_event(storage, at):
    await storage.put(at("lasting"), b"", expect=ABSENT)
    short = await storage.put(at("short"), b"", expect=ABSENT, ttl=TTL)
    renewed = await storage.put(at("renewed"), b"", expect=ABSENT, ttl=TTL)
    await storage.put(at("renewed"), b"now lasting", expect=renewed.revision)
    [(change, *more)] = await events(storage.watch(at(), after=short.revision + 2), 1)
    assert (change.new, change.old, more) == (None, short, [])
    assert [i.key for i in (await storage.list(at())).items] == [at("lasting"), at("renewed")]


async def test_a_value_may_be_large_but_not_too_large(storage, at):
    large = b"x" * 1_400_000
    assert (await storage.put(at("x"), large, expect=ABSENT)).value == large
    assert (await storage.get(at("x"))).value == large
    for size in (1_600_000, 5_000_000):
        with pytest.raises(TooLarge):
            await storage.put(at("y"), b"x" * size, expect=ABSENT)
    assert await storage.get(at("y")) is None
