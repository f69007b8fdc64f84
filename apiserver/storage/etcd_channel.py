"""The way to etcd: TLS, several endpoints, and etcd's errors in the protocol's words.

Guarantees: every call ends, by an answer, a `StorageError` or its time limit. A call goes to the endpoint that answered
last; when that one cannot be reached the next is tried, writes included, for a connection that never came about has
carried nothing. A write whose connection broke midway is NOT repeated: it may have been applied, and the error says so.
A lost connection is made again by the next call.
Does not know keys, values or transactions.
"""

from collections.abc import Callable, Sequence
from typing import Any

from apiserver.storage.etcd_endpoint import Endpoint, EtcdTLS
from apiserver.storage.grpc_call import Failed
from apiserver.storage.protocol import Compacted, Full, StorageError, TooLarge, Unavailable


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
                return await method(endpoint)(request, seconds or self._timeout)
            except Failed as error:
                problem = translated(error, endpoint.url)
                if isinstance(problem, Unavailable):
                    self.turn_from(endpoint)
                if left and not error.is_sent:
                    continue
                raise problem from None
        raise AssertionError("every endpoint was tried, none answered or failed")

    def check_open(self) -> None:
        """Raise Unavailable after `close`."""
        if self._closed:
            raise Unavailable(f"the connection to etcd at {self.endpoint.url} is closed")

    async def close(self) -> None:
        """Give the connections up."""
        self._closed = True
        for endpoint in self._endpoints:
            endpoint.close()


def translated(error: Failed, url: str) -> StorageError:
    """What etcd's refusal means. The texts are those of etcd's api/v3rpc/rpctypes/error.go."""
    code, details = error.code, error.details
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
        return Unavailable(_words(error, url))
    return StorageError(f"etcd at {url}: {details} ({code})")


_AWAY = (
    *("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN"),
    "RESOURCE_EXHAUSTED",  # "too many requests": etcd is over its limit of pending proposals
)


def _words(error: Failed, url: str) -> str:
    if not error.is_sent:
        return f"etcd at {url} cannot be reached: {error.details}"
    if error.code == "DEADLINE_EXCEEDED":
        return f"etcd at {url} did not answer in time; a write may have been applied"
    return f"etcd at {url} is not available: {error.details}; a write may have been applied"
