"""What the node and its pods use, as clients read it: /stats/summary, /metrics/resource, /metrics/cadvisor. Pure.

Made from a `Snapshot` (kubelet/measures.py took it). Sources: k8s.io/kubelet/pkg/apis/stats/v1alpha1/types.go,
pkg/kubelet/metrics/collectors/resource_metrics.go, cadvisor's metrics/prometheus.go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import times
from apimachinery.types import Json
from kubelet.runtime.protocol import PodRef
from kubelet.usage import FileSystem, Interface, Processes, Usage
from kubelet.volumes.protocol import VolumeUse


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUse:
    """One running container, or something else that has a cgroup (name "" for a pod's sandbox)."""

    id: str
    name: str
    image: str = ""
    started_at: float = 0.0
    usage: Usage
    nano_cores: int | None = None  # of late; None where there was no look before
    layer: tuple[int, int] | None = None  # bytes and inodes that it has written
    log: tuple[int, int] | None = None
    shares: int = 0
    quota: int = 0  # microseconds of `period`, 0 for no limit
    period: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMeasures:
    ref: PodRef
    started_at: float
    containers: Sequence[ContainerUse]
    sandbox: ContainerUse | None = None
    total: Usage | None = None  # of the pod's own cgroup; None: the sum of its containers
    nano_cores: int | None = None
    network: Sequence[Interface] = ()
    volumes: Mapping[str, VolumeUse] = field(default_factory=dict)  # by name
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    now: float
    node_name: str
    started_at: float  # the node's boot
    node: Usage
    nano_cores: int | None
    network: Sequence[Interface]
    root: FileSystem
    images: FileSystem
    image_bytes: int
    processes: Processes
    system: Sequence[ContainerUse]  # kubelet, runtime, pods
    pods: Sequence[PodMeasures]
    cpus: int


# /stats/summary


def summary(snapshot: Snapshot) -> Json:
    now = times.rfc3339(snapshot.now)
    images = _disk(now, snapshot.images, used=snapshot.image_bytes)
    node = {
        "nodeName": snapshot.node_name,
        "systemContainers": [_system(each, now) for each in snapshot.system],
        "startTime": times.rfc3339(snapshot.started_at),
        **_used(snapshot.node, snapshot.nano_cores, now),
        "network": _network(snapshot.network, now),
        "fs": _disk(now, snapshot.root),
        "runtime": {"imageFs": images, "containerFs": _disk(now, snapshot.images)},
        "rlimit": {"time": now, "maxpid": snapshot.processes.most, "curproc": snapshot.processes.running},
    }
    return {"node": node, "pods": [_pod(pod, snapshot, now) for pod in snapshot.pods]}


def _used(used: Usage, nano_cores: int | None, now: str) -> Json:
    cpu: Json = {"time": now}
    if nano_cores is not None:
        cpu["usageNanoCores"] = nano_cores
    memory: Json = {"time": now}
    if used.limit:
        memory["availableBytes"] = max(used.limit - used.working_set, 0)
    memory |= {
        "usageBytes": used.memory,
        "workingSetBytes": used.working_set,
        "rssBytes": used.rss,
        "pageFaults": used.faults,
        "majorPageFaults": used.major_faults,
    }
    swap = {"time": now, "swapUsageBytes": used.swap}
    return {"cpu": cpu | {"usageCoreNanoSeconds": used.cpu}, "memory": memory, "swap": swap}


def _system(each: ContainerUse, now: str) -> Json:
    started = times.rfc3339(each.started_at)
    return {"name": each.name, "startTime": started, **_used(each.usage, each.nano_cores, now)}


def _disk(now: str, system: FileSystem, *, used: int | None = None, inodes: int | None = None) -> Json:
    return {
        "time": now,
        "availableBytes": system.available,
        "capacityBytes": system.capacity,
        "usedBytes": system.capacity - system.available if used is None else used,
        "inodesFree": system.inodes_free,
        "inodes": system.inodes,
        "inodesUsed": system.inodes - system.inodes_free if inodes is None else inodes,
    }


def _network(interfaces: Sequence[Interface], now: str) -> Json:
    rows = [
        {
            "name": i.name,
            "rxBytes": i.received,
            "rxErrors": i.receive_errors,
            "txBytes": i.sent,
            "txErrors": i.send_errors,
        }
        for i in interfaces
    ]
    return {"time": now, **(rows[0] if rows else {"name": ""}), "interfaces": rows}


def _pod(pod: PodMeasures, snapshot: Snapshot, now: str) -> Json:
    root = snapshot.images
    disk = sum(size[0] for c in pod.containers for size in (c.layer, c.log) if size)
    disk += sum(volume.used for volume in pod.volumes.values() if volume.is_local)
    return {
        "podRef": {"name": pod.ref.name, "namespace": pod.ref.namespace, "uid": pod.ref.uid},
        "startTime": times.rfc3339(pod.started_at),
        "containers": [_container(c, root, now) for c in pod.containers],
        **_used(total(pod), pod.nano_cores, now),
        "network": _network(pod.network, now),
        "volume": [_volume(name, use, pod.ref, now) for name, use in pod.volumes.items()],
        "ephemeral-storage": _disk(now, root, used=disk),
        "process_stats": {"process_count": pod.processes},
    }


def _volume(name: str, use: VolumeUse, pod: PodRef, now: str) -> Json:
    told: Json = {
        "time": now,
        "availableBytes": use.available,
        "capacityBytes": use.capacity,
        "usedBytes": use.used,
        "inodesFree": use.inodes_free,
        "inodes": use.inodes,
        "inodesUsed": use.inodes_used,
        "name": name,
    }
    return told | ({"pvcRef": {"name": use.claim, "namespace": pod.namespace}} if use.claim else {})


def _container(container: ContainerUse, root: FileSystem, now: str) -> Json:
    shown: Json = {"name": container.name, "startTime": times.rfc3339(container.started_at)}
    shown |= _used(container.usage, container.nano_cores, now)
    for name, size in (("rootfs", container.layer), ("logs", container.log)):
        if size is not None:
            shown[name] = _disk(now, root, used=size[0], inodes=size[1])
    return shown


def total(pod: PodMeasures) -> Usage:
    if pod.total is not None:
        return pod.total
    every = [c.usage for c in (*pod.containers, *([pod.sandbox] if pod.sandbox else []))]
    return Usage(
        cpu=sum(u.cpu for u in every),
        memory=sum(u.memory for u in every),
        working_set=sum(u.working_set for u in every),
        rss=sum(u.rss for u in every),
        swap=sum(u.swap for u in every),
    )


# Prometheus' text

_Row = tuple[Mapping[str, str], float]


def _metric(name: str, kind: str, help: str, rows: Iterable[_Row]) -> str:
    lines = [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
    for labels, value in rows:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inner}}} {value:.15g}" if inner else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


