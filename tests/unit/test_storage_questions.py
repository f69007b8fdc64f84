"""Many ask for the revision; few questions reach the store, and none was asked too early."""

import asyncio

import pytest

from apiserver.storage.protocol import Unavailable
from apiserver.storage.questions import Questions


class Store:
    """Answers when it is told to; counts what it was asked."""

    def __init__(self):
        self.revision = 0
        self.asked = []

    async def ask(self):
        answer = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        seen = self.revision
        return (await answer) or seen


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_who_comes_while_a_question_is_under_way_waits_for_the_next():
    store = Store()
    questions = Questions(store.ask)
    first = asyncio.create_task(questions.revision())
    await until(lambda: len(store.asked) == 1)
    store.revision = 7  # too late for the first question
    late = [asyncio.create_task(questions.revision()) for _ in range(50)]
    await asyncio.sleep(0)
    store.asked[0].set_result(3)
    assert await first == 3
    await until(lambda: len(store.asked) == 2)
    store.asked[1].set_result(None)
    assert await asyncio.gather(*late) == [7] * 50
    assert questions.asked == 2


async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_else():
    store = Store()
    questions = Questions(store.ask)
    asking = [asyncio.create_task(questions.revision()) for _ in range(3)]
    await until(lambda: store.asked)
    later = asyncio.create_task(questions.revision())
    await asyncio.sleep(0)
    store.asked[0].set_exception(Unavailable("gone"))
    for task in asking:
        with pytest.raises(Unavailable):
            await task
    await until(lambda: len(store.asked) == 2)
    store.asked[1].set_result(9)
    assert await later == 9


async def test_who_gives_up_leaves_the_others_their_answer():
    store = Store()
    questions = Questions(store.ask)
    leaves, stays = (asyncio.create_task(questions.revision()) for _ in range(2))
    await until(lambda: store.asked)
    leaves.cancel()
    await asyncio.sleep(0)
    store.asked[0].set_result(5)
    assert await stays == 5
    assert leaves.cancelled()
