r"""Bytes of the wire: varints, fields, and the two wrappers that every message travels in.

An object is the four bytes `k8s\0` and a runtime.Unknown: apiVersion and kind (1), the object's message (2), and two
empty texts (encoding and media type of the message: 3 and 4). An event of a watch is a meta/v1.WatchEvent, whose object
is such a body again, behind its length in four bytes.
Source: apimachinery/pkg/runtime/{types_proto.go,serializer/protobuf/protobuf.go}, util/framer.
"""

from typing import Any

MAGIC = b"k8s\0"
_TAIL = b"\x1a\0\x22\0"


class Malformed(ValueError):
    """Bytes that are no message of the type expected."""


def varint(number: int) -> bytes:
    """A number in groups of seven bits; negative ones are 64 bits wide."""
    if 0 <= number < len(_VARINTS):
        return _VARINTS[number]
    return _varint(number)


def _varint(number: int) -> bytes:
    if number < 0:
        number += 1 << 64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


#: Lengths are nearly always small.
_VARINTS = tuple(_varint(number) for number in range(4096))


def tag(number: int, wire_type: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | wire_type)


def delimited(number: int, data: bytes) -> bytes:
    """A field that holds bytes: a text, a message."""
    return tag(number, 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """A whole body around the message of an object."""
    before, after = around(api_version, kind, len(raw))
    return b"%b%b%b" % (before, raw, after)


def around(api_version: str, kind: str, size: int) -> tuple[bytes, bytes]:
    """What stands before and behind a message of that size in its envelope."""
    type_meta = delimited(1, api_version.encode()) + delimited(2, kind.encode())
    return b"".join((MAGIC, delimited(1, type_meta), b"\x12", varint(size))), _TAIL


def watch_frame(type_: str, body: bytes) -> bytes:
    """One event of a watch; `body` is the object in its envelope."""
    event = delimited(1, type_.encode()) + delimited(2, delimited(1, body))
    return len(event).to_bytes(4, "big") + event


def fields(data: bytes) -> list[tuple[int, Any]]:
    """The fields of one message: number and raw value (int for varints, bytes for the rest). Raises Malformed."""
    if not isinstance(data, bytes):
        raise Malformed("a message was expected")
    found: list[tuple[int, Any]] = []
    at, end = 0, len(data)
    while at < end:
        key, at = read_varint(data, at)
        value: Any
        match key & 7:
            case 0:
                value, at = read_varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                size, at = read_varint(data, at)
                value, at = data[at : at + size], at + size
            case 5:
                value, at = data[at : at + 4], at + 4
            case other:
                raise Malformed(f"illegal wireType {other}")
        if at > end:
            raise Malformed("unexpected EOF")
        found.append((key >> 3, value))
    return found


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("unexpected EOF" if at >= len(data) else "integer overflow")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
