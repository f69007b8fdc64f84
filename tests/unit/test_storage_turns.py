"""Who waits is woken in order, a few at a time, and others run in between."""

import asyncio

from apiserver.storage.turns import FIRST, MOST, SLICE, Turns


async def woken_per_turn(turns, futures, work):
    """How many have run in each turn of the loop; each does `work` when it has been woken."""
    counts, ran = [], []

    async def wait(number, future):
        assert await future
        work()
        ran.append(number)

    async with asyncio.TaskGroup() as group:
        for number, future in enumerate(futures):
            group.create_task(wait(number, future))
        await asyncio.sleep(0)
        for future in futures:
            turns.wake(future)
        while len(ran) < len(futures):
            before = len(ran)
            await asyncio.sleep(0)
            counts.append(len(ran) - before)
    assert ran == sorted(ran)
    return counts


class Clock:
    """Seconds that go by when somebody works."""

    now = 0.0

    def __call__(self):
        return self.now

    def work(self):
        self.now += SLICE


def futures(count):
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


async def test_those_who_take_long_go_one_at_a_time():
    clock = Clock()
    counts = await woken_per_turn(Turns(clock), futures(30), clock.work)
    assert counts[: counts.index(FIRST) + 1].count(0) == counts.index(FIRST)
    assert set(counts[counts.index(FIRST) + 1 :]) <= {0, 1}


async def test_those_who_take_no_time_go_together():
    turns = Turns(Clock())
    for _ in range(3):
        counts = await woken_per_turn(turns, futures(2 * MOST), lambda: None)
    assert max(counts) > 4 * FIRST


async def test_one_that_is_done_already_takes_nobodys_turn():
    turns, (first, second) = Turns(), futures(2)
    turns.wake(first)
    turns.wake(second)
    first.set_result(False)
    assert await second
    assert not first.result()
    third = asyncio.get_running_loop().create_future()
    turns.wake(third)
    assert await third
