"""CEL's values in Python, and what is equal to what.

null, bool, int, double, string and bytes are Python's; lists and maps are `list` and `dict`, objects are `dict` too
(the tree of an object is its value). What Python lacks has a class here. Numbers of different types are equal by
value, but no bool is a number. Times are nanoseconds, as Go has them.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apimachinery import durations
from apiserver.cel.errors import EvaluationError

SECOND = 1_000_000_000
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
#: 0001-01-01 and 9999-12-31, in seconds since 1970: what a timestamp may be.
_FIRST_SECOND, _LAST_SECOND = -62135596800, 253402300799


class Uint(int):
    """An unsigned 64-bit integer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    nanoseconds: int  #: since 1970, UTC

    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What `type(x)` gives: types as values have no parameters."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    value: Any = None
    present: bool = True


NONE = Optional(None, present=False)


class SetList(list[Any]):
    """A list with x-kubernetes-list-type: set. Equal to any order of its elements."""


class KeyedList(list[Any]):
    """A list with x-kubernetes-list-type: map; `keys` are the merge keys."""

    keys: tuple[str, ...] = ()


class ObjectValue(dict[str, Any]):
    """What `Object.spec{...}` makes: its fields, and the name it was made under."""

    type_name = ""


class Opaque:
    """A value of a library's own type. Subclasses say their type's name and are compared by `==`."""

    __slots__ = ()
    type_name = ""


_NAMES: dict[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    SetList: "list",
    KeyedList: "list",
    dict: "map",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
}


def type_name(value: Any) -> str:
    found = _NAMES.get(type(value))
    if found is not None:
        return found
    return value.type_name if isinstance(value, Opaque | ObjectValue) else "map"


def checked_int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return value


def checked_uint(value: int) -> Uint:
    if not 0 <= value < 2**64:
        raise EvaluationError("unsigned integer overflow")
    return Uint(value)


def checked_timestamp(nanoseconds: int) -> Timestamp:
    if not _FIRST_SECOND <= nanoseconds // SECOND <= _LAST_SECOND:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanoseconds)


def checked_duration(nanoseconds: int) -> Duration:
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("integer overflow")
    return Duration(nanoseconds)


_PLAIN = (str, bytes, Timestamp, Duration, TypeValue)


def equal(one: Any, other: Any) -> bool:
    """CEL's equality over all types: never an error."""
    kind = type(one)
    if kind in _PLAIN:
        return bool(kind is type(other) and one == other)
    if isinstance(one, dict):
        return isinstance(other, dict) and _equal_maps(one, other)
    if isinstance(one, list):
        return isinstance(other, list) and _equal_lists(one, other)
    if (kind is bool) != (type(other) is bool):
        return False
    if kind is Optional:
        return (
            type(other) is Optional
            and one.present == other.present
            and (not one.present or equal(one.value, other.value))
        )
    return bool(one == other)


def _equal_maps(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    if type_name(one) != type_name(other):
        return False
    return len(one) == len(other) and all(key in other and equal(value, other[key]) for key, value in one.items())


def _equal_lists(one: list[Any], other: list[Any]) -> bool:
    if len(one) != len(other):
        return False
    if isinstance(one, SetList) or isinstance(other, SetList):
        return all(contains(other, value) for value in one)
    keyed = one if isinstance(one, KeyedList) else other
    if isinstance(keyed, KeyedList):
        rows = {merge_key(item, keyed.keys): item for item in other}
        return all((key := merge_key(item, keyed.keys)) in rows and equal(item, rows[key]) for item in one)
    return all(map(equal, one, other))


def merge_key(item: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(repr(item.get(key)) if isinstance(item, dict) else repr(item) for key in keys)


def contains(items: list[Any], value: Any) -> bool:
    if type(value) is str:
        return value in items  # nothing but a string is equal to a string
    return any(equal(item, value) for item in items)


def parse_duration(text: str) -> Duration | None:
    """Go's time.ParseDuration; None for what is none."""
    try:
        return Duration(durations.parse(text))
    except durations.BadDuration:
        return None


def show_duration(value: Duration) -> str:
    """Seconds with a fraction and an s, as CEL prints a duration."""
    whole, part = divmod(abs(value.nanoseconds), SECOND)
    sign = "-" if value.nanoseconds < 0 else ""
    return f"{sign}{whole}{f'.{part:09}'.rstrip('0') if part else ''}s"


_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:[.,](\d+))?([Zz]|[+-]\d{2}:\d{2})")


def parse_timestamp(text: str) -> Timestamp | None:
    """RFC 3339 with up to nine digits of a second; None for what is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(match[1].upper() + match[3].upper())
    except ValueError:
        return None
    fraction = (match[2] or "0")[:9].ljust(9, "0")
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return Timestamp(seconds * SECOND + int(fraction))


def show_timestamp(value: Timestamp) -> str:
    whole, part = divmod(value.nanoseconds, SECOND)
    moment = _EPOCH + timedelta(seconds=whole)
    fraction = f".{part:09}".rstrip("0") if part else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + fraction + "Z"
