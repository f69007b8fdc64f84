"""An event loop whose time jumps: when nothing is ready, it is at once the time of the next timer.

Ten simulated minutes cost what happens in them. What others do in threads happens at once, in the loop's own: so a run
is the same every time. Nothing outside the process may be waited for (no sockets); waiting with no timer left at all is
a deadlock and raises.
"""

import asyncio
import selectors


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: tells how long the loop would have waited."""

    def __init__(self):
        super().__init__()
        self.jump = None

    def select(self, timeout=None):
        self.jump = timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0. Deterministic: callbacks run in the order they were scheduled, timers in the order they are due."""

    def __init__(self):
        self._virtual = 0.0
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self):
        return self._virtual

    def run_in_executor(self, _executor, function, *arguments):
        future = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            future.set_exception(error)
        return future

    def _run_once(self):
        super()._run_once()
        jump = self._jumping.jump
        if jump is None and not self._ready and not self._scheduled and not self._stopping:
            raise RuntimeError("nothing will ever happen again: everybody waits and no timer is left")

    def _process_events(self, event_list):
        super()._process_events(event_list)
        if self._jumping.jump:
            self._virtual += self._jumping.jump


async def advance(seconds):
    """Let that much simulated time go by, and all that happens in it."""
    await asyncio.sleep(seconds)


def run(coroutine):
    """asyncio.run on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
