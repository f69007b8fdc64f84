"""`isSorted`, `sum`, `min`, `max`, `indexOf` on lists, and set operations.

Source: apiserver/pkg/cel/library/lists.go, cel-go/ext/sets.go.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import Duration, Uint, checked_duration, checked_int, checked_uint, contains, equal

_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _traversal(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value) // 10
    if isinstance(value, list):
        return sum(map(_traversal, value))
    if isinstance(value, dict):
        return sum(_traversal(k) + _traversal(v) for k, v in value.items())
    return 1


def _cost(args: Sequence[Any], _result: Any) -> int:
    return _traversal(args[0])


def _is_sorted(items: list[Any]) -> bool:
    return all(not b < a for a, b in pairwise(items))


def _extreme(name: str, pick: Callable[[Any], Any]) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return pick(items)

    return run


def _sum_durations(items: list[Duration]) -> Duration:
    return checked_duration(sum(d.nanoseconds for d in items))


_SUMS: dict[str, Callable[[list[Any]], Any]] = {
    "int": lambda items: checked_int(sum(items)),
    "uint": lambda items: checked_uint(sum(map(int, items))) if items else Uint(0),
    "double": lambda items: float(sum(items)),
    "duration": _sum_durations,
}


def _index_of(items: list[Any], value: Any) -> int:
    return next((i for i, item in enumerate(items) if equal(item, value)), -1)


def _last_index_of(items: list[Any], value: Any) -> int:
    return next((i for i in range(len(items) - 1, -1, -1) if equal(items[i], value)), -1)


def _contains_all(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(items, value) for value in wanted)


def _sets_cost(factor: int) -> Callable[[Sequence[Any], Any], int]:
    """cel-go/ext/sets.go: the product of the sizes (twice for equivalence)."""
    return lambda args, _result: 1 + factor * len(args[0]) * len(args[1])


LIBRARY: tuple[Overload, ...] = (
    *(overload(f"list({t}).isSorted() -> bool", _is_sorted, _cost) for t in _COMPARABLE),
    *(overload(f"list({t}).sum() -> {t}", run, _cost) for t, run in _SUMS.items()),
    *(overload(f"list({t}).max() -> {t}", _extreme("max", max), _cost) for t in _COMPARABLE),
    *(overload(f"list({t}).min() -> {t}", _extreme("min", min), _cost) for t in _COMPARABLE),
    overload("list(A).indexOf(A) -> int", _index_of, _cost),
    overload("list(A).lastIndexOf(A) -> int", _last_index_of, _cost),
    overload("+sets.contains(list(T), list(T)) -> bool", _contains_all, _sets_cost(1)),
    overload(
        "+sets.equivalent(list(T), list(T)) -> bool",
        lambda a, b: _contains_all(a, b) and _contains_all(b, a),
        _sets_cost(2),
    ),
    overload(
        "+sets.intersects(list(T), list(T)) -> bool",
        lambda a, b: any(contains(b, value) for value in a),
        _sets_cost(1),
    ),
)
