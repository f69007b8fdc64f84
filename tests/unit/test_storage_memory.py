"""What only the store in memory promises: it yields, forgets in time, and lives in virtual time."""

import asyncio

import pytest

from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT, Compacted


@pytest.mark.parametrize(
    "operation",
    [
        lambda s: s.get("/a"),
        lambda s: s.list("/"),
        lambda s: s.put("/b", b"", expect=ABSENT),
        lambda s: s.delete("/a", expect=2),
        lambda s: s.revision(),
        lambda s: s.compact(1),
        lambda s: anext(s.watch("/", after=1)),
    ],
)
async def test_every_operation_gives_others_a_turn(operation):
    storage, turns = MemoryStorage(), []
    await storage.put("/a", b"", expect=ABSENT)
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await operation(storage)
    assert turns


async def test_the_history_is_bounded():
    storage = MemoryStorage(keep=10)
    revision = ABSENT
    for i in range(100):
        revision = (await storage.put("/a", b"%d" % i, expect=revision)).revision
    assert len(storage._history) <= 20
    assert (await storage.list("/", at=revision - 5)).items[0].value == b"94"
    with pytest.raises(Compacted):
        await storage.list("/", at=5)


def test_a_ttl_follows_the_loops_time():
    loop = asyncio.new_event_loop()
    now = [0.0]
    loop.time = lambda: now[0]

    async def run():
        storage = MemoryStorage()
        await storage.put("/a", b"", expect=ABSENT, ttl=3600)
        now[0] = 3599.0
        assert await storage.get("/a")
        now[0] = 3601.0
        await asyncio.sleep(0)
        return await storage.get("/a")

    try:
        assert loop.run_until_complete(run()) is None
    finally:
        loop.close()
