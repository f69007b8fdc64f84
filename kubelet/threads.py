"""Blocking work in threads that nobody leaves behind.

A thread goes on when whoever awaits it is cancelled: what it makes then (a mount, a cgroup, a cable) would appear after
the pod it was for has given everything back. So the end of such work is awaited in any case.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread`, but a cancellation is raised only when the thread has come to its end."""
    call = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        if not call.cancelled():
            call.exception()  # taken notice of: nobody else will ask
        raise
