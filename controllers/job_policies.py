"""What a Job makes of its pods' ends: which count as failed, which rule a failure meets, when enough is done. Pure.

Source: pkg/controller/job/{pod_failure_policy,success_policy,backoff_utils}.go, isPodFailed of job_controller.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apimachinery.annotation_numbers import int64
from apimachinery.objects.batch_v1 import (
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from controllers.job_indexes import Indexes
from controllers.pods import condition
from controllers.views import (
    JOB_TRACKING,
    ContainerStatus,
    Pod,
    seconds,
)
from controllers.workload_views import (
    Job,
)

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
FAILURE_COUNT = "batch.kubernetes.io/job-index-failure-count"
IGNORED_COUNT = "batch.kubernetes.io/job-index-ignored-failure-count"
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a failed pod means: the rule's action ("" where none met it), and the message if the Job fails for it."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether it counts towards the limits."""
        return self.action != "Ignore"


def is_tracked(pod: Pod) -> bool:
    """Whether the pod still waits to be counted: its finalizer goes once its end is in the job's status."""
    return JOB_TRACKING in pod.metadata.finalizers


def is_indexed(job: Job) -> bool:
    """Whether each of the Job's completions has an index."""
    return job.spec.completion_mode == "Indexed"


def index_of(pod: Pod) -> int | None:
    """A pod's completion index."""
    return int64(pod.metadata.annotations.get(COMPLETION_INDEX, ""))


def has_valid_index(pod: Pod, job: Job) -> bool:
    """Whether the pod can do a Job good or harm: those of an indexed one must have one of its indexes."""
    if not is_indexed(job):
        return True
    index = index_of(pod)
    return index is not None and index < (job.spec.completions or 0)


def replaces_failed_only(job: Job) -> bool:
    """Whether a pod is replaced once it has failed; otherwise as soon as it is being deleted."""
    return job.spec.pod_replacement_policy == "Failed" or job.spec.pod_failure_policy is not None


def is_failed(pod: Pod, job: Job) -> bool:
    """Whether the pod counts as failed: a leaving one does as well, unless the job replaces failed pods alone."""
    if pod.status.phase == "Failed":
        return True
    is_leaving = pod.metadata.deletion_timestamp is not None and pod.status.phase != "Succeeded"
    return is_leaving and not replaces_failed_only(job)


# ------------------------------------------------------------------------------------------------ failure policy


def judge(pod: Pod, job: Job) -> Judgement:
    """The first rule of the pod failure policy that a failed pod meets."""
    policy = job.spec.pod_failure_policy
    for number, rule in enumerate(policy.rules if policy else ()):
        if cause := _met(pod, rule):
            message = f"{cause} matching FailJob rule at index {number}" if rule.action == "FailJob" else ""
            return Judgement(rule.action, message)
    return Judgement()


def _met(pod: Pod, rule: PodFailurePolicyRule) -> str:
    """In words how a pod meets a rule, empty where it does not."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if rule.on_exit_codes is not None:
        for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
            if (code := _exit_code(status, rule.on_exit_codes)) is not None:
                return f"Container {status.name} for pod {name} failed with exit code {code}"
        return ""
    patterns = {(each.type, each.status) for each in rule.on_pod_conditions}
    types = (each.type for each in pod.status.conditions if (each.type, each.status) in patterns)
    return next((f"Pod {name} has condition {each}" for each in types), "")


def _exit_code(status: ContainerStatus, wanted: PodFailurePolicyOnExitCodesRequirement) -> int | None:
    ended = status.state.terminated
    if ended is None or ended.exit_code == 0 or wanted.container_name not in ("", status.name):
        return None
    return ended.exit_code if (ended.exit_code in wanted.values) == (wanted.operator == "In") else None


# ------------------------------------------------------------------------------------------------ indexes


def _count(pod: Pod, annotation: str) -> int:
    count = int64(pod.metadata.annotations.get(annotation, "0")) or 0
    return count if count < 1 << 31 else 0


def failures_of_index(pod: Pod) -> int:
    """How often its index had failed before this pod, failures that were ignored included."""
    return _count(pod, FAILURE_COUNT) + _count(pod, IGNORED_COUNT)


def failure_annotations(replaced: Pod | None, job: Job) -> dict[str, str]:
    """What the next pod of an index is told about the failures before it."""
    if replaced is None:
        return {FAILURE_COUNT: "0"}
    counts = judge(replaced, job).counts
    failures, ignored = _count(replaced, FAILURE_COUNT) + counts, _count(replaced, IGNORED_COUNT) + (not counts)
    return {FAILURE_COUNT: str(failures)} | ({IGNORED_COUNT: str(ignored)} if ignored else {})


def is_index_failed(pod: Pod, job: Job) -> bool:
    """Whether this pod's end is the end of its index."""
    if not is_failed(pod, job):
        return False
    found = judge(pod, job)
    limit = job.spec.backoff_limit_per_index or 0
    return found.action == "FailIndex" or (found.counts and _count(pod, FAILURE_COUNT) >= limit)


