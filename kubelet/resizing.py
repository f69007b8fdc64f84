"""One pod's resizes: keeps what was promised, and carries it out. The shell around kubelet/pods/resize.py.

What was promised is written down before anything is done about it, so that a kubelet that is killed in between goes on
where this one stopped; a pod that was never resized has no file.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import structlog

from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from kubelet import usage
from kubelet.doors import Doors, Node
from kubelet.pods import cgroups, qos
from kubelet.pods.container_config import cgroup_parent, unified
from kubelet.pods.resize import (
    PENDING,
    SIZE_LABEL,
    Rank,
    allocated,
    allocation,
    completed,
    differs,
    rank,
    resizable,
    shrunk_below,
    tree,
)
from kubelet.pods.world import ref
from kubelet.runtime.protocol import Container, RuntimeError_
from kubelet.threads import in_thread

log = structlog.get_logger("kubelet.resizing")

_AGAIN = 10.0  # seconds until a resize that failed is tried again
Judge = Callable[[Pod], tuple[str, str] | None]


class Resizing:
    """What one pod has been promised and given. `pod` is always the one by which it is run."""

    def __init__(self, pod: Pod, node: Node, doors: Doors, judge: Judge) -> None:
        self._node, self._doors, self._judge = node, doors, judge
        self._file = node.root / "pods" / pod.metadata.uid / "allocation.json"
        kept = _read(self._file)
        self._promised: dict[str, Json] = kept.get("allocated") or {}
        self._given: dict[str, Json] = kept.get("actuated") or {}
        self._asked = pod
        self._pending: tuple[str, str] | None = None
        self._progress: tuple[str, str, int] | None = None
        self.retry_at = 0.0
        self.pod = allocated(pod, self._promised)

    @property
    def waits(self) -> bool:
        """Whether it may get what it asks for when others leave."""
        return self._pending is not None and self._pending[0] == "Deferred"

    @property
    def rank(self) -> Rank:
        """Its place among those that wait."""
        return rank(self._asked, self.pod)

    def conditions(self) -> list[tuple[str, str, str, int]]:
        found = []
        if self._pending is not None:
            found.append((PENDING, *self._pending, self._asked.metadata.generation or 0))
        if self._progress is not None:
            found.append(("PodResizeInProgress", *self._progress))
        return found

    def actuated(self, containers: Sequence[Container]) -> Mapping[str, Json]:
        """What each container runs with."""
        return {c.id: self._given.get(c.id) or json.loads(c.labels.get(SIZE_LABEL, "null")) or {} for c in containers}

    def learn(self, containers: Sequence[Container]) -> None:
        """After a restart of the kubelet: what runs tells what had been promised, where no file does."""
        if self._promised:
            return
        for container in resizable(self._asked):
            lives = [c for c in containers if c.name == container.name and SIZE_LABEL in c.labels]
            running = next((c for c in lives if c.running), None)
            had = json.loads(running.labels[SIZE_LABEL]) if running is not None else tree(container)
            self._promised[container.name] = had
        self.pod = allocated(self._asked, self._promised)

    def update(self, pod: Pod) -> bool:
        """The pod as the API has it now; promises what it asks for where the node can. Whether it promised anew."""
        self._asked = pod
        if not self._promised:
            self.pod = pod
            return False
        self.pod = allocated(pod, self._promised)
        if all(not differs(tree(c), self._promised.get(c.name, tree(c))) for c in resizable(pod)):
            self._pending = None
            return False
        self._pending = self._judge(pod)
        if self._pending is None:
            self._promise(pod)
        return self._pending is None

    def _promise(self, pod: Pod) -> None:
        before, self._promised = self._promised, allocation(pod)
        try:
            self._write()
        except OSError as error:  # what is not written down is not promised
            self._promised, self._pending = before, ("Deferred", f"cannot keep the allocation: {error}")
            return
        self.pod, self.retry_at = pod, 0.0
        self._progress = ("", "", pod.metadata.generation or 0)

    def settle(self, containers: Sequence[Container], returning: Collection[str] = ()) -> None:
        """Say when it is done: every container that runs has what was promised, and all are back (`returning`)."""
        actuated = self.actuated(containers)
        running = {c.name: c for c in containers if c.running}
        busy = any(
            c.name in running and differs(tree(c), actuated[running[c.name].id] or tree(c)) for c in resizable(self.pod)
        )
        busy = busy or bool(returning)
        if busy and not returning and self._progress is None:
            self._progress = ("", "", self._asked.metadata.generation or 0)
        elif not busy and self._progress is not None:
            self._progress = None
            self._doors.events(self.pod, "", "Normal", "ResizeCompleted", completed(self.pod))

    async def carry_out(self, containers: Sequence[Container]) -> None:
        """Resize running containers: the pod's own limits first where they grow, last where they shrink."""
        specs = {c.name: c for c in resizable(self.pod)}
        actuated, machine = self.actuated(containers), self._node.machine
        before = allocated(self.pod, {c.name: actuated[c.id] for c in containers if actuated[c.id]})
        parent = cgroup_parent(self.pod, machine)
        now, then = cgroups.limits(before, machine), cgroups.limits(self.pod, machine)
        try:
            for container in containers:
                await self._check(container, tree(specs[container.name]), actuated[container.id])
            await self._limit(parent, now.wider(then))
            for container in containers:
                spec = specs[container.name]
                given = qos.container_resources(self.pod, spec, capacity=machine.memory, swap=machine.swap)
                await self._doors.runtime.update(container.id, given)
                await in_thread(cgroups.protect, container.pid, unified(spec, machine))
                self._given[container.id] = tree(spec)
            self._write()
            await self._limit(parent, then)
        except (RuntimeError_, OSError) as error:
            log.warning("cannot resize", pod=str(ref(self.pod)), error=str(error))
            generation = self._progress[2] if self._progress is not None else self._asked.metadata.generation or 0
            self._progress = ("Error", str(error), generation)
            self.retry_at = self._doors.clock() + _AGAIN

    async def make_room(self, containers: Sequence[Container]) -> None:
        """Before a container starts anew with more than it had: the pod's own limits must allow it."""
        if self._progress is not None:
            actuated, machine = self.actuated(containers), self._node.machine
            before = allocated(self.pod, {c.name: actuated[c.id] for c in containers if c.running and actuated[c.id]})
            wanted = cgroups.limits(before, machine).wider(cgroups.limits(self.pod, machine))
            await self._limit(cgroup_parent(self.pod, machine), wanted)

    async def tidy(self) -> None:
        """After it: the limits as they are to be."""
        if self._progress is not None:
            try:
                machine = self._node.machine
                await self._limit(cgroup_parent(self.pod, machine), cgroups.limits(self.pod, machine))
            except OSError as error:  # another container of the pod has still more
                log.info("the pod's limits stay wider", pod=str(ref(self.pod)), error=str(error))

    async def _check(self, container: Container, wanted: Json, had: Json) -> None:
        used = await in_thread(usage.of_container, container)
        why = shrunk_below(container.name, wanted, had, used.memory if used is not None else 0)
        if why:
            raise RuntimeError_(why)

    async def _limit(self, parent: str, limits: cgroups.Limits) -> None:
        if parent:
            await in_thread(cgroups.write, parent, limits)

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"allocated": self._promised, "actuated": self._given}))
        fresh.replace(self._file)


def _read(file: Path) -> Json:
    try:
        found: Json = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found
