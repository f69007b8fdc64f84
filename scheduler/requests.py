"""What a pod asks of a node: the effective requests of its containers, in base units.

cpu in millicores, everything else in its unit (bytes, pieces). Source: component-helpers/resource/helpers.go
(PodRequests): the sum of containers and sidecars, or the most that any init container needs beside the sidecars started
before it, whichever is more; pod-level requests take their place; overhead comes on top.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from apimachinery import quantity
from scheduler.views import RESIZE, Container, ContainerStatus, Pod

CPU, MEMORY, PODS = "cpu", "memory", "pods"
#: What an unspecified request counts when nodes are compared (util/pod_resources.go).
DEFAULT_CPU, DEFAULT_MEMORY = 100, 200 * 1024**2

Amounts = Mapping[str, int]
_DEFAULTS: Amounts = {CPU: DEFAULT_CPU, MEMORY: DEFAULT_MEMORY}


@lru_cache(maxsize=4096)
def amount(resource: str, text: str) -> int:
    """A quantity in the base unit of its resource, rounded up."""
    parsed = quantity.parse(text)
    return parsed.milli() if resource == CPU else parsed.value()


def amounts(quantities: Mapping[str, str]) -> dict[str, int]:
    """Quantities of several resources in base units."""
    return {resource: amount(resource, str(text)) for resource, text in quantities.items()}


def requests(pod: Pod) -> Amounts:
    """What the pod takes away from its node; `pods` is always 1."""
    return _total(pod, {}) | {PODS: 1}


def for_scores(pod: Pod) -> tuple[int, int]:
    """Cpu and memory with a default for every container that says nothing, so that empty pods spread too."""
    total = _total(pod, _DEFAULTS)
    return total.get(CPU, 0), total.get(MEMORY, 0)


def _total(pod: Pod, missing: Amounts) -> dict[str, int]:
    total = _sum(_requested(pod, container, missing) for container in pod.spec.containers)
    if pod.spec.init_containers:
        total = _with_init(total, pod, missing)
    if pod.spec.resources:
        total |= amounts(pod.spec.resources.requests)
    return _sum((total, amounts(pod.spec.overhead))) if pod.spec.overhead else total


def _with_init(total: Mapping[str, int], pod: Pod, missing: Amounts) -> dict[str, int]:
    sidecars: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in pod.spec.init_containers:
        wanted = _requested(pod, container, missing)
        if container.restart_policy == "Always":
            sidecars = _sum((sidecars, wanted))
            most = _most(most, sidecars)
        else:
            most = _most(most, _sum((sidecars, wanted)))
    return _most(_sum((total, sidecars)), most)


def _requested(pod: Pod, container: Container, missing: Amounts) -> Amounts:
    wanted = amounts(container.resources.requests) if container.resources else {}
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        if status.name == container.name and status.resources is not None:
            wanted = _resized(pod, wanted, status)
    return {**missing, **wanted}


def _resized(pod: Pod, wanted: Amounts, status: ContainerStatus) -> dict[str, int]:
    """While a container is resized the larger of what it should have and what it still has counts."""
    held = status.resources.requests if status.resources else {}
    has = _most(amounts(held), amounts(status.allocated_resources))
    pending = pod.condition(RESIZE)
    return has if pending is not None and pending.reason == "Infeasible" else _most(wanted, has)


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for resource, value in part.items():
            total[resource] = total.get(resource, 0) + value
    return total


def _most(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {resource: max(left.get(resource, 0), right.get(resource, 0)) for resource in {*left, *right}}
