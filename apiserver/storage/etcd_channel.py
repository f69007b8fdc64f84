"""The way to etcd: TLS, several endpoints, and etcd's errors in the protocol's words.

Guarantees: every call ends, by an answer, a `StorageError` or its time limit. A call goes to the endpoint that answered
last; when that one cannot be reached the next is tried, writes included, for a connection that never came about has
carried nothing. A write whose connection broke midway is NOT repeated: it may have been applied, and the error says so.
gRPC connects again by itself, within a second of etcd's return.
Does not know keys, values or transactions.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio
from aetcd.rpc import rpc_pb2_grpc

from apiserver.storage.protocol import Compacted, Full, StorageError, TooLarge, Unavailable

stubs: Any = rpc_pb2_grpc  # generated, without types

OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.max_receive_message_length", -1),  # a list has no limit of its own
    ("grpc.max_send_message_length", -1),  # etcd says itself what is too large, and in better words
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # what a connection may take, TLS on a busy machine included
    ("grpc.max_reconnect_backoff_ms", 1000),  # etcd's restart takes less; upstream's client waits as shortly
    ("grpc.keepalive_time_ms", 30_000),  # upstream's figures: a silent peer is dead after 40 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),  # an idle watch is pinged for ever
    ("grpc.use_local_subchannel_pool", 1),  # two stores in one process do not share a broken connection
    ("grpc.enable_http_proxy", 0),  # etcd is never behind the HTTP proxy of the environment
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdTLS:
    """Paths of PEM files; without `cert_file` no client certificate is shown."""

    ca_file: str
    cert_file: str = ""
    key_file: str = ""

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files."""
        cert = Path(self.cert_file).read_bytes() if self.cert_file else None
        key = Path(self.key_file).read_bytes() if self.key_file else None
        return grpc.ssl_channel_credentials(Path(self.ca_file).read_bytes(), key, cert)


class Endpoint:
    """One etcd member: its channel and the calls used."""

    def __init__(self, url: str, tls: EtcdTLS | None) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}")
        self.url = url
        target = f"{parts.hostname}:{parts.port or 2379}" if ":" not in (parts.hostname or "") else parts.netloc
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"{url} needs a CA certificate (--etcd-cafile)")
        if tls is not None and parts.scheme != "http":
            self.channel = grpc.aio.secure_channel(target, tls.credentials(), options=OPTIONS)
        else:
            self.channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self.kv = stubs.KVStub(self.channel)
        self.lease = stubs.LeaseStub(self.channel)
        self.maintenance = stubs.MaintenanceStub(self.channel)
        self.watch = stubs.WatchStub(self.channel).Watch


class EtcdChannel:
    """Calls to whichever endpoint answers. Must be made inside the event loop that uses it."""

    def __init__(self, urls: Sequence[str], *, tls: EtcdTLS | None, timeout: float) -> None:
        if not urls:
            raise ValueError("no etcd endpoint given (--etcd-servers)")
        self._endpoints = [Endpoint(url, tls) for url in urls]
        self._current = 0
        self._timeout = timeout
        self._closed = False

    @property
    def endpoint(self) -> Endpoint:
        """The one to try first."""
        return self._endpoints[self._current]

    def turn_from(self, failed: Endpoint) -> None:
        """Try the next endpoint first from now on, unless somebody has turned already."""
        if failed is self.endpoint:
            self._current = (self._current + 1) % len(self._endpoints)

    async def call(self, method: Callable[[Endpoint], Any], request: Any, *, seconds: float = 0) -> Any:
        """The reply of the first endpoint that can be reached; raises a StorageError."""
        self.check_open()
        for left in range(len(self._endpoints) - 1, -1, -1):
            endpoint = self.endpoint
            try:
                return await method(endpoint)(request, timeout=seconds or self._timeout)
            except grpc.aio.AioRpcError as error:
                problem = translated(error, endpoint.url)
                if isinstance(problem, Unavailable):
                    self.turn_from(endpoint)
                if left and never_sent(error):
                    continue
                raise problem from None
            except asyncio.CancelledError:
                # gRPC cancels the calls of a channel that is closed; a task that is cancelled itself is another matter.
                task = asyncio.current_task()
                if task is not None and not task.cancelling():
                    self.check_open()
                raise
        raise AssertionError("every endpoint was tried, none answered or failed")

    def check_open(self) -> None:
        """Raise Unavailable after `close`."""
        if self._closed:
            raise Unavailable(f"the connection to etcd at {self.endpoint.url} is closed")

    async def close(self) -> None:
        """Give the connections up."""
        self._closed = True
        for endpoint in self._endpoints:
            await endpoint.channel.close(None)


def never_sent(error: grpc.aio.AioRpcError) -> bool:
    """Whether the call surely did not reach etcd."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and "failed to connect" in (error.details() or "")


def translated(error: grpc.aio.AioRpcError, url: str) -> StorageError:
    """What etcd's refusal means. The texts are those of etcd's api/v3rpc/rpctypes/error.go."""
    code, details = error.code(), error.details() or ""
    if "database space exceeded" in details:
        return Full(
            f"etcd at {url} is full (NOSPACE): its database has reached --quota-backend-bytes; "
            "compact and defragment it, then disarm the alarm (etcdctl alarm disarm)"
        )
    if "request is too large" in details or "received message larger than max" in details:
        return TooLarge("etcdserver: request is too large")
    if "has been compacted" in details:
        return Compacted(details)
    if code in _AWAY:
        return Unavailable(_words(code, details, url))
    return StorageError(f"etcd at {url}: {details} ({code.name})")


_AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # "too many requests": etcd is over its limit of pending proposals
)


def _words(code: grpc.StatusCode, details: str, url: str) -> str:
    if "failed to connect" in details:
        return f"etcd at {url} cannot be reached: {details}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"etcd at {url} did not answer in time; a write may have been applied"
    return f"etcd at {url} is not available: {details}; a write may have been applied"
