"""`RawStream`: one connection as plain bytes, with flow control both ways, on asyncio's (or uvloop's) transports.

It is what is left of a connection after an HTTP upgrade, on the server (`serving.https`) as on the client
(`serving.dialer`). Reading stops the transport while nobody reads, writing waits while the peer does not: a slow end
slows the other end instead of filling memory. It knows nothing of what the bytes mean.
"""

import asyncio
import os
from typing import Protocol, cast

from serving.unread import Unread

#: What a write to a connection that is gone raises: uvloop says RuntimeError where it has closed the handle already.
GONE = (OSError, RuntimeError)

#: Bytes held for a reader before the transport is told to stop reading.
READ_LIMIT = 256 * 1024
#: Bytes in the transport's write buffer before `write` waits.
WRITE_LIMIT = 256 * 1024


def reason(error: OSError) -> str:
    """What went wrong, in Go's words, which tools look for: `connection refused`, `no route to host`."""
    number = error.errno or 0
    return os.strerror(number).lower() if number > 0 else str(error)


class ByteStream(Protocol):
    """What the codecs need of a connection; `RawStream` and a WebSocket tunnel both have it."""

    async def read(self, n: int = 65536) -> bytes:
        """Some bytes, at most n; b"" at the end."""

    async def write(self, data: bytes) -> None:
        """Send, waiting while the peer is slow; raises ConnectionError when it is gone."""

    async def close(self) -> None:
        """Send what is written, then close."""

    def abort(self) -> None:
        """Close at once, dropping what is not sent."""


class RawStream(asyncio.Protocol):
    """A connection as bytes. Made by an upgrade or by the dialer; `connection_made` hands over the transport."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._unread = Unread()
        self._paused_reading = False
        self._error: Exception | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)

    def data_received(self, data: bytes) -> None:
        self._unread.put(bytes(data))
        if self._unread.held > READ_LIMIT and not self._paused_reading and self._transport is not None:
            self._paused_reading = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._unread.end()
        # Keep a plain connection open for writing: the peer may have closed only its half. TLS cannot do that.
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread.end()
        self._error = exc
        self._writable.set()
        self._lost.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # -- the user's side

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._lost.is_set() or self._transport is None or self._transport.is_closing()

    async def read(self, n: int = 65536) -> bytes:
        """Some bytes, at most n; b"" at the end. A connection that broke reads as ended."""
        chunk = await self._unread.take(n)
        if self._paused_reading and self._unread.held < READ_LIMIT // 2 and not self.closed:
            assert self._transport is not None
            self._paused_reading = False
            self._transport.resume_reading()
        return chunk

    def unread(self, data: bytes) -> None:
        """Put bytes back in front: what a parser read too far."""
        self._unread.put_back(data)

    async def write(self, data: bytes) -> None:
        """Send; waits while the peer does not take it. ConnectionError when the connection is gone."""
        if self.closed:
            raise ConnectionResetError("the connection is closed") from self._error
        assert self._transport is not None
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()
            if self._lost.is_set():
                raise ConnectionResetError("the connection was lost") from self._error

    async def write_eof(self) -> None:
        """Close our half where the transport can (plain TCP); over TLS the whole connection stays open."""
        if not self.closed and self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()

    async def close(self, linger: float = 5.0) -> None:
        """Send what is written, then close; at most `linger` seconds, then the rest is dropped."""
        if self._transport is None:
            return
        if self._paused_reading and not self._transport.is_closing():
            self._paused_reading = False
            self._transport.resume_reading()  # an SSL transport shuts down only while it reads
        if not self._transport.is_closing():  # closed twice, asyncio's TLS transport cannot be aborted (Python 3.11.2)
            self._transport.close()
        try:
            await asyncio.wait_for(self._lost.wait(), linger)
        except TimeoutError:
            self._transport.abort()

    def abort(self) -> None:
        """Close at once, dropping what is not sent."""
        if self._transport is not None:
            self._transport.abort()


async def splice(left: ByteStream, right: ByteStream) -> None:
    """Copy both ways until the connection is over, then close both. Half-closed connections do not survive it.

    When one end is over, the other is flushed and closed, which ends the copying of the other direction too.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(left, right))
            tasks.create_task(_copy(right, left))
    finally:
        left.abort()
        right.abort()


async def _copy(source: ByteStream, target: ByteStream) -> None:
    try:
        while data := await source.read():
            await target.write(data)
    except ConnectionError:
        await source.close()  # nobody takes it any more
    else:
        await target.close()
