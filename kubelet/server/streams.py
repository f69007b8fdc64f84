"""Exec, attach and port-forward: a client's channels joined to a session of the runtime.

The upgrade is accepted once the container is known to run; what fails later travels as the status on the error channel.
A client that leaves ends the session's connection, not the process (upstream's runtimes do the same).
"""

from collections.abc import Awaitable, Callable

import structlog

from apimachinery.errors import ApiError
from kubelet.runtime.protocol import RuntimeError_
from kubelet.server.doors import Session
from serving.channels import Wanted, exit_status, failure
from serving.https import Upgrade
from serving.remotecommand import carry, open_channels

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
            except (
                ApiError,
                RuntimeError_,
                OSError,
                EOFError,
            ) as error:  # the runtime's words are the client's to read
                log.info("a stream did not begin", doing=doing, why=str(error))
                await channels.close(failure(error, doing))
                return
            try:
                code = await carry(channels, session, wanted, session.wait)
            finally:
                await session.close()
            if code is not None:
                await channels.close(exit_status(code, f"{what}, exit code {code}"))
    except* (ConnectionError, TimeoutError) as gone:
        log.info("a stream ended early", doing=doing, why=[str(error) for error in gone.exceptions])


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
