"""Plain trees to protobuf, byte for byte as upstream's generated code writes them.

Fields stand in the order of their numbers. A pointer is written when it is there; all the rest that is no list or map
is written always, also when it is empty. Maps are sorted by key. For each message a writer is put together once from
the table; what it writes for an absent field is known beforehand, so that such a field costs one look-up.
Source: the generated.pb.go files of k8s.io/api, the hand-written messages of apimachinery.
"""

import base64
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec

from apimachinery import times
from apimachinery.types import Json
from apiserver.protobuf.table import INLINE, fields, message_of
from apiserver.protobuf.wire import around, delimited, envelope, tag, varint

Write = Callable[[Any], bytes]

_VARINT, _DOUBLE, _DELIMITED = 0, 1, 2


class Unwritable(ValueError):
    """A tree that does not have the shape of its kind."""


def encode(tree: Json) -> bytes:
    """An object in its envelope. Raises Unwritable."""
    return envelope(tree["apiVersion"], tree["kind"], raw(tree))


def raw(tree: Json) -> bytes:
    """The message of an object alone, as it stands in a list. Raises Unwritable."""
    name = message_of(tree["apiVersion"], tree["kind"])
    if not name:
        raise Unwritable(f'no kind "{tree["kind"]}" is registered for version "{tree["apiVersion"]}"')
    try:
        return _message(name)(tree)
    except (AttributeError, KeyError, TypeError, ValueError, struct.error, RecursionError) as error:
        raise Unwritable(f"{tree['kind']} cannot be encoded as protobuf: {error}") from error


def list_body(api_version: str, kind: str, metadata: Json, items: Sequence[bytes]) -> list[bytes]:
    """A list in its envelope, in parts to be joined. `items` are messages, as `raw` makes them."""
    meta, item = 1, b"\x12"
    if (api_version, kind) == _REVERSED:
        meta, item = 2, b"\x0a"
    head = delimited(meta, _message("meta/v1.ListMeta")(metadata))
    parts = [head] if meta == 1 else []
    for data in items:
        parts += (item, varint(len(data)), data)
    if meta != 1:
        parts.append(head)
    before, after = around(api_version, kind, sum(map(len, parts)))
    return [before, *parts, after]


#: The only list whose items stand first.
_REVERSED = ("meta.k8s.io/v1beta1", "PartialObjectMetadataList")


@cache
def _message(name: str) -> Write:
    """The writer of a message."""
    rows: list[tuple[str, Write, bytes]] = []

    def write(tree: Json) -> bytes:
        if not rows:  # not before, since a message may contain itself
            rows.extend(_rows(name))
        parts = []
        for field, put, absent in rows:
            value = tree if field is INLINE else tree.get(field)
            if value is not None:
                parts.append(put(value))
            elif absent:
                parts.append(absent)
        return b"".join(parts)

    return _SPECIAL.get(name, write)


def _rows(message: str) -> list[tuple[str, Write, bytes]]:
    """For each field, by number: its name, what writes it, and what is written when it is not there."""
    rows = []
    for field in sorted(fields(message), key=lambda field: field.number):
        put = _field(field.number, field.type)
        absent = b"" if field.optional or _is_many(field.type) else put(_zero(field.type))
        rows.append((INLINE if field.name == INLINE else field.name, put, absent))
    return rows


def _is_many(type_: str) -> bool:
    """Whether nothing is written for a value that was never set."""
    return type_ == "bytes" or type_.startswith(("[]", "map<", "items<"))


def _zero(type_: str) -> Any:
    """The JSON of a value that was never set."""
    if type_ in _ZEROS:
        return _ZEROS[type_]
    return [] if type_.startswith("items<") else {}


