"""The pod's own cgroup, around those of its containers: made before the sandbox, taken away after it.

Docker makes a container's cgroup under the parent it is told, and would make the parent too, but it sets no limits on
it and never removes it. Where its driver is systemd the parent is a slice, and systemd is told what else is written
into files (slices.py).
Source: pkg/kubelet/cm/pod_container_manager_linux.go, helpers_linux.go (ResourceConfigForPod).
"""

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet import systemd
from kubelet.pods import qos, slices
from kubelet.pods.admit import requested
from kubelet.pods.container_config import Machine
from kubelet.pods.world import is_sidecar

ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000
_PAGE = 4096
_OF_CLASSES = ("cpu.shares", "cpu.weight", "memory.min")
_OF_ALL = (*_OF_CLASSES, "cpu.cfs_quota_us", "cpu.max", "memory.limit_in_bytes", "memory.max", "pids.max")
_CLASSES = ("", "burstable", "besteffort")
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.0)  # seconds between tries to remove a cgroup


def is_unified(root: Path = ROOT) -> bool:
    """Whether this is cgroup v2."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The folder of each controller (v1), or the one of all (v2)."""
    if is_unified(root):
        return [root]
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pod as a whole may use; 0 means no limit."""

    cpu: int = 0  # milli, asked for
    cpu_limit: int = 0  # milli
    memory_limit: int = 0  # bytes
    pids: int = 0
    swap: int = 0  # bytes; 0 is none (cgroup v2)
    memory_kept: int = 0  # bytes that are never taken away (cgroup v2, MemoryQoS)

    def wider(self, other: "Limits") -> "Limits":
        """What allows all that either allows: between two sizes of a pod."""

        def most(one: int, two: int) -> int:
            return max(one, two) if one and two else 0

        return Limits(
            max(self.cpu, other.cpu),
            most(self.cpu_limit, other.cpu_limit),
            most(self.memory_limit, other.memory_limit),
            self.pids,
            max(self.swap, other.swap),
            max(self.memory_kept, other.memory_kept),
        )


def limits(pod: Pod, machine: Machine) -> Limits:
    """What the pod as a whole may use, overhead included; its own word counts before that of its containers."""
    extra = pod.spec.overhead
    cpu = _whole(pod, "cpu", quantity.parse(extra["cpu"]).milli() if "cpu" in extra else 0)
    memory = _whole(pod, "memory", quantity.parse(extra["memory"]).value() if "memory" in extra else 0)
    asked = requested(pod)
    every = (*pod.spec.init_containers, *pod.spec.containers)
    swap = sum(qos.swap_share(pod, c, machine.memory, machine.swap) for c in every)
    kept = asked.get("memory", 0) if machine.throttling else 0
    return Limits(asked.get("cpu", 0), cpu, memory, machine.pod_pids, swap, kept)


def _whole(pod: Pod, resource: str, overhead: int) -> int:
    own = pod.spec.resources.limits if pod.spec.resources is not None else {}
    found = _amount(resource, own[resource]) if resource in own else _sum_of_limits(pod, resource)
    return found + overhead if found else 0


def _amount(resource: str, text: str) -> int:
    parsed = quantity.parse(text)
    return parsed.milli() if resource == "cpu" else parsed.value()


def _sum_of_limits(pod: Pod, resource: str) -> int:
    """The sum over containers and sidecars, or the largest init container; 0 as soon as one has none."""

    def amount(container: core_v1.Container) -> int:
        given = container.resources.limits if container.resources is not None else {}
        return _amount(resource, given[resource]) if resource in given else 0

    every = (*pod.spec.init_containers, *pod.spec.containers)
    if not all(amount(c) for c in every):
        return 0
    sidecars = [c for c in pod.spec.init_containers if is_sidecar(c)]
    inits = [amount(c) for c in pod.spec.init_containers if not is_sidecar(c)]
    return max(sum(amount(c) for c in (*pod.spec.containers, *sidecars)), *inits, 0)


def ensure(parent: str, pod: Pod, machine: Machine) -> None:
    """The pod's cgroup with its limits; nothing where Docker keeps it."""
    if parent:
        write(parent, limits(pod, machine))


