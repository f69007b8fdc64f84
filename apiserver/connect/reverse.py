"""The reverse proxy under every connect: a request passed on, its answer passed back, streaming both ways.

An upgrade that the backend accepts is spliced byte for byte, so the API server need not know what is spoken inside.
What identifies the client to the API server (its token, impersonation) is never passed on. Source:
apimachinery/pkg/util/proxy/upgradeaware.go and transport.go.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from apimachinery.errors import ApiError
from apiserver.connect.links import Rewrite, page
from apiserver.request import Request
from serving import asgi
from serving.asgi import Headers, Receive, Send
from serving.dialer import Answer, Exchange, Target, connect
from serving.https import Upgrade
from serving.raw import splice

#: Headers that belong to one hop, or to the API server alone.
_DROPPED = {
    "authorization",
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
}
_DROPPED_PREFIXES = ("impersonate-", "x-remote-")
#: The subprotocol by which browsers carry a bearer token.
_TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."  # noqa: S105 - a protocol's name

Failure = Callable[[OSError], ApiError]
#: Another way to answer, tried when the backend refuses a WebSocket; ApiError or OSError with nothing sent: no good.
Fallback = Callable[[Upgrade], Awaitable[None]]
#: How much of a page is taken into memory to rewrite its links; a longer one goes through as it is.
_LONGEST_PAGE = 16 << 20


def upgrade_of(request: Request) -> Upgrade | None:
    """The client's wish to upgrade, where the server offers that."""
    upgrade = (request.scope.get("extensions") or {}).get("upgrade")
    return upgrade if isinstance(upgrade, Upgrade) else None


async def forward(
    request: Request,
    receive: Receive,
    send: Send,
    target: Target,
    path: str,
    *,
    failure: Failure,
    rewrite: Rewrite | None = None,
    extra: Headers = (),
    fallback: Fallback | None = None,
) -> None:
    """Pass the request on to `path` (with its query) of `target`, and the answer back.

    `rewrite` is for links that the backend answers: a Location, and URLs in HTML.
    ApiError from `failure` when the backend cannot be reached; nothing has been sent then.
    """
    upgrade = upgrade_of(request)
    headers = [*_passed_on(request, upgrade), *extra]
    try:
        exchange = Exchange(await connect(target))
    except OSError as error:
        raise failure(error) from error
    unanswered: OSError | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            body = tasks.create_task(_send_request(request, receive, exchange, target, path, headers))
            try:
                answer = await exchange.answer()
            except OSError as error:
                unanswered = error
            else:
                if not await _answered_by(fallback, upgrade, answer):
                    await _pass_back(send, upgrade, answer, rewrite)
            body.cancel()
    except* OSError:
        pass  # one of the ends is gone, after the answer had begun
    finally:
        exchange.raw.abort()
    if unanswered is not None:
        raise failure(unanswered)


async def _answered_by(fallback: Fallback | None, upgrade: Upgrade | None, answer: Answer) -> bool:
    """Whether the fallback has answered in the place of a backend that does not speak the client's WebSocket."""
    if fallback is None or upgrade is None or upgrade.protocol != "websocket" or answer.code not in (400, 403):
        return False
    try:
        await fallback(upgrade)
    except (ApiError, OSError):
        return upgrade.accepted
    return True


async def _pass_back(send: Send, upgrade: Upgrade | None, answer: Answer, rewrite: Rewrite | None) -> None:
    if answer.code == 101 and upgrade is not None:
        raw = await upgrade.accept(_upgrade_headers(answer))
        await splice(raw, answer.raw)
    else:
        await _send_answer(send, answer, rewrite)


def _passed_on(request: Request, upgrade: Upgrade | None) -> list[tuple[str, str]]:
    """The client's headers for the backend."""
    named = {part.strip().lower() for part in request.headers.get("connection", "").split(",")}
    headers = []
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in _DROPPED or name in named or name.startswith(_DROPPED_PREFIXES):
            continue
        if name == "sec-websocket-protocol":
            value = _without_token(value)
            if not value:
                continue
        headers.append((name, value))
    if upgrade is not None:
        headers += [("Connection", "Upgrade"), ("Upgrade", request.headers.get("upgrade", upgrade.protocol))]
    elif "content-length" not in request.headers and "transfer-encoding" in request.headers:
        headers.append(("Transfer-Encoding", "chunked"))
    client = request.scope.get("client")
    if client:
        before = request.headers.get("x-forwarded-for")
        headers = [(name, value) for name, value in headers if name != "x-forwarded-for"]
        headers.append(("X-Forwarded-For", f"{before}, {client[0]}" if before else str(client[0])))
    return headers


def _without_token(protocols: str) -> str:
    parts = [part.strip() for part in protocols.split(",")]
    return ", ".join(part for part in parts if not part.startswith(_TOKEN_PROTOCOL))


async def _send_request(
    request: Request, receive: Receive, exchange: Exchange, target: Target, path: str, headers: Headers
) -> None:
    try:
        await exchange.begin(target, request.method, path, headers)
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    exchange.raw.abort()
                    return
                if message.get("body"):
                    await exchange.send(message["body"])
                more = message.get("more_body", False)
        await exchange.end()
    except ConnectionError:
        return  # the backend has closed: what it answered counts
    if upgrade_of(request) is None:
        await asgi.left(receive)
        exchange.raw.abort()  # nobody waits for the rest


async def _send_answer(send: Send, answer: Answer, rewrite: Rewrite | None) -> None:
    headers = []
    for name, value in answer.headers:
        if name in _DROPPED and name not in ("host", "authorization"):
            continue
        shown = rewrite(value) if rewrite is not None and name == "location" else value
        headers.append((name, shown))
    chunks = answer.chunks()
    if rewrite is not None and _is_page(answer):
        body, is_whole = await _collected(chunks)
        if is_whole and (changed := page(body, _header(answer, "content-encoding"), rewrite)) is not None:
            body = changed
            headers = [(name, value) for name, value in headers if name != "content-length"]
        await asgi.start(send, answer.code, headers)
        await send({"type": "http.response.body", "body": body, "more_body": True})
    else:
        await asgi.start(send, answer.code, headers)
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers if key == name), "")


def _is_page(answer: Answer) -> bool:
    media_type = _header(answer, "content-type").partition(";")[0].strip().lower()
    return media_type == "text/html" and not _header(answer, "location")


async def _collected(chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """The body as far as it is taken into memory, and whether that is all of it."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > _LONGEST_PAGE:
            return bytes(body), False
    return bytes(body), True


def _upgrade_headers(answer: Answer) -> Sequence[tuple[str, str]]:
    kept = [(name, value) for name, value in answer.headers if name not in _DROPPED or name == "upgrade"]
    return [*kept, ("Connection", "Upgrade")]
