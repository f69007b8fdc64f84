"""Work in threads is not left behind."""

import asyncio
import threading

import pytest

from kubelet.threads import in_thread


async def test_who_is_cancelled_goes_on_only_when_the_thread_has_ended():
    order, begun, released = [], asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow():
        loop.call_soon_threadsafe(begun.set)
        released.wait(10)
        order.append("made")

    async def start():
        try:
            await in_thread(slow)
        finally:
            order.append("left")

    starting = asyncio.create_task(start())
    await begun.wait()
    starting.cancel()
    for _ in range(10):  # turns in which it would leave, if it did
        await asyncio.sleep(0)
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert order == ["made", "left"]


async def test_what_the_thread_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
