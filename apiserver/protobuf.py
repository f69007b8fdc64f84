r"""Kubernetes' protobuf to plain trees: what client-go sends for built-in kinds, and what an upstream server stored.

A generic decoder over a table of facts (protobuf_fields.json: each field's JSON name, number and Go type, for every
kind of v1.34); no generated code. A body is the four bytes `k8s\0` and a runtime.Unknown: apiVersion, kind, object.
The wire type is believed, the table's is not (upstream's struct tags are wrong in places, its generated code is not).
Only decoding: every client that sends protobuf takes JSON back.
Source: apimachinery/pkg/runtime/serializer/protobuf, the generated.proto files.
"""

import base64
import json
import struct
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from apimachinery import times
from apimachinery.types import Json

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_META = "meta/v1."
_DEEPEST = 200

Read = Callable[[Any, int], Any]


class Malformed(ValueError):
    """Bytes that are no message of the type expected."""


def decode(data: bytes) -> Json:
    """The tree of an enveloped object. Raises Malformed, also for a kind that is not known."""
    if not data.startswith(MAGIC):
        raise Malformed("provided data does not appear to be a protobuf message, expected prefix k8s\\0")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(data[len(MAGIC) :]):
        if number == 1:
            head = {n: _text(v, 0) for n, v in _fields(value)}
            api_version, kind = head.get(1, ""), head.get(2, "")
        elif number == 2:
            raw = value
    name = _table()["kinds"].get(f"{api_version}/{kind}", _META + kind)
    if name not in _table()["types"]:
        raise Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **_message(name)(raw, 0)}


@cache
def _table() -> Any:
    return json.loads((files("apiserver") / "protobuf_fields.json").read_bytes())


def _fields(data: bytes) -> list[tuple[int, Any]]:
    """The fields of one message: number and raw value (int for varints, bytes for the rest)."""
    if not isinstance(data, bytes):
        raise Malformed("a message was expected")
    found: list[tuple[int, Any]] = []
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        value: Any
        match key & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
            case 5:
                value, at = data[at : at + 4], at + 4
            case other:
                raise Malformed(f"illegal wireType {other}")
        if at > end:
            raise Malformed("unexpected EOF")
        found.append((key >> 3, value))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
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


@cache
def _message(name: str) -> Read:
    """The reader of a message type."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    rows = {number: (field, go_type) for field, number, _wire, go_type in _table()["types"][name]}

    def read(data: bytes, depth: int) -> Json:
        if depth > _DEEPEST:
            raise Malformed("exceeded max depth")
        tree: Json = {}
        for number, value in _fields(data):
            row = rows.get(number)
            if row is None:
                continue  # of a newer version
            _put(tree, row[0], row[1], value, depth + 1)
        return tree

    return read


def _put(tree: Json, field: str, go_type: str, value: Any, depth: int) -> None:
    """Add one field of a message to its tree; repeated ones and maps come one item at a time."""
    if field == "<inline>":
        tree.update(_message(go_type)(value, depth))
    elif go_type.startswith("[]"):
        items = tree.setdefault(field, [])
        reader = _reader(go_type[2:])
        if isinstance(value, bytes) and go_type[2:] in _NUMBERS:
            items += [reader(number, depth) for number in _packed(value)]
        else:
            items.append(reader(value, depth))
    elif go_type.startswith("map<"):
        key_type, _, value_type = go_type[4:-1].partition(",")
        pair = dict(_fields(value))
        key = _reader(key_type)(pair.get(1, b""), depth)
        tree.setdefault(field, {})[key] = _reader(value_type)(pair.get(2, b""), depth)
    else:
        tree[field] = _reader(go_type)(value, depth)


def _packed(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _reader(go_type: str) -> Read:
    return _SCALARS.get(go_type) or _message(go_type)


def _text(value: Any, _depth: int) -> str:
    if not isinstance(value, bytes):
        raise Malformed("a string was expected")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Malformed("a string is not UTF-8") from None


def _base64(value: Any, _depth: int) -> str:
    if not isinstance(value, bytes):
        raise Malformed("bytes were expected")
    return base64.b64encode(value).decode()


def _integer(value: Any, _depth: int) -> int:
    """Negative numbers are 64 bits wide on the wire, also those of 32."""
    if not isinstance(value, int):
        raise Malformed("a number was expected")
    return value - (1 << 64) if value >> 63 else value


def _bool(value: Any, _depth: int) -> bool:
    return bool(value)


def _float(value: Any, _depth: int) -> float:
    if not isinstance(value, bytes) or len(value) != 8:
        raise Malformed("a double was expected")
    number: float = struct.unpack("<d", value)[0]
    return number


def _items(value: Any, _depth: int) -> list[str]:
    """A named list of strings."""
    return [_text(item, 0) for number, item in _fields(value) if number == 1]


def _time(value: Any, depth: int) -> str | None:
    seconds = dict(_fields(value)).get(1, 0)
    return times.rfc3339(_integer(seconds, depth)) if seconds else None


def _micro_time(value: Any, depth: int) -> str | None:
    parts = dict(_fields(value))
    seconds = _integer(parts.get(1, 0), depth)
    if not seconds:
        return None
    # The microseconds are written as they are: a float would round them.
    return times.rfc3339(seconds)[:-1] + f".{parts.get(2, 0) // 1000:06d}Z"


def _int_or_string(value: Any, depth: int) -> int | str:
    parts = dict(_fields(value))
    return _text(parts.get(3, b""), depth) if parts.get(1) else _integer(parts.get(2, 0), depth)


def _raw(value: Any, _depth: int) -> Any:
    """JSON inside protobuf, or protobuf again."""
    data = dict(_fields(value)).get(1, b"")
    if data.startswith(MAGIC):
        return decode(data)
    try:
        return msgspec.json.decode(data) if data else None
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from None


def _schema_or_bool(value: Any, depth: int) -> Any:
    parts = dict(_fields(value))
    return _message(_SCHEMA)(parts[2], depth) if 2 in parts else bool(parts.get(1))


def _schema_or(go_type: str) -> Read:
    """A schema, or a list of something."""

    def read(value: Any, depth: int) -> Any:
        parts = _fields(value)
        for number, item in parts:
            if number == 1:
                return _message(_SCHEMA)(item, depth)
        return [_reader(go_type)(item, depth) for number, item in parts if number == 2]

    return read


_SCHEMA = "apiextensions/v1.JSONSchemaProps"
_NUMBERS = ("int32", "int64")
_SCALARS: dict[str, Read] = {
    "string": _text,
    "bytes": _base64,
    "bool": _bool,
    "int32": _integer,
    "int64": _integer,
    "float64": _float,
    "message{items=1 repeated string}": _items,
}
_SPECIAL: dict[str, Read] = {
    "meta/v1.Time": _time,
    "meta/v1.MicroTime": _micro_time,
    "intstr.IntOrString": _int_or_string,
    "resource.Quantity": lambda value, depth: _text(dict(_fields(value)).get(1, b"0"), depth),
    "meta/v1.FieldsV1": _raw,
    "runtime.RawExtension": _raw,
    "apiextensions/v1.JSON": _raw,
    "apiextensions/v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions/v1.JSONSchemaPropsOrArray": _schema_or(_SCHEMA),
    "apiextensions/v1.JSONSchemaPropsOrStringArray": _schema_or("string"),
}
