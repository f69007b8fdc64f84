"""What the node and its pods use, from /proc and the cgroup files. Blocking, but a fraction of a millisecond a file."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from kubelet.pods import cgroups
from kubelet.runtime.protocol import Container

_UNLIMITED = 1 << 62  # what cgroup v1 says where there is no limit is a little more
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU since the beginning in nanoseconds; memory in bytes, and the part that cannot be reclaimed at once."""

    cpu: int
    memory: int
    working_set: int
    rss: int = 0
    faults: int = 0
    major_faults: int = 0
    cache: int = 0
    swap: int = 0
    limit: int = 0  # of memory, 0 for none


def of_container(container: Container) -> Usage | None:
    """None when it has just ended, or has no cgroup that we can read."""
    folders = _folders(container.pid) if container.pid else {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        if "" in folders and cgroups.is_unified():
            return _unified(folders[""])
        return _split(folders["cpuacct"], folders["memory"])
    return None


def _split(accounting: Path, memory: Path) -> Usage:
    """Of cgroup v1, where each controller has a tree of its own."""
    stat = _stat(memory / "memory.stat")
    used = int((memory / "memory.usage_in_bytes").read_text())
    limit = int((memory / "memory.limit_in_bytes").read_text())
    idle = stat.get("total_inactive_file", 0)
    return Usage(
        cpu=int((accounting / "cpuacct.usage").read_text()),
        memory=used,
        working_set=max(used - idle, 0),
        rss=stat.get("total_rss", 0),
        faults=stat.get("total_pgfault", 0),
        major_faults=stat.get("total_pgmajfault", 0),
        cache=stat.get("total_cache", 0),
        swap=stat.get("total_swap", 0),
        limit=limit if limit < _UNLIMITED else 0,
    )


def _unified(folder: Path) -> Usage:
    stat, used = _stat(folder / "memory.stat"), int((folder / "memory.current").read_text())
    limit, swap = (folder / "memory.max").read_text().strip(), folder / "memory.swap.current"
    return Usage(
        cpu=_stat(folder / "cpu.stat")["usage_usec"] * 1000,
        memory=used,
        working_set=max(used - stat.get("inactive_file", 0), 0),
        rss=stat.get("anon", 0),
        faults=stat.get("pgfault", 0),
        major_faults=stat.get("pgmajfault", 0),
        cache=stat.get("file", 0),
        swap=int(swap.read_text()) if swap.exists() else 0,
        limit=0 if limit == "max" else int(limit),
    )


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
    busy = (user + nice + system + interrupt + soft) * (1_000_000_000 // _TICK)
    total, swap = memory["MemTotal"], memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)
    used = total - memory["MemFree"]
    events = _stat(Path("/proc/vmstat"))
    return Usage(
        cpu=busy,
        memory=used,
        working_set=total - memory["MemAvailable"],
        rss=memory.get("AnonPages", 0),
        faults=events.get("pgfault", 0),
        major_faults=events.get("pgmajfault", 0),
        cache=memory.get("Cached", 0),
        swap=max(swap, 0),
        limit=total,
    )


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One file system: bytes and inodes."""

    capacity: int
    available: int
    inodes: int
    inodes_free: int


def file_system(folder: Path) -> FileSystem:
    found = os.statvfs(folder)
    size = found.f_frsize
    return FileSystem(found.f_blocks * size, found.f_bavail * size, found.f_files, found.f_favail)


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes (threads) there are, and may be."""

    running: int
    most: int


def processes() -> Processes:
    running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    limits = (Path("/proc/sys/kernel") / name for name in ("pid_max", "threads-max"))
    return Processes(running, min(int(limit.read_text()) for limit in limits))


@dataclass(frozen=True, slots=True)
class Interface:
    """The traffic of one network interface since it came up."""

    name: str
    received: int
    received_packets: int
    receive_errors: int
    sent: int
    sent_packets: int
    send_errors: int


def network(process: str) -> list[Interface]:
    """The interfaces of a process' network namespace but for loopback; the first is the one of the default route."""
    with contextlib.suppress(OSError, ValueError):
        routes = [line.split() for line in Path(f"{process}/net/route").read_text().splitlines()[1:]]
        first = next((route[0] for route in routes if route[1] == "00000000"), "")
        found = interfaces(Path(f"{process}/net/dev").read_text())
        return sorted(found, key=lambda interface: interface.name != first)
    return []


def interfaces(text: str) -> list[Interface]:
    """Of /proc/net/dev. What joins others (bridges, veth pairs of the node) counts every byte once more: left out."""
    found = []
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        n = [int(number) for number in numbers.split()]
        if not name.strip().startswith(("lo", "veth", "br-", "docker", "pk")):
            found.append(Interface(name.strip(), n[0], n[1], n[2], n[8], n[9], n[10]))
    return found


def of_process(pid: int) -> Usage | None:
    """What one process uses by itself."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        cpu = (int(fields[11]) + int(fields[12])) * (1_000_000_000 // _TICK)
        return Usage(cpu, resident, resident, rss=resident, faults=int(fields[7]), major_faults=int(fields[9]))
    return None


def tree(folder: Path) -> tuple[int, int]:
    """(bytes, inodes) that the files below a folder take up; what vanishes meanwhile counts for nothing."""
    used = inodes = 0
    pending = [folder]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                    inodes += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
    return used, inodes


def of_cgroup(parent: str) -> Usage | None:
    """What everything in a cgroup uses together."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if cgroups.is_unified():
            return _unified(cgroups.folder(parent))
        accounting, memory = (cgroups.folder(parent, cgroups.ROOT / name) for name in ("cpuacct", "memory"))
        return _split(accounting, memory)
    return None


def processes_of(parent: str) -> int:
    """How many processes a cgroup has."""
    hierarchy = cgroups.ROOT if cgroups.is_unified() else cgroups.ROOT / "pids"
    with contextlib.suppress(OSError, ValueError):
        return int((cgroups.folder(parent, hierarchy) / "pids.current").read_text())
    return 0
