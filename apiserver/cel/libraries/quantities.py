"""`quantity("1Gi")` and what it can do. Source: apiserver/pkg/cel/library/quantity.go."""

from dataclasses import dataclass
from typing import Any

from apimachinery import quantity
from apimachinery.quantity import DECIMAL_EXPONENT, from_int
from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.standard import traversal
from apiserver.cel.values import INT_MAX, INT_MIN, Opaque

_NANO = 10**9


@dataclass(frozen=True, slots=True)
class Quantity(Opaque):
    amount: quantity.Quantity
    type_name = "kubernetes.Quantity"


def _parse(text: str) -> Quantity:
    try:
        return Quantity(quantity.parse(text))
    except ValueError as wrong:
        raise EvaluationError(str(wrong)) from None


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _is_integer(value: Quantity) -> bool:
    return value.amount.nanos % _NANO == 0 and INT_MIN <= value.amount.nanos // _NANO <= INT_MAX


def _as_integer(value: Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.amount.nanos // _NANO


def _compare(one: Quantity, other: Quantity) -> int:
    a, b = one.amount.nanos, other.amount.nanos
    return (a > b) - (a < b)


def _sign(value: Quantity) -> int:
    return (value.amount.nanos > 0) - (value.amount.nanos < 0)


def _number(value: Any) -> quantity.Quantity:
    return value.amount if isinstance(value, Quantity) else from_int(value, DECIMAL_EXPONENT)


def _add(one: Quantity, other: Any) -> Quantity:
    return Quantity(one.amount + _number(other))


def _sub(one: Quantity, other: Any) -> Quantity:
    return Quantity(one.amount - _number(other))


_Q = "kubernetes.Quantity"
LIBRARY: tuple[Overload, ...] = (
    overload(f"+quantity(string) -> {_Q}", _parse, traversal),
    overload("+isQuantity(string) -> bool", _is_quantity, traversal),
    overload(f"+sign({_Q}) -> int", _sign),
    overload(f"{_Q}.isGreaterThan({_Q}) -> bool", lambda a, b: _compare(a, b) > 0),
    overload(f"{_Q}.isLessThan({_Q}) -> bool", lambda a, b: _compare(a, b) < 0),
    overload(f"{_Q}.compareTo({_Q}) -> int", _compare),
    overload(f"{_Q}.asApproximateFloat() -> double", lambda q: q.amount.nanos / _NANO),
    overload(f"{_Q}.asInteger() -> int", _as_integer),
    overload(f"{_Q}.isInteger() -> bool", _is_integer),
    overload(f"{_Q}.add({_Q}) -> {_Q}", _add),
    overload(f"{_Q}.add(int) -> {_Q}", _add),
    overload(f"{_Q}.sub({_Q}) -> {_Q}", _sub),
    overload(f"{_Q}.sub(int) -> {_Q}", _sub),
)
