"""One call of gRPC: what is still to be sent, what has come, and how it ended. No I/O: a connection moves the bytes.

Source: gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from urllib.parse import unquote

Header = tuple[str, str]

#: What stands before each message: whether it is compressed, and its length.
_PREFIX = 5
#: gRPC's status codes.
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)


class Failed(Exception):
    """A call that did not end well. `code` is gRPC's; `is_sent`: the server may have seen it."""

    def __init__(self, code: str, details: str, *, is_sent: bool = True) -> None:
        super().__init__(f"{code}: {details}")
        self.code, self.details, self.is_sent = code, details, is_sent


def framed(message: bytes) -> bytes:
    """A message as it lies in a stream of gRPC."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Call:
    """One call. `single`: its one answer is wanted when all of it is there; else each message as it comes."""

    __slots__ = (
        *("block", "closes", "id", "rest", "unread", "window"),
        *("_failure", "_is_over", "_messages", "_missing", "_parts", "_single", "_waiter"),
    )

    def __init__(self, block: bytes, message: bytes, *, single: bool) -> None:
        self.block = block  # its headers
        self.rest = framed(message)  # what is still to be sent
        self.closes = single  # nothing more will be sent
        self.id = self.window = self.unread = 0
        self._single = single
        self._parts: list[bytes] = []  # of a message that is not whole yet
        self._missing = _PREFIX  # bytes until more can be told
        self._messages: deque[bytes] = deque()
        self._failure: Failed | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    async def answer(self) -> bytes:
        """The one message, when the call has ended. Raises Failed."""
        if not self._is_over:
            await self._wait()
        if self._failure is not None:
            raise self._failure
        if not self._messages:
            raise Failed("INTERNAL", "the answer has no message")
        return self._messages[0]

    async def message(self) -> bytes | None:
        """The next message, None after the last. Raises Failed."""
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            if self._is_over:
                return None
            await self._wait()
        return self._messages.popleft()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def feed(self, data: bytes) -> None:
        """From the connection: a piece of the stream of messages."""
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        data = b"".join(self._parts)
        at, size, needed = 0, len(data), _PREFIX
        while size - at >= _PREFIX:
            needed = _PREFIX + int.from_bytes(data[at + 1 : at + _PREFIX], "big")
            if size - at < needed:
                break
            self._messages.append(data[at + _PREFIX : at + needed])
            at, needed = at + needed, _PREFIX
        self._parts = [data[at:]]
        self._missing = needed - (size - at)
        if self._messages and not self._single:
            self._wake()

    def end(self, failure: Failed | None) -> None:
        """From the connection: nothing more will come."""
        if not self._is_over:
            self._is_over, self._failure = True, failure
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def outcome(trailers: Sequence[Header]) -> Failed | None:
    """What the end of a call says."""
    found = dict(trailers)
    status = found.get("grpc-status", "")
    if status == "0":
        return None
    if status.isdigit() and int(status) < len(CODES):
        return Failed(CODES[int(status)], unquote(found.get("grpc-message", "")))
    return Failed("UNAVAILABLE", f"an answer that is not gRPC's (HTTP status {found.get(':status', 'none')})")
