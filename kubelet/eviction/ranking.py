"""Whom an eviction takes first, and what is said of it. Pure. Source: pkg/kubelet/eviction/helpers.go.

For memory and disk: who uses more than it asked for, then the lower priority, then who exceeds its request by more.
For processes: the lower priority, then who has more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import quantity
from apimachinery.objects.core_v1 import Pod
from kubelet.eviction.thresholds import SIGNALS, Observation, Threshold, binary
from kubelet.pods.admit import is_static, requested
from kubelet.pods.qos import SYSTEM_CRITICAL, qos_class

CRITICAL = SYSTEM_CRITICAL
_DISK = "ephemeral-storage"
_TOLERATED = "node.kubernetes.io/memory-pressure"


@dataclass(frozen=True, slots=True)
class PodUse:
    """What one pod uses: bytes of memory (its working set) and of disk, and processes; by container too."""

    memory: int = 0
    disk: int = 0
    processes: int = 0
    container_memory: Mapping[str, int] = field(default_factory=dict)
    container_disk: Mapping[str, int] = field(default_factory=dict)
    empty_dirs: Mapping[str, int] = field(default_factory=dict)


def is_critical(pod: Pod) -> bool:
    """Static and mirror pods, and whoever has a system priority: an eviction leaves them alone."""
    mirrored = "kubernetes.io/config.mirror" in pod.metadata.annotations
    return mirrored or is_static(pod) or (pod.spec.priority or 0) >= CRITICAL


def rank(resource: str, pods: Sequence[Pod], use: Mapping[str, PodUse]) -> list[Pod]:
    """The first goes first. `use` is by uid; a pod of which nothing is known goes before all others."""

    def key(pod: Pod) -> tuple[bool, bool, int, int]:
        known = use.get(pod.metadata.uid)
        priority = pod.spec.priority or 0
        if known is None:
            return False, False, priority, 0
        if resource == "pids":
            return True, False, priority, -known.processes
        name = "memory" if resource == "memory" else _DISK
        used = known.memory if resource == "memory" else known.disk
        over = used - requested(pod).get(name, 0)
        return True, over <= 0, priority, -over

    return sorted(pods, key=key)


def message(
    resource: str, pod: Pod, use: PodUse | None, due: Sequence[Threshold], seen: Mapping[str, Observation]
) -> str:
    """What the pod's status says."""
    text = f"The node was low on resource: {resource}. "
    for threshold in due:
        observed = seen.get(threshold.signal)
        if SIGNALS[threshold.signal][1] == resource and observed is not None:
            least = threshold.value.of(observed.capacity)
            show = str if resource in ("inodes", "pids") else binary
            text += f"Threshold quantity: {show(least)}, available: {show(observed.available)}. "
            break
    return text + ("".join(_blame(resource, pod, use)) if use is not None else "")


def _blame(resource: str, pod: Pod, use: PodUse) -> list[str]:
    """The containers that use more than they asked for."""
    used = {"memory": use.container_memory, _DISK: use.container_disk}.get(resource, {})
    found = []
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        asked = (container.resources.requests if container.resources else {}).get(resource, "0")
        if used.get(container.name, 0) > quantity.parse(asked).value():
            was = f"was using {binary(used[container.name])}, request is {asked}"
            found.append(f"Container {container.name} {was}, has larger consumption of {resource}. ")
    return found


def overrun(pod: Pod, use: PodUse) -> str:
    """Why a pod has to go for its own local storage, whatever the node has left; "" where it keeps its limits."""
    for volume in pod.spec.volumes:
        limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
        if limit and 0 < quantity.parse(limit).value() < use.empty_dirs.get(volume.name, 0):
            return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{quantity.canonical(limit)}". '
    limits = {
        c.name: c.resources.limits[_DISK] for c in pod.spec.containers if c.resources and _DISK in c.resources.limits
    }
    if len(limits) == len(pod.spec.containers):
        total = sum(quantity.parse(text).value() for text in limits.values())
        if use.disk > total:
            return f"Pod ephemeral local storage usage exceeds the total limit of containers {binary(total)}. "
    for name, text in limits.items():
        if use.container_disk.get(name, 0) > quantity.parse(text).value():
            return f'Container {name} exceeded its local ephemeral storage limit "{quantity.canonical(text)}". '
    return ""


def measured(pod: Pod) -> bool:
    """Whether the pod has limits of local storage, so that its disk has to be looked at."""
    sized = any(v.empty_dir is not None and v.empty_dir.size_limit for v in pod.spec.volumes)
    return sized or any(c.resources and _DISK in c.resources.limits for c in pod.spec.containers)


def refusal(pod: Pod, conditions: frozenset[str]) -> str:
    """Why a new pod is not taken while the node is under pressure; "" where it is."""
    if not conditions or is_critical(pod):
        return ""
    if conditions == {"MemoryPressure"}:
        tolerated = any(
            t.effect in ("", "NoSchedule") and (t.key == _TOLERATED or (not t.key and t.operator == "Exists"))
            for t in pod.spec.tolerations
        )
        if qos_class(pod) != "BestEffort" or tolerated:
            return ""
    return f"The node had condition: [{' '.join(sorted(conditions))}]. "
