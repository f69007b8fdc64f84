"""Exec and attach, the client's end: a WebSocket of v5.channel.k8s.io between a container and this terminal.

`run_streams` gives the exit code: 0, the program's own, or 1. Source: client-go/tools/remotecommand.
"""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from apimachinery.errors import from_status
from apimachinery.types import Json
from cli import terminal
from cli.flags import UsageError
from cli.session import Session
from client.client import Unreachable
from client.config import headers, tls_context
from serving.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT
from serving.dialer import Target, dial_websocket
from serving.resize import resize_document
from serving.websocket import WebSocket

V5 = "v5.channel.k8s.io"
#: A message to the server carries at most this much of standard input.
CHUNK = 32768


@dataclass(frozen=True, slots=True)
class Streams:
    """What is to flow."""

    stdin: bool = False
    tty: bool = False
    quiet: bool = False

    def query(self, container: str) -> list[tuple[str, str]]:
        """As the server reads it."""
        asked = [("container", container)] if container else []
        asked += [("stdin", "true")] if self.stdin else []
        asked += [("stdout", "true")]
        asked += [("tty", "true")] if self.tty else [("stderr", "true")]
        return asked


def target(session: Session) -> Target:
    """The API server for a connection of our own."""
    config = session.client.config
    token = Path(config.token_file).read_text().strip() if config.token_file else config.token
    context: ssl.SSLContext | None = tls_context(config) if config.server.startswith("https") else None
    lines = [*headers(config, token).items(), *session.headers.items()]
    return Target(config.server, context, tuple(lines), config.tls_server_name)


async def open_socket(
    session: Session, path: str, query: Sequence[tuple[str, str]], protocols: Sequence[str]
) -> WebSocket:
    """A WebSocket at a path of the server; ApiError when it is refused."""
    try:
        return await dial_websocket(target(session), f"{path}?{urlencode(query)}", protocols)
    except OSError as error:
        raise Unreachable(f"{session.client.config.server}: {error}") from error


async def run_streams(session: Session, path: str, query: Sequence[tuple[str, str]], streams: Streams) -> int:
    """Connects the container with this terminal until it ends."""
    socket = await open_socket(session, path, query, [V5])
    try:
        with terminal.raw_mode(wanted=streams.tty):
            status = await _converse(socket, streams)
    finally:
        socket.abort()
    return outcome(status)


def outcome(status: Json) -> int:
    """The exit code that a Status on the error channel stands for; says it on stderr when it is not 0."""
    if status.get("status") == "Success":
        return 0
    if status.get("reason") == "NonZeroExitCode":
        causes = (status.get("details") or {}).get("causes") or []
        code = next((cause["message"] for cause in causes if cause.get("reason") == "ExitCode"), "1")
        print(f"command terminated with exit code {code}", file=sys.stderr)
        return int(code)
    if status.get("kind") == "Status":
        error = from_status(status, 500)
        print(f"error: {error.message}", file=sys.stderr)
    return 1


async def _converse(socket: WebSocket, streams: Streams) -> Json:
    async with asyncio.TaskGroup() as tasks:
        background = []
        if streams.stdin:
            background.append(tasks.create_task(_send_typed(socket)))
        resized = asyncio.Event()
        if streams.tty and terminal.is_terminal():
            resized.set()
            background.append(tasks.create_task(_send_sizes(socket, resized)))
        with terminal.on_resize(resized.set):
            status = await _show(socket)
        for task in background:
            task.cancel()
    return status


async def _show(socket: WebSocket) -> Json:
    """Prints what comes; gives the Status that ends it."""
    status = b""
    async for channel, data in messages(socket):
        if channel in (STDOUT, STDERR):
            terminal.say(channel, data)
        elif channel == ERROR:
            status += data
    if not status:
        raise UsageError("unexpected EOF: the connection ended without an exit status")
    decoded: Json = msgspec.json.decode(status)
    return decoded


async def messages(socket: WebSocket) -> AsyncIterator[tuple[int, bytes]]:
    """(channel, data), in pieces as they arrive."""
    channel = -1
    while (part := await socket.receive()) is not None:
        data = part.data
        if part.first:
            channel = -1
        if channel < 0 and data:
            channel, data = data[0], data[1:]
        if data:
            yield channel, data


async def _send_typed(socket: WebSocket) -> None:
    try:
        async for data in terminal.typed():
            await socket.send(bytes((STDIN,)) + data)
        await socket.send(bytes((CLOSE, STDIN)))
    except ConnectionError:
        return


async def _send_sizes(socket: WebSocket, changed: asyncio.Event) -> None:
    try:
        while True:
            await changed.wait()
            changed.clear()
            await socket.send(bytes((RESIZE,)) + resize_document(*terminal.size()))
    except ConnectionError:
        return


async def captured(
    session: Session,
    path: str,
    query: Sequence[tuple[str, str]],
    *,
    stdin: AsyncIterator[bytes] | None = None,
    out: Callable[[bytes], Any],
) -> Mapping[str, Any]:
    """Runs a command with data in and out of this process instead of the terminal; its Status."""
    socket = await open_socket(session, path, query, [V5])
    status = b""
    try:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(_send_all(socket, stdin)) if stdin else None
            async for channel, data in messages(socket):
                if channel == STDOUT:
                    out(data)
                elif channel == STDERR:
                    terminal.say(STDERR, data)
                elif channel == ERROR:
                    status += data
            if sending:
                sending.cancel()
    finally:
        socket.abort()
    decoded: Json = msgspec.json.decode(status) if status else {}
    return decoded


async def _send_all(socket: WebSocket, source: AsyncIterator[bytes]) -> None:
    try:
        async for data in source:
            for start in range(0, len(data), CHUNK):
                await socket.send(bytes((STDIN,)) + data[start : start + CHUNK])
        await socket.send(bytes((CLOSE, STDIN)))
    except ConnectionError:
        return
