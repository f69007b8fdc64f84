"""Which keys need work: a queue in which a key is at most once, and which never hands a key to two workers.

As client-go's workqueue: a key lies in `queue` (waiting for a worker), in `processing` (a worker has it), and is
`dirty` when it was added since it was last handed out. Adding a key that is being processed makes it dirty only; `done`
puts it back. So no change is lost, and none is worked on twice at once. Delays: `retry` backs off exponentially per key
until `forget`; `again` is the one appointment a key has with itself, and a later call replaces the earlier one.
Time is that of the running event loop.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from client.metrics import ADDS, DEPTH, REPEATS, WAITED, WORKED, watch_queue

K = TypeVar("K", bound=Hashable)

FIRST_DELAY, LONGEST_DELAY = 0.005, 1000.0


class TokenBucket:
    """At most `rate` a second on average, `burst` at once: how long the next taker must wait. `now` is an argument."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = float(burst), 0.0

    def take(self, now: float) -> float:
        """Take one token, if need be one from the future; gives the seconds until it is valid."""
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def try_take(self, now: float) -> bool:
        """Take one token if there is one now."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(now, self._at)


class Queue(Generic[K]):
    """Keys that need work. All methods but `get` return at once."""

    def __init__(
        self,
        name: str = "",
        *,
        first_delay: float = FIRST_DELAY,
        longest_delay: float = LONGEST_DELAY,
        bucket: TokenBucket | None = None,
        time: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self._first, self._longest, self._bucket = first_delay, longest_delay, bucket
        self._time = time
        self._queue: asyncio.Queue[K] = asyncio.Queue()
        self._added_at: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._processing: dict[K, float] = {}  # since when
        self._failures: dict[K, int] = {}
        self._retries: dict[K, asyncio.TimerHandle] = {}
        self._appointments: dict[K, asyncio.TimerHandle] = {}
        self._depth, self._adds = DEPTH.labels(name), ADDS.labels(name)
        self._waited, self._worked, self._repeats = WAITED.labels(name), WORKED.labels(name), REPEATS.labels(name)
        watch_queue(self)

    def add(self, key: K) -> None:
        """The key needs work."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        self._adds.inc()
        if key not in self._processing:
            self._put(key)

    def retry(self, key: K) -> float:
        """The key failed: add it after its back-off. Gives the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(self._first * 2 ** min(failures, 60), self._longest)
        if self._bucket is not None:
            delay = max(delay, self._bucket.take(self._now()))
        self._repeats.inc()
        self._schedule(self._retries, key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure starts the back-off anew."""
        self._failures.pop(key, None)
        self._cancel(self._retries, key)

    def again(self, key: K, delay: float | None) -> None:
        """Add the key after `delay` seconds, and at no other time it had asked for; None for never."""
        self._cancel(self._appointments, key)
        if delay is not None:
            self._schedule(self._appointments, key, delay)

    def failures(self, key: K) -> int:
        """How often the key failed in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key. It is the caller's alone until `done`."""
        key = await self._queue.get()
        self._depth.set(self._queue.qsize())
        now = self._now()
        self._waited.observe(max(0.0, now - self._added_at.pop(key, now)))
        self._processing[key] = now
        self._dirty.discard(key)
        return key

    def done(self, key: K) -> None:
        """Hand a key back; if it was added meanwhile it is queued again."""
        since = self._processing.pop(key, None)
        if since is not None:
            self._worked.observe(max(0.0, self._now() - since))
        if key in self._dirty:
            self._put(key)

    def __len__(self) -> int:
        return self._queue.qsize()

    @property
    def idle(self) -> bool:
        """Whether no key waits and none is being worked on (delayed ones do not count)."""
        return self._queue.empty() and not self._processing

    def running(self) -> list[float]:
        """For how long each key that is worked on has been."""
        now = self._now() if self._processing else 0.0
        return [max(0.0, now - since) for since in self._processing.values()]

    def close(self) -> None:
        """Cancel all that is delayed."""
        for timers in (self._retries, self._appointments):
            for timer in timers.values():
                timer.cancel()
            timers.clear()

    def validate(self) -> None:
        """What must hold between any two calls."""
        assert not (set(self._added_at) & set(self._processing)), "a key waits and is worked on"
        assert len(self._added_at) == self._queue.qsize(), "a key waits twice"

    def _put(self, key: K) -> None:
        self._added_at[key] = self._now()
        self._queue.put_nowait(key)
        self._depth.set(self._queue.qsize())

    def _schedule(self, timers: dict[K, asyncio.TimerHandle], key: K, delay: float) -> None:
        self._cancel(timers, key)

        def fire() -> None:
            timers.pop(key, None)
            self.add(key)

        timers[key] = asyncio.get_running_loop().call_later(delay, fire)

    def _cancel(self, timers: dict[K, asyncio.TimerHandle], key: K) -> None:
        if timer := timers.pop(key, None):
            timer.cancel()

    def _now(self) -> float:
        return self._time() if self._time else asyncio.get_running_loop().time()
