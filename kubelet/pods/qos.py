"""A pod's quality of service, and what the kernel is told of it. Pure.

Sources: pkg/apis/core/v1/helper/qos/qos.go, pkg/kubelet/qos/policy.go, pkg/kubelet/cm/helpers_linux.go.
"""

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.runtime.protocol import Resources

_COMPUTE = ("cpu", "memory")
_PERIOD = 100_000  # microseconds
_LEAST_SHARES, _LEAST_QUOTA = 2, 1000


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort."""
    named, guaranteed = False, True
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        limits = container.resources.limits if container.resources else {}
        requests = container.resources.requests if container.resources else {}
        for resource in _COMPUTE:
            limit = _amount(limits.get(resource))
            request = _amount(requests.get(resource, limits.get(resource)))
            named = named or limit > 0 or request > 0
            guaranteed = guaranteed and limit > 0 and request == limit
    if not named:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _amount(text: str | None) -> int:
    return quantity.parse(text).milli() if text is not None else 0


def container_resources(pod: Pod, container: core_v1.Container, *, capacity: int, lowest: int = -1000) -> Resources:
    """A container's share of the machine. `capacity`: the node's memory in bytes; `lowest`: the least score allowed."""
    limits = container.resources.limits if container.resources else {}
    requests = container.resources.requests if container.resources else {}
    cpu = _amount(requests.get("cpu", limits.get("cpu")))
    memory = quantity.parse(limits["memory"]).value() if "memory" in limits else 0
    asked = requests.get("memory", limits.get("memory"))
    score = oom_score(pod, quantity.parse(asked).value() if asked is not None else 0, capacity)
    return Resources(
        cpu_shares=shares(cpu),
        cpu_quota=quota(_amount(limits.get("cpu"))),
        cpu_period=_PERIOD,
        memory=memory,
        oom_score_adj=max(score, lowest),
    )


def shares(milli: int) -> int:
    return max(milli * 1024 // 1000, _LEAST_SHARES)


def quota(milli: int) -> int:
    return max(milli * _PERIOD // 1000, _LEAST_QUOTA) if milli else 0


def oom_score(pod: Pod, memory_request: int, capacity: int) -> int:
    """Whom the kernel kills first: the more a burstable container asked for, the safer it is."""
    found = qos_class(pod)
    if found == "Guaranteed" or pod.spec.priority_class_name == "system-node-critical":
        return -997
    if found == "BestEffort":
        return 1000
    score = 1000 - 1000 * memory_request // max(capacity, 1)
    return min(max(score, 3), 999)
