"""emptyDir volumes: a folder that lives as long as its pod, on disk or in memory.

Made once: what its containers did to it stays when a kubelet starts anew. Source: pkg/volume/emptydir/empty_dir.go.
"""

from collections.abc import Mapping
from pathlib import Path

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.volumes import mounts, ownership
from kubelet.volumes.hostpath import PathProblem


def prepare(folder: Path, ready: Path, source: core_v1.EmptyDirVolumeSource, group: int | None, most: int = 0) -> None:
    """The volume at the folder; `ready` is a file that says that it has been made. `most` limits what is in memory."""
    in_memory = source.medium == "Memory"
    if source.medium and not in_memory:
        if source.medium.startswith("HugePages"):
            raise PathProblem(f'storage medium "{source.medium}" is not supported by PyKube')
        raise PathProblem(f'unknown storage medium "{source.medium}"')
    if ready.exists() and (folder.is_mount() if in_memory else folder.exists()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    if in_memory:
        mounts.mount_tmpfs(folder, size=size(source, most))
    if group is not None:
        ownership.own(folder, group)
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.touch()


def size(source: core_v1.EmptyDirVolumeSource, most: int) -> int:
    """The bytes of a volume in memory; 0 for no limit."""
    asked = quantity.parse(source.size_limit).value() if source.size_limit else 0
    return min(asked, most) if asked and most else asked or most


def memory(pod: Pod, allocatable: Mapping[str, str]) -> int:
    """How much memory a volume of the pod may take: what the pod may, or the node's pods together."""
    node = quantity.parse(allocatable.get("memory", "0")).value()
    limits = [c.resources.limits.get("memory", "") if c.resources else "" for c in pod.spec.containers]
    own = sum(quantity.parse(limit).value() for limit in limits) if all(limits) else 0
    whole = pod.spec.resources.limits.get("memory", "") if pod.spec.resources else ""
    own = quantity.parse(whole).value() if whole else own
    return min(own, node) if own and node else own or node
