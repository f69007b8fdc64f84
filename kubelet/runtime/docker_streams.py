"""The streams of exec and attach: a Docker connection taken over after its HTTP answer.

The SDK's own way loses what the server sent together with the answer's header; this reads the header itself. Frames
are Docker's (one byte of stream, three of padding, four of length), or raw bytes with a terminal.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from apimachinery.types import Json
from kubelet.runtime.protocol import NoSuchContainer, RuntimeError_

_FRAME = 8
_PIECE = 65536


async def hijack(endpoint: str, path: str, body: Json) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """POST, and take the connection over once Docker has agreed."""
    if endpoint.startswith("unix://"):
        reader, writer = await asyncio.open_unix_connection(endpoint.removeprefix("unix://"))
    else:
        host, _, port = endpoint.removeprefix("tcp://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port or 2375))
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    writer.write(head.encode() + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + data)
    await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    status = int(answer.split(b" ", 2)[1])
    if status not in (101, 200):
        text = (await reader.read(_PIECE)).decode(errors="replace")
        writer.close()
        raise (NoSuchContainer if status in (404, 409) else RuntimeError_)(_message(text))
    return reader, writer


def _message(text: str) -> str:
    """Docker's `{"message": ...}`, wherever it stands in a (chunked) body."""
    start, end = text.find("{"), text.rfind("}")
    with contextlib.suppress(ValueError, KeyError):
        return str(json.loads(text[start : end + 1])["message"])
    return text.strip()


class DockerProcess:
    """`Process` over a connection that was taken over."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        tty: bool,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
    ) -> None:
        self._reader, self._writer, self._tty = reader, writer, tty
        self._resize, self._exit_code = resize, exit_code
        self._left, self._stream = 0, 1

    async def read(self) -> tuple[int, bytes] | None:
        if self._tty:
            data = await self._some(_PIECE)
            return (1, data) if data else None
        while not self._left:
            try:
                frame = await self._reader.readexactly(_FRAME)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            self._stream, self._left = (2 if frame[0] == 2 else 1), int.from_bytes(frame[4:], "big")
        data = await self._some(min(self._left, _PIECE))
        self._left -= len(data)
        return (self._stream, data) if data else None

    async def _some(self, size: int) -> bytes:
        try:
            return await self._reader.read(size)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the process has closed its input: what it does not read is lost
            self._writer.write(data)
            await self._writer.drain()

    async def close_stdin(self) -> None:
        with contextlib.suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()

    async def resize(self, width: int, height: int) -> None:
        await self._resize(width, height)

    async def wait(self) -> int:
        return await self._exit_code()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
