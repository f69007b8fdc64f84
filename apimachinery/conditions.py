"""Status conditions: lists of {type, status, reason, message, lastTransitionTime}, at most one of each type.

Pure: every function returns a new list or a value. The moment of the last transition changes only with the status.
Source: apimachinery/pkg/api/meta/conditions.go.
"""

from collections.abc import Sequence

from apimachinery.types import Json


def find(conditions: Sequence[Json], type: str) -> Json | None:
    """The condition of a type, None when it was never reported."""
    return next((condition for condition in conditions if condition.get("type") == type), None)


def status_of(conditions: Sequence[Json], type: str) -> str:
    """`True`, `False` or `Unknown`; a condition that is not there is unknown."""
    condition = find(conditions, type)
    return str(condition.get("status", "Unknown")) if condition else "Unknown"


def is_true(tree: Json, type: str) -> bool:
    """Whether an object's status says so."""
    return status_of((tree.get("status") or {}).get("conditions") or (), type) == "True"


def with_condition(conditions: Sequence[Json], new: Json, now: str) -> list[Json]:
    """The list with one condition set, in its old place. `now` is the time to note when the status changed."""
    old = find(conditions, new["type"])
    if old is None:
        return [*conditions, {"lastTransitionTime": now, **new}]
    same = old.get("status") == new.get("status")
    moment = old.get("lastTransitionTime", now) if same else new.get("lastTransitionTime", now)
    changed = {**old, **new, "lastTransitionTime": moment}
    return [changed if condition is old else condition for condition in conditions]


def without_condition(conditions: Sequence[Json], type: str) -> list[Json]:
    """The conditions but for those of a type."""
    return [condition for condition in conditions if condition.get("type") != type]
