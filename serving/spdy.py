"""SPDY/3.1 frames to bytes and back, without I/O: what exec, attach and port-forward speak under an HTTP upgrade.

`Codec.encode(frame)` gives the bytes to send, `Codec.feed(data)` the frames that are complete. One codec per
connection, since header blocks share one zlib context per direction for its whole life: frames must be sent in the
order in which they were encoded. The payload of a DATA frame is handed out as it arrives, in as many `Data` frames as
needed, so a 16 MB frame is never held. Streams, their states and flow control are the business of `spdy_session`.
Source: SPDY protocol draft 3 and its 3.1 addition (session windows); peers are moby/spdystream's users.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

VERSION = 3
CONTROL = 0x8000
FIN = 0x01
UNIDIRECTIONAL = 0x02

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9

#: RST_STREAM's status codes.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 1, 2, 3, 5, 6, 7
STREAM_IN_USE, STREAM_ALREADY_CLOSED = 8, 9
#: GOAWAY's.
GOAWAY_OK, GOAWAY_PROTOCOL_ERROR, GOAWAY_INTERNAL_ERROR = 0, 1, 2
#: SETTINGS' ids that matter here.
SETTING_MAX_STREAMS, SETTING_INITIAL_WINDOW = 4, 7

#: What a stream and the session may send before the first WINDOW_UPDATE.
INITIAL_WINDOW = 64 * 1024
#: Our largest DATA payload: small enough to be fair between streams, large enough to be cheap.
MAX_DATA = 64 * 1024
#: Limits on what a peer may make us hold.
MAX_CONTROL = 256 * 1024
MAX_HEADERS = 512 * 1024

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_WORDS = (*_NAMES.split(), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
#: The zlib dictionary that both ends start from; its Adler-32 stands in every stream's first bytes.
DICTIONARY = b"".join(len(w).to_bytes(4, "big") + w.encode() for w in _WORDS) + _REST.encode()

HeaderList: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SynStream:
    """A new stream. Ids are odd from the client, even from the server."""

    stream: int
    headers: HeaderList = ()
    fin: bool = False
    unidirectional: bool = False
    associated: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SynReply:
    """The peer accepts a stream."""

    stream: int
    headers: HeaderList = ()
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    """A stream is torn down in both directions."""

    stream: int
    status: int = CANCEL


@dataclass(frozen=True, slots=True)
class Settings:
    """(id, value, flags) each."""

    values: Sequence[tuple[int, int, int]] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """Asked by one end and sent back by the other."""

    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """No streams above `last_stream` are taken any more."""

    last_stream: int
    status: int = GOAWAY_OK


@dataclass(frozen=True, slots=True)
class Headers:
    """More headers for a stream that is open."""

    stream: int
    headers: HeaderList = ()
    fin: bool = False


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """`stream` 0 is the session (SPDY/3.1)."""

    stream: int
    delta: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `fin` ends the sender's half."""

    stream: int
    data: bytes = b""
    fin: bool = False


Frame: TypeAlias = SynStream | SynReply | RstStream | Settings | Ping | GoAway | Headers | WindowUpdate | Data


class SpdyError(Exception):
    """The peer broke the protocol; the connection is of no use any more."""


