"""The quality-of-service class of a pod: a pure function of its requests and limits.

Source: pkg/apis/core/v1/helper/qos/qos.go. Only cpu and memory count, and zero counts as absent.
"""

from collections.abc import Iterable

from apimachinery import quantity
from apimachinery.types import Json

_COUNTED = ("cpu", "memory")


def qos_class(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort."""
    if spec.get("resources") is not None:  # even if that says nothing
        parts: Iterable[Json] = (spec,)
    else:
        parts = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    requests = [_set(p.get("resources"), "requests") for p in parts]
    limits = [_set(p.get("resources"), "limits") for p in parts]
    if not any(requests) and not any(limits):
        return "BestEffort"
    complete = all(set(limit) == set(_COUNTED) for limit in limits)
    return "Guaranteed" if complete and _sum(requests) == _sum(limits) else "Burstable"


def _set(resources: Json | None, name: str) -> dict[str, int]:
    values = ((resources or {}).get(name)) or {}
    amounts = {n: quantity.parse(values[n]).nanos for n in _COUNTED if n in values}
    return {n: amount for n, amount in amounts.items() if amount > 0}


def _sum(parts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total
