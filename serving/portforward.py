"""Port-forward on the wire, the server's end: connections to a pod's ports, many in one session.

    SPDY                          `portforward.k8s.io`: a pair of streams (error, data) for each connection
    SPDY in WebSocket messages    `SPDY/3.1+portforward.k8s.io`: the same, kubectl since 1.31
    WebSocket                     `v4.channel.k8s.io` and base64: one connection per ?port=, channels 2n and 2n+1

`dial(port)` makes a connection to the pod, or raises OSError, whose text goes to the client's error stream.
Source: cri/streaming/portforward.
"""

import asyncio
import base64
import binascii
import struct
from collections.abc import Awaitable, Callable, Sequence

from apimachinery.errors import bad_request
from serving.channels import negotiate, offered
from serving.https import Upgrade
from serving.raw import ByteStream
from serving.spdy_session import SpdySession, SpdyStream
from serving.websocket import Tunnel, WebSocket
from serving.websocket_channels import accept_websocket

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+" + PROTOCOL
SOCKET_PROTOCOLS = (TUNNEL, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", PROTOCOL, "")

Dial = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def serve_portforward(upgrade: Upgrade | None, ports: Sequence[str], dial: Dial, *, pod: str) -> None:
    """Answer the upgrade and forward until the client leaves. `pod` is how error texts call the pod.

    ApiError is raised before anything is sent. `ports` are the query's, for the WebSocket protocols that need them.
    """
    if upgrade is None:
        raise bad_request("Upgrade request required")
    if upgrade.protocol == "spdy/3.1":
        protocol = negotiate(offered(upgrade, b"x-stream-protocol-version"), (PROTOCOL,))
        raw = await upgrade.accept([("X-Stream-Protocol-Version", protocol)] if protocol else [])
        await _serve_session(raw, dial, pod)
    elif upgrade.protocol == "websocket":
        await _serve_websocket(upgrade, ports, dial, pod)
    else:
        raise bad_request(f'unable to upgrade: missing upgrade headers in request: "{upgrade.protocol}"')


async def _serve_websocket(upgrade: Upgrade, texts: Sequence[str], dial: Dial, pod: str) -> None:
    tunnelled = TUNNEL in offered(upgrade, b"sec-websocket-protocol")
    numbers = [] if tunnelled else [port_number(text) for value in texts for text in value.split(",")]
    if not tunnelled and not numbers:
        raise bad_request('query parameter "port" is required')
    socket = await accept_websocket(upgrade, SOCKET_PROTOCOLS)
    if socket.subprotocol == TUNNEL:
        await _serve_session(Tunnel(socket), dial, pod)
    else:
        await _serve_ports(socket, numbers, dial, pod)


def port_number(text: str) -> int:
    """A port as clients write it; ApiError 400 otherwise."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 65536:
        raise bad_request(f"port {text!r} is invalid: must be between 1 and 65535")
    return number


# -- SPDY: pairs of streams


async def _serve_session(raw: ByteStream, dial: Dial, pod: str) -> None:
    session = SpdySession(raw, server=True)
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(session.run())
            waiting: dict[str, SpdyStream] = {}
            connections: set[asyncio.Task[None]] = set()
            async for stream in session.streams():
                pair = await _pair(stream, waiting)
                if pair:
                    task = tasks.create_task(_connection(*pair, dial, pod))
                    connections.add(task)
                    task.add_done_callback(connections.discard)
            for task in connections:
                task.cancel()
            reading.cancel()
        await raw.close()
    finally:
        raw.abort()


async def _pair(stream: SpdyStream, waiting: dict[str, SpdyStream]) -> tuple[SpdyStream, SpdyStream] | None:
    """(error, data) when this stream completes a pair. A stream that makes no sense is reset."""
    kind = stream.headers.get("streamtype", "")
    if kind not in ("error", "data") or not stream.headers.get("port"):
        await stream.reset()
        return None
    # Clients before 1.4 number nothing: their data stream follows the error stream at once.
    request = stream.headers.get("requestid") or str(stream.id if kind == "error" else stream.id - 2)
    other = waiting.pop(request, None)
    if other is None or other.headers.get("streamtype") == kind:
        waiting[request] = stream
        return None
    return (stream, other) if kind == "error" else (other, stream)


async def _connection(error: SpdyStream, data: SpdyStream, dial: Dial, pod: str) -> None:
    try:
        port = port_number(data.headers["port"])
        try:
            reader, writer = await dial(port)
        except OSError as reason:
            await error.write(_failure(port, pod, reason))
        else:
            await _shuttle(data, reader, writer)
    except ConnectionError:
        pass  # the session is over
    finally:
        for stream in (data, error):
            if not stream.local_closed:
                await _quietly(stream.close())
        await _quietly(data.reset())  # what the client still sends is of no use


def _failure(port: int, pod: str, reason: Exception) -> bytes:
    return f"error forwarding port {port} to pod {pod}: {reason}".encode()


async def _quietly(sending: Awaitable[None]) -> None:
    try:
        await sending
    except ConnectionError:
        return


async def _shuttle(data: SpdyStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy both ways until the pod has said everything, or the client has reset its stream."""

    async def to_pod() -> None:
        try:
            while chunk := await data.read():
                writer.write(chunk)
                await writer.drain()
            if data.was_reset:
                writer.close()  # the client has gone: the pod need not go on
            else:
                writer.write_eof()
        except OSError:
            return  # the pod has closed; what it said is still on its way to the client

    async def to_client() -> None:
        try:
            while chunk := await reader.read(65536):
                await data.write(chunk)
        except OSError:
            return
        finally:
            upward.cancel()

    try:
        async with asyncio.TaskGroup() as tasks:
            upward = tasks.create_task(to_pod())
            tasks.create_task(to_client())
    finally:
        writer.close()


# -- WebSocket: a pair of channels for each port


async def _serve_ports(socket: WebSocket, ports: Sequence[int], dial: Dial, pod: str) -> None:
    """The older protocol: every port is connected at once, each once."""
    encoded = "base64" in socket.subprotocol
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue(16) for _ in ports]

    async def send(channel: int, data: bytes) -> None:
        if encoded:
            await socket.send(str(channel).encode() + base64.b64encode(data), text=True)
        else:
            await socket.send(bytes((channel,)) + data)

    async def forward(index: int, port: int) -> None:
        for channel in (2 * index, 2 * index + 1):
            await send(channel, struct.pack("<H", port))
        try:
            reader, writer = await dial(port)
        except OSError as reason:
            await send(2 * index + 1, _failure(port, pod, reason))
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                upward = tasks.create_task(_from_queue(queues[index], writer))
                while chunk := await reader.read(32768):
                    await send(2 * index, chunk)
                upward.cancel()
        finally:
            writer.close()

    try:
        async with asyncio.TaskGroup() as tasks:
            forwards = [tasks.create_task(forward(index, port)) for index, port in enumerate(ports)]
            reading = tasks.create_task(_to_queues(socket, queues, encoded=encoded))
            await asyncio.wait([reading, tasks.create_task(_all(forwards))], return_when=asyncio.FIRST_COMPLETED)
            await socket.say_close()
            for task in (*forwards, reading):
                task.cancel()
    except* OSError:
        pass  # one end has gone
    finally:
        await socket.close()


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _from_queue(queue: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await queue.get())
            await writer.drain()
    except OSError:
        return


async def _to_queues(socket: WebSocket, queues: Sequence[asyncio.Queue[bytes]], *, encoded: bool) -> None:
    """Messages to their connection's queue, until the client leaves."""
    message = bytearray()
    while (part := await socket.receive()) is not None:
        message += part.data
        if len(message) > 1 << 22:
            return
        if not part.last:
            continue
        whole, message = bytes(message), bytearray()
        if not whole:
            continue
        channel, data = (int(whole[:1]) if whole[:1].isdigit() else -1, whole[1:]) if encoded else (whole[0], whole[1:])
        if encoded:
            try:
                data = base64.b64decode(data, validate=True)
            except binascii.Error:
                return
        if data and channel % 2 == 0 and 0 <= channel // 2 < len(queues):
            await queues[channel // 2].put(data)
