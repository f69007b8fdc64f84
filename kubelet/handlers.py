"""The four things a probe or a lifecycle hook can do to a container: a command, an HTTP GET, a TCP connection, a sleep.

Each gives (succeeded, what to say), or raises `Unresolved` where it could not be tried at all. Messages are Go's, since
people and tools know them. Source: pkg/probe/{http,tcp,exec,grpc}, pkg/kubelet/lifecycle/handlers.go.
"""

import asyncio
import errno
import os
import ssl
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from apimachinery.objects import core_v1
from kubelet import grpc_health
from kubelet.pods.backoff import spoken
from kubelet.runtime.protocol import ContainerRuntime, RuntimeError_

PROBE, LIFECYCLE = "kube-probe/1.34", "kube-lifecycle/1.34"
_SHOWN = 10 * 1024
_REDIRECTS = 10
_AGAIN = 0.1  # seconds between tries of a connection that is refused
_IS_HTTP = "http: server gave HTTP response to HTTPS client"
_LONGEST = 24 * 3600.0  # each probe brings its own limit


class Unresolved(Exception):
    """It could not be tried: the handler names a port that the container does not have, the program is missing."""


class Away(Exception):
    """An HTTP server sent us to another host, where a probe does not follow; the message is the answer's body."""


def port_number(container: core_v1.Container | core_v1.EphemeralContainer, port: int | str | None) -> int:
    """A number, or the container's port of that name."""
    if isinstance(port, int):
        return port
    if port is None:
        raise Unresolved("intOrString had no kind")
    for own in container.ports:
        if own.name == port:
            return own.container_port
    if not port.isdigit():
        raise Unresolved(f'strconv.Atoi: parsing "{port}": invalid syntax')
    return int(port)


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
            return False, f'command timed out: "{" ".join(command)}" timed out after {spoken(patience)}'
        except RuntimeError_ as error:
            raise Unresolved(str(error)) from error
        return code == 0, output[:_SHOWN].decode(errors="replace")

    async def get(
        self,
        container: core_v1.Container | core_v1.EphemeralContainer,
        action: core_v1.HTTPGetAction,
        *,
        address: str,
        patience: float,
    ) -> tuple[bool, str]:
        """Anything from 200 to 399 is well; `Away` is raised for a redirect that is not followed."""
        status, body, problem = await self._fetch(container, action, address, patience, PROBE)
        if problem:
            return False, problem
        if 300 <= status < 400:
            raise Away(f"Probe terminated redirects, Response body: {body}")
        return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"

    async def notify(
        self,
        container: core_v1.Container | core_v1.EphemeralContainer,
        action: core_v1.HTTPGetAction,
        *,
        address: str,
        patience: float,
    ) -> tuple[bool, str, bool]:
        """A lifecycle hook: any answer is well. The last is whether it was HTTP where HTTPS was asked for."""
        status, _, problem = await self._fetch(container, action, address, patience, LIFECYCLE)
        if not status and (action.scheme or "").upper() == "HTTPS" and _IS_HTTP in problem:
            plain = msgspec.structs.replace(action, scheme="HTTP")
            status, _, problem = await self._fetch(container, plain, address, patience, LIFECYCLE)
            return not problem, problem, not problem
        return not problem, problem, False

    async def _fetch(
        self,
        container: core_v1.Container | core_v1.EphemeralContainer,
        action: core_v1.HTTPGetAction,
        address: str,
        patience: float,
        agent: str,
    ) -> tuple[int, str, str]:
        """(status, body, problem)."""
        host = action.host or address
        shown = f"[{host}]" if ":" in host else host
        path, port = action.path or "/", port_number(container, action.port)
        url = f"{(action.scheme or 'HTTP').lower()}://{shown}:{port}{path if path.startswith('/') else '/' + path}"
        try:
            async with asyncio.timeout(patience):
                status, body = await self._landed(url, _headers(action, agent))
        except (TimeoutError, httpx.TimeoutException):
            late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return 0, "", f'Get "{url}": {late}'
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return 0, "", f'Get "{url}": {_reason(error, host, port)}'
        return status, body, ""

    async def _landed(self, url: str, headers: Sequence[tuple[str, str]]) -> tuple[int, str]:
        """The answer after redirects; one that leads to another host is not followed, and counts as it is."""
        for _ in range(_REDIRECTS):
            async with self._http.stream("GET", url, headers=headers) as answer:
                body = b""
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) >= _SHOWN:  # enough: some never end
                        break
                onward = answer.next_request
                if onward is None or onward.url.host != answer.url.host:
                    return answer.status_code, body[:_SHOWN].decode(errors="replace")
                url = str(onward.url)
        raise httpx.TooManyRedirects(f"stopped after {_REDIRECTS} redirects")

    async def health(self, action: core_v1.GRPCAction, *, address: str, patience: float) -> tuple[bool, str]:
        """The standard health check of gRPC, kubelet/grpc_health.py. Who refuses the connection is asked again."""
        where = f"{address}:{action.port or 0}"
        connected = False
        try:
            async with asyncio.timeout(patience):
                while True:
                    try:
                        return await grpc_health.check(self._grpc, f"http://{where}", action.service)
                    except httpx.ConnectError:
                        await asyncio.sleep(_AGAIN)
                    except httpx.HTTPError as error:
                        connected = True
                        why = f"rpc error: code = Unavailable desc = {_reason(error, address, action.port or 0)}"
                        return False, f"error: health rpc probe failed: {why}"
        except TimeoutError:
            limit = spoken(patience)
            if connected or await _listens(address, action.port or 0):
                return False, f"timeout: health rpc did not complete within {limit}"
            return False, f'timeout: failed to connect service "{where}" within {limit}: context deadline exceeded'

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


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_AGAIN):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _tls(error: ssl.SSLError) -> str:
    return "EOF" if isinstance(error, ssl.SSLEOFError) else f"remote error: tls: {(error.reason or '').lower()}"


def _headers(action: core_v1.HTTPGetAction, agent: str) -> list[tuple[str, str]]:
    """The action's own, several of one name too; an Accept that was given empty goes."""
    own = [(header.name, header.value) for header in action.http_headers]
    named = {name.lower() for name, _ in own}
    if ("accept", "") in [(name.lower(), value) for name, value in own]:
        own = [(name, value) for name, value in own if name.lower() != "accept"]
    defaults = [("User-Agent", agent), ("Accept", "*/*")]
    return [*((name, value) for name, value in defaults if name.lower() not in named), *own]


def _reason(error: BaseException, host: str, port: int) -> str:
    """The system's own word for it, at the bottom of the chain, as Go's dialer says it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return _IS_HTTP if cause.reason == "WRONG_VERSION_NUMBER" else _tls(cause)
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