def write(parent: str, wanted: Limits) -> None:
    """Make the cgroup where it is missing, and set its limits. OSError where the kernel refuses one."""
    if slices.is_slice(parent):
        systemd.keep_slice(parent, slices.properties(settings(wanted, unified=is_unified())))
        return
    for hierarchy in hierarchies():
        folder = hierarchy / parent.strip("/")
        _make(hierarchy, folder)
        for name, value in settings(wanted, unified=is_unified()):
            if (folder / name).exists():  # else this hierarchy does not have that controller
                (folder / name).write_text(value)


def keep_classes(machine: Machine, pods: Collection[Pod]) -> None:
    """What all pods together may use, and how the classes share it: best effort last, burstable by what they ask."""
    if not machine.cgroup_parent:
        return
    burstable = [requested(pod) for pod in pods if qos.qos_class(pod) == "Burstable"]
    asked = sum(one.get("cpu", 0) for one in burstable)
    kept = sum(one.get("memory", 0) for one in burstable) if machine.throttling else 0
    all_kept = sum(requested(pod).get("memory", 0) for pod in pods) if machine.throttling else 0
    whole = Limits(cpu=machine.pods_cpu, memory_limit=machine.pods_memory, memory_kept=all_kept)
    rows = {"": whole, "burstable": Limits(asked, memory_kept=kept), "besteffort": Limits()}
    for name, wanted in rows.items():
        files = _OF_CLASSES if name else _OF_ALL
        values = [row for row in settings(wanted, unified=is_unified()) if row[0] in files]
        with contextlib.suppress(OSError):  # more is in use than is to be: evictions bring it down
            _keep_class(machine, name, values)


def _keep_class(machine: Machine, name: str, values: Sequence[tuple[str, str]]) -> None:
    if machine.systemd_cgroups:
        parent = slices.below(machine.cgroup_parent, name)
        if not all(_has(ROOT / slices.folder(parent) / file, value) for file, value in values):
            systemd.keep_slice(parent, slices.properties(values))
        return
    for hierarchy in hierarchies():
        folder = hierarchy / machine.cgroup_parent.strip("/") / name
        _make(hierarchy, folder)
        for file, value in values:
            with contextlib.suppress(OSError):
                if (folder / file).exists():
                    (folder / file).write_text(value)


