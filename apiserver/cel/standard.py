"""CEL's own functions and operators: arithmetic, comparison, conversion, strings, times.

Source: cel-go/common/stdlib/standard.go, with cross-type numeric comparisons as Kubernetes has them since 1.28.
"""

import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apimachinery.errors import go_number
from apiserver.cel import values
from apiserver.cel.environment import Cost, Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.patterns import search
from apiserver.cel.values import (
    INT_MAX,
    INT_MIN,
    SECOND,
    Duration,
    KeyedList,
    SetList,
    Timestamp,
    TypeValue,
    Uint,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
    contains,
    merge_key,
    type_name,
)


def tenth(size: int) -> int:
    return -(-size // 10)


def traversal(args: Sequence[Any], _result: Any) -> int:
    return tenth(len(args[0]))


def _both(args: Sequence[Any], _result: Any) -> int:
    return tenth(len(args[0]) + len(args[1]))


def _shorter(args: Sequence[Any], _result: Any) -> int:
    return tenth(min(len(args[0]), len(args[1])))


def regex_cost(args: Sequence[Any], _result: Any) -> int:
    return tenth(1 + len(args[0])) * -(-len(args[1]) // 4)


def _contains_cost(args: Sequence[Any], _result: Any) -> int:
    return tenth(len(args[0])) * tenth(len(args[1]))


def _add_lists(one: list[Any], other: list[Any]) -> list[Any]:
    """Lists join; sets unite; keyed lists merge by their keys (apiserver/pkg/cel/common/valuesunstructured.go)."""
    if isinstance(one, SetList):
        return SetList([*one, *(v for v in other if not contains(one, v))])
    if isinstance(one, KeyedList):
        merged = {merge_key(item, one.keys): item for item in one}
        merged.update({merge_key(item, one.keys): item for item in other})
        result = KeyedList(merged.values())
        result.keys = one.keys
        return result
    return one + other


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("division by zero")
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("modulus by zero")
    return a - b * _quotient(a, b)


def _divide(a: float, b: float) -> float:
    if b == 0:
        return float("nan") if a == 0 or math.isnan(a) else float("inf") * (1 if (a > 0) == (str(b)[0] != "-") else -1)
    return a / b


def _product(a: float, b: float) -> float:
    return a * b


_ARITHMETIC = (
    overload("+_+_(int, int) -> int", lambda a, b: checked_int(a + b)),
    overload("+_+_(uint, uint) -> uint", lambda a, b: checked_uint(int(a) + int(b))),
    overload("+_+_(double, double) -> double", operator.add),
    overload("+_+_(string, string) -> string", operator.add, _both),
    overload("+_+_(bytes, bytes) -> bytes", operator.add, _both),
    overload("+_+_(list(A), list(A)) -> list(A)", _add_lists),
    overload("+_+_(timestamp, duration) -> timestamp", lambda t, d: checked_timestamp(t.nanoseconds + d.nanoseconds)),
    overload("+_+_(duration, timestamp) -> timestamp", lambda d, t: checked_timestamp(t.nanoseconds + d.nanoseconds)),
    overload("+_+_(duration, duration) -> duration", lambda a, b: checked_duration(a.nanoseconds + b.nanoseconds)),
    overload("+_-_(int, int) -> int", lambda a, b: checked_int(a - b)),
    overload("+_-_(uint, uint) -> uint", lambda a, b: checked_uint(int(a) - int(b))),
    overload("+_-_(double, double) -> double", operator.sub),
    overload("+_-_(timestamp, timestamp) -> duration", lambda a, b: checked_duration(a.nanoseconds - b.nanoseconds)),
    overload("+_-_(timestamp, duration) -> timestamp", lambda t, d: checked_timestamp(t.nanoseconds - d.nanoseconds)),
    overload("+_-_(duration, duration) -> duration", lambda a, b: checked_duration(a.nanoseconds - b.nanoseconds)),
    overload("+_*_(int, int) -> int", lambda a, b: checked_int(a * b)),
    overload("+_*_(uint, uint) -> uint", lambda a, b: checked_uint(int(a) * int(b))),
    overload("+_*_(double, double) -> double", _product),
    overload("+_/_(int, int) -> int", lambda a, b: checked_int(_quotient(a, b))),
    overload("+_/_(uint, uint) -> uint", lambda a, b: checked_uint(_quotient(int(a), int(b)))),
    overload("+_/_(double, double) -> double", _divide),
    overload("+_%_(int, int) -> int", _remainder),
    overload("+_%_(uint, uint) -> uint", lambda a, b: checked_uint(_remainder(int(a), int(b)))),
    overload("+-_(int) -> int", lambda a: checked_int(-a)),
    overload("+-_(double) -> double", operator.neg),
    overload("+!_(bool) -> bool", operator.not_),
)

_LOGIC = (
    overload("+_&&_(bool, bool) -> bool", operator.and_),
    overload("+_||_(bool, bool) -> bool", operator.or_),
    overload("+_?_:_(bool, A, A) -> A", lambda c, a, b: a if c else b),
    overload("+@not_strictly_false(bool) -> bool", lambda a: a),
    overload("+_==_(A, A) -> bool", values.equal),
    overload("+_!=_(A, A) -> bool", lambda a, b: not values.equal(a, b)),
    overload("+@in(A, list(A)) -> bool", lambda a, b: contains(b, a)),
    overload("+@in(A, map(A, B)) -> bool", lambda a, b: a in b),
    overload("+_[_](list(A), int) -> A", operator.getitem),
    overload("+_[_](map(A, B), A) -> B", operator.getitem),
)

_ORDERED = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_NUMBERS = ("int", "uint", "double")


def _comparisons(symbol: str, compare: Callable[[Any, Any], bool]) -> list[Overload]:
    found: list[Overload] = []
    for name in _ORDERED:
        cost: tuple[Cost, ...] = (_shorter,) if name in ("string", "bytes") else ()
        found.append(overload(f"+_{symbol}_({name}, {name}) -> bool", compare, *cost))
        if name in _NUMBERS:
            others = (n for n in _NUMBERS if n != name)
            found += [overload(f"+_{symbol}_({name}, {n}) -> bool", compare) for n in others]
    return found


_COMPARISONS = (
    *_comparisons("<", operator.lt),
    *_comparisons("<=", operator.le),
    *_comparisons(">", operator.gt),
    *_comparisons(">=", operator.ge),
)


def _int_of_double(value: float) -> int:
    if math.isnan(value) or not -(2.0**63) < value < 2.0**63:
        raise EvaluationError("integer overflow")
    return int(value)


def _uint_of_double(value: float) -> Uint:
    if math.isnan(value) or not 0 <= value < 2.0**64:
        raise EvaluationError("unsigned integer overflow")
    return Uint(int(value))


def _unconvertible(name: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from 'string' to '{name}'")


def _number(text: str, kind: str, low: int, high: int) -> int:
    digits = text[1:] if text[:1] in ("+", "-") and kind == "int" else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 30):
        raise _unconvertible(kind)
    value = int(text)
    if not low <= value <= high:
        raise _unconvertible(kind)
    return value


def _double(text: str) -> float:
    if "_" in text or text != text.strip():
        raise _unconvertible("double")
    try:
        return float(text)
    except ValueError:
        raise _unconvertible("double") from None


def show_double(value: float) -> str:
    """Go's %g with the shortest digits: no `.0`, exponents of two digits."""
    if math.isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return go_number(value)


_BOOLS = {"true": True, "True": True, "TRUE": True, "t": True, "1": True} | {
    "false": False, "False": False, "FALSE": False, "f": False, "0": False,
}  # fmt: skip


def _bool(text: str) -> bool:
    if text not in _BOOLS:
        raise _unconvertible("bool")
    return _BOOLS[text]


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _timestamp(text: str) -> Timestamp:
    found = values.parse_timestamp(text)
    if found is None:
        raise _unconvertible("google.protobuf.Timestamp")
    return checked_timestamp(found.nanoseconds)


def _duration(text: str) -> Duration:
    found = values.parse_duration(text)
    if found is None:
        raise _unconvertible("google.protobuf.Duration")
    return found


def _same(value: Any) -> Any:
    return value


_CONVERSIONS = (
    overload("+int(int) -> int", _same),
    overload("+int(uint) -> int", lambda v: checked_int(int(v))),
    overload("+int(double) -> int", _int_of_double),
    overload("+int(string) -> int", lambda v: _number(v, "int", INT_MIN, INT_MAX)),
    overload("+int(timestamp) -> int", lambda v: v.nanoseconds // SECOND),
    overload("+int(duration) -> int", lambda v: v.nanoseconds),
    overload("+uint(uint) -> uint", _same),
    overload("+uint(int) -> uint", checked_uint),
    overload("+uint(double) -> uint", _uint_of_double),
    overload("+uint(string) -> uint", lambda v: Uint(_number(v, "uint", 0, 2**64 - 1))),
    overload("+double(double) -> double", _same),
    overload("+double(int) -> double", float),
    overload("+double(uint) -> double", float),
    overload("+double(string) -> double", _double),
    overload("+bool(bool) -> bool", _same),
    overload("+bool(string) -> bool", _bool),
    overload("+bytes(bytes) -> bytes", _same),
    overload("+bytes(string) -> bytes", str.encode, traversal),
    overload("+string(string) -> string", _same),
    overload("+string(bool) -> string", lambda v: "true" if v else "false"),
    overload("+string(int) -> string", str),
    overload("+string(uint) -> string", str),
    overload("+string(double) -> string", show_double),
    overload("+string(bytes) -> string", _text_of_bytes, traversal),
    overload("+string(timestamp) -> string", values.show_timestamp),
    overload("+string(duration) -> string", values.show_duration),
    overload("+timestamp(timestamp) -> timestamp", _same),
    overload("+timestamp(string) -> timestamp", _timestamp),
    overload("+timestamp(int) -> timestamp", lambda v: checked_timestamp(v * SECOND)),
    overload("+duration(duration) -> duration", _same),
    overload("+duration(string) -> duration", _duration),
    overload("+duration(int) -> duration", Duration),
    overload("+dyn(A) -> dyn", _same),
    overload("+type(A) -> type(A)", lambda v: TypeValue(type_name(v))),
)

_SIZES = (
    overload("+size(string) -> int", len),
    overload("string.size() -> int", len),
    overload("+size(bytes) -> int", len),
    overload("bytes.size() -> int", len),
    overload("+size(list(A)) -> int", len),
    overload("list(A).size() -> int", len),
    overload("+size(map(A, B)) -> int", len),
    overload("map(A, B).size() -> int", len),
)

_STRINGS = (
    overload("string.contains(string) -> bool", operator.contains, _contains_cost),
    overload("string.endsWith(string) -> bool", str.endswith, traversal),
    overload("string.startsWith(string) -> bool", str.startswith, traversal),
    overload("string.matches(string) -> bool", search, regex_cost),
    overload("+matches(string, string) -> bool", search, regex_cost),
)


def _zone(name: str) -> tzinfo:
    if name[:1] in ("+", "-") or (name[:2].isdigit() and name[2:3] == ":"):
        sign = -1 if name[0] == "-" else 1
        hours, _, minutes = name.lstrip("+-").partition(":")
        if hours.isdigit() and minutes.isdigit():
            return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _part(name: str, read: Callable[[Any], int]) -> list[Overload]:
    def utc(value: Timestamp) -> int:
        return read(value.moment())

    def local(value: Timestamp, zone: str) -> int:
        return read(value.moment().astimezone(_zone(zone)))

    return [
        overload(f"timestamp.{name}() -> int", utc),
        overload(f"timestamp.{name}(string) -> int", local),
    ]


def _duration_part(name: str, unit: int) -> Overload:
    def whole(value: Duration) -> int:
        return _quotient(value.nanoseconds, unit)

    return overload(f"duration.{name}() -> int", whole)


_TIMES = (
    *_part("getFullYear", lambda t: int(t.year)),
    *_part("getMonth", lambda t: int(t.month) - 1),
    *_part("getDayOfYear", lambda t: int(t.timetuple().tm_yday) - 1),
    *_part("getDayOfMonth", lambda t: int(t.day) - 1),
    *_part("getDate", lambda t: int(t.day)),
    *_part("getDayOfWeek", lambda t: int(t.isoweekday()) % 7),
    *_part("getHours", lambda t: int(t.hour)),
    *_part("getMinutes", lambda t: int(t.minute)),
    *_part("getSeconds", lambda t: int(t.second)),
    *_part("getMilliseconds", lambda t: int(t.microsecond) // 1000),
    _duration_part("getHours", 3600 * SECOND),
    _duration_part("getMinutes", 60 * SECOND),
    _duration_part("getSeconds", SECOND),
    overload("duration.getMilliseconds() -> int", lambda d: _quotient(d.nanoseconds, 1_000_000)),
)

LIBRARY: tuple[Overload, ...] = (
    *_LOGIC,
    *_ARITHMETIC,
    *_COMPARISONS,
    *_CONVERSIONS,
    *_SIZES,
    *_STRINGS,
    *_TIMES,
)
