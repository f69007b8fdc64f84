"""The pod's own cgroup, around those of its containers: made before the sandbox, taken away after it.

Docker makes a container's cgroup under the parent it is told, and would make the parent too, but it sets no limits on
it and never removes it. With the systemd driver the slices are systemd's, which does both by itself.
Source: pkg/kubelet/cm/pod_container_manager_linux.go, helpers_linux.go (ResourceConfigForPod).
"""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from apimachinery import quantity
from apimachinery.objects.core_v1 import Pod
from kubelet.leftovers import YOUNG
from kubelet.pods import qos
from kubelet.pods.container_config import Machine
from kubelet.pods.world import is_sidecar

ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


def is_unified(root: Path = ROOT) -> bool:
    """Whether this is cgroup v2."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The folder of each controller (v1), or the one of all (v2)."""
    if is_unified(root):
        return [root]
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


def limits(pod: Pod) -> dict[str, int]:
    """What the pod as a whole may use: cpu (milli), cpu limit (milli, 0 for none), memory limit (bytes, 0 for none)."""
    own = pod.spec.resources
    cpu = _total(pod, "requests", "cpu", milli=True)
    cpu_limit, memory_limit = _total(pod, "limits", "cpu", milli=True), _total(pod, "limits", "memory", milli=False)
    if own is not None:
        if "cpu" in own.requests:
            cpu = quantity.parse(own.requests["cpu"]).milli()
        if "cpu" in own.limits:
            cpu_limit = quantity.parse(own.limits["cpu"]).milli()
        if "memory" in own.limits:
            memory_limit = quantity.parse(own.limits["memory"]).value()
    return {"cpu": cpu or 0, "cpu_limit": cpu_limit or 0, "memory_limit": memory_limit or 0}


def _total(pod: Pod, which: str, resource: str, *, milli: bool) -> int | None:
    """The sum over containers, or the largest init container; for limits None as soon as one has none."""

    def amount(container: object) -> int | None:
        resources = getattr(container, "resources", None)
        given = getattr(resources, which) if resources else {}
        if resource not in given and which == "requests" and resources:
            given = resources.limits
        if resource not in given:
            return 0 if which == "requests" else None
        parsed = quantity.parse(given[resource])
        return parsed.milli() if milli else parsed.value()

    sidecars = [amount(c) for c in pod.spec.init_containers if is_sidecar(c)]
    mains = [amount(c) for c in pod.spec.containers] + sidecars
    inits = [amount(c) for c in pod.spec.init_containers if not is_sidecar(c)]
    known = [a for a in (*mains, *inits) if a is not None]
    if len(known) < len(mains) + len(inits):
        return None
    return max(sum(a for a in mains if a), *(a or 0 for a in inits), 0)


def ensure(parent: str, pod: Pod, machine: Machine) -> None:
    """The pod's cgroup with its limits; nothing where Docker or systemd keep it."""
    if not parent or machine.systemd_cgroups:
        return
    wanted = limits(pod)
    for hierarchy in hierarchies():
        folder = hierarchy / parent.strip("/")
        _make(hierarchy, folder)
        for name, value in _settings(wanted, unified=is_unified()):
            with contextlib.suppress(OSError):  # this hierarchy does not have that controller
                if (folder / name).exists():
                    (folder / name).write_text(value)


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


def _settings(wanted: dict[str, int], *, unified: bool) -> Iterator[tuple[str, str]]:
    shares, quota = qos.shares(wanted["cpu"]), qos.quota(wanted["cpu_limit"])
    if unified:
        yield "cpu.weight", str(1 + (shares - 2) * 9999 // 262142)
        yield "cpu.max", f"{quota or 'max'} {_PERIOD}"
        yield "memory.max", str(wanted["memory_limit"] or "max")
    else:
        yield "cpu.shares", str(shares)
        yield "cpu.cfs_quota_us", str(quota or -1)
        yield "memory.limit_in_bytes", str(wanted["memory_limit"] or -1)


def remove(parent: str, machine: Machine) -> None:
    """Take the pod's cgroup away; what still has a process in it stays for the next time."""
    if not parent or machine.systemd_cgroups:
        return
    for hierarchy in hierarchies():
        _remove_tree(hierarchy / parent.strip("/"))


def sweep(machine: Machine, known: Collection[str], now: float, root: Path = ROOT) -> list[str]:
    """Take away the cgroups of pods that nobody knows and nothing runs in; the uids. Young ones are left alone."""
    if not machine.cgroup_parent or machine.systemd_cgroups:
        return []
    removed = []
    for hierarchy in hierarchies(root):
        top = hierarchy / machine.cgroup_parent.strip("/")
        for folder in [*top.glob("pod*"), *top.glob("*/pod*")]:
            uid = folder.name.removeprefix("pod")
            with contextlib.suppress(FileNotFoundError):  # its own worker was faster
                if uid not in known and now - folder.stat().st_mtime > YOUNG:
                    _remove_tree(folder)
                    removed.append(uid)
    return sorted(set(removed))


def _remove_tree(folder: Path) -> None:
    if not folder.is_dir():
        return
    for inner in folder.iterdir():
        if inner.is_dir():
            _remove_tree(inner)
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_all(root: str) -> None:
    """The whole tree under which pods were put, in every hierarchy."""
    for hierarchy in hierarchies():
        _remove_tree(hierarchy / root.strip("/"))
