"""One HTTP/2 connection, as far as gRPC needs it: calls out, messages in, windows, pings. RFC 9113, gRPC over HTTP/2.

Guarantees: every call ends, by its messages and the server's status or by `Failed`, which says whether the server can
have seen it. What is sent waits for the windows and the number of streams that the server allows; what comes is taken
as fast as it comes, since whoever reads here (the watch cache) reads all there is.
Left out: server push, priorities, compression. Reconnecting is the endpoint's business (`etcd_endpoint`).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple

from apiserver.storage.grpc_call import Call, Failed, Header, outcome

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_TABLE_SIZE, _ENABLE_PUSH, _MOST_STREAMS, _INITIAL_WINDOW, _FRAME_SIZE = 1, 2, 3, 4, 5
_REFUSED, _CANCEL = 7, 8
_LAST_ID = 2**31 - 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: What every connection begins with, as the protocol says.
_USUAL_WINDOW, _USUAL_FRAME = 65_535, 16_384
#: How much the server may send before it hears that we have read: in one stream, and on the whole.
WINDOW = 1 << 24
#: Seconds after which the server is asked whether it is there, while calls are open; and how long the answer may take.
PING_AFTER, PING_WITHIN = 30.0, 10.0
_KEPT_BLOCKS = 256


class Connection(asyncio.Protocol):
    """See the module. `lost` is told when it can carry no more calls."""

    def __init__(self, lost: Callable[["Connection"], None]) -> None:
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._input = b""
        self._headers: tuple[int, int, bytes] | None = None  # stream, flags and beginning of a block that goes on
        self._blocks: dict[bytes, Sequence[Header]] = {}  # without a table that changes, a block always means the same
        self._next_id = 1
        self._calls: dict[int, Call] = {}
        self._waiting: deque[Call] = deque()  # for fewer open streams
        self._blocked: dict[int, Call] = {}  # by a window
        self._most_streams = 100  # until the server says how many
        self._window, self._initial_window, self._frame_size = _USUAL_WINDOW, _USUAL_WINDOW, _USUAL_FRAME
        self._unread = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent, or come, any more."""
        return self._transport is None

    # -- calls

    def start(self, call: Call) -> None:
        """Send a call, or let it wait for its turn."""
        if self._transport is None:
            call.end(Failed("UNAVAILABLE", "the connection is closed", is_sent=False))
        elif len(self._calls) < self._most_streams:
            self._open(call)
        else:
            self._waiting.append(call)

    def _open(self, call: Call) -> None:
        call.id, call.window = self._next_id, self._initial_window
        self._next_id += 2
        self._calls[call.id] = call
        self._send(call, _frame(_HEADERS, _END_HEADERS, call.id, call.block))
        if self._next_id > _LAST_ID:
            self._lost(self)

    def cancel(self, call: Call, why: Failed) -> None:
        """Let go of a call; the server is told."""
        if self._calls.get(call.id) is call:
            self._write(_frame(_RESET, 0, call.id, _CANCEL.to_bytes(4, "big")))
            self._end(call, why)
        else:
            call.end(Failed(why.code, why.details, is_sent=bool(call.id)))
            if call in self._waiting:
                self._waiting.remove(call)

    def close(self) -> None:
        """Give up; calls under way fail."""
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def _send(self, call: Call, first: bytes = b"") -> None:
        """Send as much of a call as the windows allow."""
        parts, rest, at = [first] if first else [], memoryview(call.rest), 0
        while at < len(rest):
            size = min(len(rest) - at, self._window, call.window, self._frame_size)
            if size <= 0:
                self._blocked[call.id] = call
                break
            is_last = call.closes and at + size == len(rest)
            parts.append(_frame(_DATA, _END_STREAM if is_last else 0, call.id, rest[at : at + size]))
            self._window -= size
            call.window -= size
            at += size
        call.rest = call.rest[at:]
        if parts:
            self._write(b"".join(parts))

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, {}
        for call in blocked.values():
            self._send(call)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _end(self, call: Call, failure: Failed | None) -> None:
        self._calls.pop(call.id, None)
        self._blocked.pop(call.id, None)
        call.end(failure)
        while self._waiting and len(self._calls) < self._most_streams:
            self._open(self._waiting.popleft())

    # -- the wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        ours = ((_TABLE_SIZE, 0), (_ENABLE_PUSH, 0), (_INITIAL_WINDOW, WINDOW))
        payload = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in ours)
        self._write(_PREFACE + _frame(_SETTINGS, 0, 0, payload) + _window_update(0, WINDOW - _USUAL_WINDOW))
        self._timer = self._loop.call_later(PING_AFTER, self._ping)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is None:
            return
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._lost(self)
        details = f"the connection was lost{f': {error}' if error else ''}"
        calls, waiting = list(self._calls.values()), list(self._waiting)
        self._calls.clear()
        self._waiting.clear()
        for call in calls:
            call.end(Failed("UNAVAILABLE", details))
        for call in waiting:
            call.end(Failed("UNAVAILABLE", details, is_sent=False))

    def data_received(self, data: bytes) -> None:
        if self._input:
            data = self._input + data
        at, size = 0, len(data)
        while size - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3], "big")
            if end > size:
                break
            self._received(data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : at + 9], "big"), data[at + 9 : end])
            at = end
        self._input = data[at:]

    def _received(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._data(flags, stream, payload)
        elif kind in (_HEADERS, _CONTINUATION):
            self._header_block(kind, flags, stream, payload)
        elif kind == _WINDOW_UPDATE:
            self._widened(stream, int.from_bytes(payload, "big"))
        elif kind == _SETTINGS and not flags & _ACK:
            self._settings(payload)
        elif kind == _PING:
            self._pinged(flags, payload)
        elif kind == _RESET and (call := self._calls.get(stream)) is not None:
            code = int.from_bytes(payload, "big")
            why = f"the server broke the call off (HTTP/2 error {code})"
            self._end(call, Failed("UNAVAILABLE", why, is_sent=code != _REFUSED))
        elif kind == _GOAWAY:
            self._goes(int.from_bytes(payload[:4], "big"))

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        self._unread += len(payload)
        if self._unread >= WINDOW // 2:
            self._write(_window_update(0, self._unread))
            self._unread = 0
        call = self._calls.get(stream)
        if call is None:
            return  # cancelled
        call.unread += len(payload)
        if call.unread >= WINDOW // 2:
            self._write(_window_update(stream, call.unread))
            call.unread = 0
        call.feed(payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload)
        if flags & _END_STREAM:
            self._end(call, Failed("INTERNAL", "the server ended the call without a status"))

    def _header_block(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _HEADERS:
            if flags & _PADDED:
                payload = payload[1 : len(payload) - payload[0]]
            if flags & _PRIORITY:
                payload = payload[5:]
        elif self._headers is not None:
            stream, first, begun = self._headers
            flags, payload = first | (flags & _END_HEADERS), begun + payload
        if not flags & _END_HEADERS:
            self._headers = (stream, flags, payload)
            return
        self._headers = None
        call = self._calls.get(stream)
        if call is not None and flags & _END_STREAM:
            self._end(call, outcome(self._decoded(payload)))

    def _decoded(self, block: bytes) -> Sequence[Header]:
        found = self._blocks.get(block)
        if found is None:
            try:
                found = [(str(name), str(value)) for name, value in Decoder().decode(block)]
            except HPACKError as error:
                found = [("grpc-status", "13"), ("grpc-message", f"headers that cannot be read: {error}")]
            if len(self._blocks) < _KEPT_BLOCKS:
                self._blocks[block] = found
        return found

    def _widened(self, stream: int, size: int) -> None:
        if not stream:
            self._window += size
        elif (call := self._calls.get(stream)) is not None:
            call.window += size
        if self._blocked:
            self._unblock()

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            name, value = int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big")
            if name == _MOST_STREAMS:
                self._most_streams = value
            elif name == _FRAME_SIZE:
                self._frame_size = value
            elif name == _INITIAL_WINDOW:
                for call in self._calls.values():
                    call.window += value - self._initial_window
                self._initial_window = value
        self._write(_frame(_SETTINGS, _ACK, 0, b""))
        self._unblock()
        while self._waiting and len(self._calls) < self._most_streams:
            self._open(self._waiting.popleft())

    def _goes(self, last: int) -> None:
        """The server takes no new calls, and has not looked at those above `last`."""
        self._lost(self)
        why = Failed("UNAVAILABLE", "the server goes away", is_sent=False)
        unseen = [*(call for number, call in self._calls.items() if number > last), *self._waiting]
        self._waiting.clear()
        for call in unseen:
            self._end(call, why)

    def _ping(self) -> None:
        """Ask whether the server is there; not while nothing is asked of it, which etcd takes for abuse."""
        if self._calls:
            self._write(_frame(_PING, 0, 0, b"pykube42"))
            self._timer = self._loop.call_later(PING_WITHIN, self.close)
        else:
            self._timer = self._loop.call_later(PING_AFTER, self._ping)

    def _pinged(self, flags: int, payload: bytes) -> None:
        if not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(PING_AFTER, self._ping)


def _frame(kind: int, flags: int, stream: int, payload: bytes | memoryview) -> bytes:
    head = (len(payload) << 8 | kind).to_bytes(4, "big") + bytes((flags,)) + stream.to_bytes(4, "big")
    return b"".join((head, payload))


def _window_update(stream: int, size: int) -> bytes:
    return _frame(_WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def header_block(headers: Sequence[Header]) -> bytes:
    """Headers as they are sent; nothing of them is put into the table that both sides keep, so it can be sent again."""
    return Encoder().encode([NeverIndexedHeaderTuple(name, value) for name, value in headers])
