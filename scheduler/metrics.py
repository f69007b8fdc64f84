"""What the scheduler counts, by upstream's names and labels. Source: pkg/scheduler/metrics/metrics.go.

Left out: what is told of each plugin and extension point, since filters and scores run for all nodes at once and not
one by one; of goroutines; and why pods came into a queue.
"""

from collections.abc import Callable, Mapping

from serving.exposition import PROCESS, Families
from serving.series import ALPHA, BETA, STABLE, Counter, Histogram, Rows, Shown, exponential

SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"
_SECONDS = exponential(0.001, 2, 15)
#: Attempts from which on they are told as one.
_MANY = 15

ATTEMPTS = Counter("scheduler_schedule_attempts_total", "Attempts by result.", ("result", "profile"), stability=STABLE)
ATTEMPT = Histogram(
    "scheduler_scheduling_attempt_duration_seconds",
    "How long an attempt took, binding included.",
    ("result", "profile"),
    buckets=_SECONDS,
    stability=STABLE,
)
ALGORITHM = Histogram(
    "scheduler_scheduling_algorithm_duration_seconds", "How long it took to choose a node.", buckets=_SECONDS
)
TRIES = Histogram(
    "scheduler_pod_scheduling_attempts", "Attempts until a pod was placed.", buckets=(1, 2, 4, 8, 16), stability=STABLE
)
SLI = Histogram(
    "scheduler_pod_scheduling_sli_duration_seconds",
    "How long pods took from their coming to their being bound, without the time in which nothing would have helped.",
    ("attempts",),
    buckets=exponential(0.01, 2, 20),
    stability=BETA,
)
PREEMPTIONS = Counter("scheduler_preemption_attempts_total", "Attempts to make room for a pod.", stability=STABLE)
VICTIMS = Histogram(
    "scheduler_preemption_victims", "Pods evicted for one.", buckets=(1, 2, 4, 8, 16, 32, 64), stability=STABLE
)
PROCESS.add(ATTEMPTS, ATTEMPT, ALGORITHM, TRIES, SLI, PREEMPTIONS, VICTIMS)


def watch(
    queues: Callable[[], Mapping[str, int]], held: Callable[[], Mapping[str, int]], *, families: Families = PROCESS
) -> None:
    """From now on /metrics tells of what waits in `queues`, and of the nodes and pods `held` in memory."""

    def rows(read: Callable[[], Mapping[str, int]]) -> Callable[[], Rows]:
        return lambda: [((name,), size) for name, size in read().items()]

    families.add(
        Shown(
            "scheduler_pending_pods", "Pods that wait, by where they wait.", ("queue",), rows(queues), stability=STABLE
        ),
        Shown("scheduler_scheduler_cache_size", "What is held in memory.", ("type",), rows(held), stability=ALPHA),
    )


def attempted(result: str, profile: str, seconds: float) -> None:
    """An attempt has ended."""
    ATTEMPTS.of(result, profile).value += 1
    ATTEMPT.of(result, profile).add(seconds)


def placed(attempts: int, seconds: float) -> None:
    """A pod is bound, at the attempt of this number, so long after it came."""
    TRIES.of().add(attempts)
    SLI.of(str(attempts) if attempts < _MANY else f"{_MANY}+").add(seconds)
