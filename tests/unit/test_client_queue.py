"""The queue: a key is in it once, with one worker, and no change is lost."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from client.queue import Queue, TokenBucket


async def test_a_key_added_twice_is_handed_out_once():
    queue = Queue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_a_key_added_while_it_is_worked_on_comes_back_after_done():
    queue = Queue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_retries_back_off_until_forgotten():
    queue = Queue(first_delay=0.001, longest_delay=0.003)
    assert [queue.retry("a") for _ in range(4)] == [0.001, 0.002, 0.003, 0.003]
    queue.forget("a")
    assert queue.retry("a") == 0.001
    queue.close()


async def test_a_later_appointment_replaces_the_earlier():
    queue = Queue()
    queue.again("a", 0.0)
    queue.again("a", 3600.0)
    queue.again("b", 0.001)
    assert await queue.get() == "b"
    assert len(queue) == 0
    queue.close()


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc"))))
def test_any_order_of_calls_keeps_the_invariants_and_loses_nothing(calls):
    async def run():
        queue, working, wanted = Queue(), set(), set()
        for call, key in calls:
            if call == "add":
                queue.add(key)
                wanted.add(key)
            elif call == "get" and len(queue):
                got = await queue.get()
                assert got not in working
                working.add(got)
                wanted.discard(got)
            elif call == "done" and key in working:
                queue.done(key)
                working.discard(key)
            queue.validate()
        for key in list(working):
            queue.done(key)
        assert {await queue.get() for _ in range(len(queue))} == wanted

    asyncio.run(run())


def test_a_token_bucket_lets_a_burst_through_and_then_its_rate():
    bucket = TokenBucket(rate=2, burst=2)
    assert [bucket.take(10.0) for _ in range(4)] == [0, 0, 0.5, 1.0]
    assert not bucket.try_take(10.9)
    assert bucket.try_take(11.6)