def success_met(job: Job, succeeded: Indexes) -> str:
    """Which rule of the success policy is met, in words; empty where none is."""
    policy = job.spec.success_policy
    for number, rule in enumerate(policy.rules if policy and succeeded.runs else ()):
        if _is_success(rule, succeeded, job.spec.completions or 0):
            return f"Matched rules at index {number}"
    return ""


def _is_success(rule: SuccessPolicyRule, succeeded: Indexes, completions: int) -> bool:
    if not rule.succeeded_indexes:
        return rule.succeeded_count is not None and len(succeeded) >= rule.succeeded_count
    wanted = Indexes.parse(rule.succeeded_indexes, completions)
    common = succeeded.common(wanted)
    enough = len(wanted) if rule.succeeded_count is None else min(rule.succeeded_count, len(wanted))
    return bool(wanted.runs) and common >= enough


# ------------------------------------------------------------------------------------------------ back-off


def finished_at(pod: Pod) -> float:
    """When its containers ended; where nobody says, when it stopped being ready, was told to go, or was made."""
    if ended := _containers_ended(pod):
        return ended
    ready = condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time is not None:
        return seconds(ready.last_transition_time)
    if pod.metadata.deletion_timestamp is not None:
        return seconds(pod.metadata.deletion_timestamp) - (pod.metadata.deletion_grace_period_seconds or 0)
    return seconds(pod.metadata.creation_timestamp)


def _containers_ended(pod: Pod) -> float:
    """When the last container ended, sidecars included; 0 where one has not or nobody says."""
    sidecars = {each.name for each in pod.spec.init_containers if each.restart_policy == "Always"}
    started_first = (each for each in pod.status.init_container_statuses if each.name in sidecars)
    statuses = (*pod.status.container_statuses, *started_first)
    ends = [seconds(each.state.terminated.finished_at) if each.state.terminated else 0.0 for each in statuses]
    return max(ends) if ends and all(ends) else 0.0


def backoff(failures: int, last: float, now: float) -> float:
    """Seconds until a pod may be made after so many failures in a row, the last at that time."""
    if not failures:
        return 0.0
    delay: float = min(FIRST_BACKOFF * 2 ** min(failures - 1, 10), LONGEST_BACKOFF)
    return max(0.0, last + delay - now)


class Failures:
    """For one Job the failures since its last success, by pod: the one memory of the controller.

    Noting a pod twice changes nothing, so a plan that is made again counts it once. Pods that still lie there count
    even if nobody remembers them (a restart of the controllers forgets no back-off).
    """

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self._succeeded = 0.0
        self._failed: dict[str, float] = {}

    def note(self, succeeded: Iterable[Pod], failed: Iterable[Pod]) -> None:
        self._succeeded = max((self._succeeded, *map(finished_at, succeeded)))
        for pod in failed:
            self._failed.setdefault(pod.metadata.uid, finished_at(pod))
        self._failed = {uid: at for uid, at in self._failed.items() if at > self._succeeded}

    def remaining(self, now: float) -> float:
        return backoff(len(self._failed), max(self._failed.values(), default=0.0), now)
