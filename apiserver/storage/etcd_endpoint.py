"""One etcd member: its connection, made when it is needed and again when it is lost, and the calls of its services.

A connection is tried anew with the next call after one was lost or refused, and only once for all who wait for it.
Knows gRPC's way to name a call, and nothing of what the calls are for.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aetcd.rpc import rpc_pb2
from google.protobuf.message_factory import GetMessageClass

from apiserver.storage.grpc_call import Call, Failed, Header
from apiserver.storage.http2 import Connection, header_block

#: Seconds that a connection may take; a busy machine needs some for TLS.
CONNECT_SECONDS = 5.0
_PORT = 2379
#: A member cut off from the others shall end its watches, not be silent (clientv3.WithRequireLeader).
_REQUIRE_LEADER = (("hasleader", "true"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdTLS:
    """Paths of PEM files; without `cert_file` no client certificate is shown."""

    ca_file: str
    cert_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext:
        """Read the files."""
        context = ssl.create_default_context(cadata=Path(self.ca_file).read_text())
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class Service:
    """The calls of a gRPC service by their names, as protobuf describes them."""

    def __init__(self, endpoint: "Endpoint", name: str) -> None:
        service = rpc_pb2.DESCRIPTOR.services_by_name[name]
        for method in service.methods:
            path, parse = f"/{service.full_name}/{method.name}", GetMessageClass(method.output_type).FromString
            if method.server_streaming:
                call = partial(endpoint.streamed, endpoint.block(path, _REQUIRE_LEADER), parse)
            else:
                call = partial(endpoint.called, endpoint.block(path), parse)
            setattr(self, method.name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # what is not set above does not exist; says so to mypy, too


class Stream:
    """Messages until the server ends it, after one of ours."""

    def __init__(self, connection: Connection, call: Call, parse: Callable[[bytes], Any]) -> None:
        self._connection, self._call, self._parse = connection, call, parse

    async def read(self) -> Any:
        """The next message, None after the last. Raises Failed."""
        message = await self._call.message()
        return None if message is None else self._parse(message)

    def cancel(self) -> None:
        """Want no more."""
        self._connection.cancel(self._call, Failed("CANCELLED", "nobody reads the stream any more"))


class Endpoint:
    """See the module."""

    def __init__(self, url: str, tls: EtcdTLS | None) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"{url} needs a CA certificate (--etcd-cafile)")
        self.url = url
        self._host, self._port = parts.hostname or "", parts.port or _PORT
        self._ssl = tls.context() if tls is not None and parts.scheme != "http" else None
        self._is_closed = False
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection] | None = None
        self._all: set[Connection] = set()  # with those that take no more calls, but have some under way
        self.kv, self.lease = Service(self, "KV"), Service(self, "Lease")
        self.maintenance, self.watch = Service(self, "Maintenance"), Service(self, "Watch")

    def block(self, path: str, more: Sequence[Header] = ()) -> bytes:
        """The headers of a call."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        headers: list[Header] = [
            (":method", "POST"),
            (":scheme", "https" if self._ssl is not None else "http"),
            (":path", path),
            (":authority", f"{host}:{self._port}"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "pykube"),
            *more,
        ]
        return header_block(headers)

    async def called(self, block: bytes, parse: Callable[[bytes], Any], request: Any, seconds: float) -> Any:
        """The reply to one request, within `seconds`. Raises Failed."""
        connection = self._connection or await self._connected()
        call = Call(block, request.SerializeToString(), single=True)
        connection.start(call)
        late = Failed("DEADLINE_EXCEEDED", "Deadline Exceeded")
        timer = asyncio.get_running_loop().call_later(seconds, connection.cancel, call, late)
        try:
            return parse(await call.answer())
        except asyncio.CancelledError:
            connection.cancel(call, Failed("CANCELLED", "nobody waits for the answer any more"))
            raise
        finally:
            timer.cancel()

    async def streamed(self, block: bytes, parse: Callable[[bytes], Any], request: Any) -> Stream:
        """A stream that begins with a request. Raises Failed."""
        connection = self._connection or await self._connected()
        call = Call(block, request.SerializeToString(), single=False)
        connection.start(call)
        return Stream(connection, call, parse)

    async def _connected(self) -> Connection:
        """The connection, made now if need be; those who come meanwhile share the attempt."""
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(self._attempted)
        try:
            return await asyncio.shield(self._connecting)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            why = "it took too long" if isinstance(error, TimeoutError) else str(error)
            raise Failed("UNAVAILABLE", f"failed to connect: {why}", is_sent=False) from None

    async def _connect(self) -> Connection:
        async with asyncio.timeout(CONNECT_SECONDS):
            loop, name = asyncio.get_running_loop(), self._host if self._ssl is not None else None
            _, connection = await loop.create_connection(
                partial(Connection, self._lost), self._host, self._port, ssl=self._ssl, server_hostname=name
            )
        if self._is_closed or connection.is_closed:
            connection.close()
            raise ConnectionResetError("the connection was closed as soon as it was made")
        self._connection = connection
        self._all.add(connection)
        return connection

    def _attempted(self, attempt: "asyncio.Task[Connection]") -> None:
        self._connecting = None
        if not attempt.cancelled():
            attempt.exception()  # looked at, also where nobody waits any more

    def _lost(self, connection: Connection) -> None:
        """It takes no more calls."""
        if self._connection is connection:
            self._connection = None
        if connection.is_closed:
            self._all.discard(connection)

    def close(self) -> None:
        """Give the connections up."""
        self._is_closed = True
        for connection in list(self._all):
            connection.close()
