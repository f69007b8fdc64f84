"""The four things a probe or a lifecycle hook can do to a container: a command, an HTTP GET, a TCP connection, a sleep.

Each gives (succeeded, what to say); nothing here raises but for cancellation. Messages are Go's, since people and tools
know them. Source: pkg/probe/{http,tcp,exec}, pkg/kubelet/lifecycle/handlers.go.
"""

import asyncio
import errno
import os
from collections.abc import Sequence
from typing import Any

import httpx

from apimachinery.objects import core_v1
from kubelet import grpc_health
from kubelet.runtime.protocol import ContainerRuntime, RuntimeError_

USER_AGENT = "kube-probe/1.34"
_SHOWN = 10 * 1024
_REDIRECTS = 10
_LONGEST = 24 * 3600.0  # each probe brings its own limit


class Unresolved(Exception):
    """The handler names a port that the container does not have."""


def port_number(container: core_v1.Container | core_v1.EphemeralContainer, port: int | str | None) -> int:
    """A number, or the container's port of that name."""
    if isinstance(port, int):
        return port
    if port is None:
        raise Unresolved("the handler names no port")
    if port.isdigit():
        return int(port)
    for own in container.ports:
        if own.name == port:
            return own.container_port
    raise Unresolved(f"couldn't find port: {port!r}")


class Handlers:
    """Runs handlers. One HTTP client for all: making one, with TLS, costs more than a probe."""

    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime
        limits, longest = httpx.Limits(max_keepalive_connections=0), httpx.Timeout(_LONGEST)
        # As upstream's probes: whose certificate it is matters not, and the environment's proxies are not asked.
        common: dict[str, Any] = {"verify": False, "trust_env": False, "limits": limits, "timeout": longest}
        self._http = httpx.AsyncClient(**common)
        self._grpc = httpx.AsyncClient(http1=False, http2=True, **common)

    async def close(self) -> None:
        await self._http.aclose()
        await self._grpc.aclose()

    async def command(self, id: str, command: Sequence[str], patience: float) -> tuple[bool, str]:
        try:
            code, output = await self._runtime.exec_sync(id, command, patience)
        except TimeoutError:
            return False, f'command timed out: "{" ".join(command)}" timed out after {patience:g}s'
        except RuntimeError_ as error:
            return False, str(error)
        return code == 0, output[:_SHOWN].decode(errors="replace")

    async def get(
        self,
        container: core_v1.Container | core_v1.EphemeralContainer,
        action: core_v1.HTTPGetAction,
        *,
        address: str,
        patience: float,
    ) -> tuple[bool, str]:
        """Anything from 200 to 399 is well."""
        host = action.host or address
        shown = f"[{host}]" if ":" in host else host
        path = action.path or "/"
        port = port_number(container, action.port)
        url = f"{(action.scheme or 'HTTP').lower()}://{shown}:{port}{path if path.startswith('/') else '/' + path}"
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"} | {h.name: h.value for h in action.http_headers}
        try:
            async with asyncio.timeout(patience):
                answer = await self._landed(url, headers)
        except (TimeoutError, httpx.TimeoutException):
            return False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return False, f'Get "{url}": {_reason(error, host, port)}'
        if 200 <= answer.status_code < 400:
            return True, ""
        return False, f"HTTP probe failed with statuscode: {answer.status_code}"

    async def _landed(self, url: str, headers: dict[str, str]) -> httpx.Response:
        """The answer after redirects; one that leads to another host is not followed, and counts as it is."""
        answer = await self._http.get(url, headers=headers)
        for _ in range(_REDIRECTS):
            onward = answer.next_request
            if onward is None or onward.url.host != answer.url.host:
                return answer
            answer = await self._http.get(onward.url, headers=headers)
        raise httpx.TooManyRedirects(f"stopped after {_REDIRECTS} redirects")

    async def health(self, action: core_v1.GRPCAction, *, address: str, patience: float) -> tuple[bool, str]:
        """The standard health check of gRPC, kubelet/grpc_health.py."""
        port = action.port or 0
        try:
            async with asyncio.timeout(patience):
                return await grpc_health.check(self._grpc, f"http://{address}:{port}", action.service)
        except (TimeoutError, httpx.TimeoutException):
            return False, f'timeout: failed to connect service "{address}:{port}" within {patience:g}s'
        except httpx.HTTPError as error:
            why = _reason(error, address, port)
            return False, f'error: failed to connect service at "{address}:{port}": {why}'

    async def connect(
        self,
        container: core_v1.Container | core_v1.EphemeralContainer,
        action: core_v1.TCPSocketAction,
        *,
        address: str,
        patience: float,
    ) -> tuple[bool, str]:
        host, port = action.host or address, port_number(container, action.port)
        try:
            async with asyncio.timeout(patience):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return False, f"dial tcp {host}:{port}: i/o timeout"
        except OSError as error:
            return False, _reason(error, host, port)
        writer.close()
        return True, ""


def _reason(error: BaseException, host: str, port: int) -> str:
    """The system's own word for it, at the bottom of the chain, as Go's dialer says it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in errno.errorcode:
            return f"dial tcp {host}:{port}: connect: {os.strerror(cause.errno or 0).lower()}"
        if isinstance(cause, ExceptionGroup):
            cause = cause.exceptions[0]
            continue
        cause = cause.__cause__ or cause.__context__
    text = str(error) or type(error).__name__
    if "All connection attempts failed" in text or "Connect call failed" in text:
        return f"dial tcp {host}:{port}: connect: connection refused"
    return "EOF" if "disconnected" in text else text
