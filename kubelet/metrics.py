"""The kubelet's own metrics, `kubelet_*` of /metrics: counted where things happen, gauges told when somebody asks.

Source of names and texts: pkg/kubelet/metrics/metrics.go.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kubelet.runtime.protocol import Container
from kubelet.volumes.protocol import VolumeUse

_SLOW = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)

STARTED_PODS = Counter("kubelet_started_pods_total", "[ALPHA] Cumulative number of pods started")
STARTED_CONTAINERS = Counter(
    "kubelet_started_containers_total", "[ALPHA] Cumulative number of containers started", ["container_type"]
)
START_ERRORS = Counter(
    "kubelet_started_containers_errors_total",
    "[ALPHA] Cumulative number of errors when starting containers",
    ["container_type", "code"],
)
POD_START = Histogram(
    "kubelet_pod_start_duration_seconds",
    "[ALPHA] Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run",
    buckets=_SLOW,
)
EVICTIONS = Counter(
    "kubelet_evictions_total", "[ALPHA] Cumulative number of pod evictions by eviction signal", ["eviction_signal"]
)
PREEMPTIONS = Counter(
    "kubelet_preemptions",
    "[ALPHA] Cumulative number of pod preemptions by preemption resource",
    ["preemption_signal"],
)
REJECTIONS = Counter(
    "kubelet_admission_rejections_total",
    "[ALPHA] Cumulative number pod admission rejections by the Kubelet.",
    ["reason"],
)
RELIST = Histogram("kubelet_pleg_relist_duration_seconds", "[ALPHA] Duration in seconds for relisting pods in PLEG.")
NODE_NAME = Gauge("kubelet_node_name", "[ALPHA] The node's name. The count is always 1.", ["node"])


class _Running(Collector):
    """What runs, counted when it is asked for."""

    def __init__(self, containers: Callable[[], Iterable[Container]]) -> None:
        self._containers = containers

    def collect(self) -> Iterator[Metric]:
        found = list(self._containers())
        pods = GaugeMetricFamily("kubelet_running_pods", "[BETA] Number of pods that have a running pod sandbox")
        pods.add_metric([], len({c.pod.uid for c in found if c.is_sandbox and c.running}))
        yield pods
        states = Tally(c.state for c in found if not c.is_sandbox)
        text = "[BETA] Number of containers currently running"
        containers = GaugeMetricFamily("kubelet_running_containers", text, labels=["container_state"])
        for state, number in sorted(states.items()):
            containers.add_metric([state], number)
        yield containers


#: The end of the name, help, value of a claim's volume.
_OF_VOLUMES: Sequence[tuple[str, str, Callable[[VolumeUse], int]]] = (
    ("capacity_bytes", "Capacity in bytes of the volume", lambda use: use.capacity),
    ("available_bytes", "Number of available bytes in the volume", lambda use: use.available),
    ("used_bytes", "Number of used bytes in the volume", lambda use: use.used),
    ("inodes", "Maximum number of inodes in the volume", lambda use: use.inodes),
    ("inodes_free", "Number of free inodes in the volume", lambda use: use.inodes_free),
    ("inodes_used", "Number of used inodes in the volume", lambda use: use.inodes_used),
)


class _Claims(Collector):
    """How full the claims' volumes are, as last looked at."""

    def __init__(self, claims: Callable[[], Iterable[tuple[str, str, VolumeUse]]]) -> None:
        self._claims = claims

    def collect(self) -> Iterator[Metric]:
        found = list(self._claims())
        for name, text, value in _OF_VOLUMES:
            labels = ["namespace", "persistentvolumeclaim"]
            family = GaugeMetricFamily(f"kubelet_volume_stats_{name}", f"[ALPHA] {text}", labels=labels)
            for namespace, claim, use in found:
                family.add_metric([namespace, claim], value(use))
            yield family


def watch_claims(
    claims: Callable[[], Iterable[tuple[str, str, VolumeUse]]], *, registry: CollectorRegistry = REGISTRY
) -> None:
    """From now on /metrics tells of these claims."""
    registry.register(_Claims(claims))


def watch(containers: Callable[[], Iterable[Container]], *, registry: CollectorRegistry = REGISTRY) -> None:
    """From now on /metrics tells of these containers."""
    registry.register(_Running(containers))
