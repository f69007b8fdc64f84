"""Protobuf to plain trees, equal to the JSON that upstream's server makes of the same bytes.

What is not on the wire is left out or filled in as Go's encoder would write the struct it was read into: `null` for a
list without omitempty, `{}` for a struct. The wire type is believed, the table's is not (upstream's struct tags are
wrong in places, its generated code is not). Fields that are not known (of a newer version) are skipped.
"""

import base64
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from apimachinery import times
from apimachinery.types import Json
from apiserver.protobuf.table import INLINE, Field, fields, is_scalar, is_special, message_of, zero
from apiserver.protobuf.wire import MAGIC, Malformed, read_varint
from apiserver.protobuf.wire import fields as wire_fields

_DEEPEST = 200

Read = Callable[[Any, int], Any]


def decode(data: bytes) -> Json:
    """The tree of an enveloped object. Raises Malformed, also for a kind that is not known."""
    if not data.startswith(MAGIC):
        raise Malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, value in wire_fields(data[len(MAGIC) :]):
        if number == 1:
            head = {n: _text(v, 0) for n, v in wire_fields(value)}
            api_version, kind = head.get(1, ""), head.get(2, "")
        elif number == 2:
            raw = value
    name = message_of(api_version, kind)
    if not name:
        raise Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **_message(name)(raw, 0)}


def decode_stored(value: bytes) -> Json:
    """The tree of a value of the store: protobuf where an upstream server wrote it, else JSON. Raises ValueError."""
    tree: Json = decode(value) if value.startswith(MAGIC) else msgspec.json.decode(value)
    return tree


@cache
def _message(name: str) -> Read:
    """The reader of a message type."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    rows = fields(name)
    readers = {row.number: _value(row.type) for row in rows}

    def read(data: bytes, depth: int) -> Json:
        if depth > _DEEPEST:
            raise Malformed("exceeded max depth")
        found: dict[int, Any] = {}
        for number, value in wire_fields(data):
            reader = readers.get(number)
            if reader is not None:
                reader(found, number, value, depth + 1)
        tree: Json = {}
        for row in rows:
            _show(tree, row, found)
        return tree

    return read


def _show(tree: Json, row: Field, found: dict[int, Any]) -> None:
    """Put one field into the tree, as Go's JSON encoder decides whether to."""
    if row.number in found:
        value = found[row.number]
        if row.name == INLINE:
            tree.update(value)
        elif (row.optional or row.kept or value or _is_struct(row.type)) and not (row.dropped and value is None):
            tree[row.name] = value
    elif row.optional:
        if row.kept:
            tree[row.name] = None
    elif row.name == INLINE:
        tree.update(_zero(row.type))
    elif row.kept or (_is_struct(row.type) and not row.dropped):
        tree[row.name] = _zero(row.type)


def _is_struct(type_: str) -> bool:
    """Whether omitempty has no effect on a type."""
    return not is_scalar(type_) and not type_.startswith(("[]", "map<", "items<"))


def _zero(type_: str) -> Any:
    """What JSON shows of a value that was never set."""
    return _message(type_)(b"", 0) if _is_struct(type_) and not is_special(type_) else zero(type_)


Put = Callable[[dict[int, Any], int, Any, int], None]


def _value(type_: str) -> Put:
    """What adds one occurrence of a field; repeated ones and maps come one item at a time."""
    if type_.startswith("[]"):
        return _list(type_[2:])
    if type_.startswith("map<"):
        key_type, _, value_type = type_[4:-1].partition(",")
        return _map(key_type, value_type)

    def put(found: dict[int, Any], number: int, value: Any, depth: int) -> None:
        found[number] = _reader(type_)(value, depth)

    return put


def _list(type_: str) -> Put:
    def put(found: dict[int, Any], number: int, value: Any, depth: int) -> None:
        items = found.setdefault(number, [])
        if isinstance(value, bytes) and type_ in _NUMBERS:
            items += [_integer(item, depth) for item in _packed(value)]
        else:
            items.append(_reader(type_)(value, depth))

    return put


def _map(key_type: str, value_type: str) -> Put:
    def put(found: dict[int, Any], number: int, value: Any, depth: int) -> None:
        pair = dict(wire_fields(value))
        key = _reader(key_type)(pair.get(1, b""), depth)
        read = _reader(value_type)
        found.setdefault(number, {})[key] = read(pair[2], depth) if 2 in pair else _zero(value_type)

    return put


def _packed(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = read_varint(data, at)
        numbers.append(number)
    return numbers


def _reader(type_: str) -> Read:
    if type_.startswith("items<"):
        return _items(type_[6:-1])
    return _SCALARS.get(type_) or _message(type_)


@cache
def _items(type_: str) -> Read:
    """A named list: a message whose first field is repeated."""

    def read(value: Any, depth: int) -> list[Any]:
        return [_reader(type_)(item, depth) for number, item in wire_fields(value) if number == 1]

    return read


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
    return int(number) if number.is_integer() else number


def _time(value: Any, depth: int) -> str | None:
    parts = dict(wire_fields(value))
    seconds = _integer(parts.get(1, 0), depth)
    return times.rfc3339(_in_range(seconds)) if seconds else None


def _micro_time(value: Any, depth: int) -> str | None:
    parts = dict(wire_fields(value))
    seconds, nanos = _integer(parts.get(1, 0), depth), _integer(parts.get(2, 0), depth)
    if not seconds and not nanos:
        return None
    # The microseconds are written as they are: a float would round them.
    return times.rfc3339(_in_range(seconds))[:-1] + f".{nanos // 1000 % 1_000_000:06d}Z"


def _in_range(seconds: int) -> int:
    """The years 1 to 9999, as JSON has them."""
    if not -62135596800 <= seconds < 253402300800:
        raise Malformed("a time is out of range")
    return seconds


def _int_or_string(value: Any, depth: int) -> int | str:
    parts = dict(wire_fields(value))
    return _text(parts.get(3, b""), depth) if parts.get(1) else _integer(parts.get(2, 0), depth)


def _quantity(value: Any, depth: int) -> str:
    return _text(dict(wire_fields(value)).get(1, b""), depth) or "0"


def _raw(value: Any, _depth: int) -> Any:
    """JSON inside protobuf, or protobuf again."""
    data = dict(wire_fields(value)).get(1, b"")
    if not isinstance(data, bytes):
        raise Malformed("bytes were expected")
    if data.startswith(MAGIC):
        return decode(data)
    try:
        return msgspec.json.decode(data) if data else None
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from None


def _schema_or_bool(value: Any, depth: int) -> Any:
    parts = dict(wire_fields(value))
    return _message(_SCHEMA)(parts[2], depth) if 2 in parts else bool(parts.get(1))


def _schema_or(type_: str) -> Read:
    """A schema, or a list of something."""

    def read(value: Any, depth: int) -> Any:
        parts = wire_fields(value)
        for number, item in parts:
            if number == 1:
                return _message(_SCHEMA)(item, depth)
        return [_reader(type_)(item, depth) for number, item in parts if number == 2]

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
}
_SPECIAL: dict[str, Read] = {
    "meta/v1.Time": _time,
    "meta/v1.MicroTime": _micro_time,
    "intstr.IntOrString": _int_or_string,
    "resource.Quantity": _quantity,
    "meta/v1.FieldsV1": _raw,
    "runtime.RawExtension": _raw,
    "apiextensions/v1.JSON": _raw,
    "apiextensions/v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions/v1.JSONSchemaPropsOrArray": _schema_or(_SCHEMA),
    "apiextensions/v1.JSONSchemaPropsOrStringArray": _schema_or("string"),
}
