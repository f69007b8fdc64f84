"""Exec, attach and port-forward from the client's side, on either framing: for pykubectl, the API server and tests.

    async with remote_command(target, path, wanted) as remote:
        await remote.write(b"..."); await remote.close_stdin(); await remote.resize(80, 24)
        while (piece := await remote.read()) is not None: channel, data = piece
        status = await remote.status()

    async with port_forward(target, path) as forward:
        connection = await forward.connect(8080)

`remote_command` speaks WebSocket v5 or, with `spdy=True`, SPDY v4. Entering raises ApiError when the server refuses and
OSError when it cannot be reached; what fails inside comes out as an exception group.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from apimachinery.errors import internal
from apimachinery.types import Json
from serving import websocket_channels
from serving.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Wanted
from serving.dialer import Target, dial_spdy, dial_websocket
from serving.portforward import PROTOCOL, TUNNEL
from serving.resize import resize_document
from serving.spdy_channels import PROTOCOLS as SPDY_PROTOCOLS
from serving.spdy_session import SpdySession, SpdyStream
from serving.websocket import Tunnel, WebSocket

#: Pieces of output held for a reader before the server is slowed down.
PIECES = 16


class Remote(Protocol):
    """The client's end of one exec or attach."""

    async def write(self, data: bytes) -> None:
        """ConnectionError when the server has ended the session."""

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece of output with its channel (STDOUT, STDERR); None when there is no more."""

    async def status(self) -> Json:
        """How it ended; ask when `read` has given None."""


@asynccontextmanager
async def remote_command(target: Target, path: str, wanted: Wanted, *, spdy: bool = False) -> AsyncIterator[Remote]:
    """Start the exec or attach that `path` (with its query) asks for."""
    remote: _SpdyRemote | _SocketRemote
    if spdy:
        session, _ = await dial_spdy(target, path, SPDY_PROTOCOLS[:1])
        remote = _SpdyRemote(session)
    else:
        remote = _SocketRemote(await dial_websocket(target, path, (websocket_channels.V5, websocket_channels.V4)))
    try:
        async with asyncio.TaskGroup() as tasks:
            running = await remote.start(tasks, wanted)
            try:
                yield remote
            finally:
                for task in running:
                    task.cancel()
    finally:
        remote.abort()


def _status(raw: bytes) -> Json:
    if not raw:
        return internal("the connection ended before the command's status was sent").status()
    try:
        status = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        status = None
    return status if isinstance(status, dict) else internal(raw.decode("utf-8", "replace")).status()


class _SpdyRemote:
    def __init__(self, session: SpdySession) -> None:
        self._session = session
        self._streams: dict[str, SpdyStream] = {}
        self._pieces: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(PIECES)
        self._open = 0
        self._error: bytes | None = None

    async def start(self, tasks: asyncio.TaskGroup, wanted: Wanted) -> list[asyncio.Task[None]]:
        running = [tasks.create_task(self._session.run())]
        names = {"error": True, "stdin": wanted.stdin, "stdout": wanted.stdout}
        names |= {"stderr": wanted.stderr and not wanted.tty, "resize": wanted.tty}
        for name in (name for name, asked in names.items() if asked):
            self._streams[name] = await self._session.open([("streamType", name)])
        outputs = [(c, self._streams[n]) for c, n in ((STDOUT, "stdout"), (STDERR, "stderr")) if n in self._streams]
        self._open = len(outputs)
        return running + [tasks.create_task(self._collect(channel, stream)) for channel, stream in outputs]

    async def _collect(self, channel: int, stream: SpdyStream) -> None:
        while data := await stream.read():
            await self._pieces.put((channel, data))
        self._open -= 1
        if not self._open:
            await self._pieces.put(None)

    async def write(self, data: bytes) -> None:
        await self._streams["stdin"].write(data)

    async def close_stdin(self) -> None:
        await self._streams["stdin"].close()

    async def resize(self, width: int, height: int) -> None:
        await self._streams["resize"].write(resize_document(width, height))

    async def read(self) -> tuple[int, bytes] | None:
        if not self._open and self._pieces.empty():
            return None
        return await self._pieces.get()

    async def status(self) -> Json:
        if self._error is None:
            self._error = await self._streams["error"].read_all()
        return _status(self._error)

    def abort(self) -> None:
        self._session.abort()


class _SocketRemote:
    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._pieces: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(PIECES)
        self._error = bytearray()
        self._over = False

    async def start(self, tasks: asyncio.TaskGroup, _wanted: Wanted) -> list[asyncio.Task[None]]:
        return [tasks.create_task(self._collect())]

    async def _collect(self) -> None:
        channel = -1
        while (part := await self._socket.receive()) is not None:
            data = part.data
            if part.first:
                channel, data = (data[0], data[1:]) if data else (-1, b"")
            if channel == ERROR:
                self._error += data
            elif channel in (STDOUT, STDERR) and data:
                await self._pieces.put((channel, data))
        self._over = True
        await self._pieces.put(None)

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), websocket_channels.MAX_MESSAGE):
            await self._socket.send(bytes((STDIN,)) + data[start : start + websocket_channels.MAX_MESSAGE])

    async def close_stdin(self) -> None:
        if self._socket.subprotocol == websocket_channels.V5:
            await self._socket.send(bytes((CLOSE, STDIN)))

    async def resize(self, width: int, height: int) -> None:
        await self._socket.send(bytes((RESIZE,)) + resize_document(width, height))

    async def read(self) -> tuple[int, bytes] | None:
        if self._over and self._pieces.empty():
            return None
        return await self._pieces.get()

    async def status(self) -> Json:
        return _status(bytes(self._error))

    def abort(self) -> None:
        self._socket.abort()


# -- port-forward


class Forward:
    """One port-forward session."""

    def __init__(self, session: SpdySession) -> None:
        self._session = session
        self._count = 0

    async def connect(self, port: int) -> "ForwardedConnection":
        """A new connection to the pod's port. Whether the pod takes it shows in `ForwardedConnection.failure`."""
        request = [("port", str(port)), ("requestID", str(self._count))]
        self._count += 1
        error = await self._session.open([("streamType", "error"), *request])
        await error.close()
        return ForwardedConnection(await self._session.open([("streamType", "data"), *request]), error)

    async def gone(self) -> None:
        """Returns when the session is over."""
        await self._session.ended.wait()


class ForwardedConnection:
    """One connection to a pod's port."""

    def __init__(self, data: SpdyStream, error: SpdyStream) -> None:
        self._data = data
        self._error = error

    async def read(self, n: int = 65536) -> bytes:
        """Some bytes; b"" at the end."""
        return await self._data.read(n)

    async def write(self, data: bytes) -> None:
        await self._data.write(data)

    async def write_eof(self) -> None:
        """We say no more; the pod may."""
        await self._data.close()

    async def failure(self) -> str:
        """What went wrong, empty when nothing did; ask when `read` has given b""."""
        return (await self._error.read_all()).decode("utf-8", "replace")

    async def close(self) -> None:
        """Tear the connection down."""
        await self._data.reset()


@asynccontextmanager
async def port_forward(target: Target, path: str, *, spdy: bool = False) -> AsyncIterator[Forward]:
    """Start the port-forward that `path` asks for; SPDY in a WebSocket, or plain with `spdy=True`."""
    if spdy:
        session, _ = await dial_spdy(target, path, (PROTOCOL,))
    else:
        session = SpdySession(Tunnel(await dial_websocket(target, path, (TUNNEL,))), server=False)
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(session.run())
            try:
                yield Forward(session)
            finally:
                await session.close()
                reading.cancel()
    finally:
        session.abort()
