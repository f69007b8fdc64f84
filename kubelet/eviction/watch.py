"""Looks at the node every ten seconds, and ends a pod where it runs short: the shell around thresholds and ranking.

One pod a look at most for the node's sake; whoever exceeds limits of its own goes whatever the node has left.
Before a pod goes for disk space, what nobody needs is thrown away (`reclaim`). Source: eviction_manager.go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from apimachinery.objects.core_v1 import Pod
from kubelet import metrics, usage
from kubelet.eviction import ranking
from kubelet.eviction.ranking import PodUse
from kubelet.eviction.thresholds import MEMORY, SIGNALS, Observation, State, Threshold, step
from kubelet.pods.container_config import Machine, cgroup_parent, pod_log_folder
from kubelet.pods.world import Verdict, ref
from kubelet.runtime.protocol import Container

log = structlog.get_logger("kubelet.eviction")

EVERY = 10.0
_AT_ONCE = 1.0  # seconds of grace where a hard threshold is met


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How the node is watched."""

    thresholds: Sequence[Threshold]
    transition: float
    longest_grace: float  # of pods evicted for a soft threshold
    root: Path
    image_root: Path
    log_root: Path
    machine: Machine


@dataclass(kw_only=True)
class Pressure:
    """The node's shortage, as it was last seen. `pods` are those that run; `evict` ends one."""

    terms: Terms
    pods: Callable[[], Mapping[str, tuple[Pod, Sequence[Container]]]]
    evict: Callable[[str, Verdict], None]
    tell: Callable[[str, str, str], None]  # type, reason, message of an event about the node
    changed: Callable[[], None]
    reclaim: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    observe: Callable[[Terms], Mapping[str, Observation]]
    use: Callable[[Pod, Sequence[Container], Terms, bool], PodUse]  # the last: its disk too
    conditions: frozenset[str] = frozenset()
    _state: State = field(default_factory=State)

    async def run(self) -> None:
        """Forever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once: conditions first, then whoever has to go."""
        terms = self.terms
        seen = await asyncio.to_thread(self.observe, terms)
        before = self.conditions
        self._state, self.conditions = step(
            self._state, terms.thresholds, seen, now=self.clock(), transition=terms.transition
        )
        if self.conditions != before:
            self.changed()
        if await self._overrun() or not self._state.due:
            return
        await self._relieve(self._state.due, seen)

    async def _overrun(self) -> bool:
        """End the pods that use more local storage than they may."""
        ended = False
        for uid, (pod, containers) in self.pods().items():
            if ranking.measured(pod) and not ranking.is_critical(pod):
                used = await asyncio.to_thread(self.use, pod, containers, self.terms, True)
                why = ranking.overrun(pod, used)
                if why:
                    self.evict(uid, Verdict("Evicted", why, grace=_AT_ONCE))
                    ended = True
        return ended

    async def _relieve(self, due: Sequence[Threshold], seen: Mapping[str, Observation]) -> None:
        condition, resource = SIGNALS[due[0].signal]
        self.tell("Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
        if condition != MEMORY:
            await self.reclaim()
            seen = await asyncio.to_thread(self.observe, self.terms)
            if not step(State(), due, seen, now=self.clock(), transition=0)[1]:
                return  # that was enough
        found, disk = self.pods(), resource in ("ephemeral-storage", "inodes")
        use = {
            uid: await asyncio.to_thread(self.use, pod, containers, self.terms, disk)
            for uid, (pod, containers) in found.items()
        }
        for pod in ranking.rank(resource, [pod for pod, _ in found.values()], use):
            uid = pod.metadata.uid
            if ranking.is_critical(pod):
                log.warning("cannot evict a critical pod", pod=str(ref(pod)))
                continue
            why = ranking.message(resource, pod, use.get(uid), due, seen)
            grace = _AT_ONCE if due[0].hard else self.terms.longest_grace
            metrics.EVICTIONS.of(due[0].signal).value += 1
            self.evict(uid, Verdict("Evicted", why, disruption=why, grace=grace))
            return
        log.warning("unable to evict any pods from the node")


def observations(terms: Terms) -> dict[str, Observation]:
    """What there is of everything that a signal is about."""
    node, used = usage.of_node(), usage.of_cgroup(terms.machine.cgroup_parent)
    disk, images, processes = usage.file_system(terms.root), usage.file_system(terms.image_root), usage.processes()
    found = {
        "memory.available": Observation(terms.machine.memory - node.working_set, terms.machine.memory),
        "pid.available": Observation(processes.most - processes.running, processes.most),
    }
    for name, system in (("nodefs", disk), ("imagefs", images), ("containerfs", images)):
        found[f"{name}.available"] = Observation(system.available, system.capacity)
        found[f"{name}.inodesFree"] = Observation(system.inodes_free, system.inodes)
    if used is not None and terms.machine.pods_memory:
        limit = terms.machine.pods_memory
        found["allocatableMemory.available"] = Observation(limit - used.working_set, limit)
    return found


def for_all_pods(thresholds: Sequence[Threshold]) -> list[Threshold]:
    """The thresholds of the node's memory hold for what its pods together may use too."""
    memory = [t for t in thresholds if t.signal == "memory.available" and t.hard]
    return [*thresholds, *(replace(t, signal="allocatableMemory.available") for t in memory)]


def use_of(pod: Pod, containers: Sequence[Container], terms: Terms, disk: bool) -> PodUse:  # noqa: FBT001
    """What a pod uses; its disk only where it matters: that is a walk over all its files."""
    own = [c for c in containers if not c.is_sandbox]
    memory = {c.name: used.working_set for c in own if c.running and (used := usage.of_container(c)) is not None}
    parent = cgroup_parent(pod, terms.machine)
    found = PodUse(
        memory=sum(memory.values()), processes=usage.processes_of(parent) if parent else 0, container_memory=memory
    )
    return _with_disk(found, pod, own, terms) if disk else found


def _with_disk(found: PodUse, pod: Pod, containers: Sequence[Container], terms: Terms) -> PodUse:
    volumes = terms.root / "pods" / pod.metadata.uid / "volumes" / "kubernetes.io~empty-dir"
    empty = {
        v.name: usage.tree(volumes / v.name)[0]
        for v in pod.spec.volumes
        if v.empty_dir is not None and v.empty_dir.medium != "Memory"
    }
    logs = usage.tree(pod_log_folder(terms.log_root, ref(pod)))[0]
    used: dict[str, int] = {}
    for container in containers:
        used[container.name] = used.get(container.name, 0) + container_disk(container)
    total = sum(used.values()) + sum(empty.values()) + logs
    return replace(found, disk=total, container_disk=used, empty_dirs=empty)


def container_disk(container: Container) -> int:
    """What a container has written: its own layer, and its log."""
    layer = usage.tree(Path(container.layer))[0] if container.layer else 0
    return layer + _size(container.log_path)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size if path else 0
    except OSError:
        return 0
