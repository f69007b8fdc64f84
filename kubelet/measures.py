"""Takes the `Snapshot` that the statistics are made of: cgroup files, /proc, and now and then a walk over files.

A look costs some 50 us a container. What takes longer (what a container has written to disk) is kept for a minute.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet import usage
from kubelet.doors import Node
from kubelet.pods import qos
from kubelet.pods.container_config import cgroup_parent
from kubelet.pods.world import ref
from kubelet.runtime.protocol import Container
from kubelet.starting import spec_of
from kubelet.stats import ContainerUse, PodMeasures, Snapshot
from kubelet.usage import Usage
from kubelet.volumes.protocol import VolumeUse

_KEPT = 60.0  # seconds that a walk over files holds
_LEAST = 0.5  # seconds between looks from which a rate can be told
Pods = Sequence[tuple[Pod, Sequence[Container]]]


@dataclass(kw_only=True)
class Measures:
    """One for the node. Blocking: called in a thread, one call at a time."""

    node: Node
    image_root: Path
    cpus: int
    clock: Callable[[], float] = time.time
    _rates: dict[str, tuple[float, int, int | None]] = field(default_factory=dict)  # key -> (when, cpu, nano cores)
    _trees: dict[Path, tuple[float, tuple[int, int]]] = field(default_factory=dict)

    def take(self, pods: Pods, image_bytes: int, volumes: Mapping[str, Mapping[str, VolumeUse]]) -> Snapshot:
        now, machine = self.clock(), self.node.machine
        self._trees = {path: kept for path, kept in self._trees.items() if now - kept[0] < _KEPT}
        whole = usage.of_node()
        found = [self._pod(pod, containers, volumes.get(pod.metadata.uid, {}), now) for pod, containers in pods]
        together = usage.of_cgroup(machine.cgroup_parent) if machine.cgroup_parent else None
        system = [self._process("kubelet", os.getpid(), now)]
        if together is not None:
            system.append(self._use("pods", together, now))
        self._rates = {key: rate for key, rate in self._rates.items() if now - rate[0] < 2 * _KEPT}
        return Snapshot(
            now=now,
            node_name=self.node.name,
            started_at=now - time.clock_gettime(time.CLOCK_BOOTTIME),
            node=whole,
            nano_cores=self._rate("node", whole.cpu, now),
            network=usage.network("/proc/1"),
            root=usage.file_system(self.node.root),
            images=usage.file_system(self.image_root),
            image_bytes=image_bytes,
            processes=usage.processes(),
            system=[each for each in system if each is not None],
            pods=found,
            cpus=self.cpus,
        )

    def _rate(self, key: str, cpu: int, now: float) -> int | None:
        """Nanoseconds of CPU a second since the last look that is not too close."""
        before = self._rates.get(key)
        if before is not None and now - before[0] < _LEAST:
            return before[2]
        cores = int((cpu - before[1]) / (now - before[0])) if before is not None and cpu >= before[1] else None
        self._rates[key] = (now, cpu, cores)
        return cores

    def _use(self, name: str, used: Usage, now: float) -> ContainerUse:
        return ContainerUse(
            id=name, name=name, usage=used, nano_cores=self._rate(f"/{name}", used.cpu, now), started_at=now
        )

    def _process(self, name: str, pid: int, now: float) -> ContainerUse | None:
        used = usage.of_process(pid)
        return None if used is None else self._use(name, used, now)

    def _pod(
        self, pod: Pod, containers: Sequence[Container], volumes: Mapping[str, VolumeUse], now: float
    ) -> PodMeasures:
        parent = cgroup_parent(pod, self.node.machine)
        together = usage.of_cgroup(parent) if parent else None
        sandbox = next((c for c in containers if c.is_sandbox and c.running), None)
        own = [c for c in containers if c.running and not c.is_sandbox]
        shared = bool(pod.spec.host_network)
        began = pod.status.start_time
        return PodMeasures(
            ref=ref(pod),
            started_at=began.timestamp() if began is not None else now,
            containers=[use for c in own if (use := self._container(pod, c, now)) is not None],
            sandbox=self._container(pod, sandbox, now) if sandbox is not None else None,
            total=together,
            nano_cores=self._rate(pod.metadata.uid, together.cpu, now) if together is not None else None,
            network=usage.network(f"/proc/{sandbox.pid}") if sandbox is not None and not shared else (),
            volumes=volumes,
            processes=usage.processes_of(parent) if parent else 0,
        )

    def _container(self, pod: Pod, container: Container, now: float) -> ContainerUse | None:
        used = usage.of_container(container)
        if used is None:
            return None
        spec = spec_of(pod, container.name)
        given = qos.container_resources(pod, spec, capacity=1) if isinstance(spec, core_v1.Container) else None
        return ContainerUse(
            id=container.id,
            name=container.name,
            image=container.image,
            started_at=container.started_at,
            usage=used,
            nano_cores=self._rate(container.id, used.cpu, now),
            layer=self._tree(Path(container.layer), now) if container.layer else None,
            log=_size(container.log_path) if container.name else None,
            shares=given.cpu_shares if given is not None else 0,
            quota=given.cpu_quota if given is not None else 0,
            period=given.cpu_period if given is not None and given.cpu_quota else 0,
        )

    def _tree(self, folder: Path, now: float) -> tuple[int, int]:
        if folder not in self._trees:
            self._trees[folder] = (now, usage.tree(folder))
        return self._trees[folder][1]


def _size(path: str) -> tuple[int, int]:
    try:
        return Path(path).stat().st_size, 1
    except OSError:
        return 0, 0
