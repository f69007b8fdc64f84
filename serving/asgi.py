"""The names of ASGI, and plain whole answers: what every server process says the same way.

Owns the type aliases, answers in one piece, and answers that stream until the client goes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias

import msgspec

from apimachinery.errors import ApiError
from apimachinery.types import Json

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = Sequence[tuple[str, str]]

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
_NOSNIFF = (("x-content-type-options", "nosniff"),)


async def start(send: Send, code: int, headers: Headers) -> None:
    """Send the status line and headers; the body is the caller's."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": code, "headers": raw})


async def reply(send: Send, code: int, body: bytes, content_type: str, headers: Headers = ()) -> None:
    """Send a whole answer."""
    await start(send, code, [("content-type", content_type), ("content-length", str(len(body))), *headers])
    await send({"type": "http.response.body", "body": body})


async def reply_json(send: Send, tree: Json, code: int = 200) -> None:
    """Send an object as JSON."""
    await reply(send, code, msgspec.json.encode(tree), JSON_TYPE)


async def reply_text(send: Send, text: str, code: int = 200) -> None:
    """Send plain text."""
    await reply(send, code, text.encode(), TEXT_TYPE, _NOSNIFF)


async def reply_error(send: Send, error: ApiError) -> None:
    """Send the refusal as a `metav1.Status`."""
    retry = [("retry-after", str(error.retry_after))] if error.retry_after else []
    await reply(send, error.code, msgspec.json.encode(error.status()), JSON_TYPE, retry)


def header(scope: Scope, name: bytes) -> str:
    """The first value of a request header (lower-case name), or the empty string."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Every value of a request header, comma-separated lists taken apart."""
    texts = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


async def stream(receive: Receive, send: Send, code: int, headers: Headers, chunks: AsyncIterator[bytes]) -> None:
    """Send a body as it comes; when the client goes, the iterator is closed and the answer ends."""
    await start(send, code, headers)
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(_send_all(send, chunks))
        leaving = tasks.create_task(left(receive))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        sending.cancel()
        leaving.cancel()


async def left(receive: Receive) -> None:
    """Returns when the client has gone; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_all(send: Send, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
