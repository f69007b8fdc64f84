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


class Work:
    """Seconds of work, as they are done."""

    def __init__(self):
        self.done = 0.0

    def do(self, seconds):
        self.done += seconds

    def __call__(self):
        return self.done


def futures(count):
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


async def test_those_who_take_long_go_one_at_a_time():
    work = Work()
    counts = await woken_per_turn(Turns(work), futures(30), lambda: work.do(SLICE))
    assert [count for count in counts if count] == [FIRST, *[1] * (30 - FIRST)]


async def test_those_who_take_no_time_go_together():
    counts = await woken_per_turn(Turns(Work()), futures(31 * FIRST + 2 * MOST), lambda: None)
    assert [count for count in counts if count] == [*(FIRST << i for i in range(5)), MOST, MOST]


async def test_as_many_go_together_as_fit():
    work = Work()
    counts = await woken_per_turn(Turns(work), futures(100), lambda: work.do(SLICE / 20.5))
    assert [count for count in counts if count] == [FIRST, 20, 20, 20, 20, 100 - FIRST - 80]


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
