"""Cursors over the recent changes: nothing lost, nothing doubled, nobody woken in vain."""

import asyncio

import pytest

from apiserver.storage.entry import CacheEvent, Entry
from apiserver.storage.protocol import Compacted, Progress
from apiserver.storage.ring import Cursor, Ring


class Feed:
    """A ring, the cache's revision, and how to add to both."""

    def __init__(self, **limits):
        self.ring = Ring(10, **limits)
        self.revision = 10

    def add(self, *keys, size=1):
        self.revision += 1
        group = tuple(CacheEvent(self.revision, self.entry(k, size), self.entry(k, size)) for k in keys)
        folders = [[e.key[: e.key.rindex("/") + 1], "/r/pods/", "/r/"] for e in group]
        self.ring.append(group, folders)

    def entry(self, key, size):
        return Entry(f"/r/pods/{key}", self.revision, b"", size)

    def cursor(self, prefix="/r/pods/", after=10, wanted=None):
        return Cursor(self.ring, prefix, after, wanted, lambda: self.revision)


def names(group):
    return [event.key.removeprefix("/r/pods/") for event in group]


@pytest.fixture
def feed():
    return Feed()


async def test_a_cursor_gives_history_and_then_waits(feed):
    feed.add("ns/a")
    feed.add("ns/b", "other/c")
    cursor = feed.cursor()
    assert names(await cursor.next()) == ["ns/a"]
    assert names(await cursor.next()) == ["ns/b", "other/c"], "one revision, one group"
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(cursor.next())
        await asyncio.sleep(0)
        feed.add("ns/d")
    assert names(waiting.result()) == ["ns/d"]
    assert feed.ring.waiting == {}


@pytest.mark.parametrize(
    ("prefix", "after", "wanted", "expected"),
    [
        ("/r/pods/", 10, None, [["ns/a"], ["ns/b", "n/b"], ["ns/ab"]]),
        ("/r/pods/", 12, None, [["ns/ab"]]),
        ("/r/pods/ns/", 10, None, [["ns/a"], ["ns/b"], ["ns/ab"]]),
        ("/r/pods/ns/a", 10, None, [["ns/a"]]),
        ("/r/pods/", 10, lambda e: e.key.endswith("b"), [["ns/b", "n/b"], ["ns/ab"]]),
        ("/r/pods/", 99, None, []),
    ],
)
async def test_a_cursor_gives_what_it_is_asked_for(feed, prefix, after, wanted, expected):
    early = feed.cursor(prefix, after, wanted)
    feed.add("ns/a")
    feed.add("ns/b", "n/b")
    feed.add("ns/ab")
    assert [names(g) for g in early.ready()] == expected
    assert [names(g) for g in feed.cursor(prefix, after, wanted).ready()] == expected
    assert early.ready() == []


async def test_who_is_not_concerned_is_not_woken(feed):
    asked = []
    cursor = feed.cursor("/r/pods/ns/", wanted=lambda e: asked.append(e) or e.key.endswith("mine"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(cursor.next())
        await asyncio.sleep(0)
        feed.add("other/mine")
        feed.add("ns/yours")
        assert len(asked) == 1, "another namespace is not even asked about"
        assert not cursor._future.done()
        feed.add("ns/mine")
        feed.add("ns/mine")
    assert waiting.result()[0].revision == 13
    assert [g[0].revision for g in cursor.ready()] == [14]


async def test_progress_says_how_far(feed):
    cursor = feed.cursor("/r/pods/ns/")
    feed.add("other/x")
    assert await cursor.next(timeout=0) == Progress(11)
    feed.revision = 20  # other resources changed
    assert await cursor.next(timeout=0) == Progress(20)
    feed.add("ns/x")
    assert cursor.revision == 20, "not beyond what was given"
    await cursor.next()
    assert cursor.revision == 21


async def test_the_time_limit_holds_where_only_others_change(feed):
    cursor = feed.cursor("/r/pods/ns/")
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = group.create_task(cursor.next(timeout=0.02))
        while not waiting.done():
            feed.add("other/x")
            await asyncio.sleep(0)
    assert isinstance(waiting.result(), Progress)


async def test_a_failing_predicate_fails_its_own_watcher(feed):
    bad = feed.cursor(wanted=lambda e: 1 / 0)
    good = feed.cursor()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(good.next())
        failing = asyncio.ensure_future(bad.next())
        await asyncio.sleep(0)
        feed.add("ns/a")
    assert names(waiting.result()) == ["ns/a"]
    with pytest.raises(ZeroDivisionError):
        await failing


async def test_the_ring_is_bounded_and_slow_watchers_are_told():
    feed = Feed(bytes_=1_000_000)
    slow, waiting = feed.cursor(), feed.cursor()
    for i in range(400):
        feed.add(f"ns/{i}", size=5000)
        waiting.ready()
    assert feed.ring.bytes <= 1_000_000
    assert len(feed.ring) == 410 - feed.ring.floor >= 100
    assert names((feed.cursor(after=feed.ring.floor)).ready()[0]) == [f"ns/{feed.ring.floor - 10}"]
    with pytest.raises(Compacted):
        slow.ready()
    with pytest.raises(Compacted):
        await slow.next()
    with pytest.raises(Compacted):
        feed.cursor(after=feed.ring.floor - 1)
    assert waiting.ready() == []


async def test_few_large_events_stay_whatever_their_size():
    feed = Feed(bytes_=1000)
    for i in range(100):
        feed.add(f"ns/{i}", size=10_000)
    assert len(feed.cursor().ready()) == 100


async def test_a_break_cuts_everybody(feed):
    feed.add("ns/a")
    behind, at_end, waiting = feed.cursor(), feed.cursor(after=11), feed.cursor(after=11)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_outcome(waiting))
        await asyncio.sleep(0)
        feed.ring.break_off(30)
    feed.revision = 30
    assert isinstance(task.result(), Compacted)
    for cursor in (behind, at_end):
        assert isinstance(await _outcome(cursor), Compacted)
    with pytest.raises(Compacted):
        feed.cursor(after=29)
    fresh = feed.cursor(after=30)
    feed.add("ns/b")
    assert names(await fresh.next()) == ["ns/b"]


async def _outcome(cursor):
    try:
        return await cursor.next()
    except Compacted as error:
        return error


async def test_frames_are_kept_while_they_are_hot(feed):
    feed.add("ns/a")
    [[event]] = feed.cursor().ready()
    made = []
    for _ in range(2):
        event.made("frame", made.append)
    assert len(made) == 1
    for i in range(300):
        feed.add(f"ns/{i}")
    event.made("frame", made.append)
    assert len(made) == 2