def _has(file: Path, value: str) -> bool:
    """Whether it says this already; the kernel rounds amounts of memory down to pages."""
    try:
        there = file.read_text().strip()
    except OSError:
        return False
    rounded = str(int(value) // _PAGE * _PAGE) if value.isdigit() and file.name.startswith("memory") else value
    return there in (value, rounded)


def _make(hierarchy: Path, folder: Path) -> None:
    """Every folder on the way. cpuset (v1) starts without a CPU: it inherits its parent's."""
    path = hierarchy
    for part in folder.relative_to(hierarchy).parts:
        before, path = path, path / part
        with contextlib.suppress(OSError):
            path.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                own = path / name
                if not is_unified() and own.exists() and not own.read_text().strip():
                    own.write_text((before / name).read_text())
            if is_unified():
                (before / "cgroup.subtree_control").write_text("+cpu +memory +pids +io +cpuset")


def settings(wanted: Limits, *, unified: bool) -> Iterator[tuple[str, str]]:
    """The files of a cgroup and what is written into them."""
    shares, quota = qos.shares(wanted.cpu), qos.quota(wanted.cpu_limit)
    if unified:
        yield "cpu.weight", str(qos.weight(shares))
        yield "cpu.max", f"{quota or 'max'} {_PERIOD}"
        yield "memory.max", str(wanted.memory_limit or "max")
        yield "memory.swap.max", str(wanted.swap)
        yield "memory.min", str(wanted.memory_kept)
    else:
        yield "cpu.shares", str(shares)
        yield "cpu.cfs_quota_us", str(quota or -1)
        yield "memory.limit_in_bytes", str(wanted.memory_limit or -1)
    yield "pids.max", str(wanted.pids or "max")


def folder(parent: str, root: Path = ROOT) -> Path:
    """Where the files of a cgroup are, below one hierarchy (or the only one)."""
    return root / (slices.folder(parent) if slices.is_slice(parent) else parent.strip("/"))


def pods(machine: Machine, root: Path = ROOT) -> set[str]:
    """The uids of all pods that have a cgroup."""
    if not machine.cgroup_parent:
        return set()
    tops = [folder(machine.cgroup_parent, hierarchy) for hierarchy in hierarchies(root)]
    if machine.systemd_cgroups:
        found = {path.name for top in tops for path in (*top.glob("*.slice"), *top.glob("*/*.slice"))}
        return {uid for name in found if (uid := slices.pod_uid(name))}
    return {path.name.removeprefix("pod") for top in tops for path in (*top.glob("pod*"), *top.glob("*/pod*"))}


def remove(uid: str, machine: Machine, root: Path = ROOT, pauses: Iterable[float] = _PAUSES) -> bool:
    """Take a pod's cgroup away, whatever its class was; whether it is gone. What has a process in it stays.

    The kernel may hold one for a moment after the last process has left it: so this is tried more than once.
    """
    if not machine.cgroup_parent:
        return True
    top = machine.cgroup_parent
    if machine.systemd_cgroups:
        names = [slices.below(slices.below(top, middle), slices.pod_name(uid)) for middle in _CLASSES]
    else:
        names = [str(Path(top, middle, f"pod{uid}")) for middle in _CLASSES]
    return _remove(names, root, pauses)


def _remove(names: Sequence[str], root: Path, pauses: Iterable[float]) -> bool:
    found = {folder(name, hierarchy): name for hierarchy in hierarchies(root) for name in names}
    for pause in pauses:
        for path, name in found.items():
            if slices.is_slice(name):
                _stop_slice(path, name)
            else:
                _remove_tree(path)
        if not any(path.exists() for path in found):
            return True
        time.sleep(pause)
    return False


def _stop_slice(folder: Path, name: str) -> None:
    if folder.exists() and not _is_used(folder):
        with contextlib.suppress(OSError):
            systemd.stop_slice(name)


def _is_used(folder: Path) -> bool:
    """Whether a process is in it, or below it."""
    try:
        return any(path.read_text() for path in folder.rglob("cgroup.procs"))
    except OSError:  # something ends just now
        return True


def _remove_tree(folder: Path) -> None:
    with contextlib.suppress(OSError):  # gone meanwhile, or still in use
        for inner in folder.iterdir():
            if inner.is_dir():
                _remove_tree(inner)
        folder.rmdir()


def oom_kills(parent: str) -> int | None:
    """How often the kernel has killed for memory in this cgroup and below; None where it is not counted (v1)."""
    try:
        text = (folder(parent) / "memory.events").read_text() if is_unified() else ""
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), None)


def remove_all(parent: str) -> None:
    """The whole tree under which pods were put, in every hierarchy, whichever driver Docker has."""
    for hierarchy in hierarchies():
        _remove_tree(hierarchy / parent.strip("/"))
    _remove([slices.of_path(parent)], ROOT, _PAUSES)


def protect(pid: int, values: Mapping[str, str]) -> None:
    """Write into the own cgroup (v2) of a container's process. OSError where the kernel refuses."""
    if not values:
        return
    line = next(line for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::"))
    path = line.removeprefix("0::").strip("/")
    unit = path.rsplit("/", 1)[-1]
    told = list(slices.properties(values.items())) if unit.endswith(".scope") else []
    if told:
        systemd.set_properties(unit, told)
    for name, value in values.items():
        if not told or name not in slices.FILES:
            (ROOT / path / name).write_text(value)
