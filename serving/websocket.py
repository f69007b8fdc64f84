"""WebSocket over a `RawStream`: frames by wsproto, messages in parts, pings answered, the closing handshake.

A long message is handed out as its parts arrive, so no message is ever held whole. Also here: the handshake's headers
for both sides, and `Tunnel`, the bytes inside binary messages as a `ByteStream` (kubectl's port-forward since 1.31).
Per-message compression is never agreed on.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from serving.asgi import Headers
from serving.raw import ByteStream

NORMAL, PROTOCOL_ERROR = 1000, 1002
#: Seconds the peer has to answer our Close.
CLOSE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: the first of it, the last of it, or both."""

    data: bytes
    first: bool
    last: bool
    text: bool


class WebSocket:
    """An open WebSocket. One task receives; any task sends."""

    def __init__(self, raw: ByteStream, *, server: bool, subprotocol: str = "") -> None:
        self.subprotocol = subprotocol
        self._raw = raw
        self._wire = Connection(ConnectionType.SERVER if server else ConnectionType.CLIENT)
        self._parts: deque[Part] = deque()
        self._within = False  # a message has begun and not ended
        self._sending = asyncio.Lock()
        self.ended = asyncio.Event()

    async def receive(self) -> Part | None:
        """The next piece; None when the peer has closed or the connection is gone."""
        while not self._parts:
            if self.ended.is_set():
                return None
            data = await self._raw.read()
            try:
                self._wire.receive_data(data or None)
                for event in self._wire.events():
                    await self._handle(event)
            except RemoteProtocolError:
                await self._try_send(CloseConnection(PROTOCOL_ERROR))
                self.ended.set()
            if not data:
                self.ended.set()
        return self._parts.popleft()

    async def _handle(self, event: Event) -> None:
        match event:
            case Ping():
                await self._try_send(event.response())
            case CloseConnection():
                if self._wire.state is ConnectionState.REMOTE_CLOSING:
                    await self._try_send(event.response())
                self.ended.set()
            case TextMessage() | BytesMessage():
                text = isinstance(event, TextMessage)
                data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                self._parts.append(Part(data, not self._within, event.message_finished, text))
                self._within = not event.message_finished

    async def send(self, data: bytes, *, text: bool = False) -> None:
        """Send one message; ConnectionError when the WebSocket is closed."""
        await self._send(TextMessage(data.decode()) if text else BytesMessage(data))

    async def _send(self, event: Event) -> None:
        async with self._sending:
            try:
                raw = self._wire.send(event)
            except LocalProtocolError as error:
                raise ConnectionResetError("the WebSocket is closed") from error
            await self._raw.write(raw)

    async def _try_send(self, event: Event) -> None:
        try:
            await self._send(event)
        except ConnectionError:
            self.ended.set()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say Close, and close the connection once the peer has answered (or was given the time to).

        Call it when nobody else receives; what arrives meanwhile is dropped.
        """
        await self.say_close(code, reason)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                while await self.receive() is not None:
                    pass
        except (TimeoutError, ConnectionError):
            pass
        await self._raw.close()

    async def say_close(self, code: int = NORMAL, reason: str = "") -> None:
        """Send the Close frame only: the task that receives sees the peer's answer as the end."""
        if self._wire.state is ConnectionState.OPEN:
            await self._try_send(CloseConnection(code, reason))

    async def close_raw(self) -> None:
        """Close the connection underneath."""
        await self._raw.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._raw.abort()


class Tunnel:
    """The payload of binary messages as one stream of bytes (`ByteStream`)."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._rest = b""

    async def read(self, n: int = 65536) -> bytes:
        while not self._rest:
            part = await self._socket.receive()
            if part is None:
                return b""
            self._rest = part.data
        data, self._rest = self._rest[:n], self._rest[n:]
        return data

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.say_close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._socket.ended.wait(), CLOSE_TIMEOUT)
        await self._socket.close_raw()

    def abort(self) -> None:
        self._socket.abort()


def accept_headers(key: str, subprotocol: str) -> Headers:
    """What a server adds to its 101: the answer to the client's key, and the subprotocol where one was chosen."""
    headers = [("Sec-WebSocket-Accept", generate_accept_token(key.encode("latin-1")).decode())]
    return [*headers, ("Sec-WebSocket-Protocol", subprotocol)] if subprotocol else headers


def request_headers(key: str, subprotocols: Sequence[str]) -> Headers:
    """What a client sends to ask for a WebSocket."""
    headers = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key)]
    return [*headers, ("Sec-WebSocket-Protocol", ", ".join(subprotocols))] if subprotocols else headers
