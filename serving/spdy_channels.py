"""`Channels` over SPDY: streams told apart by their `streamType` header. What kubectl up to 1.29 speaks.

v4 reports the end as a Status, v3 has a resize stream, v2 and v1 have neither: their error stream holds text, and only
when something failed. The client opens the streams; we wait until every one that the query announced is there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from apimachinery.types import Json
from serving.channels import (
    CREATION_TIMEOUT,
    FAREWELL_TIMEOUT,
    STDERR,
    STDOUT,
    Channels,
    Wanted,
    negotiate,
    offered,
)
from serving.https import Upgrade
from serving.resize import ResizeParser
from serving.spdy_session import SpdySession, SpdyStream

PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
HEADER = "X-Stream-Protocol-Version"
_OUTPUTS = {STDOUT: "stdout", STDERR: "stderr"}


@asynccontextmanager
async def spdy_channels(upgrade: Upgrade, wanted: Wanted) -> AsyncIterator[Channels]:
    """Accept the upgrade and wait for the client's streams; the connection is closed at the end."""
    protocol = negotiate(offered(upgrade, b"x-stream-protocol-version"), PROTOCOLS)
    raw = await upgrade.accept([(HEADER, protocol)] if protocol else [])
    session = SpdySession(raw, server=True)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            try:
                streams = await _collect(session, _expected(wanted, protocol))
                yield SpdyChannels(session, streams, protocol)
            finally:
                await session.close()
    finally:
        raw.abort()


def _expected(wanted: Wanted, protocol: str) -> set[str]:
    names = {"error": True, "stdin": wanted.stdin, "stdout": wanted.stdout, "stderr": wanted.stderr}
    names["resize"] = wanted.tty and protocol[:2] in ("v4", "v3")
    return {name for name, asked in names.items() if asked}


async def _collect(session: SpdySession, names: set[str]) -> dict[str, SpdyStream]:
    """The client's streams by type. TimeoutError when some never come, ConnectionError when the client leaves."""
    streams: dict[str, SpdyStream] = {}
    async with asyncio.timeout(CREATION_TIMEOUT):
        while names - set(streams):
            stream = await session.accept()
            if stream is None:
                raise ConnectionResetError("the client left before it had opened its streams")
            kind = stream.headers.get("streamtype", "")
            if kind in names and kind not in streams:
                streams[kind] = stream
            else:
                await stream.reset()
    return streams


class SpdyChannels:
    """See `Channels`."""

    def __init__(self, session: SpdySession, streams: dict[str, SpdyStream], protocol: str) -> None:
        self._session = session
        self._streams = streams
        self._protocol = protocol
        self._resizes = ResizeParser()
        self._sizes: list[tuple[int, int]] = []

    async def read_stdin(self) -> bytes:
        stream = self._streams.get("stdin")
        return await stream.read() if stream else b""

    async def write(self, channel: int, data: bytes) -> None:
        stream = self._streams.get(_OUTPUTS[channel])
        if stream is not None:
            await stream.write(data)

    async def resized(self) -> tuple[int, int] | None:
        stream = self._streams.get("resize")
        while not self._sizes:
            data = await stream.read() if stream else b""
            if not data:
                return None
            self._sizes += self._resizes.feed(data)
        return self._sizes.pop(0)

    async def gone(self) -> None:
        await self._session.ended.wait()

    async def close(self, status: Json) -> None:
        try:
            await self._streams["error"].write(self._error(status))
            for name in ("stdout", "stderr", "error"):
                if (stream := self._streams.get(name)) is not None:
                    await stream.close()
        except ConnectionError:
            return
        # Not earlier: spdystream may lose what its user has not read when the connection ends.
        await self._session.close(FAREWELL_TIMEOUT)

    def _error(self, status: Json) -> bytes:
        if self._protocol.startswith("v4"):
            return msgspec.json.encode(status)
        return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()
