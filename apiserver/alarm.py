"""One timer for all the waits of somebody who waits again and again, mostly not to the end.

A timer for each wait would be made and taken back with every event of every watch, as `asyncio.timeout` does.
"""

import asyncio
from collections.abc import Awaitable, Callable


class Alarm:
    """Calls `ring` at the time that was set last."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self.loop = loop
        self._ring = ring
        self._when: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        """Ring at this time of the loop, and not at the one set before."""
        if when != self._when:
            self.cancel()
            self._when = when
            self._timer = self.loop.call_at(when, self._rings)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._when = None  # if it rang too early, or while nobody listened, it is set again
        self._ring()


class Patience:
    """Limits how long one task waits, each time anew. `over` takes the timer back when the task waits no more."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._loop = task, asyncio.get_running_loop()
        self._due: float | None = None  # None while nothing is waited for
        self._is_lost = False
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0  # when the timer does

    async def wait(self, work: Awaitable[None], seconds: float) -> None:
        """Until the work is done. Raises TimeoutError where it takes longer."""
        self._due = due = self._loop.time() + seconds
        self._is_lost, before = False, self._task.cancelling()
        if self._timer is None or due < self._rings:
            self._set(due)
        try:
            await work
        except asyncio.CancelledError:
            if self._is_lost and self._task.uncancel() <= before:  # by us, and by nobody else since
                raise TimeoutError from None
            raise
        finally:
            self._due = None

    def over(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The timer is of an earlier wait, mostly: then it goes on with the present one, or ends."""
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._set(self._due)
        else:
            self._is_lost = True
            self._task.cancel()

    def _set(self, when: float) -> None:
        self.over()
        self._timer, self._rings = self._loop.call_at(when, self._look), when
