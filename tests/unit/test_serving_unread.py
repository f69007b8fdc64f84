"""Bytes that wait for their reader: at most so many at a time, in order, and what was held is given before the end."""

import asyncio

from serving.unread import Unread


async def test_at_most_n_are_taken_in_order():
    unread = Unread()
    unread.put(b"abcde")
    unread.put(b"fg")
    assert [await unread.take(3), unread.held, await unread.take(9), await unread.take(9)] == [b"abc", 4, b"de", b"fg"]
    assert unread.held == 0


async def test_what_a_parser_took_too_far_comes_first_again():
    unread = Unread()
    unread.put(b"headbody")
    taken = await unread.take(100)
    unread.put(b"more")
    unread.put_back(taken[4:])
    assert (unread.held, await unread.take(100), await unread.take(100)) == (8, b"body", b"more")


async def test_the_end_comes_after_what_is_held():
    unread = Unread()
    unread.put(b"a")
    unread.end()
    assert [await unread.take(1), await unread.take(1), await unread.take(1)] == [b"a", b"", b""]


async def test_a_reader_waits_for_more_or_for_the_end():
    unread = Unread()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(unread.take(5))
        await asyncio.sleep(0)
        assert not first.done()
        unread.put(b"x")
        assert await first == b"x"
        last = tasks.create_task(unread.take(5))
        await asyncio.sleep(0)
        unread.end()
    assert last.result() == b""
