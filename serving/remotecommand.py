"""Exec and attach served: `open_channels` gives a client's channels, `carry` joins them to the process.

The channels are the same whichever framing and protocol the client asks for. SPDY: v4, v3, v2, v1 of channel.k8s.io.
WebSocket: v5, v4, v1 and the base64 variants. ApiError is raised before anything is sent when there is nothing in
common.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from apimachinery.errors import bad_request
from serving.channels import Channels, Wanted
from serving.https import Upgrade
from serving.raw import GONE
from serving.spdy_channels import spdy_channels
from serving.websocket_channels import websocket_channels

T = TypeVar("T")


class Process(Protocol):
    """A process at the other end: one of this node's runtime, or a kubelet's."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next output with its channel (STDOUT, STDERR); None when there is no more."""

    async def write(self, data: bytes) -> None:
        """To its stdin; one of `GONE` when it reads no more."""

    async def close_stdin(self) -> None:
        """The end of stdin."""

    async def resize(self, width: int, height: int) -> None:
        """The terminal's new size in columns and rows."""


def open_channels(upgrade: Upgrade | None, wanted: Wanted) -> AbstractAsyncContextManager[Channels]:
    """Entering it answers the upgrade, or raises ApiError with nothing sent.

    What fails inside comes out as an exception group: a task reads the connection beside the caller's.
    """
    if upgrade is None:
        raise bad_request("Upgrade request required")
    if upgrade.protocol == "websocket":
        return websocket_channels(upgrade, wanted)
    if upgrade.protocol == "spdy/3.1":
        return spdy_channels(upgrade, wanted)
    raise bad_request(f'unable to upgrade: missing upgrade headers in request: "{upgrade.protocol}"')


async def carry(channels: Channels, process: Process, wanted: Wanted, ended: Callable[[], Awaitable[T]]) -> T | None:
    """Copy every channel until the process has ended; gives what `ended` then says, None when the client left first."""
    async with asyncio.TaskGroup() as tasks:
        result = tasks.create_task(_outputs(channels, process, ended))
        leaving = tasks.create_task(channels.gone())
        others = [leaving]
        if wanted.stdin:
            others.append(tasks.create_task(_stdin(channels, process)))
        if wanted.tty:
            others.append(tasks.create_task(_sizes(channels, process)))
        await asyncio.wait((result, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (result, *others):
            task.cancel()
    return None if result.cancelled() else result.result()


async def _outputs(channels: Channels, process: Process, ended: Callable[[], Awaitable[T]]) -> T | None:
    while (piece := await process.read()) is not None:
        try:
            await channels.write(*piece)
        except ConnectionError:
            return None  # the client does not listen any more
    return await ended()


async def _stdin(channels: Channels, process: Process) -> None:
    try:
        while data := await channels.read_stdin():
            await process.write(data)
        await process.close_stdin()
    except GONE:
        # The process reads no more; what the client still sends must not hold up its other channels.
        while await channels.read_stdin():
            pass


async def _sizes(channels: Channels, process: Process) -> None:
    while (size := await channels.resized()) is not None:
        await process.resize(*size)
