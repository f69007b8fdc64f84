"""What the node says of itself: the Node object and its status. Pure, but for `machine`, which reads the machine.

Sources: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus/setters.go.
"""

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apimachinery import quantity, times
from apimachinery.objects.core_v1 import Node
from apimachinery.types import Json
from kubelet.runtime.protocol import Image

VERSION = "v1.34.0"
_NAMES_PER_IMAGE = 5
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The hardware and the system, read once."""

    cpus: int
    memory: int  # bytes
    disk: int  # bytes of the file system that holds the kubelet's root
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str
    swap: int = 0  # bytes


def machine(root: Path) -> Machine:
    """The machine we run on."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
    release = dict(line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line)
    return Machine(
        cpus=os.cpu_count() or 1,
        memory=int(fields["MemTotal"].split()[0]) * 1024,
        disk=shutil.disk_usage(root).total,
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=release.get("PRETTY_NAME", "Linux").strip('"'),
        machine_id=_read("/etc/machine-id"),
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        swap=int(fields.get("SwapTotal", "0 kB").split()[0]) * 1024,
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """All that the Node object is made of."""

    name: str
    addresses: Sequence[str]
    machine: Machine
    port: int
    max_pods: int
    runtime: str  # "docker://20.10.24"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Json] = ()
    images: Sequence[Image] = ()
    problems: Sequence[str] = ()  # why the node is not ready; none: it is
    pressure: frozenset[str] = frozenset()  # conditions of shortage that are true
    reserved: Mapping[str, str] = field(default_factory=dict)  # kept from pods
    max_images: int = 50
    provider_id: str = ""


def capacity(machine: Machine, max_pods: int) -> dict[str, str]:
    """What the machine has."""
    return {
        "cpu": str(machine.cpus),
        "ephemeral-storage": f"{machine.disk // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{machine.memory // 1024}Ki",
        "pods": str(max_pods),
    }


def allocatable(machine: Machine, max_pods: int, reserved: Mapping[str, str]) -> dict[str, str]:
    """What pods may have: the capacity without what is reserved."""
    found = capacity(machine, max_pods)
    for name, text in reserved.items():
        if name in found:
            kept = quantity.parse(text)
            if name == "cpu":
                found[name] = str(quantity.from_milli(max(machine.cpus * 1000 - kept.milli(), 0)))
            elif name == "memory":
                found[name] = f"{max(machine.memory - kept.value(), 0) // 1024}Ki"
            else:
                found[name] = str(max(machine.disk - kept.value(), 0))
    return found


def extended(before: Node | None) -> dict[str, str]:
    """Resources that somebody else has given the node: as much of them may be had as there is."""
    there = before.status.capacity if before is not None else {}
    return {name: amount for name, amount in there.items() if "/" in name}


def labels(facts: NodeFacts) -> dict[str, str]:
    """The labels that a node has by itself."""
    architecture = facts.machine.architecture
    return {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": facts.name,
        "kubernetes.io/os": "linux",
        **facts.labels,
    }


def node(facts: NodeFacts, now: float) -> Json:
    """The object to register."""
    metadata = {
        "name": facts.name,
        "labels": labels(facts),
        "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
    }
    spec: Json = {"taints": list(facts.taints)} if facts.taints else {}
    if facts.provider_id:
        spec["providerID"] = facts.provider_id
    body = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}
    return body | {"status": status(facts, None, now)}


def status(facts: NodeFacts, before: Node | None, now: float) -> Json:
    """The status now; conditions keep the time of their last change from `before`."""
    machine = facts.machine
    addresses = [{"type": "InternalIP", "address": address} for address in facts.addresses]
    return {
        "addresses": [*addresses, {"type": "Hostname", "address": facts.name}],
        "allocatable": allocatable(machine, facts.max_pods, facts.reserved) | extended(before),
        "capacity": capacity(machine, facts.max_pods),
        "conditions": [_condition(before, now, *row) for row in _conditions(facts)],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.port}},
        "images": [
            _image(image) for image in sorted(facts.images, key=lambda i: -i.size)[: facts.max_images] if image.tags
        ],
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": facts.runtime,
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": VERSION,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": machine.system_uuid,
            **({"swap": {"capacity": machine.swap}} if machine.swap else {}),
        },
    }


def rebooted(before: Node, machine: Machine) -> bool:
    known = before.status.node_info.boot_id if before.status.node_info is not None else ""
    return bool(known) and known != machine.boot_id


def _image(image: Image) -> Json:
    names = [name for name in (*image.digests, *image.tags) if "<none>" not in name]
    return {"names": names[:_NAMES_PER_IMAGE], "sizeBytes": image.size}


def _conditions(facts: NodeFacts) -> Sequence[tuple[str, str, str, str]]:
    ready = ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
    if facts.problems:
        ready = ("Ready", "False", "KubeletNotReady", f"[{', '.join(facts.problems)}]".strip("[]"))
    return (*(_shortage(name, facts.pressure) for name in _SHORTAGES), ready)


#: The condition -> (reason, message) when it is false, and when it is true.
_SHORTAGES = {
    "MemoryPressure": (
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
}


def _shortage(name: str, pressure: frozenset[str]) -> tuple[str, str, str, str]:
    return name, "True" if name in pressure else "False", *_SHORTAGES[name][name in pressure]


def _condition(before: Node | None, now: float, type: str, status: str, reason: str, message: str) -> Json:
    old = next((c for c in before.status.conditions if c.type == type), None) if before is not None else None
    since = now
    if old is not None and old.status == status and old.last_transition_time is not None:
        since = old.last_transition_time.timestamp()
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": times.rfc3339(now),
        "lastTransitionTime": times.rfc3339(since),
    }


def differs(old: Json, new: Json) -> bool:
    """Whether there is news, apart from the heartbeat."""
    return _silent(old) != _silent(new)


def _silent(status: Json) -> Json:
    conditions = [{k: v for k, v in c.items() if k != "lastHeartbeatTime"} for c in status["conditions"]]
    return status | {"conditions": conditions}


EVENTS = {
    ("Ready", "True"): "NodeReady",
    ("Ready", "False"): "NodeNotReady",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
    ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("PIDPressure", "True"): "NodeHasInsufficientPID",
}


def transitions(old: Json | None, new: Json) -> list[str]:
    """The reasons of the events that a change of status brings."""
    before = {c["type"]: c["status"] for c in old["conditions"]} if old else {}
    changed = [c for c in new["conditions"] if before.get(c["type"]) != c["status"]]
    return [EVENTS[c["type"], c["status"]] for c in changed if (c["type"], c["status"]) in EVENTS]
