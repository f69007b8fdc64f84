"""Port-forward as browsers speak it: one WebSocket, every ?port= connected once, channels 2n (data) and 2n+1 (error).

Each channel's first message is its port, two bytes, little-endian. The SPDY protocols of kubectl are in `portforward`.
"""

import asyncio
import base64
import binascii
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from apimachinery.errors import ApiError
from serving.raw import GONE, reason
from serving.websocket import WebSocket

#: A connection to a port of the pod; OSError or ApiError when there is none.
Dial = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

#: The longest message that a client may send.
MESSAGE_LIMIT = 4 << 20


def failure_text(port: int, pod: str, error: OSError | ApiError) -> bytes:
    """What the client's error stream says when the pod cannot be connected."""
    why = error.message if isinstance(error, ApiError) else f"dial tcp4 127.0.0.1:{port}: connect: {reason(error)}"
    return f"error forwarding port {port} to pod {pod}: {why}".encode()


async def serve_ports(socket: WebSocket, ports: Sequence[int], dial: Dial, pod: str) -> None:
    """Forward until every port's connection is over, or the client has left."""
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue(16) for _ in ports]
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(_read(socket, queues))
            forwards = [
                tasks.create_task(_forward(socket, index, port, queues[index], dial, pod))
                for index, port in enumerate(ports)
            ]
            over = tasks.create_task(_all(forwards))
            await asyncio.wait((reading, over), return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, over, *forwards):
                task.cancel()
    except* OSError:
        pass  # one end has gone
    await socket.close()


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _forward(socket: WebSocket, index: int, port: int, sent: asyncio.Queue[bytes], dial: Dial, pod: str) -> None:
    data, error = 2 * index, 2 * index + 1
    for channel in (data, error):
        await _send(socket, channel, struct.pack("<H", port))
    try:
        reader, writer = await dial(port)
    except (OSError, ApiError) as refused:
        await _send(socket, error, failure_text(port, pod, refused))
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            upward = tasks.create_task(_drain(sent, writer))
            while chunk := await reader.read(32768):
                await _send(socket, data, chunk)
            upward.cancel()
    finally:
        writer.close()


async def _drain(sent: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await sent.get())
            await writer.drain()
    except GONE:
        return  # the pod reads no more; what it says still goes to the client


async def _read(socket: WebSocket, queues: Sequence[asyncio.Queue[bytes]]) -> None:
    """The client's data to its connection's queue, until the client leaves."""
    async for channel, data in _messages(socket):
        if data and channel % 2 == 0 and channel // 2 < len(queues):
            await queues[channel // 2].put(data)


async def _messages(socket: WebSocket) -> AsyncIterator[tuple[int, bytes]]:
    """(channel, data) of each message; ends at the client's end or at nonsense."""
    message = bytearray()
    while (part := await socket.receive()) is not None:
        message += part.data
        if len(message) > MESSAGE_LIMIT:
            return
        if not part.last:
            continue
        whole, message = bytes(message), bytearray()
        if not whole:
            continue
        if not _is_base64(socket):
            yield whole[0], whole[1:]
            continue
        try:
            yield int(whole[:1]), base64.b64decode(whole[1:], validate=True)
        except (ValueError, binascii.Error):
            return


async def _send(socket: WebSocket, channel: int, data: bytes) -> None:
    if _is_base64(socket):
        await socket.send(str(channel).encode() + base64.b64encode(data), text=True)
    else:
        await socket.send(bytes((channel,)) + data)


def _is_base64(socket: WebSocket) -> bool:
    return "base64" in socket.subprotocol
