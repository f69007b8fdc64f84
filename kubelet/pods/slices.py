"""Cgroups as systemd names them: a slice's name tells its place, and its limits are properties with names of their own.

Pure. Where Docker's cgroup driver is systemd, pods' cgroups are slices: what is written into their files behind
systemd's back it would overwrite, and a slice that is not stopped stays. Sources: systemd.resource-control(5),
pkg/kubelet/cm/cgroup_manager_linux.go (ToSystemd, escapeSystemdCgroupName).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

SUFFIX = ".slice"
NO_LIMIT = 2**64 - 1
_SECOND = 1_000_000
_V1_PERIOD = 100_000
_POD = re.compile(r"-pod([0-9a-f_]+)\.slice")
#: The files whose numbers systemd takes as they are.
_PLAIN = {
    "cpu.weight": "CPUWeight",
    "cpu.shares": "CPUShares",
    "memory.max": "MemoryMax",
    "memory.limit_in_bytes": "MemoryLimit",
    "memory.swap.max": "MemorySwapMax",
    "memory.min": "MemoryMin",
    "memory.high": "MemoryHigh",
    "pids.max": "TasksMax",
}
FILES = frozenset(_PLAIN) | {"cpu.max", "cpu.cfs_quota_us"}  # whose values are systemd's to write

Property = tuple[str, tuple[str, int]]  # the name, D-Bus' letter of the type, the value


def is_slice(name: str) -> bool:
    return name.endswith(SUFFIX)


def of_path(path: str) -> str:
    """`/kubepods-two` -> `kubepods_two.slice`: a dash would say that it lies below `kubepods.slice`."""
    parts = [part.removesuffix(SUFFIX).replace("-", "_") for part in path.split("/") if part]
    return "-".join(parts) + SUFFIX if parts else ""


def below(parent: str, name: str) -> str:
    """The slice of that name in another one; the parent itself for ""."""
    return f"{parent.removesuffix(SUFFIX)}-{name}{SUFFIX}" if name else parent


def folder(name: str) -> str:
    """Where its cgroup is: `a-b.slice` -> `a.slice/a-b.slice`."""
    words = name.removesuffix(SUFFIX).split("-")
    return str(PurePosixPath(*("-".join(words[:n]) + SUFFIX for n in range(1, len(words) + 1))))


def pod_name(uid: str) -> str:
    return "pod" + uid.replace("-", "_")


def pod_uid(name: str) -> str:
    """The uid of the pod whose slice this is; "" where it is none's."""
    found = _POD.search(name)
    return found.group(1).replace("_", "-") if found else ""


def properties(rows: Iterable[tuple[str, str]]) -> Iterator[Property]:
    """What systemd is to be told, for the files of a cgroup and what would be written into them."""
    for file, value in rows:
        if file in _PLAIN:
            yield _PLAIN[file], ("t", NO_LIMIT if value in ("max", "-1") else int(value))
        elif file in ("cpu.max", "cpu.cfs_quota_us"):
            quota, _, period = value.partition(" ")
            free = quota in ("max", "-1")
            yield (
                "CPUQuotaPerSecUSec",
                ("t", NO_LIMIT if free else int(quota) * _SECOND // int(period or _V1_PERIOD)),
            )
