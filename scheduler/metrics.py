"""What the scheduler counts, by upstream's names and labels. Source: pkg/scheduler/metrics/metrics.go."""

from prometheus_client import Counter, Gauge, Histogram

SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"
_SECONDS = tuple(0.001 * 2**step for step in range(15))

ATTEMPTS = Counter("scheduler_schedule_attempts_total", "Attempts by result.", ("result", "profile"))
ATTEMPT = Histogram(
    "scheduler_scheduling_attempt_duration_seconds",
    "Time of an attempt, binding included.",
    ("result", "profile"),
    buckets=_SECONDS,
)
ALGORITHM = Histogram("scheduler_scheduling_algorithm_duration_seconds", "Time to place one pod.", buckets=_SECONDS)
TRIES = Histogram("scheduler_pod_scheduling_attempts", "Attempts until a pod was placed.", buckets=(1, 2, 4, 8, 16))
PENDING = Gauge("scheduler_pending_pods", "Pods that wait for a node, by where they wait.", ("queue",))
PREEMPTIONS = Counter("scheduler_preemption_attempts_total", "Attempts to make room for a pod.")
VICTIMS = Histogram("scheduler_preemption_victims", "Pods evicted for one.", buckets=(1, 2, 4, 8, 16, 32, 64))


def attempted(result: str, profile: str, seconds: float) -> None:
    """An attempt has ended."""
    ATTEMPTS.labels(result, profile).inc()
    ATTEMPT.labels(result, profile).observe(seconds)
