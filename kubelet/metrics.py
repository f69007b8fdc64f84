"""The kubelet's own metrics: counted where things happen, or read when somebody asks.

Source of the names: pkg/kubelet/metrics/metrics.go. Left out is what has no part here: device plugins, managers of CPU,
memory and topology, an evented PLEG, Windows' host processes.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence

from kubelet.runtime.protocol import Container
from kubelet.volumes.protocol import VolumeUse
from serving.exposition import PROCESS, Families
from serving.series import Counter, Gauge, Histogram, Rows, Shown, exponential

_SLOW = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)

STARTED_PODS = Counter("kubelet_started_pods_total", "Pods whose sandbox was started.")
POD_ERRORS = Counter("kubelet_started_pods_errors_total", "Sandboxes that could not be started.")
STARTED_CONTAINERS = Counter("kubelet_started_containers_total", "Containers started.", ("container_type",))
START_ERRORS = Counter(
    "kubelet_started_containers_errors_total", "Containers that could not be started.", ("container_type", "code")
)
POD_START = Histogram(
    "kubelet_pod_start_duration_seconds",
    "How long pods took from being seen first until they ran.",
    buckets=_SLOW,
)
EVICTIONS = Counter("kubelet_evictions", "Pods evicted, by what the node was short of.", ("eviction_signal",))
PREEMPTIONS = Counter(
    "kubelet_preemptions", "Pods that went for a critical one, by what it lacked.", ("preemption_signal",)
)
REJECTIONS = Counter("kubelet_admission_rejections_total", "Pods that the node refused, and why.", ("reason",))
RELIST = Histogram("kubelet_pleg_relist_duration_seconds", "How long it took to list all containers.")
RELIST_INTERVAL = Histogram("kubelet_pleg_relist_interval_seconds", "Seconds from one list to the next.")
LAST_SEEN = Gauge("kubelet_pleg_last_seen_seconds", "When containers were listed last.")
NODE_NAME = Gauge("kubelet_node_name", "The node's name; always 1.", ("node",))
CGROUPS = Histogram(
    "kubelet_cgroup_manager_duration_seconds", "How long work on pods' cgroups took.", ("operation_type",)
)
OPERATIONS = Counter("kubelet_runtime_operations_total", "Calls to the container runtime.", ("operation_type",))
OPERATION_ERRORS = Counter(
    "kubelet_runtime_operations_errors_total", "Calls to the container runtime that failed.", ("operation_type",)
)
OPERATION_SECONDS = Histogram(
    "kubelet_runtime_operations_duration_seconds",
    "How long calls to the container runtime took.",
    ("operation_type",),
    buckets=exponential(0.005, 2.5, 14),
)
SANDBOX = Histogram(
    "kubelet_run_podsandbox_duration_seconds", "How long sandboxes took to be started.", ("runtime_handler",)
)
SANDBOX_ERRORS = Counter(
    "kubelet_run_podsandbox_errors_total", "Sandboxes that could not be started.", ("runtime_handler",)
)
PROCESS.add(STARTED_PODS, POD_ERRORS, STARTED_CONTAINERS, START_ERRORS, POD_START, EVICTIONS, PREEMPTIONS, REJECTIONS)
PROCESS.add(RELIST, RELIST_INTERVAL, LAST_SEEN, NODE_NAME, CGROUPS)
PROCESS.add(OPERATIONS, OPERATION_ERRORS, OPERATION_SECONDS, SANDBOX, SANDBOX_ERRORS)

#: The end of the name, help, value of a claim's volume.
_OF_VOLUMES: Sequence[tuple[str, str, Callable[[VolumeUse], int]]] = (
    ("capacity_bytes", "How many bytes the volume has.", lambda use: use.capacity),
    ("available_bytes", "How many of them are free.", lambda use: use.available),
    ("used_bytes", "How many of them are used.", lambda use: use.used),
    ("inodes", "How many inodes the volume has.", lambda use: use.inodes),
    ("inodes_free", "How many of them are free.", lambda use: use.inodes_free),
    ("inodes_used", "How many of them are used.", lambda use: use.inodes_used),
)


def watch_claims(claims: Callable[[], Iterable[tuple[str, str, VolumeUse]]], *, families: Families = PROCESS) -> None:
    """From now on /metrics tells how full the volumes of these claims are, as last looked at."""

    def rows(value: Callable[[VolumeUse], int]) -> Callable[[], Rows]:
        return lambda: [((namespace, claim), value(use)) for namespace, claim, use in claims()]

    labels = ("namespace", "persistentvolumeclaim")
    for name, text, value in _OF_VOLUMES:
        families.add(Shown(f"kubelet_volume_stats_{name}", text, labels, rows(value)))


def watch(
    containers: Callable[[], Iterable[Container]], pods: Callable[[], tuple[int, int]], *, families: Families = PROCESS
) -> None:
    """From now on /metrics tells of these containers, and of how many `pods` there shall be (of the API, static)."""

    def running() -> Rows:
        return [((), len({c.pod.uid for c in containers() if c.is_sandbox and c.running}))]

    def states() -> Rows:
        found = Tally(c.state for c in containers() if not c.is_sandbox)
        return [((state,), number) for state, number in sorted(found.items())]

    def wanted() -> Rows:
        return list(zip((("",), ("true",)), pods(), strict=True))

    families.add(
        Shown("kubelet_running_pods", "Pods with a sandbox that runs.", (), running),
        Shown("kubelet_running_containers", "Containers, by their state.", ("container_state",), states),
        Shown("kubelet_desired_pods", "Pods that the node shall run.", ("static",), wanted),
    )


def relisted(began: float, before: float, now: float) -> None:
    """All containers were listed, from `began` on; the list before ended at `before`, 0 for none."""
    RELIST.of().add(now - began)
    if before:
        RELIST_INTERVAL.of().add(now - before)
    LAST_SEEN.of().value = now
