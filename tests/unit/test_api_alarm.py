"""The patience of somebody who waits again and again: one timer, however many waits."""

import asyncio

import pytest

from apiserver.alarm import Patience

LONG = 30.0


async def test_a_wait_that_takes_too_long_ends():
    patience = Patience()
    with pytest.raises(TimeoutError):
        await patience.wait(asyncio.Event().wait(), 0.01)
    patience.over()


async def test_a_short_wait_after_a_long_one_has_its_own_limit():
    patience = Patience()
    await patience.wait(asyncio.sleep(0), LONG)
    async with asyncio.timeout(LONG):
        with pytest.raises(TimeoutError):
            await patience.wait(asyncio.Event().wait(), 0.01)
    patience.over()


async def test_the_timer_of_an_earlier_wait_does_not_end_a_later_one():
    patience, due = Patience(), asyncio.Event()
    await patience.wait(asyncio.sleep(0), 0.01)
    asyncio.get_running_loop().call_later(0.05, due.set)  # after the timer of the first has rung
    await patience.wait(due.wait(), LONG)
    patience.over()
    assert due.is_set()


async def test_who_is_cancelled_by_others_is_cancelled():
    async def waits():
        patience = Patience()
        try:
            await patience.wait(asyncio.Event().wait(), LONG)
        finally:
            patience.over()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_was_cancelled_before_and_goes_on_can_wait():
    """As a task does that cleans up."""

    async def waits():
        patience = Patience()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with pytest.raises(TimeoutError):
                await patience.wait(asyncio.Event().wait(), 0.01)
        patience.over()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def test_a_cancellation_after_a_wait_that_was_lost_is_none_of_ours():
    patience = Patience()
    task = asyncio.current_task()
    with pytest.raises(TimeoutError):
        await patience.wait(asyncio.Event().wait(), 0.01)
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await patience.wait(asyncio.Event().wait(), LONG)
    assert task.uncancel() == 0
    patience.over()
