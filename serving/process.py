"""The life of a process: run one coroutine on uvloop until it ends or SIGTERM / SIGINT asks it to stop.

`run(main)` calls `main(stop)`; the first signal sets `stop`, the second ends the process at once. What `main` raises is
told in one line on stderr where it is a plain refusal (a taken port, a missing file), and the process exits with 1.
"""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable

import uvloop

from apimachinery.errors import ApiError

#: What an operator can mend; anything else is a fault of ours and keeps its traceback.
PLAIN = (OSError, ssl.SSLError, ApiError)


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)` and return when it has ended; SystemExit(1) when it failed for a plain reason."""
    refusals: list[BaseException] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_supervised(main))
    except* PLAIN as group:
        refusals = _leaves(group)
    for error in refusals:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the last words of the process
    if refusals:  # not in the handler: Python 3.11.2 wraps in a group what is raised there (gh-103590)
        raise SystemExit(1)


async def _supervised(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number)
    await main(stop)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
