"""`serve`: any ASGI app over HTTP/1.1, plain or TLS, as every PyKube server does it.

uvicorn with httptools underneath (its `Config`, its protocol, its start-up), and what it lacks on top:

- the peer's certificate (DER) in `scope["extensions"]["tls"]["client_cert"]`, absent without one;
- HTTP upgrades in `scope["extensions"]["upgrade"]` (an `Upgrade`): the app authenticates and authorizes as for any
  request, then either accepts, which hands over the connection as a `RawStream`, or simply answers;
- a stop with a time limit although watches and streams are open, errors as exceptions instead of `sys.exit`, no signals
  taken over, no X-Forwarded-For trusted, certificate files read again when they change.

uvicorn's own WebSocket support is never used. uvicorn does not cancel an app when the client goes: long answers must
`receive()` beside sending.
"""

import asyncio
import contextlib
import functools
import logging
import os
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.asgi import ASGI, Headers
from serving.raw import RawStream
from serving.series import Counter

log = logging.getLogger("serving.https")

#: Seconds an idle connection is kept: clients (client-go, httpx pools) come back after minutes.
KEEP_ALIVE = 180
#: Seconds between looks at the certificate files.
CERTIFICATE_CHECK = 5
#: A body up to this size is copied behind its head, to be sent with it.
JOINED_LIMIT = 1 << 16
#: Bytes that may follow an upgrade request before the app has accepted it.
EARLY_LIMIT = 1 << 20


#: Shown by the API server alone, as upstream's.
HANDSHAKE_ERRORS = Counter("apiserver_tls_handshake_errors_total", "TLS handshakes with clients that failed.")


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """Where the server's certificate lies. With `client_ca_file` clients may show one too, verified against it."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""

    def context(self) -> ssl.SSLContext:
        """A TLS 1.2+ server context; a client certificate of an unknown CA is refused in the handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslobject_class = _Handshake
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0  # Kubernetes' clients keep connections, they do not resume sessions
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Read the files; connections made from now on use what they hold."""
        context.load_cert_chain(self.cert_file, self.key_file)
        if self.client_ca_file:
            context.load_verify_locations(self.client_ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever one of the files does."""
        files = [file for file in (self.cert_file, self.key_file, self.client_ca_file) if file]
        return tuple(Path(file).stat().st_mtime_ns for file in files)


