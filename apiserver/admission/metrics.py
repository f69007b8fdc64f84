"""What became of calls to webhooks and of policies, under upstream's names.

Source: apiserver/pkg/admission/metrics/metrics.go, apiserver/pkg/admission/plugin/policy/validating/metrics.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX = "apiserver_admission_webhook"
_VALIDATING, _MUTATING = "apiserver_validating_admission_policy", "apiserver_mutating_admission_policy"
_EXPRESSION_BUCKETS = (0.0000005, 0.001, 0.01, 0.1, 1.0)
_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
_GREATEST_CODE = 600


class AdmissionMetrics:
    """Counters that `register` shows."""

    def __init__(self) -> None:
        labels = ("name", "type", "operation")
        self._seconds = Histogram(
            f"{_PREFIX}_admission_duration_seconds",
            "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and "
            "API resource and type (validate or admit).",
            (*labels, "rejected"),
            buckets=_BUCKETS,
            registry=None,
        )
        self._requests = Counter(
            f"{_PREFIX}_request_total",
            "Admission webhook request total, identified by name and broken out for each type and operation.",
            (*labels, "code", "rejected"),
            registry=None,
        )
        # Upstream's counters without `_total`, which this library would add to a Counter's name.
        self._rejections = Gauge(
            f"{_PREFIX}_rejection_count",
            "Admission webhook rejection count, identified by name and broken out for each type and operation.",
            (*labels, "error_type", "rejection_code"),
            registry=None,
        )
        self._open = Gauge(
            f"{_PREFIX}_fail_open_count",
            "Admission webhook fail open count, identified by name and broken out for each admission type.",
            ("name", "type"),
            registry=None,
        )
        checked = ("policy", "policy_binding", "error_type", "enforcement_action")
        self._checks = Counter(
            f"{_VALIDATING}_check_total",
            "Validation admission policy check total, labeled by policy and further identified by binding and "
            "enforcement action taken.",
            checked,
            registry=None,
        )
        self._check_seconds = Histogram(
            f"{_VALIDATING}_check_duration_seconds",
            "Validation admission latency for individual validation expressions in seconds, labeled by policy and "
            "further including binding and enforcement action taken.",
            checked,
            buckets=_EXPRESSION_BUCKETS,
            registry=None,
        )
        mutated = ("policy", "policy_binding", "error_type")
        self._mutations = Counter(
            f"{_MUTATING}_check_total",
            "Mutation admission policy check total, labeled by policy and further identified by binding.",
            mutated,
            registry=None,
        )
        self._mutation_seconds = Histogram(
            f"{_MUTATING}_check_duration_seconds",
            "Mutation admission latency for individual mutation expressions in seconds, labeled by policy and binding.",
            mutated,
            buckets=_EXPRESSION_BUCKETS,
            registry=None,
        )

    def register(self, registry: CollectorRegistry) -> None:
        """Show them in a registry."""
        of_webhooks = (self._seconds, self._requests, self._rejections, self._open)
        of_policies = (self._checks, self._check_seconds, self._mutations, self._mutation_seconds)
        for collector in (*of_webhooks, *of_policies):
            registry.register(collector)

    def called(
        self, name: str, kind: str, operation: str, *, code: int, rejected: bool, seconds: float, error: str = ""
    ) -> None:
        """One call to a webhook: `error` says what went wrong (calling_webhook_error), if it did."""
        said = "true" if rejected else "false"
        code = min(code, _GREATEST_CODE)
        self._seconds.labels(name, kind, operation, said).observe(seconds)
        self._requests.labels(name, kind, operation, code, said).inc()
        if rejected:
            self._rejections.labels(name, kind, operation, error or "no_error", code).inc()

    def failed_open(self, name: str, kind: str) -> None:
        """A webhook failed, and the request went on without it."""
        self._open.labels(name, kind).inc()

    def checked(self, policy: str, binding: str, action: str, error: str, seconds: float) -> None:
        """A policy made a binding act (deny, warn, audit; allow: it ignores errors), and what went wrong, if it did."""
        self._checks.labels(policy, binding, error, action).inc()
        self._check_seconds.labels(policy, binding, error, action).observe(seconds)

    def mutated(self, policy: str, binding: str, error: str, seconds: float) -> None:
        """One mutation of a policy, and what went wrong (`no_error`, if nothing did)."""
        self._mutations.labels(policy, binding, error).inc()
        self._mutation_seconds.labels(policy, binding, error).observe(seconds)
