"""What a pod asks for and may use in all, as the scheduler, the quotas and the limits of a namespace count it.

Containers and sidecars together, or the greediest moment of the init containers where that is more; what is asked for
the pod as a whole (`spec.resources`) stands in place of the sum; then the overhead. Where a container was resized, the
larger of what it should have and what it still has counts.
Source: k8s.io/component-helpers/resource/helpers.go (PodRequests, PodLimits).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from apimachinery.quantity import Quantity, parse
from apimachinery.types import Json

Amounts = Mapping[str, Quantity]

_POD_LEVEL = ("cpu", "memory")
_POD_LEVEL_PREFIX = "hugepages-"


def amounts(values: Mapping[str, Any] | None) -> dict[str, Quantity]:
    """A resource list, read. Raises ValueError."""
    return {name: parse(value) for name, value in (values or {}).items()}


def total_requests(pod: Json, *, with_status: bool = True) -> dict[str, Quantity]:
    """What the pod asks for."""
    spec = pod.get("spec") or {}
    total = _aggregate(pod, "requests", with_status=with_status)
    total |= _of_the_pod(spec, "requests")
    return combined((total, amounts(spec.get("overhead"))), _sum)


def total_limits(pod: Json, *, with_status: bool = True) -> dict[str, Quantity]:
    """What the pod may use; the overhead adds to limits that there are."""
    spec = pod.get("spec") or {}
    total = _aggregate(pod, "limits", with_status=with_status)
    if has_pod_level(spec):
        total |= _of_the_pod(spec, "limits")
    return {name: amount + overhead for name, amount, overhead in _with_overhead(total, spec)}


def _with_overhead(total: Amounts, spec: Json) -> Iterable[tuple[str, Quantity, Quantity]]:
    overhead = amounts(spec.get("overhead"))
    for name, amount in total.items():
        yield name, amount, overhead.get(name, Quantity(0)) if amount else Quantity(0)


def of_all_containers(pod: Json, part: str) -> dict[str, Quantity]:
    """What the containers ask for (`requests`) or may use (`limits`) together, as the pod is written."""
    return _aggregate(pod, part, with_status=False)


def has_pod_level(spec: Json) -> bool:
    """Whether the pod says for itself, and not for its containers only, what it needs."""
    return bool(_of_the_pod(spec, "requests") or _of_the_pod(spec, "limits"))


def _of_the_pod(spec: Json, part: str) -> dict[str, Quantity]:
    given = amounts(((spec.get("resources") or {}).get(part)) or {})
    return {n: amount for n, amount in given.items() if n in _POD_LEVEL or n.startswith(_POD_LEVEL_PREFIX)}


def _aggregate(pod: Json, part: str, *, with_status: bool) -> dict[str, Quantity]:
    spec = pod.get("spec") or {}
    actual = _actual(pod) if with_status else {}
    infeasible = with_status and _is_infeasible(pod)

    def of(container: Json) -> dict[str, Quantity]:
        wanted = amounts((container.get("resources") or {}).get(part))
        status = actual.get(container.get("name", ""))
        if status is None:
            return wanted
        had = [amounts((status.get("resources") or {}).get(part))]
        if part == "requests":
            had.append(amounts(status.get("allocatedResources")))
        return combined(had if infeasible else (wanted, *had), max)

    running = [of(container) for container in spec.get("containers") or ()]
    sidecars: list[dict[str, Quantity]] = []
    peaks: list[dict[str, Quantity]] = []
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars.append(of(container))
        else:
            alone = amounts((container.get("resources") or {}).get(part))
            peaks.append(combined((*sidecars, alone), _sum))
    return combined((combined((*running, *sidecars), _sum), *peaks), max)


def _actual(pod: Json) -> dict[str, Json]:
    """The statuses that say what a container has, by its name."""
    status = pod.get("status") or {}
    every = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return {each.get("name", ""): each for each in every if each.get("resources") is not None}


def _is_infeasible(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    pending = (each.get("reason") for each in conditions if each.get("type") == "PodResizePending")
    return next(pending, "") == "Infeasible"


def combined(parts: Iterable[Amounts], join: Callable[[Quantity, Quantity], Quantity]) -> dict[str, Quantity]:
    """Several resource lists as one."""
    total: dict[str, Quantity] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = join(total[name], amount) if name in total else amount
    return total


def _sum(left: Quantity, right: Quantity) -> Quantity:
    return left + right
