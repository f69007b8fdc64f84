"""A pod's quality of service, and what the kernel is told of it. Pure.

Sources: pkg/apis/core/v1/helper/qos/qos.go, pkg/kubelet/qos/policy.go, pkg/kubelet/cm/helpers_linux.go.
"""

from collections.abc import Mapping

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.runtime.protocol import Resources

_COMPUTE = ("cpu", "memory")
_PERIOD = 100_000  # microseconds
_PAGE = 4096
SYSTEM_CRITICAL = 2_000_000_000  # the priority from which a pod is critical
_LEAST_SHARES, _MOST_SHARES, _LEAST_QUOTA = 2, 262144, 1000


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort. What the pod as a whole asks for counts instead of its containers."""
    if pod.spec.resources is not None:
        sized = [pod.spec.resources]
    else:
        every = (*pod.spec.init_containers, *pod.spec.containers)
        sized = [c.resources or core_v1.ResourceRequirements() for c in every]
    named, guaranteed = False, True
    for each in sized:
        for resource in _COMPUTE:
            limit = _amount(each.limits.get(resource))
            request = _amount(each.requests.get(resource, each.limits.get(resource)))
            named = named or limit > 0 or request > 0
            guaranteed = guaranteed and limit > 0 and request == limit
    if not named:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _amount(text: str | None) -> int:
    return quantity.parse(text).milli() if text is not None else 0


def container_resources(
    pod: Pod, container: core_v1.Container, *, capacity: int, lowest: int = -1000, swap: int = 0
) -> Resources:
    """A container's share of the machine.

    `capacity` and `swap`: the node's memory and what of its swap pods may have, in bytes; `lowest`: the least score
    allowed.

    Who has no limit of its own may use as much as the pod as a whole.
    """
    whole = pod.spec.resources.limits if pod.spec.resources is not None else {}
    limits = {**whole, **(container.resources.limits if container.resources else {})}
    requests = container.resources.requests if container.resources else {}
    cpu = _amount(requests.get("cpu", limits.get("cpu")))
    return Resources(
        cpu_shares=shares(cpu),
        cpu_quota=quota(_amount(limits.get("cpu"))),
        cpu_period=_PERIOD,
        memory=quantity.parse(limits["memory"]).value() if "memory" in limits else 0,
        swap=swap_share(pod, container, capacity, swap),
        oom_score_adj=max(oom_score(pod, container, capacity), lowest),
    )


def swap_share(pod: Pod, container: core_v1.Container, capacity: int, swap: int) -> int:
    """The part of the node's swap that a container of a burstable pod has: as much of it as it asks of the memory."""
    given = container.resources or core_v1.ResourceRequirements()
    asked, limit = _bytes(given.requests), _bytes(given.limits)
    critical = (pod.spec.priority or 0) >= SYSTEM_CRITICAL or qos_class(pod) != "Burstable"
    if not swap or critical or asked in (0, limit) or asked > capacity:
        return 0
    return int(asked / capacity * swap)


def protection(container: core_v1.Container, *, allocatable: int, factor: float) -> dict[str, str]:
    """What cgroup v2 is told besides (MemoryQoS): what is never taken away, and from where on it is slowed down."""
    given = container.resources or core_v1.ResourceRequirements()
    asked, limit = _bytes(given.requests), _bytes(given.limits)
    found = {"memory.min": str(asked)} if asked else {}
    high = int((asked + ((limit or allocatable) - asked) * factor) // _PAGE) * _PAGE
    if asked != limit and high > asked:
        found["memory.high"] = str(high)
    return found


def _bytes(amounts: Mapping[str, str]) -> int:
    return quantity.parse(amounts["memory"]).value() if "memory" in amounts else 0


def shares(milli: int) -> int:
    """CPU shares for thousandths of a processor."""
    return min(max(milli * 1024 // 1000, _LEAST_SHARES), _MOST_SHARES)


def weight(shares: int) -> int:
    """What cgroup v2 has instead of shares."""
    return 1 + (shares - 2) * 9999 // 262142


def quota(milli: int) -> int:
    """Microseconds of a period for thousandths of a processor."""
    return max(milli * _PERIOD // 1000, _LEAST_QUOTA) if milli else 0


def oom_score(pod: Pod, container: core_v1.Container, capacity: int) -> int:
    """Whom the kernel kills first: the more a burstable container asked for, the safer it is.

    What the pod as a whole asked for beyond its containers is shared out among them; a sidecar is at least as safe as
    the container that needs it.
    """
    found = qos_class(pod)
    if found == "Guaranteed" or pod.spec.priority_class_name == "system-node-critical":
        return -997
    if found == "BestEffort":
        return 1000
    asked, spare = _memory(container), _unshared(pod)
    if container.restart_policy == "Always":
        asked = max(asked, min(_memory(c) for c in pod.spec.containers))
    score = 1000 - 1000 * (asked + spare) // max(capacity, 1)
    return min(max(score, 3), 999)


def _memory(container: core_v1.Container) -> int:
    resources = container.resources
    asked = resources.requests.get("memory", resources.limits.get("memory")) if resources is not None else None
    return quantity.parse(asked).value() if asked is not None else 0


def _unshared(pod: Pod) -> int:
    """Each container's part of the memory that the pod asked for beyond what its containers did."""
    whole = pod.spec.resources.requests.get("memory") if pod.spec.resources is not None else None
    if whole is None:
        return 0
    every = (*pod.spec.init_containers, *pod.spec.containers)
    sidecars = [c for c in pod.spec.init_containers if c.restart_policy == "Always"]
    asked = sum(_memory(c) for c in (*sidecars, *pod.spec.containers))
    return max(quantity.parse(whole).value() - asked, 0) // len(every)
