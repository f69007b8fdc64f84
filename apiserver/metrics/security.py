"""What Pod Security decided, and whether logs were asked of kubelets that nobody can be sure of.

Sources: k8s.io/pod-security-admission/metrics, pkg/registry/core/pod/rest/metrics.go.
"""

from serving.series import Counter, Family
from serving.version import KUBERNETES

EVALUATIONS = Counter(
    "pod_security_evaluations_total",
    "Pods and templates that were held to a level, and what came of it.",
    ("decision", "policy_level", "policy_version", "mode", "request_operation", "resource", "subresource"),
)
EXEMPTIONS = Counter(
    "pod_security_exemptions_total",
    "Requests that no level is for. Nobody is exempt here: there is no configuration that could say so.",
    ("request_operation", "resource", "subresource"),
)
INSECURE_LOGS = Counter(
    "kube_apiserver_pod_logs_insecure_backend_total",
    "Requests for logs, by whether the kubelet's certificate had to be good.",
    ("usage",),
)
LOGS_TLS_FAILED = Counter(
    "kube_apiserver_pod_logs_backend_tls_failure_total", "Requests for logs that failed for the kubelet's certificate."
)
FAMILIES: tuple[Family, ...] = (EVALUATIONS, EXEMPTIONS, INSECURE_LOGS, LOGS_TLS_FAILED)

_MINOR = int(KUBERNETES.split(".")[1])

# As upstream's, these are there from the start.
for _resource in ("pod", "controller"):
    for _operation in ("create", "update"):
        EXEMPTIONS.of(_operation, _resource, "")


def evaluated(
    level: str, version: str, mode: str, operation: str, resource: str, subresource: str, *, allowed: bool
) -> None:
    """One evaluation. Versions that are not yet there count as one sort, so that nobody can make series at will."""
    is_latest = level == "privileged" or version == "latest"
    known = "latest" if is_latest else version if int(version.removeprefix("v1.")) <= _MINOR else "future"
    decision = "allow" if allowed else "deny"
    EVALUATIONS.of(decision, level, known, mode, operation, resource, subresource).value += 1
