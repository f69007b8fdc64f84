"""One API server, spoken to over HTTP: the verbs of Kubernetes as methods that take a `Kind` and plain JSON.

Guarantees: every request is limited in time; a refusal is an `ApiError` made from the server's Status, no answer at all
is `Unreachable` (an ApiError too); a 429 or 5xx with Retry-After is honoured a few times before it is raised; a read
that found a broken connection is repeated, a write never is. Watches have connections of their own, so that many of
them cannot starve requests. Does not cache, does not retry writes, knows no kind by name.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from apimachinery.errors import ApiError, from_status
from apimachinery.kinds import Kind
from apimachinery.types import Json
from client.config import ClientConfig, headers, tls_context
from client.metrics import POOL_CALLS, RETRIES
from client.transport import MAX_CONNECTIONS, HttpTransport

REQUEST_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
ATTEMPTS = 5
MAX_PAUSE = 30.0
TOKEN_LIFE = 60.0  # seconds between two looks at a token file
WATCH_GRACE = 30.0  # seconds of silence beyond a watch's own end after which its connection counts as dead

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Unreachable(ApiError):
    """No answer from the server. `message` says what happened to the connection."""

    def __init__(self, message: str) -> None:
        super().__init__(503, "ServiceUnavailable", message)


class Frame(msgspec.Struct, frozen=True):
    """One line of a watch. The object stays bytes until somebody knows its type."""

    type: str
    object: msgspec.Raw


_decode_frame = msgspec.json.Decoder(Frame).decode


class Client:
    """One API server. Enter it before use; leaving it closes its connections."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "pykube",
        random: Callable[[], float] = random.random,
    ) -> None:
        self.config = config
        self._random = random
        self._user_agent = user_agent
        self._token = config.token
        self._token_read = -TOKEN_LIFE
        # Asked directly: what httpx's own client does around a transport (cookies, redirects, authentication, proxies
        # of the environment) is not wanted here, and took a third of a request.
        self._requests = transport or self._transport(MAX_CONNECTIONS)
        self._watches = transport or self._transport(None)
        self._extensions: dict[str, Any] = {}
        if config.tls_server_name:
            self._extensions["sni_hostname"] = config.tls_server_name
        self._stack = AsyncExitStack()

    def _transport(self, connections: int | None) -> httpx.AsyncBaseTransport:
        config = self.config
        tls = tls_context(config) if config.server.startswith("https") else None
        if config.proxy:
            return httpx.AsyncHTTPTransport(verify=tls or False, proxy=config.proxy)
        POOL_CALLS.labels("miss").inc()
        return HttpTransport(tls, server_name=config.tls_server_name, limit=connections)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._requests)
        await self._stack.enter_async_context(self._watches)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # ------------------------------------------------------------------------------------------------ verbs

    async def get(self, kind: Kind, namespace: str, name: str, *, subresource: str = "") -> Json:
        """One object as it is now."""
        return _tree(await self.request("GET", kind.path(namespace, name, subresource)))

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        resource_version: str = "",
        continue_: str = "",
    ) -> Json:
        """The List object; with `limit` one page of it, `metadata.continue` leads to the next."""
        query = _selection(labels, fields) | _given(
            limit=limit or "", resourceVersion=resource_version, **{"continue": continue_}
        )
        return _tree(await self.request("GET", kind.path(namespace), query=query))

    async def create(
        self, kind: Kind, body: Json, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Json:
        """Create an object, or a subresource of the object `name` (a pod's binding, a token)."""
        namespace = namespace or body.get("metadata", {}).get("namespace", "")
        return _tree(await self.request("POST", kind.path(namespace, name, subresource), body=encode(kind, body)))

    async def replace(self, kind: Kind, body: Json, *, subresource: str = "") -> Json:
        """A full update; with a resourceVersion in the body only over that very version."""
        meta = body["metadata"]
        path = kind.path(meta.get("namespace", ""), meta["name"], subresource)
        return _tree(await self.request("PUT", path, body=encode(kind, body)))

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Json | Sequence[Json],
        *,
        type: str = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Json:
        """Change what `body` names. `type`: merge, strategic, json or apply (server-side; wants a field_manager)."""
        answer = await self.request(
            "PATCH",
            kind.path(namespace, name, subresource),
            query=_given(fieldManager=field_manager, force="true" if force else ""),
            body=msgspec.json.encode(body),
            headers={"Content-Type": PATCH_TYPES[type]},
        )
        return _tree(answer)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period: int | None = None,
        propagation: str = "",
    ) -> Json:
        """Delete one object; with `uid` only that one and no namesake. Gives the object or a Status."""
        body = _delete_options(grace_period, propagation, uid=uid, resourceVersion=resource_version)
        return _tree(await self.request("DELETE", kind.path(namespace, name), body=body))

    async def delete_collection(
        self,
        kind: Kind,
        namespace: str,
        *,
        labels: str = "",
        fields: str = "",
        grace_period: int | None = None,
        propagation: str = "",
    ) -> Json:
        """Delete everything of a kind in a namespace that the selectors match."""
        body = _delete_options(grace_period, propagation)
        return _tree(await self.request("DELETE", kind.path(namespace), query=_selection(labels, fields), body=body))

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
        timeout: int = 0,  # noqa: ASYNC109 - the server's timeoutSeconds
        bookmarks: bool = True,
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """Changes after `resource_version` as (type, object); raises the ApiError an ERROR frame carries (410 ...)."""
        frames = self.frames(
            kind,
            namespace,
            resource_version=resource_version,
            labels=labels,
            fields=fields,
            timeout=timeout,
            bookmarks=bookmarks,
        )
        async for frame in frames:
            yield frame.type, msgspec.json.decode(frame.object)

    async def frames(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
        timeout: int = 0,  # noqa: ASYNC109 - the server's timeoutSeconds
        bookmarks: bool = True,
    ) -> AsyncGenerator[Frame, None]:
        """A watch whose objects are still bytes: what caches read."""
        query = _selection(labels, fields) | _given(
            watch="true",
            resourceVersion=resource_version,
            timeoutSeconds=timeout or "",
            allowWatchBookmarks="true" if bookmarks else "",
        )
        path = kind.path(namespace)
        async for line in self.lines(path, query=query, silence=timeout + WATCH_GRACE if timeout else None):
            frame = _decode_frame(line)
            if frame.type == "ERROR":
                raise from_status(msgspec.json.decode(frame.object), 500)
            yield frame

    # ------------------------------------------------------------------------------------------------ wire

    async def lines(
        self,
        path: str,
        *,
        query: Mapping[str, Any],
        silence: float | None = None,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a streamed answer as they come; ends when the server ends it."""
        limit = httpx.Timeout(silence, connect=10.0, pool=None)
        request = self._request("GET", path, query=query, timeout=limit, extra=extra)
        try:
            response = await self._watches.handle_async_request(request)
            try:
                if response.status_code >= 400:
                    await response.aread()
                    raise _refusal(response)
                rest = b""
                assert isinstance(response.stream, httpx.AsyncByteStream)
                async for chunk in response.stream:  # never compressed: we ask for it as it is
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        if line:
                            yield line
                if rest.strip():
                    yield rest
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpx's own
    ) -> httpx.Response:
        """Any request, raw; raises ApiError for answers of 400 and more."""
        limit = httpx.Timeout(timeout, connect=10.0) if timeout else REQUEST_TIMEOUT

        async def once() -> httpx.Response:
            request = self._request(method, path, query=query or {}, body=body, extra=headers or {}, timeout=limit)
            response = await self._requests.handle_async_request(request)
            response.request = request
            try:
                await response.aread()
            finally:
                await response.aclose()
            return response

        return await self._persistently(once, repeatable=method in ("GET", "HEAD"))

    async def _persistently(self, once: Callable[[], Awaitable[httpx.Response]], *, repeatable: bool) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                response = await once()
            except httpx.TransportError as error:
                # A write may have been done although its answer was lost: only its caller knows what that means.
                if last or not repeatable or isinstance(error, httpx.ConnectError):
                    raise self._unreachable(error) from error
                await asyncio.sleep(self._jitter(0.05 * 2**attempt))
                continue
            if response.status_code < 400:
                return response
            advised = _retry_after(response)
            if last or advised is None:
                raise _refusal(response)
            RETRIES.labels(
                str(response.status_code), response.request.method, response.request.url.netloc.decode()
            ).inc()
            await asyncio.sleep(self._jitter(min(advised, MAX_PAUSE)))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        timeout: httpx.Timeout,
        body: bytes = b"",
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Request:
        # Not by `build_request`, whose merging with the defaults of the httpx client was a tenth of a scheduler's work.
        # Compression would cost both sides more than the wire between them.
        all_headers = {"User-Agent": self._user_agent, "Accept": "application/json", "Accept-Encoding": "identity"}
        if body:
            all_headers["Content-Type"] = "application/json"
        all_headers |= headers(self.config, self._current_token()) | dict(extra)
        return httpx.Request(
            method,
            self.config.server + quote(path, safe="/:@!$&'()*+,;=~-._%"),
            params=dict(query) or None,
            content=body or None,
            headers=[(name.encode(), value.encode()) for name, value in all_headers.items()],
            extensions={"timeout": timeout.as_dict(), **self._extensions},
        )

    def _current_token(self) -> str:
        if not self.config.token_file:
            return self._token
        now = asyncio.get_running_loop().time()
        if now - self._token_read >= TOKEN_LIFE:
            self._token, self._token_read = Path(self.config.token_file).read_text().strip(), now
        return self._token

    def _jitter(self, seconds: float) -> float:
        return seconds * (1 + 0.2 * self._random())

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(f"{self.config.server}: {str(error) or type(error).__name__}")


def encode(kind: Kind, body: Json) -> bytes:
    """An object with its kind and version filled in, as bytes."""
    return msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.kind, **body})


def _tree(response: httpx.Response) -> Json:
    tree: Json = msgspec.json.decode(response.content)
    return tree


def _given(**query: Any) -> Json:
    return {name: value for name, value in query.items() if value != ""}


def _selection(labels: str, fields: str) -> Json:
    return _given(labelSelector=labels, fieldSelector=fields)


def _delete_options(grace_period: int | None, propagation: str, **preconditions: str) -> bytes:
    options: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if given := _given(**preconditions):
        options["preconditions"] = given
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    if propagation:
        options["propagationPolicy"] = propagation
    return msgspec.json.encode(options)


def _retry_after(response: httpx.Response) -> float | None:
    """How long the server asks us to wait, where it does (429 and 5xx, in whole seconds, as client-go reads it)."""
    if response.status_code != 429 and response.status_code < 500:
        return None
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _refusal(response: httpx.Response) -> ApiError:
    try:
        tree = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        tree = None
    if isinstance(tree, dict) and tree.get("kind") == "Status":
        return from_status(tree, response.status_code)
    text = response.text.strip() or f"the server answered with HTTP {response.status_code}"
    return ApiError(response.status_code, _REASONS.get(response.status_code, ""), text)


_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
