"""The client's side of an HTTP upgrade: dial, ask, and get the connection as bytes, or the server's answer.

    answer = await ask(Target("https://10.0.0.1:10250", tls=context), "POST", "/exec/...", headers)
    if answer.code == 101: answer.raw ... else: await answer.body()

Used by the API server towards kubelets, by pykubectl towards API servers, by tests. HTTP/1.1 by h11; no redirects, no
proxies, one connection for each call.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11
import msgspec
from wsproto.utilities import generate_accept_token, generate_nonce

from apimachinery.errors import ApiError, from_status
from serving.asgi import Headers
from serving.raw import RawStream, reason
from serving.spdy_session import SpdySession
from serving.websocket import WebSocket, request_headers

CONNECT_TIMEOUT = 30.0
#: A refusal longer than this is cut.
BODY_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """A server: `scheme://host:port`, how to trust it, who we are (headers; a client certificate is in `tls`)."""

    url: str
    tls: ssl.SSLContext | None = None
    headers: Headers = ()
    server_hostname: str = ""  # the name in its certificate, where that is not the URL's host

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class Answer:
    """The server's answer. With code 101, `raw` is the connection; otherwise read the body, which closes it."""

    def __init__(self, exchange: "Exchange", code: int, headers: Sequence[tuple[str, str]]) -> None:
        self.raw = exchange.raw
        self.code = code
        self.headers = headers
        self._exchange = exchange

    def header(self, name: str) -> str:
        """The first value of a header, or the empty string."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; the connection is closed at the end. OSError when it breaks off."""
        try:
            while isinstance(event := await self._exchange.event(), h11.Data):
                yield bytes(event.data)
        finally:
            self.raw.abort()

    async def body(self, limit: int = BODY_LIMIT) -> bytes:
        """The whole body, cut at `limit`; what has come is what there is when the connection breaks off."""
        body = bytearray()
        with contextlib.suppress(OSError):
            async for chunk in self.chunks():
                body += chunk
                if len(body) > limit:
                    break
        return bytes(body[:limit])

    async def error(self) -> ApiError:
        """The refusal as an ApiError: the Status that was sent, or one around its text."""
        body = await self.body()
        try:
            status = msgspec.json.decode(body)
        except msgspec.DecodeError:
            status = None
        if isinstance(status, dict) and status.get("kind") == "Status":
            return from_status(status, self.code)
        return ApiError(self.code, "", f"unable to upgrade connection: {body.decode('utf-8', 'replace').strip()}")


async def connect(target: Target) -> RawStream:
    """A connection to the server, TLS done. OSError (ssl.SSLError among them) with Go's words where it can be."""
    host, port = target.address
    loop = asyncio.get_running_loop()
    name = (target.server_hostname or host) if target.tls else None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, raw = await loop.create_connection(RawStream, host, port, ssl=target.tls, server_hostname=name)
    except TimeoutError as error:
        raise OSError(f"dial tcp {_shown(host)}:{port}: i/o timeout") from error
    except ssl.SSLError as error:
        raise OSError(f"tls: {error.reason or error}") from error
    except OSError as error:
        raise OSError(f"dial tcp {_shown(host)}:{port}: connect: {reason(error)}") from error
    return raw


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Exchange:
    """One request and its answer, both in pieces."""

    def __init__(self, raw: RawStream) -> None:
        self.raw = raw
        self._wire = h11.Connection(h11.CLIENT)

    async def begin(self, target: Target, method: str, path: str, headers: Headers) -> None:
        """Send the request's head; `Host` is added where it is missing."""
        lines = [*target.headers, *headers]
        if "host" not in {name.lower() for name, _ in lines}:
            host, port = target.address
            lines.insert(0, ("Host", f"{_shown(host)}:{port}"))
        raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        await self._send(h11.Request(method=method, target=path, headers=raw_headers))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """Say that the request is whole."""
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        try:
            raw = self._wire.send(event)
        except h11.LocalProtocolError as error:
            raise OSError(f"net/http: invalid request: {error}") from error
        if raw:
            await self.raw.write(raw)

    async def answer(self) -> Answer:
        """The answer's head; 1xx before it are skipped, a 101 is the answer."""
        while True:
            event = await self.event()
            if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                continue
            if not isinstance(event, h11.Response | h11.InformationalResponse):
                raise ConnectionResetError("EOF")
            if event.status_code == 101:
                self.raw.unread(bytes(self._wire.trailing_data[0]))
            pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
            return Answer(self, event.status_code, pairs)

    async def event(self) -> object:
        """The next thing that h11 has read off the connection."""
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA:
                self._wire.receive_data(await self.raw.read())
        except h11.RemoteProtocolError as error:
            raise ConnectionResetError(f"malformed HTTP response: {error}") from error
        return event


async def ask(target: Target, method: str, path: str, headers: Headers) -> Answer:
    """Send a request without a body and read the answer's head. OSError when the server cannot be reached."""
    exchange = Exchange(await connect(target))
    try:
        await exchange.begin(target, method, path, headers)
        await exchange.end()
        return await exchange.answer()
    except BaseException:
        exchange.raw.abort()
        raise


async def dial_spdy(target: Target, path: str, protocols: Sequence[str]) -> tuple[SpdySession, str]:
    """A SPDY session by POST and Upgrade, and the stream protocol that was chosen. ApiError when refused.

    Run `session.run()` in a task of yours.
    """
    offers = [("X-Stream-Protocol-Version", protocol) for protocol in protocols]
    answer = await ask(target, "POST", path, [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), *offers])
    if answer.code != 101:
        raise await answer.error()
    return SpdySession(answer.raw, server=False), answer.header("x-stream-protocol-version")


async def dial_websocket(target: Target, path: str, protocols: Sequence[str]) -> WebSocket:
    """An open WebSocket; its `subprotocol` is the chosen one. ApiError when refused."""
    key = generate_nonce().decode()
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), *request_headers(key, protocols)]
    answer = await ask(target, "GET", path, headers)
    if answer.code != 101:
        raise await answer.error()
    if answer.header("sec-websocket-accept") != generate_accept_token(key.encode()).decode():
        answer.raw.abort()
        raise OSError("the server's answer to the WebSocket key is wrong")
    return WebSocket(answer.raw, server=False, subprotocol=answer.header("sec-websocket-protocol"))
