"""Optional values: `optional.of(x)`, `a.?b.orValue(c)`. Source: cel-go/cel/library.go (OptionalTypes)."""

from typing import Any

from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import NONE, Optional, Timestamp, Uint


def _non_zero(value: Any) -> Optional:
    if isinstance(value, Timestamp):
        return Optional(value)
    zero = value is None or value in (False, 0, "", b"", [], {}) or (isinstance(value, Uint) and value == 0)
    return NONE if zero else Optional(value)


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _or(optional: Optional, other: Any) -> Any:
    return optional if optional.present else other


def _unwrap(items: list[Any]) -> list[Any]:
    for item in items:
        if not isinstance(item, Optional):
            raise EvaluationError(f"value {item} is not optional")
    return [item.value for item in items if item.present]


def _end(index: int) -> Any:
    return lambda items: Optional(items[index]) if items else NONE


LIBRARY: tuple[Overload, ...] = (
    overload("+optional.of(V) -> optional_type(V)", Optional),
    overload("+optional.ofNonZeroValue(V) -> optional_type(V)", _non_zero),
    overload("+optional.none() -> optional_type(V)", lambda: NONE),
    overload("optional_type(V).value() -> V", _value),
    overload("optional_type(V).hasValue() -> bool", lambda o: o.present),
    overload("optional_type(V).or(optional_type(V)) -> optional_type(V)", _or),
    overload("optional_type(V).orValue(V) -> V", lambda o, v: o.value if o.present else v),
    overload("+optional.unwrap(list(optional_type(V))) -> list(V)", _unwrap),
    overload("list(optional_type(V)).unwrapOpt() -> list(V)", _unwrap),
    overload("list(V).first() -> optional_type(V)", _end(0)),
    overload("list(V).last() -> optional_type(V)", _end(-1)),
    # Read by the checker only: the evaluator knows these operators itself.
    overload("+_[?_](list(V), int) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_[?_](optional_type(list(V)), int) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_[?_](map(K, V), K) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_[?_](optional_type(map(K, V)), K) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_[_](optional_type(list(V)), int) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_[_](optional_type(map(K, V)), K) -> optional_type(V)", NONE),  # type: ignore[arg-type]
    overload("+_?._(V, string) -> optional_type(V)", NONE),  # type: ignore[arg-type]
)
