"""What the node and its pods use, from /proc and the cgroup files. Blocking, but a fraction of a millisecond a file."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubelet.pods import cgroups
from kubelet.runtime.protocol import Container

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU since the beginning in nanoseconds; memory in bytes, and the part that cannot be reclaimed at once."""

    cpu: int
    memory: int
    working_set: int


def of_container(container: Container) -> Usage | None:
    """None when it has just ended, or has no cgroup that we can read."""
    folders = _folders(container.pid) if container.pid else {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        if "" in folders and cgroups.is_unified():
            return _unified(folders[""])
        cpu = int((folders["cpuacct"] / "cpuacct.usage").read_text())
        memory = int((folders["memory"] / "memory.usage_in_bytes").read_text())
        idle = _stat(folders["memory"] / "memory.stat").get("total_inactive_file", 0)
        return Usage(cpu, memory, max(memory - idle, 0))
    return None


def _unified(folder: Path) -> Usage:
    cpu = _stat(folder / "cpu.stat")["usage_usec"] * 1000
    memory = int((folder / "memory.current").read_text())
    return Usage(cpu, memory, max(memory - _stat(folder / "memory.stat").get("inactive_file", 0), 0))


def _folders(pid: int) -> dict[str, Path]:
    """The cgroup folder of a process for each controller; "" is the one of v2."""
    found = {}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                folder = cgroups.ROOT / (controllers if controller else "") / path.strip("/")
                if not folder.exists():
                    folder = cgroups.ROOT / controller / path.strip("/")
                found[controller] = folder
    return found


def _stat(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


def of_node() -> Usage:
    """The whole machine."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, interrupt, soft = (int(value) for value in fields[:7])
    memory = {
        key: int(value.split()[0]) * 1024
        for key, value in (line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    }
    used = memory["MemTotal"] - memory["MemFree"]
    busy = (user + nice + system + interrupt + soft) * (1_000_000_000 // _TICK)
    return Usage(busy, used, memory["MemTotal"] - memory["MemAvailable"])


def disk(folder: Path) -> tuple[int, int]:
    """(total, free) bytes."""
    found = shutil.disk_usage(folder)
    return found.total, found.free


def of_all(containers: Sequence[Container]) -> dict[str, Usage]:
    """By container id, for all that run."""
    found = ((c.id, of_container(c)) for c in containers if c.running)
    return {id: usage for id, usage in found if usage is not None}
