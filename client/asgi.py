"""An ASGI app as a transport of httpx: a whole cluster in one process, without sockets.

Unlike httpx's own ASGITransport, answers are streamed: the response is there as soon as the app has sent its start, so
watches work. The app feels what it would feel behind a real server: `send` waits while the reader is behind, and
`receive` gives `http.disconnect` once the reader has closed the response; the app is then cancelled, so that nothing is
left when a test ends. `client_cert` stands for the certificate a TLS server would have seen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

CHUNKS_AHEAD = 64  # how far an app may be ahead of its reader before `send` waits


class AsgiTransport(httpx.AsyncBaseTransport):
    """Answers requests by calling `app`. One may serve many clients."""

    def __init__(self, app: App, *, client_cert: bytes = b"", peer: str = "127.0.0.1") -> None:
        self._app = app
        self._client_cert = client_cert
        self._peer = peer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call the app in a task of its own, which the response's stream owns and ends."""
        exchange = _Exchange(await request.aread())
        await exchange.start(self._app, self._scope(request))
        return httpx.Response(exchange.status, headers=exchange.headers, stream=exchange)

    def _scope(self, request: httpx.Request) -> dict[str, Any]:
        extensions = {"tls": {"client_cert": self._client_cert}} if self._client_cert else {}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port or 443),
            "client": (self._peer, 0),
            "extensions": extensions,
            "state": {},
        }


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer, as a stream of body chunks."""

    def __init__(self, body: bytes) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | None = body
        self._started = asyncio.Event()
        self._closed = asyncio.Event()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(CHUNKS_AHEAD)
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: App, scope: dict[str, Any]) -> None:
        # The task outlives this call on purpose: httpx takes the stream over and closes it, which ends the task.
        self._task = asyncio.create_task(self._run(app, scope))
        try:
            await self._started.wait()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._task.done():
            self._task.result()  # an app that failed before it answered fails the request

    async def _run(self, app: App, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._started.set()
            if not self._closed.is_set():
                await self._chunks.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            self._started.set()
        elif message["type"] == "http.response.body":
            if chunk := message.get("body", b""):
                await self._chunks.put(bytes(chunk))
            if not message.get("more_body", False):
                await self._chunks.put(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()

    async def aclose(self) -> None:
        self._closed.set()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