class Codec:
    """One connection's two directions. See the module's text."""

    def __init__(self) -> None:
        # A small window: the blocks are a few hundred bytes, and memory counts per connection.
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, 11, 1, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()
        self._data_left = 0  # bytes of the current DATA frame that have not arrived
        self._data_stream = 0
        self._data_fin = False

    # -- sending

    def encode(self, frame: Frame) -> bytes:
        """The frame's bytes. DATA frames over 16 MB are the caller's to split."""
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">II", stream & 0x7FFFFFFF, len(data) | (FIN << 24 if fin else 0)) + data
            case SynStream():
                flags = (FIN if frame.fin else 0) | (UNIDIRECTIONAL if frame.unidirectional else 0)
                start = struct.pack(">IIBB", frame.stream, frame.associated, frame.priority << 5, 0)
                return _control(SYN_STREAM, flags, start + self._pack(frame.headers))
            case SynReply(stream, headers, fin):
                return _control(SYN_REPLY, FIN if fin else 0, struct.pack(">I", stream) + self._pack(headers))
            case Headers(stream, headers, fin):
                return _control(HEADERS, FIN if fin else 0, struct.pack(">I", stream) + self._pack(headers))
            case RstStream(stream, status):
                return _control(RST_STREAM, 0, struct.pack(">II", stream, status))
            case Settings(values):
                entries = b"".join(struct.pack(">II", flags << 24 | key, value) for key, value, flags in values)
                return _control(SETTINGS, 0, struct.pack(">I", len(values)) + entries)
            case Ping(id):
                return _control(PING, 0, struct.pack(">I", id))
            case GoAway(last, status):
                return _control(GOAWAY, 0, struct.pack(">II", last, status))
            case WindowUpdate(stream, delta):
                return _control(WINDOW_UPDATE, 0, struct.pack(">II", stream, delta))

    def _pack(self, headers: HeaderList) -> bytes:
        merged: dict[str, list[str]] = {}
        for name, value in headers:
            merged.setdefault(name.lower(), []).append(value)
        plain = [struct.pack(">I", len(merged))]
        for name, values in merged.items():
            for text in (name, "\0".join(values)):
                raw = text.encode("latin-1")
                plain.append(struct.pack(">I", len(raw)) + raw)
        return self._deflate.compress(b"".join(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    # -- receiving

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete, in order; SpdyError when they are none."""
        frames: list[Frame] = []
        self._buffer += data
        while self._next(frames):
            pass
        return frames

    def _next(self, frames: list[Frame]) -> bool:
        """Take one frame, or a part of a DATA frame, off the buffer; False when there is none."""
        buffer = self._buffer
        if self._data_left:
            if not buffer:
                return False
            payload = bytes(buffer[: self._data_left])
            del buffer[: len(payload)]
            self._data_left -= len(payload)
            frames.append(Data(self._data_stream, payload, self._data_fin and not self._data_left))
            return True
        if len(buffer) < 8:
            return False
        first, second = struct.unpack_from(">II", buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            del buffer[:8]
            self._data_stream, self._data_fin, self._data_left = first, bool(flags & FIN), length
            if not length:
                frames.append(Data(first, b"", self._data_fin))
            return True
        if length > MAX_CONTROL:
            raise SpdyError(f"a control frame of {length} bytes is too large")
        if len(buffer) < 8 + length:
            return False
        payload = bytes(buffer[8 : 8 + length])
        del buffer[: 8 + length]
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise SpdyError(f"SPDY version {version} is not supported")
        frame = self._control(kind, flags, payload)
        if frame is not None:
            frames.append(frame)
        return True

    def _control(self, kind: int, flags: int, payload: bytes) -> Frame | None:
        try:
            return self._parse(kind, flags, payload)
        except (struct.error, zlib.error, IndexError) as error:
            raise SpdyError(f"broken control frame of type {kind}: {error}") from error

    def _parse(self, kind: int, flags: int, payload: bytes) -> Frame | None:
        fin = bool(flags & FIN)
        match kind:
            case 1:
                stream, associated, priority = struct.unpack_from(">IIB", payload)
                headers = self._unpack(payload[10:])
                one_way = bool(flags & UNIDIRECTIONAL)
                return SynStream(stream & 0x7FFFFFFF, headers, fin, one_way, associated & 0x7FFFFFFF, priority >> 5)
            case 2:
                return SynReply(_id(payload), self._unpack(payload[4:]), fin)
            case 8:
                return Headers(_id(payload), self._unpack(payload[4:]), fin)
            case 3:
                return RstStream(_id(payload), struct.unpack_from(">I", payload, 4)[0])
            case 4:
                return _settings(payload)
            case 6:
                return Ping(struct.unpack_from(">I", payload)[0])
            case 7:
                return GoAway(_id(payload), struct.unpack_from(">I", payload, 4)[0])
            case 9:
                return WindowUpdate(_id(payload), struct.unpack_from(">I", payload, 4)[0] & 0x7FFFFFFF)
            case _:
                return None  # the draft: unknown control frames are ignored

    def _unpack(self, block: bytes) -> HeaderList:
        plain = self._inflate.decompress(block, MAX_HEADERS)
        if self._inflate.unconsumed_tail:
            raise SpdyError("a header block is too large")
        (count,) = struct.unpack_from(">I", plain)
        at, headers = 4, []
        for _ in range(count):
            name, at = _text(plain, at)
            value, at = _text(plain, at)
            headers += [(name, part) for part in value.split("\0")]
        return headers


def _control(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", CONTROL | VERSION, kind, flags << 24 | len(payload)) + payload


def _id(payload: bytes) -> int:
    (value,) = struct.unpack_from(">I", payload)
    return int(value) & 0x7FFFFFFF


def _text(plain: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, at)
    end = at + 4 + length
    if end > len(plain):
        raise SpdyError("a header block ends within a header")
    return plain[at + 4 : end].decode("latin-1"), end


def _settings(payload: bytes) -> Settings:
    (count,) = struct.unpack_from(">I", payload)
    values = []
    for index in range(min(count, len(payload) // 8)):
        key, value = struct.unpack_from(">II", payload, 4 + 8 * index)
        values.append((key & 0xFFFFFF, value, key >> 24))
    return Settings(values)
