"""A watch over a WebSocket: each event is one message, text in JSON and binary in protobuf. For browsers.

Only the frame differs from a watch over plain HTTP: what the watch sends is taken apart into its events here. What the
client says means nothing; when it closes, the watch ends. Source: apiserver/pkg/endpoints/handlers/watch.go (HandleWS).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import structlog

from apiserver.call import Message, Receive, Response, Send
from apiserver.negotiation import PROTOBUF
from serving.https import Upgrade
from serving.websocket import CLOSE_TIMEOUT, WebSocket
from serving.websocket_channels import accept_websocket

log = structlog.get_logger("apiserver")

#: Subprotocols are not asked for; the one of clients that must name one is none of ours.
_PROTOCOLS = ("",)
#: Before each event in protobuf: its length, big-endian.
_LENGTH_BYTES = 4


def over_websocket(upgrade: Upgrade, media_type: str, run: Callable[[Send], Awaitable[None]]) -> Response:
    """The answer that accepts the handshake and lets `run` write its events."""

    async def answer(_receive: Receive, _send: Send) -> None:
        socket = await accept_websocket(upgrade, _PROTOCOLS)
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(_events(socket, media_type, run))
                await _until_closed(socket)
                watching.cancel()
        except* (ConnectionError, TimeoutError) as gone:
            log.info("a watch over a WebSocket ended early", why=[str(error) for error in gone.exceptions])
        finally:
            socket.abort()

    return Response(stream=answer)


async def _events(socket: WebSocket, media_type: str, run: Callable[[Send], Awaitable[None]]) -> None:
    async def send(message: Message) -> None:
        for event in events_of(message.get("body", b""), media_type):
            await socket.send(event, text=media_type != PROTOBUF)

    await run(send)
    await socket.say_close()
    await asyncio.sleep(CLOSE_TIMEOUT)
    raise TimeoutError("the client does not close")


async def _until_closed(socket: WebSocket) -> None:
    while await socket.receive() is not None:
        pass


def events_of(data: bytes, media_type: str) -> Iterator[bytes]:
    """The events of one send: lines in JSON, else the payloads behind their lengths."""
    if media_type != PROTOBUF:
        yield from data.splitlines(keepends=True)
        return
    position = 0
    while position < len(data):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        yield data[start:position]
