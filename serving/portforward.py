"""Port-forward on the wire, the server's end: connections to a pod's ports, many in one session.

    SPDY                          `portforward.k8s.io`: a pair of streams (error, data) for each connection
    SPDY in WebSocket messages    `SPDY/3.1+portforward.k8s.io`: the same, kubectl since 1.31
    WebSocket                     `v4.channel.k8s.io` and base64: one connection per ?port=, channels 2n and 2n+1

`dial(port)` makes a connection to the pod, or raises OSError, whose text goes to the client's error stream.
Source: cri/streaming/portforward.
"""

import asyncio
from collections.abc import Awaitable, Sequence

from apimachinery.errors import ApiError, bad_request
from serving.channels import negotiate, offered
from serving.https import Upgrade
from serving.portforward_ports import Dial, failure_text, serve_ports
from serving.raw import GONE, ByteStream
from serving.spdy_session import SpdySession, SpdyStream
from serving.websocket import Tunnel
from serving.websocket_channels import accept_websocket

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+" + PROTOCOL
SOCKET_PROTOCOLS = (TUNNEL, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", PROTOCOL, "")


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
        await serve_ports(socket, numbers, dial, pod)


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
        except (OSError, ApiError) as refused:
            await error.write(failure_text(port, pod, refused))
        else:
            await _shuttle(data, reader, writer)
    except ConnectionError:
        pass  # the session is over
    finally:
        for stream in (data, error):
            if not stream.local_closed:
                await _quietly(stream.close())
        await _quietly(data.reset())  # what the client still sends is of no use


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
        except GONE:
            return  # the pod has closed; what it said is still on its way to the client

    async def to_client() -> None:
        try:
            while chunk := await reader.read(65536):
                await data.write(chunk)
        except OSError:
            return

    try:
        async with asyncio.TaskGroup() as tasks:
            upward = tasks.create_task(to_pod())
            await to_client()
            upward.cancel()
    finally:
        writer.close()
