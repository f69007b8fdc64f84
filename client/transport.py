"""HTTP/1.1 under httpx, lean: a pool of connections, httptools as the parser, one asyncio protocol.

httpx's own transport (httpcore over anyio) walks its whole pool several times a request: with 32 requests in flight
that was most of a component's CPU (7.3 ms a request, here 1.0). This one keeps idle connections on a stack. It does
what the API needs: requests with a body of bytes, answers of any framing, streamed with flow control, time limits from
httpx. It does not do proxies, HTTP/2, upgrades or redirects (httpx's own stands in where a proxy is configured).
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import httptools
import httpx

from client.metrics import Exchanges

IDLE_SECONDS = 60.0  # below what servers keep idle connections (ours: 180), so that none is used as it closes
HIGH_WATER = 1 << 18  # bytes read ahead of the reader before the socket is left alone
MAX_CONNECTIONS = 64

#: A peer that vanished without a word is noticed after about a minute.
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class HttpTransport(httpx.AsyncBaseTransport):
    """Connections to one server. `limit` bounds those in use at once; None for watches, of which each needs its own."""

    def __init__(
        self, tls: ssl.SSLContext | None, *, server_name: str = "", limit: int | None = MAX_CONNECTIONS
    ) -> None:
        self._tls, self._server_name = tls, server_name
        self._slots = asyncio.Semaphore(limit) if limit is not None else None
        self._idle: list[_Connection] = []
        self._exchanges: dict[tuple[str, bytes], Exchanges] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; gives the answer as soon as its headers are there."""
        body = await request.aread()
        exchanges, began = self._exchanges_of(request), perf_counter()
        limits = request.extensions.get("timeout") or {}
        if self._slots is not None:
            await self._slots.acquire()
        try:
            connection = await self._connection(request.url, limits.get("connect"))
            try:
                status, headers = await connection.exchange(request, body, limits.get("read"))
            except BaseException:
                connection.abort()
                raise
        except BaseException:
            self._free()
            exchanges.failed(perf_counter() - began)
            raise
        exchanges.answered(status, perf_counter() - began, len(body))
        return httpx.Response(status, headers=headers, stream=_Body(self, connection, limits.get("read"), exchanges))

    def _exchanges_of(self, request: httpx.Request) -> Exchanges:
        """Where a request is counted."""
        key = (request.method, request.url.netloc)
        found = self._exchanges.get(key)
        if found is None:
            found = self._exchanges[key] = Exchanges(request.method, request.url.netloc.decode())
        return found

    async def _connection(self, url: httpx.URL, limit: float | None) -> "_Connection":
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and loop.time() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        is_tls = url.scheme == "https"
        try:
            async with asyncio.timeout(limit):
                _, made = await loop.create_connection(
                    _Connection,
                    url.host,
                    url.port or (443 if is_tls else 80),
                    ssl=self._tls if is_tls else None,
                    server_hostname=(self._server_name or url.host) if is_tls else None,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection within {limit:g} s") from error
        except OSError as error:  # ssl.SSLError is one
            raise httpx.ConnectError(str(error)) from error
        return made

    def release(self, connection: "_Connection") -> None:
        """Take a connection back, to use it again if that is possible."""
        self._free()
        if connection.is_reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    def _free(self) -> None:
        if self._slots is not None:
            self._slots.release()

    async def aclose(self) -> None:
        for connection in self._idle:
            connection.abort()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.error: str | None = None  # why it is closed
        self._transport: asyncio.Transport | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_head_in = self._is_complete = self._keeps_alive = self._is_paused = False
        self._chunks: deque[bytes] = deque()
        self._buffered = self.received = 0
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        return self.error is None and self._transport is not None and not self._transport.is_closing()

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer is in."""
        return self._is_complete

    @property
    def is_reusable(self) -> bool:
        return self.is_open and self._is_complete and self._keeps_alive and not self._chunks

    async def exchange(
        self, request: httpx.Request, body: bytes, limit: float | None
    ) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Send a request and wait for the head of its answer."""
        assert self._transport is not None
        self._reset()
        lines = [b"%b: %b\r\n" % pair for pair in request.headers.raw]
        start = b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
        self._transport.write(b"".join((start, *lines, b"\r\n", body)))
        while not self._is_head_in:
            await self._wait(limit)
        if request.method == "HEAD":
            self._is_complete = True
        return self._parser.get_status_code(), self._headers

    async def read(self, limit: float | None) -> bytes:
        """The next piece of the body, empty at its end."""
        while not self._chunks:
            if self._is_complete:
                return b""
            await self._wait(limit)
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def _wait(self, limit: float | None) -> None:
        if self.error is not None:
            raise httpx.RemoteProtocolError(self.error)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit):
                await self._waiter
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no answer within {limit:g} s") from error
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------------------------ asyncio's callbacks

    # uvloop's transports are none of asyncio's classes, so the type cannot be asserted
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        sock = transport.get_extra_info("socket")
        for option in KEEPALIVE:
            sock.setsockopt(*option)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.error = f"the answer is not HTTP: {error}"
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        is_until_close = self._is_head_in and not any(
            name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers
        )
        if is_until_close:
            self._is_complete = True  # a body without a length ends with its connection
        self.error = self.error or (str(exc) if exc else "") or "the server closed the connection"
        self._wake()

    # ------------------------------------------------------------------------------------ httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_head_in = True

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffered += len(data)
        self.received += len(data)
        if self._buffered > HIGH_WATER and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._is_complete = True
        self._keeps_alive = self._parser.should_keep_alive()


class _Body(httpx.AsyncByteStream):
    """The body of an answer. Closing it gives the connection back, or cuts it off where the answer goes on."""

    def __init__(
        self, transport: HttpTransport, connection: _Connection, limit: float | None, exchanges: Exchanges
    ) -> None:
        self._transport, self._connection, self._limit, self._exchanges = transport, connection, limit, exchanges
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._connection.read(self._limit):
            yield data

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            if self._connection.is_complete:  # and no watch that its reader has left
                self._exchanges.received(self._connection.received)
            self._transport.release(self._connection)