#: name without what it is of, kind, help, value: what /metrics/resource says of containers, pods and the node.
_RESOURCES: Sequence[tuple[str, str, str, Callable[[Usage], float]]] = (
    (
        "cpu_usage_seconds_total",
        "counter",
        "[STABLE] Cumulative cpu time consumed by the {} in core-seconds",
        lambda used: used.cpu / 1e9,
    ),
    (
        "memory_working_set_bytes",
        "gauge",
        "[STABLE] Current working set of the {} in bytes",
        lambda used: used.working_set,
    ),
    (
        "swap_usage_bytes",
        "gauge",
        "[ALPHA] Current amount of the {} swap usage in bytes. Reported only on non-windows systems",
        lambda used: used.swap,
    ),
)


def resource_metrics(snapshot: Snapshot) -> str:
    """/metrics/resource: what metrics-server reads."""
    containers = [
        ({"container": c.name, "namespace": p.ref.namespace, "pod": p.ref.name}, c)
        for p in snapshot.pods
        for c in p.containers
    ]
    used: Mapping[str, Sequence[tuple[Mapping[str, str], Usage]]] = {
        "container": [(labels, c.usage) for labels, c in containers],
        "node": [({}, snapshot.node)],
        "pod": [({"namespace": p.ref.namespace, "pod": p.ref.name}, total(p)) for p in snapshot.pods],
    }
    families: list[tuple[str, str, str, list[_Row]]] = [
        (f"{what}_{name}", kind, help.format(what), [(labels, value(usage)) for labels, usage in rows])
        for what, rows in used.items()
        for name, kind, help, value in _RESOURCES
    ]
    started: list[_Row] = [(labels, c.started_at) for labels, c in containers]
    text = "[STABLE] Start time of the container since unix epoch in seconds"
    families.append(("container_start_time_seconds", "gauge", text, started))
    text = "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise"
    families.append(("resource_scrape_error", "gauge", text, [({}, 0)]))
    return "".join(_metric(*family) for family in sorted(families))