def _field(number: int, type_: str) -> Write:
    """What writes a field with its tag."""
    if type_.startswith("[]"):
        return _list(_field(number, type_[2:]), _zero(type_[2:]))
    if type_.startswith("map<"):
        key_type, _, value_type = type_[4:-1].partition(",")
        return _map(tag(number, _DELIMITED), _field(1, key_type), _field(2, value_type), _zero(value_type))
    wire_type = _WIRE_TYPES.get(type_, _DELIMITED)
    head, write = tag(number, wire_type), _writer(type_)
    if wire_type != _DELIMITED:
        return lambda value: head + write(value)

    def put(value: Any) -> bytes:
        data = write(value)
        return b"%b%b%b" % (head, varint(len(data)), data)

    return put


def _list(put: Write, zero: Any) -> Write:
    return lambda items: b"".join([put(zero if item is None else item) for item in items])


def _map(head: bytes, put_key: Write, put_value: Write, zero: Any) -> Write:
    def put(pairs: dict[str, Any]) -> bytes:
        parts: list[bytes] = []
        for key in sorted(pairs):
            value = pairs[key]
            pair = put_key(key) + put_value(zero if value is None else value)
            parts += (head, varint(len(pair)), pair)
        return b"".join(parts)

    return put


def _writer(type_: str) -> Write:
    if type_.startswith("items<"):
        return _list(_field(1, type_[6:-1]), _zero(type_[6:-1]))
    return _SCALARS.get(type_) or _message(type_)


def _double(value: float) -> bytes:
    return struct.pack("<d", value)


def _time(value: str | None) -> bytes:
    """Seconds and nanoseconds, of which a Time has none."""
    if value is None:
        return b""
    return b"\x08" + varint(int(times.parse(value) // 1)) + b"\x10\0"


def _micro_time(value: str | None) -> bytes:
    if value is None:
        return b""
    whole, _, fraction = times.normal_micro(value)[:-1].partition(".")
    return b"\x08" + varint(int(times.parse(whole + "Z"))) + b"\x10" + varint(int(fraction) * 1000)


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\1\x10\0" + delimited(3, value.encode())
    return b"\x08\0\x10" + varint(value) + b"\x1a\0"


def _quantity(value: str | float) -> bytes:
    return delimited(1, str(value).encode())


def _json(value: Any) -> bytes:
    """JSON inside protobuf."""
    return b"" if value is None else delimited(1, msgspec.json.encode(value))


def _schema_or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x08" + varint(value)
    return b"\x08\1" + delimited(2, _message(_SCHEMA)(value))


def _schema_or(type_: str) -> Write:
    """A schema, or a list of something."""

    def write(value: Any) -> bytes:
        if isinstance(value, list):
            return _field(2, f"[]{type_}")(value)
        return delimited(1, _message(_SCHEMA)(value))

    return write


_SCHEMA = "apiextensions/v1.JSONSchemaProps"
_WIRE_TYPES = {"bool": _VARINT, "int32": _VARINT, "int64": _VARINT, "float64": _DOUBLE}
_ZEROS: dict[str, Any] = {
    "string": "",
    "bytes": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "float64": 0.0,
    "meta/v1.Time": None,
    "meta/v1.MicroTime": None,
    "intstr.IntOrString": 0,
    "resource.Quantity": "0",
    "meta/v1.FieldsV1": None,
    "runtime.RawExtension": None,
    "apiextensions/v1.JSON": None,
}
_SCALARS: dict[str, Write] = {
    "string": str.encode,
    "bytes": base64.b64decode,
    "bool": varint,
    "int32": varint,
    "int64": varint,
    "float64": _double,
}
_SPECIAL: dict[str, Write] = {
    "meta/v1.Time": _time,
    "meta/v1.MicroTime": _micro_time,
    "intstr.IntOrString": _int_or_string,
    "resource.Quantity": _quantity,
    "meta/v1.FieldsV1": _json,
    "runtime.RawExtension": _json,
    "apiextensions/v1.JSON": _json,
    "apiextensions/v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions/v1.JSONSchemaPropsOrArray": _schema_or(_SCHEMA),
    "apiextensions/v1.JSONSchemaPropsOrStringArray": _schema_or("string"),
}
