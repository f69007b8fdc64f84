"""What kube-proxy counts, by upstream's names. Source: pkg/proxy/metrics/metrics.go."""

from serving.exposition import PROCESS
from serving.series import Counter, Gauge, Histogram, exponential

_P = "kubeproxy_sync_proxy_rules_"
_SECONDS = exponential(0.001, 2, 15)

SYNC = Histogram(f"{_P}duration_seconds", "How long it took to compute and apply the rules.", buckets=_SECONDS)
FULL = Histogram(
    "kubeproxy_sync_full_proxy_rules_duration_seconds", "The same, where every rule was written.", buckets=_SECONDS
)
PARTIAL = Histogram(
    "kubeproxy_sync_partial_proxy_rules_duration_seconds", "The same, where only what differs was.", buckets=_SECONDS
)
PROGRAMMED = Histogram(
    "kubeproxy_network_programming_duration_seconds",
    "How long it took from a change of endpoints (its trigger time) until the rules were in place.",
    buckets=(
        *(0.25, 0.5, 1.0),
        *(float(second) for second in range(2, 60)),
        *(float(second) for second in range(60, 125, 5)),
        *(float(second) for second in range(150, 301, 30)),
    ),
)
FAILURES = Counter(f"{_P}iptables_restore_failures_total", "Restores that iptables refused.")
PARTIAL_FAILURES = Counter(
    f"{_P}iptables_partial_restore_failures_total", "Those among them that wrote only what differs."
)
LAST = Gauge(f"{_P}last_timestamp_seconds", "When the rules were last in place.")
QUEUED = Gauge(f"{_P}last_queued_timestamp_seconds", "When they were last found to be out of date.")
RULES = Gauge(f"{_P}iptables_total", "Rules of ours that are in place, by table.", ("table",))
WRITTEN = Gauge(f"{_P}iptables_last", "Rules that were written last, by table.", ("table",))
SERVICE_CHANGES = Counter(f"{_P}service_changes_total", "Changes of services.")
ENDPOINT_CHANGES = Counter(f"{_P}endpoint_changes_total", "Changes of endpoint slices.")
SERVICE_PENDING = Gauge(f"{_P}service_changes_pending", "Changes of services that the rules do not show yet.")
ENDPOINT_PENDING = Gauge(f"{_P}endpoint_changes_pending", "Changes of endpoint slices that they do not show yet.")
PROCESS.add(SYNC, FULL, PARTIAL, PROGRAMMED, FAILURES, PARTIAL_FAILURES, LAST, QUEUED, RULES, WRITTEN)
PROCESS.add(SERVICE_CHANGES, ENDPOINT_CHANGES, SERVICE_PENDING, ENDPOINT_PENDING)