#: name, kind, help, value of one cgroup; None: it has none.
_CADVISOR: Sequence[tuple[str, str, str, Callable[[ContainerUse], float | None]]] = (
    ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes.", lambda c: c.usage.memory),
    ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", lambda c: c.usage.working_set),
    ("container_memory_rss", "gauge", "Size of RSS in bytes.", lambda c: c.usage.rss),
    ("container_memory_cache", "gauge", "Number of bytes of page cache memory.", lambda c: c.usage.cache),
    ("container_memory_swap", "gauge", "Container swap usage in bytes.", lambda c: c.usage.swap),
    ("container_spec_memory_limit_bytes", "gauge", "Memory limit for the container.", lambda c: c.usage.limit),
    ("container_spec_cpu_shares", "gauge", "CPU share of the container.", lambda c: c.shares or None),
    ("container_spec_cpu_quota", "gauge", "CPU quota of the container.", lambda c: c.quota or None),
    ("container_spec_cpu_period", "gauge", "CPU period of the container.", lambda c: c.period or None),
    ("container_start_time_seconds", "gauge", "Start time since unix epoch in seconds.", lambda c: c.started_at),
    (
        "container_fs_usage_bytes",
        "gauge",
        "Number of bytes that are consumed by the container on this filesystem.",
        lambda c: c.layer[0] if c.layer else None,
    ),
)


def cadvisor_metrics(snapshot: Snapshot) -> str:
    """/metrics/cadvisor: containers, pods (container ""), and the node (id "/")."""
    rows = list(_cgroups(snapshot))
    text = _metric(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed in seconds.",
        ((labels | {"cpu": "total"}, c.usage.cpu / 1e9) for labels, c in rows),
    )
    for name, kind, help, value in _CADVISOR:
        found = ((labels, value(c)) for labels, c in rows)
        text += _metric(name, kind, help, ((labels, number) for labels, number in found if number is not None))
    text += _metric(
        "container_last_seen",
        "gauge",
        "Last time a container was seen by the exporter",
        ((labels, snapshot.now) for labels, _ in rows),
    )
    text += "".join(_traffic(snapshot))
    text += _metric("machine_cpu_cores", "gauge", "Number of logical CPU cores.", [({}, snapshot.cpus)])
    text += _metric(
        "machine_memory_bytes", "gauge", "Amount of memory installed on the machine.", [({}, snapshot.node.limit)]
    )
    return text + _metric(
        "container_scrape_error",
        "gauge",
        "1 if there was an error while getting container metrics, 0 otherwise",
        [({}, 0)],
    )


def _labels(id: str, container: str = "", image: str = "", name: str = "", pod: PodRef | None = None) -> dict[str, str]:
    return {
        "container": container,
        "id": id,
        "image": image,
        "name": name,
        "namespace": pod.namespace if pod else "",
        "pod": pod.name if pod else "",
    }


def _cgroups(snapshot: Snapshot) -> Iterator[tuple[dict[str, str], ContainerUse]]:
    whole = ContainerUse(id="/", name="", usage=snapshot.node, started_at=snapshot.started_at)
    yield _labels("/"), whole
    for pod in snapshot.pods:
        yield (
            _labels(f"/pod{pod.ref.uid}", pod=pod.ref),
            ContainerUse(id="", name="", usage=total(pod), started_at=pod.started_at),
        )
        for container in pod.containers:
            where = f"/pod{pod.ref.uid}/{container.id}"
            yield _labels(where, container.name, container.image, container.id, pod.ref), container


_TRAFFIC: Sequence[tuple[str, str, Callable[[Interface], int]]] = (
    ("receive_bytes", "Cumulative count of bytes received", lambda i: i.received),
    ("receive_packets", "Cumulative count of packets received", lambda i: i.received_packets),
    ("receive_errors", "Cumulative count of errors encountered while receiving", lambda i: i.receive_errors),
    ("transmit_bytes", "Cumulative count of bytes transmitted", lambda i: i.sent),
    ("transmit_packets", "Cumulative count of packets transmitted", lambda i: i.sent_packets),
    ("transmit_errors", "Cumulative count of errors encountered while transmitting", lambda i: i.send_errors),
)


def _traffic(snapshot: Snapshot) -> Iterator[str]:
    found = [(_labels("/"), i) for i in snapshot.network]
    found += [(_labels(f"/pod{p.ref.uid}", pod=p.ref), i) for p in snapshot.pods for i in p.network]
    for name, help, value in _TRAFFIC:
        rows = ((labels | {"interface": i.name}, value(i)) for labels, i in found)
        yield _metric(f"container_network_{name}_total", "counter", help, rows)
