"""One timer for all the waits of somebody who waits again and again, mostly not to the end.

A timer for each wait would be made and taken back with every event of every watch.
"""

import asyncio
from collections.abc import Callable


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
