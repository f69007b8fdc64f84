"""How often the probes of each container gave which result: `prober_probe_total` of /metrics/probes.

Rows of a pod go with its worker. Source: pkg/kubelet/prober/prober_manager.go.
"""

from collections import Counter

from apimachinery.objects.core_v1 import Pod

_HELP = "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result."


class ProbeCounts:
    """One for the whole node."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str, str, str, str, str]] = Counter()

    def count(self, pod: Pod, container: str, kind: str, *, passed: bool) -> None:
        meta = pod.metadata
        result = "successful" if passed else "failed"
        self._rows[container, meta.namespace, meta.name, meta.uid, kind, result] += 1

    def forget(self, uid: str) -> None:
        for row in [row for row in self._rows if row[3] == uid]:
            del self._rows[row]

    def text(self) -> str:
        """In Prometheus' text format."""
        lines = [f"# HELP prober_probe_total {_HELP}", "# TYPE prober_probe_total counter"]
        for (container, namespace, pod, uid, kind, result), number in sorted(self._rows.items()):
            labels = f'container="{container}",namespace="{namespace}",pod="{pod}",pod_uid="{uid}"'
            lines.append(f'prober_probe_total{{{labels},probe_type="{kind}",result="{result}"}} {number}')
        return "\n".join(lines) + "\n"
