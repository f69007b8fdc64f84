"""`Channels` over WebSocket: a message's first byte says which channel. What kubectl since 1.30 and browsers speak.

v5 adds a message [255, channel] by which the client closes stdin; before it, only the end of the connection did. The
base64 variants carry text: the channel as a digit, then base64. v4 and v5 report the end as a Status; the older ones as
text, and only when something failed.
"""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from apimachinery.errors import bad_request
from apimachinery.types import Json
from serving.channels import (
    CLOSE,
    ERROR,
    FAREWELL_TIMEOUT,
    RESIZE,
    STDERR,
    STDIN,
    STDOUT,
    Channels,
    Wanted,
    negotiate,
    offered,
)
from serving.https import Upgrade
from serving.resize import ResizeParser
from serving.websocket import Part, WebSocket, accept_headers

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
PROTOCOLS = (V5, V4, V4_BASE64, "channel.k8s.io", "base64.channel.k8s.io", "")

#: Unread stdin after which the connection is not read on.
STDIN_LIMIT = 1 << 20
#: Our largest message.
MAX_MESSAGE = 64 * 1024


async def accept_websocket(upgrade: Upgrade, protocols: tuple[str, ...]) -> WebSocket:
    """Answer the handshake with the client's first protocol that we have; ApiError with nothing sent when none."""
    keys = offered(upgrade, b"sec-websocket-key")
    if not keys:
        raise bad_request("unable to upgrade websocket connection: the Sec-WebSocket-Key header is missing")
    protocol = negotiate(offered(upgrade, b"sec-websocket-protocol"), protocols)
    return WebSocket(await upgrade.accept(accept_headers(keys[0], protocol)), server=True, subprotocol=protocol)


@asynccontextmanager
async def websocket_channels(upgrade: Upgrade, wanted: Wanted) -> AsyncIterator[Channels]:
    """Accept the handshake; the connection is closed at the end."""
    socket = await accept_websocket(upgrade, PROTOCOLS)
    channels = WebSocketChannels(socket, wanted)
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(channels.run())
            try:
                await channels.greet()
                yield channels
            finally:
                reading.cancel()
    finally:
        socket.abort()


class WebSocketChannels:
    """See `Channels`. `run()` reads the socket until it is over."""

    def __init__(self, socket: WebSocket, wanted: Wanted) -> None:
        self._socket = socket
        self._wanted = wanted
        self._base64 = "base64" in socket.subprotocol
        self._channel = -1  # of the message that is arriving
        self._message = bytearray()  # base64 only: what has arrived of it
        self._stdin: deque[bytes] = deque()
        self._held = 0
        self._stdin_open = wanted.stdin
        self._resizes = ResizeParser()
        self._sizes: deque[tuple[int, int]] = deque()
        self._over = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Read messages until the client has gone."""
        try:
            while (part := await self._socket.receive()) is not None:
                self._part(part)
                while self._held > STDIN_LIMIT and self._stdin_open:
                    await self._change()
        except ConnectionError:
            pass
        finally:
            self._stdin_open = False
            self._over = True
            self._changed.set()

    async def greet(self) -> None:
        """An empty message tells clients of v4 and older that the connection stands, as upstream's server does."""
        if self._socket.subprotocol == V5:
            return
        channel = STDOUT if self._wanted.stdout else STDERR if self._wanted.stderr else ERROR
        await self._send(channel, b"")

    # -- Channels

    async def read_stdin(self) -> bytes:
        while not self._stdin:
            if not self._stdin_open:
                return b""
            await self._change()
        data = self._stdin.popleft()
        self._held -= len(data)
        self._changed.set()
        return data

    async def write(self, channel: int, data: bytes) -> None:
        if self._wanted.stdout if channel == STDOUT else self._wanted.stderr:
            for start in range(0, len(data), MAX_MESSAGE):
                await self._send(channel, data[start : start + MAX_MESSAGE])

    async def resized(self) -> tuple[int, int] | None:
        while not self._sizes:
            if self._over or not self._wanted.tty:
                return None
            await self._change()
        return self._sizes.popleft()

    async def gone(self) -> None:
        await self._socket.ended.wait()

    async def close(self, status: Json) -> None:
        self._stdin_open = False  # what still comes is dropped, so that the client's Close is reached
        self._changed.set()
        try:
            if message := self._error(status):
                await self._send(ERROR, message)
            await self._socket.say_close()
        except ConnectionError:
            return
        try:
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                await self._socket.ended.wait()
        except TimeoutError:
            return
        await self._socket.close_raw()

    # -- the wire

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _send(self, channel: int, data: bytes) -> None:
        if self._base64:
            await self._socket.send(str(channel).encode() + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes((channel,)) + data)

    def _error(self, status: Json) -> bytes:
        if self._socket.subprotocol in (V5, V4, V4_BASE64):
            return msgspec.json.encode(status)
        return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()

    def _part(self, part: Part) -> None:
        if self._base64:
            self._base64_part(part)
            return
        data = part.data
        if part.first:
            self._channel = -1
        if self._channel < 0 and data:
            self._channel, data = data[0], data[1:]
        self._received(self._channel, data)

    def _base64_part(self, part: Part) -> None:
        self._message += part.data
        if len(self._message) > STDIN_LIMIT * 2:
            raise ConnectionResetError("a base64 message is too large")
        if not part.last:
            return
        message, self._message = bytes(self._message), bytearray()
        if message[:1].isdigit():
            try:
                self._received(int(message[:1]), base64.b64decode(message[1:], validate=True))
            except binascii.Error as error:
                raise ConnectionResetError("a message is no base64") from error

    def _received(self, channel: int, data: bytes) -> None:
        if channel == STDIN and self._stdin_open and data:
            self._stdin.append(data)
            self._held += len(data)
        elif channel == RESIZE:
            self._sizes += self._resizes.feed(data)
        elif channel == CLOSE and STDIN in data and self._socket.subprotocol == V5:
            self._stdin_open = False
        self._changed.set()