class _Handshake(ssl.SSLObject):
    """One connection's TLS; a handshake that fails is counted."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            HANDSHAKE_ERRORS.of().value += 1
            raise


class Upgrade:
    """The client's wish to leave HTTP. `protocol` is lower case: `websocket`, `spdy/3.1`."""

    def __init__(self, connection: "_Protocol", protocol: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.protocol = protocol
        self.headers = headers
        self._connection = connection
        self._stream: RawStream | None = None
        #: Called when the connection is taken over.
        self.taken: Callable[[], None] | None = None

    @property
    def accepted(self) -> bool:
        """Whether the connection has been taken over: then nothing else can be answered."""
        return self._stream is not None

    async def accept(self, headers: Headers = ()) -> RawStream:
        """Send `101 Switching Protocols` with these further headers and take the connection over.

        `Connection` and `Upgrade` (as the client wrote it) are added where they are missing. Afterwards the app sends
        nothing more and returns when it is done. It closes the stream; one that it leaves open is cut off then.
        """
        if self._connection.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if self.taken is not None:
            self.taken()
        self._stream = self._connection.switch(self, headers)
        return self._stream

    def over(self) -> None:
        """The app has returned: nothing of the connection may stay."""
        if self._stream is not None:
            self._stream.abort()


class _Joined:
    """The transport as one answer sees it: the head waits for the body of the same turn of the loop.

    uvicorn writes the two one after the other, which are two TLS records, two system calls and often two packets.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = b""  # None once it has gone

    def write(self, data: bytes) -> None:
        if self._head is None or len(data) > JOINED_LIMIT:
            self._flush()
            self._transport.write(data)
        elif not self._head:
            self._head = data
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._head += data
            self._flush()

    def _flush(self) -> None:
        if self._head:
            self._transport.write(self._head)
        self._head = None

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, with the peer's certificate and upgrades in the scope."""

    _certificate: bytes | None = None
    _upgrade: Upgrade | None = None  # this connection's wish; nothing but bytes follows such a request
    _early: bytes = b""  # what came behind the upgrade request before it was accepted

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._certificate = tls.getpeercert(binary_form=True)

    @property
    def _extensions(self) -> dict[str, Any]:
        scope: dict[str, Any] = cast("dict[str, Any]", self.scope)
        extensions: dict[str, Any] = scope.setdefault("extensions", {})
        return extensions

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._certificate:
            self._extensions["tls"] = {"client_cert": self._certificate}

    def on_headers_complete(self) -> None:
        wish = self._get_upgrade() if self.parser.should_upgrade() else None
        if wish is not None and wish != b"h2c":
            self._upgrade = Upgrade(self, wish.decode("latin-1"), self.headers)
            self._extensions["upgrade"] = self._upgrade
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _Joined(self.transport))
        if self.parser.should_upgrade():
            # The parser is of no use after such a request, so a refusal is the last answer on this connection.
            self.cycle.keep_alive = False

    def _should_upgrade(self) -> bool:
        return False  # to uvicorn every request is an ordinary one

    def data_received(self, data: bytes) -> None:
        if self._upgrade is not None and self.cycle is not None:
            self._keep_early(data)
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._keep_early(data[stop.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _keep_early(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > EARLY_LIMIT:
            self.flow.pause_reading()

    def switch(self, upgrade: Upgrade, headers: Headers) -> RawStream:
        """Answer 101 and give the transport to a RawStream; for uvicorn the request is answered and done."""
        cycle = self.cycle
        if cycle.response_started:
            raise RuntimeError("the request has been answered already")
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        self.transport.write(_switching(upgrade, headers))
        stream = RawStream()
        stream.connection_made(self.transport)
        stream.unread(self._early)
        self._early = b""
        self.transport.set_protocol(stream)
        self.server_state.connections.discard(self)
        self.flow.resume_reading()
        return stream


def _switching(upgrade: Upgrade, headers: Headers) -> bytes:
    asked = next(value for name, value in upgrade.headers if name == b"upgrade").decode("latin-1")
    names = {name.lower() for name, _ in headers}
    missing = [(n, v) for n, v in (("Upgrade", asked), ("Connection", "Upgrade")) if n.lower() not in names]
    lines = [f"{name}: {value}\r\n" for name, value in (*missing, *headers)]
    text = "".join(lines)
    if len(text.splitlines()) != len(lines):
        raise ValueError("a header of the upgrade's answer holds a line break")
    return f"HTTP/1.1 101 Switching Protocols\r\n{text}\r\n".encode("latin-1")


class _Server(uvicorn.Server):
    """uvicorn's server that stops by an event, in bounded time, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event, grace: float, tls: ServerTLS | None) -> None:
        super().__init__(config)
        self._stop = stop
        self._grace = grace
        self._tls = tls
        self.ready: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        self.ready()
        stamp = self._tls.stamp() if self._tls else ()
        seconds = 0
        while not self._stop.is_set():
            self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)
            seconds += 1
            if self._tls and seconds % CERTIFICATE_CHECK == 0:
                stamp = self._reload(self._tls, stamp)

    def _reload(self, tls: ServerTLS, stamp: tuple[int, ...]) -> tuple[int, ...]:
        """Read changed certificate files; half-written ones are tried again at the next look."""
        try:
            new = tls.stamp()
            if new != stamp and self.config.ssl is not None:
                tls.load_into(self.config.ssl)
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificate files cannot be read, the old ones stay: %s", error)
            return stamp
        return new

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let answers end for `grace` seconds, cancel the rest, close every connection."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = set(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=self._grace)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for listener in sockets or []:
            listener.close()
        await self.lifespan.shutdown()


async def serve(
    app: ASGI,
    *,
    host: str,
    port: int,
    tls: ServerTLS | None = None,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event,
    grace: float = 2.0,
    lifespan: bool = False,
) -> None:
    """Serve `app` until `stop` is set; then answers in flight have `grace` seconds to end.

    `ready(port)` is called once connections are accepted, with the real port where `port` is 0. Raises OSError when the
    address cannot be had, ssl.SSLError or OSError when a certificate file is no good. `lifespan` runs ASGI's lifespan
    protocol, for apps that need it (a FastAPI shell with start-up work).
    """
    _quiet()
    context = tls.context() if tls else None
    config = uvicorn.Config(
        functools.partial(_call, app),
        http=_Protocol,
        ws="none",
        loop="none",
        lifespan="on" if lifespan else "off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    listener = listen(host, port)
    server = _Server(config, stop, grace, tls)
    if ready is not None:
        server.ready = functools.partial(ready, listener.getsockname()[1])
    try:
        await server.serve(sockets=[listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; `host` is an IPv4 or IPv6 address, or empty for every address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host or '*'}:{port}: {os.strerror(error.errno or 0)}") from error
    listener.setblocking(False)
    return listener


async def _call(app: ASGI, scope: Any, receive: Any, send: Any) -> None:
    """Run the app; a cancelled one (the server stops) ends quietly, the connection is closed by `shutdown`."""
    try:
        await app(scope, receive, send)
    except asyncio.CancelledError:
        return
    finally:
        upgrade = (scope.get("extensions") or {}).get("upgrade")
        if upgrade is not None:
            upgrade.over()


class _NoNoise(logging.Filter):
    """Drops uvicorn's remarks about answers that ended early: cancelled apps and clients that left."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "ASGI callable returned without" not in record.getMessage()


@functools.cache
def _quiet() -> None:
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(_NoNoise())
    logger.setLevel(logging.WARNING)


def raw_target(scope: Any) -> str:
    """The request's path and query as the client wrote them: what a proxy passes on."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope.get("query_string", b"")
    return (raw + (b"?" + query if query else b"")).decode("latin-1")
