"""Who is woken when: a change that thousands wait for must not keep everybody else waiting until all have had it.

Waking a task costs nothing; that it runs does, and the event loop runs all that were woken before it looks at its
sockets again. So those to be woken stand in line, and in each turn of the loop no more of them go than take SLICE
seconds, as far as can be told from the last turn. Between turns requests are read and answered, and a PAUSE leaves the
processor to those whom they wait for: etcd, and the clients that read. Who waits in line loses nothing: it finds all
that has come meanwhile, and takes it at once, which costs less than one by one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import thread_time

#: What those woken in one turn may take together.
SLICE = 0.001
#: Seconds from one turn to the next.
PAUSE = 0.001
#: How many are woken in the first turn, before it is known how long they take; and in any.
FIRST, MOST = 16, 512


class Turns:
    """A line of futures to be set to True. `clock`: seconds of work; time in which others had the processor is none."""

    def __init__(self, clock: Callable[[], float] = thread_time) -> None:
        self._clock = clock
        self._line: deque[asyncio.Future[bool]] = deque()
        self._at_once = FIRST
        self._woken = 0  # in the turn under way
        self._began = 0.0
        self._is_moving = False

    def wake(self, future: asyncio.Future[bool]) -> None:
        """Set the future when its turn comes, unless it is done by then."""
        self._line.append(future)
        if not self._is_moving:
            self._is_moving = True
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        """Wake the next few. The loop keeps order: `_begin`, those who were woken, `_end`, and nothing in between."""
        loop, line = asyncio.get_running_loop(), self._line
        loop.call_soon(self._begin)
        self._woken = 0
        while line and self._woken < self._at_once:
            future = line.popleft()
            if not future.done():
                future.set_result(True)
                self._woken += 1
        loop.call_soon(self._end)

    def _begin(self) -> None:
        self._began = self._clock()

    def _end(self) -> None:
        if self._woken:
            took = self._clock() - self._began
            fitting = int(SLICE * self._woken / took) if took > 0 else MOST
            self._at_once = max(1, min(fitting, 2 * self._at_once, MOST))
        self._is_moving = bool(self._line)
        if self._is_moving:
            asyncio.get_running_loop().call_later(PAUSE, self._wake_some)
