"""The client's side of an HTTP upgrade: dial, ask, and get the connection as bytes, or the server's answer.

    answer = await ask(Target("https://10.0.0.1:10250", tls=context), "POST", "/exec/...", headers)
    if answer.code == 101: answer.raw ... else: await answer.body()

Used by the API server towards kubelets, by pykubectl towards API servers, by tests. HTTP/1.1 by h11; no redirects, no
proxies, one connection for each call.
"""

import asyncio
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11
import msgspec
from wsproto.utilities import generate_accept_token, generate_nonce

from apimachinery.errors import ApiError, from_status
from serving.asgi import Headers
from serving.raw import RawStream
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
    """The server's answer. With code 101, `raw` is the connection; otherwise read the body and it is closed."""

    def __init__(self, raw: RawStream, wire: h11.Connection, code: int, headers: Sequence[tuple[str, str]]) -> None:
        self.raw = raw
        self.code = code
        self.headers = headers
        self._wire = wire

    def header(self, name: str) -> str:
        """The first value of a header, or the empty string."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    async def body(self, limit: int = BODY_LIMIT) -> bytes:
        """The body of an answer that is no upgrade, cut at `limit`; closes the connection."""
        body = bytearray()
        try:
            while len(body) < limit:
                event = await _event(self.raw, self._wire)
                if not isinstance(event, h11.Data):
                    break
                body += event.data
        except (h11.RemoteProtocolError, ConnectionError):
            pass  # what has come is what there is
        self.raw.abort()
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
        number = error.errno or 0
        text = (os.strerror(number) if number > 0 else str(error)).lower()
        raise OSError(error.errno, f"dial tcp {_shown(host)}:{port}: connect: {text}") from error
    return raw


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def ask(target: Target, method: str, path: str, headers: Headers) -> Answer:
    """Send a request with an empty body and read the answer's head. OSError when the server cannot be reached."""
    raw = await connect(target)
    try:
        wire = h11.Connection(h11.CLIENT)
        host, port = target.address
        lines = [("Host", f"{_shown(host)}:{port}"), *target.headers, *headers]
        names = {name.lower() for name, _ in lines}
        if method != "GET" and not names & {"content-length", "upgrade"}:
            lines.append(("Content-Length", "0"))
        raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        request = h11.Request(method=method, target=path, headers=raw_headers)
        await raw.write((wire.send(request) or b"") + (wire.send(h11.EndOfMessage()) or b""))
        event = await _head(raw, wire)
        if event.status_code == 101:
            raw.unread(bytes(wire.trailing_data[0]))
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
        return Answer(raw, wire, event.status_code, pairs)
    except h11.RemoteProtocolError as error:
        raw.abort()
        raise OSError(f"malformed HTTP response: {error}") from error
    except BaseException:
        raw.abort()
        raise


async def _head(raw: RawStream, wire: h11.Connection) -> h11.Response | h11.InformationalResponse:
    """The answer's head; 1xx before it are skipped, a 101 is the answer."""
    while True:
        event = await _event(raw, wire)
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise ConnectionResetError("the server closed the connection without an answer")
        if event.status_code == 101:
            return event


async def _event(raw: RawStream, wire: h11.Connection) -> object:
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await raw.read())
    return event


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
