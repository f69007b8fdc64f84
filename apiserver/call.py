"""One HTTP exchange: the `Request` with its body and its two ASGI channels, and the `Response` it ends in.

A `Call` is what the stages and handlers pass along. The body is read once, with upstream's limit of 3 MB. A `Response`
is bytes, an iterator of chunks (large lists), or a stream that owns the connection until it ends (watch, exec, log).
Nothing here knows a resource.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qs, unquote

from apimachinery import errors
from apimachinery.types import Json
from apiserver import warning_headers
from apiserver.negotiation import Accepted
from apiserver.request import Request, RequestInfo, User

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
#: Takes the connection over: it must answer with `http.response.start` (or an upgrade) itself.
Stream: TypeAlias = Callable[[Receive, Send], Awaitable[None]]

#: Upstream's limit for a request body (apiserver/pkg/server/config.go, MaxRequestBodyBytes).
BODY_LIMIT = 3 * 1024 * 1024
JSON_TYPE = "application/json"
#: What every answer says of itself, beside its id.
COMMON_HEADERS = ((b"cache-control", b"no-cache, private"),)


class Counts(Protocol):
    """Where a request of one sort is counted."""

    running: int  # of those that take their time
    aborted: int  # of those whose clients went away

    def sent(self, size: int) -> None: ...

    def terminate(self, component: str, code: int) -> None: ...


class Disconnected(Exception):
    """The client went away before its request was complete; nobody waits for an answer."""


@dataclass(slots=True, kw_only=True)
class Call(Request):
    """A request with what the handlers need besides: its channels and how to answer."""

    receive: Receive
    send: Send
    accepted: Accepted = field(default_factory=Accepted)
    unacceptable: errors.ApiError | None = None  # why no form that the client takes can be had
    impersonator: User | None = None  # who really asks, where `user` is impersonated
    is_own: bool = False  # the server's own doing: no webhook may keep it from starting
    marks: Sequence[tuple[bytes, bytes]] = ()  # headers that stages have put on whatever the answer is
    counts: Counts | None = None  # where the request is counted; `trace` has run
    broken_off_by: str = ""  # the part of the server that answered in the handler's place
    #: Is shown the object that was sent, decoded, if requests are recorded: its metadata, and how to get it whole.
    witness: Callable[[Json, Callable[[], Json]], None] | None = None
    ending: Callable[[], None] | None = None  # what to do when the answer is sent, or never will be
    elsewhere: float = 0.0  # seconds in queues and at webhooks, which are not the server's
    _body: bytes | None = None

    @property
    def target(self) -> RequestInfo:
        """What the request asks for; `resolve` has run."""
        assert self.info is not None
        return self.info

    @property
    def asker(self) -> User:
        """Who asks; `authenticate` has run."""
        assert self.user is not None
        return self.user

    def must_be_acceptable(self) -> None:
        """Raise 406 where the client takes no form that the answer can have."""
        if self.unacceptable is not None:
            raise self.unacceptable

    async def body(self) -> bytes:
        """The whole body. Raises 413 over the limit, `Disconnected` when the client leaves before its end."""
        if self._body is None:
            self._body = await self._read()
        return self._body

    @property
    def received(self) -> bytes:
        """The body, once it was read; b"" before."""
        return self._body or b""

    def preset(self, body: bytes) -> None:
        """Give the body, where no client sends one."""
        self._body = body

    async def _read(self) -> bytes:
        if int(self.headers.get("content-length") or 0) > BODY_LIMIT:
            raise errors.request_too_large(f"Request entity too large: limit is {BODY_LIMIT}")
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > BODY_LIMIT:
                raise errors.request_too_large(f"Request entity too large: limit is {BODY_LIMIT}")
            chunks.append(chunk)
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def spend(self, seconds: float) -> None:
        """Seconds have passed in which others were waited for: a queue, a webhook."""
        self.elsewhere += seconds

    def warn(self, text: str) -> None:
        """Tell the client, once, as a Warning header."""
        self.warnings.setdefault(text)


def call_from(scope: Mapping[str, Any], receive: Receive, send: Send, identifier: str) -> Call:
    """The call that an ASGI scope stands for."""
    raw_query = scope.get("query_string", b"")
    return Call(
        scope=scope,
        method=scope["method"],
        path=scope["path"],
        query=parse_qs(raw_query.decode("latin-1"), keep_blank_values=True) if raw_query else {},
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        id=identifier,
        receive=receive,
        send=send,
    )


def raw_segments(scope: Mapping[str, Any]) -> list[str]:
    """The path's segments, each unescaped on its own, so that `%2F` in a name is not a separator.

    Slashes at the ends say nothing; two in the middle have an empty segment between them.
    """
    raw = scope.get("raw_path")
    text = raw.decode("latin-1").split("?", 1)[0] if raw else scope["path"]
    return [unquote(part) if "%" in part else part for part in text.strip("/").split("/")]


@dataclass(slots=True, kw_only=True)
class Response:
    """An answer. Exactly one of `body`, `chunks` and `stream` carries it."""

    status: int = 200
    content_type: str = JSON_TYPE
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    chunks: AsyncIterator[bytes] | None = None
    stream: Stream | None = None

    async def send(self, call: Call) -> None:
        """Put it on the wire; warnings collected during the call go along."""
        if self.stream is not None:
            await self.stream(call.receive, call.send)
            return
        headers = self.head(call)
        if self.chunks is None:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await call.send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.chunks is not None and call.method != "HEAD":
            size = 0
            async for chunk in self.chunks:
                size += len(chunk)
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
            await call.send({"type": "http.response.body", "body": b""})
        else:
            size = len(self.body)
            await call.send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else self.body})
        if call.counts is not None and call.method == "GET":
            call.counts.sent(size)

    def head(self, call: Call) -> list[tuple[bytes, bytes]]:
        """The response's headers but for its length."""
        headers = [(b"audit-id", call.id.encode()), *COMMON_HEADERS]
        if self.content_type:
            headers.append((b"content-type", self.content_type.encode()))
        headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in self.headers]
        headers += warning_headers.headers(list(call.warnings))
        headers += call.marks
        return headers
