"""Exec, attach and port-forward: a client's channels joined to a session of the runtime.

The upgrade is accepted once the container is known to run; what fails later travels as the status on the error channel.
A client that leaves ends the session's connection, not the process (upstream's runtimes do the same).
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from apimachinery.types import Json
from kubelet.server.doors import Session
from serving.channels import Channels, Wanted, exit_status, failure
from serving.https import Upgrade
from serving.raw import GONE
from serving.remotecommand import open_channels

log = structlog.get_logger()


async def serve_session(
    upgrade: Upgrade | None, wanted: Wanted, begin: Callable[[], Awaitable[Session]], *, doing: str, what: str
) -> None:
    """Accept, begin the session, carry everything until it ends. ApiError before anything is sent, nothing after it.

    `doing` and `what` name it in error texts: `executing command in container`, `error executing command [ls]`.
    """
    try:
        async with open_channels(upgrade, wanted) as channels:
            try:
                session = await begin()
            except Exception as error:  # noqa: BLE001 - whatever the runtime raises is the client's to read
                await channels.close(failure(error, doing))
                return
            try:
                status = await _carry(channels, session, wanted, what)
            finally:
                await session.close()
            if status is not None:
                await channels.close(status)
    except* (ConnectionError, TimeoutError) as gone:
        log.info("a stream ended early", doing=doing, why=[str(error) for error in gone.exceptions])


async def _carry(channels: Channels, session: Session, wanted: Wanted, what: str) -> Json | None:
    """Copy every channel until the process has ended; None when the client left before it."""
    status: Json | None = None
    async with asyncio.TaskGroup() as tasks:
        result = tasks.create_task(_outputs(channels, session))
        leaving = tasks.create_task(channels.gone())
        helpers = [leaving]
        if wanted.stdin:
            helpers.append(tasks.create_task(_stdin(channels, session)))
        if wanted.tty:
            helpers.append(tasks.create_task(_sizes(channels, session)))
        await asyncio.wait((result, leaving), return_when=asyncio.FIRST_COMPLETED)
        if result.done() and not result.cancelled() and result.exception() is None:
            code = result.result()
            status = None if code is None else exit_status(code, f"{what}, exit code {code}")
        for task in (result, *helpers):
            task.cancel()
    return status


async def _outputs(channels: Channels, session: Session) -> int | None:
    try:
        while (piece := await session.read()) is not None:
            await channels.write(*piece)
    except ConnectionError:
        return None  # the client does not listen any more
    return await session.wait()


async def _stdin(channels: Channels, session: Session) -> None:
    try:
        while data := await channels.read_stdin():
            await session.write(data)
        await session.close_stdin()
    except GONE:
        # The process reads no more; what the client still sends must not hold up its other channels.
        while await channels.read_stdin():
            pass


async def _sizes(channels: Channels, session: Session) -> None:
    while (size := await channels.resized()) is not None:
        await session.resize(*size)


async def output_of(session: Session, limit: int) -> tuple[bytes, int]:
    """Everything a process writes, cut at `limit`, and its exit code: for /run."""
    output = bytearray()
    try:
        while (piece := await session.read()) is not None:
            if len(output) < limit:
                output += piece[1]
        return bytes(output[:limit]), await session.wait()
    finally:
        await session.close()
