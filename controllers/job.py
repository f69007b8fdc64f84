"""Runs each Job's pods until enough of them have succeeded or too many failed, and counts every end exactly once.

A pod carries a finalizer until it is counted, in three writes: its uid goes into the status
(`uncountedTerminatedPods`), the finalizer goes, and the uid turns into one more in `succeeded` or `failed`. So neither
a restart nor a deleted pod makes a count wrong. The completions of indexed Jobs are a set of indexes and need no uids.
A verdict is told first (`SuccessCriteriaMet`, `FailureTarget`), and becomes final (`Complete`, `Failed`) when no pod is
left or uncounted.
Source: pkg/controller/job/job_controller.go; KEPs 2307, 3329, 3850, 3939, 3998, 4368.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.kinds import JOBS, PODS
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.times import rfc3339
from client.plan import Create, Event, Key, Plan, View, Watch, Write, itself
from controllers import pods
from controllers.job_indexes import Indexes
from controllers.job_pods import about_job, creation, deletion, letting_go, surplus
from controllers.job_policies import (
    Failures,
    backoff,
    failures_of_index,
    finished_at,
    has_valid_index,
    index_of,
    is_failed,
    is_index_failed,
    is_indexed,
    is_tracked,
    judge,
    replaces_failed_only,
    success_met,
)
from controllers.job_state import (
    FINAL,
    Verdict,
    finished,
    status_patch,
    status_tree,
    told,
    trees,
    uncounted_tree,
    with_condition,
)
from controllers.ownership import OwnerOrMatching, claim, controller_of
from controllers.views import (
    JOB_TRACKING,
    TRACKED,
    Pod,
    seconds,
)
from controllers.workload_views import (
    Job,
)

ITSELF = "kubernetes.io/job-controller"
MAX_UNCOUNTED = 500
MAX_AT_ONCE = 500


def selector_of(job: Job) -> LabelSelector:
    """Which pods may be the Job's."""
    return from_label_selector(job.spec.selector)


def is_ours(job: Job) -> bool:
    """Whether no other controller manages it."""
    return job.spec.managed_by in ("", ITSELF)


_owner_or_matching = OwnerOrMatching(JOBS, selector_of)


def _jobs_of(pod: Pod, view: View) -> Iterable[Key]:
    """Its Job or who might adopt it; of a tracked pod that nobody controls also its namespace at large."""
    yield from _owner_or_matching(pod, view)
    if is_tracked(pod) and controller_of(pod) is None:
        yield Key(pod.metadata.namespace, "")


@dataclass(frozen=True)
class Known:
    """A Job with its pods at one moment, and what follows from them."""

    job: Job
    pods: Sequence[Pod]
    now: float

    active: Sequence[Pod] = field(init=False)
    uncounted_succeeded: Sequence[str] = field(init=False)
    uncounted_failed: Sequence[str] = field(init=False)
    new_succeeded: Sequence[Pod] = field(init=False)
    new_failed: Sequence[Pod] = field(init=False)
    completed: Indexes = field(init=False)
    failed_indexes: Indexes | None = field(init=False)

    def __post_init__(self) -> None:
        job, uncounted = self.job, self.job.status.uncounted_terminated_pods
        put = object.__setattr__
        put(self, "active", [pod for pod in self.pods if pods.is_active(pod)])
        put(self, "uncounted_succeeded", uncounted.succeeded if uncounted else ())
        put(self, "uncounted_failed", uncounted.failed if uncounted else ())
        valid = [pod for pod in self.pods if is_tracked(pod) and has_valid_index(pod, job)]
        ended = [pod for pod in valid if pod.metadata.uid not in self.uncounted_succeeded]
        put(self, "new_succeeded", [pod for pod in ended if pod.status.phase == "Succeeded"])
        fresh = [pod for pod in valid if pod.metadata.uid not in self.uncounted_failed]
        put(self, "new_failed", [pod for pod in fresh if is_failed(pod, job)])
        indexed = valid if is_indexed(job) else ()
        done = [index_of(pod) or 0 for pod in indexed if pod.status.phase == "Succeeded"]
        completions = job.spec.completions or 0
        put(self, "completed", Indexes.parse(job.status.completed_indexes, completions).with_each(done))
        put(self, "failed_indexes", None)
        if is_indexed(job) and job.spec.backoff_limit_per_index is not None:
            lost = [index_of(pod) or 0 for pod in indexed if is_index_failed(pod, job)]
            put(self, "failed_indexes", Indexes.parse(job.status.failed_indexes or "", completions).with_each(lost))

    @property
    def succeeded(self) -> int:
        if is_indexed(self.job):
            return len(self.completed)
        return self.job.status.succeeded + len(self.new_succeeded) + len(self.uncounted_succeeded)

    @property
    def failed(self) -> int:
        counting = sum(judge(pod, self.job).counts for pod in self.new_failed)
        return self.job.status.failed + counting + len(self.uncounted_failed)

    @property
    def terminating(self) -> Sequence[Pod]:
        leaving = (pod for pod in self.pods if pod.metadata.deletion_timestamp is not None)
        return [pod for pod in leaving if not pods.is_terminal(pod)]

    def kept_by_index(self) -> Mapping[int, Pod]:
        """For each index that waits for its next pod the last failed one: it stays until its count is passed on."""
        if self.failed_indexes is None:
            return {}
        busy = {index_of(pod) for pod in self.active}
        found: dict[int, Pod] = {}
        for pod in self.pods:
            index = index_of(pod)
            is_candidate = is_tracked(pod) and has_valid_index(pod, self.job) and is_failed(pod, self.job)
            if index is None or not is_candidate or index in busy:
                continue
            if index in self.completed or index in self.failed_indexes:
                continue
            found[index] = max(
                found.get(index, pod), pod, key=lambda each: (failures_of_index(each), finished_at(each))
            )
        return found


@dataclass(frozen=True)
class Steps:
    """What is to be done about the pods, and when to look again."""

    creates: Sequence[Create] = ()
    deletes: Sequence[Pod] = ()
    counts_deleted: bool = False  # those deleted keep their finalizer, since they count as failed
    again_in: float | None = None


class JobController:
    """The controller of Jobs."""

    name = "job-controller"
    watches: Sequence[Watch] = (Watch(JOBS, itself), Watch(PODS, _jobs_of))

    def __init__(self) -> None:
        self._failures: dict[Key, Failures] = {}

    def plan(self, key: Key, view: View, now: float) -> Plan:
        job: Job | None = view.get(JOBS, key) if key.name else None
        strays = _strays(key, view, job)
        if job is None or finished(job) is not None or not is_ours(job):
            self._failures.pop(key, None)
            return Plan(strays)
        claimed = claim(view, JOBS, job, selector_of(job), PODS, finalizer=JOB_TRACKING)
        if claimed.patches:
            return Plan([*strays, *claimed.patches])  # decided upon when they are in the view
        known = Known(job, claimed.mine, now)
        failures = self._remembered(key, known)
        verdict = told(job) or _failure(known) or _success_by_policy(known)
        steps = _ending(known) if verdict else _pods(known, failures)
        verdict = verdict or _success_by_count(known, steps)
        failed_creating = view.failure is not None and isinstance(view.failure.write, Create)
        writes = _writes(known, verdict, steps, failed_creating=failed_creating)
        return Plan([*strays, *writes], _sooner(steps.again_in, None if verdict else _deadline_in(job, now)))

    def _remembered(self, key: Key, known: Known) -> Failures:
        failures = self._failures.get(key)
        if failures is None or failures.uid != known.job.metadata.uid:
            failures = self._failures[key] = Failures(known.job.metadata.uid)
            counted = (pod for pod in known.pods if has_valid_index(pod, known.job) and not is_tracked(pod))
            ended = [pod for pod in counted if pods.is_terminal(pod) and pod.metadata.deletion_timestamp is None]
            failures.note(
                [pod for pod in ended if pod.status.phase == "Succeeded"],
                [pod for pod in ended if pod.status.phase == "Failed"],
            )
        failures.note(known.new_succeeded, known.new_failed)
        return failures


def _strays(key: Key, view: View, job: Job | None) -> list[Write | Event]:
    """Let go of tracked pods that no Job will count any more. Only as of this version: another may just adopt one."""
    found: list[Write | Event] = []
    for pod in view.by(PODS, TRACKED, f"{key.namespace}/{key.name}"):
        owner = controller_of(pod)
        if owner is None or job is None or owner.uid != job.metadata.uid or (finished(job) and is_ours(job)):
            found.append(letting_go(pod, resource_version=pod.metadata.resource_version))
    return found


# ------------------------------------------------------------------------------------------------ verdicts


def _failure(known: Known) -> Verdict | None:
    """Why the Job has failed, if it has."""
    job = known.job
    if message := next(filter(None, (judge(pod, job).message for pod in known.pods if is_failed(pod, job))), ""):
        return Verdict("FailureTarget", "PodFailurePolicy", message)
    if known.failed > job.spec.backoff_limit or _restarted_too_often(known):
        return Verdict("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    remaining = _deadline_in(job, known.now)
    if remaining is not None and remaining <= 0:
        return Verdict("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    lost = known.failed_indexes
    if lost is None:
        return None
    if job.spec.max_failed_indexes is not None and len(lost) > job.spec.max_failed_indexes:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Verdict("FailureTarget", "MaxFailedIndexesExceeded", message)
    if lost.runs and len(lost) + len(known.completed) >= (job.spec.completions or 0):
        return Verdict("FailureTarget", "FailedIndexes", "Job has failed indexes")
    return None


def _restarted_too_often(known: Known) -> bool:
    """Containers that are restarted in place count by their restarts."""
    if (known.job.spec.template.get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    living = [pod.status for pod in known.pods if pod.status.phase in ("Running", "Pending")]
    statuses = (each for status in living for each in (*status.init_container_statuses, *status.container_statuses))
    return sum(each.restart_count for each in statuses) >= max(1, known.job.spec.backoff_limit)


def _deadline_in(job: Job, now: float) -> float | None:
    limit, start = job.spec.active_deadline_seconds, job.status.start_time
    if limit is None or job.spec.suspend:
        return None
    return (seconds(start) if start is not None else now) + limit - now


def _success_by_policy(known: Known) -> Verdict | None:
    message = success_met(known.job, known.completed) if is_indexed(known.job) else ""
    return Verdict("SuccessCriteriaMet", "SuccessPolicy", message) if message else None


def _success_by_count(known: Known, steps: Steps) -> Verdict | None:
    completions = known.job.spec.completions
    is_enough = known.succeeded > 0 if completions is None else known.succeeded >= completions
    if not is_enough or len(known.active) + len(steps.creates) > len(steps.deletes):
        return None
    message = "Reached expected number of succeeded pods"
    return Verdict("SuccessCriteriaMet", "CompletionsReached", message)


# ------------------------------------------------------------------------------------------------ pods


def _ending(known: Known) -> Steps:
    return Steps(deletes=known.active, counts_deleted=True)


def _pods(known: Known, failures: Failures) -> Steps:
    """How many pods there should be, and what brings that about. Either some go or some come."""
    job, active = known.job, known.active
    if job.metadata.deletion_timestamp is not None:
        return Steps()
    if job.spec.suspend:
        return Steps(deletes=surplus(job, active, len(active)))
    wanted = _wanted(known)
    doomed = surplus(job, active, max(0, len(active) - wanted))[:MAX_AT_ONCE]
    if doomed:
        return Steps(deletes=doomed)
    waiting_for = len(known.terminating) if replaces_failed_only(job) else 0
    lacking = min(wanted - waiting_for - len(active), MAX_AT_ONCE)
    if lacking <= 0:
        return Steps()
    if job.spec.backoff_limit_per_index is not None:
        return _new_by_index(known, lacking)
    if remaining := failures.remaining(known.now):
        return Steps(again_in=max(1.0, remaining))
    if is_indexed(job):
        return Steps([creation(job, index) for index in _free_indexes(known, lacking)])
    return Steps([creation(job, None)] * lacking)


def _wanted(known: Known) -> int:
    spec = known.job.spec
    if spec.completions is None:
        return len(known.active) if known.succeeded else spec.parallelism
    return max(0, min(spec.completions - known.succeeded, spec.parallelism))


def _free_indexes(known: Known, count: int) -> Sequence[int]:
    taken = [*known.active, *(known.terminating if replaces_failed_only(known.job) else ())]
    indexes = known.completed.with_each(index for pod in taken if (index := index_of(pod)) is not None)
    indexes |= known.failed_indexes or Indexes()
    return indexes.missing(count, known.job.spec.completions or 0)


def _new_by_index(known: Known, lacking: int) -> Steps:
    """Each index has a back-off of its own."""
    kept, now = known.kept_by_index(), known.now
    waits = {index: _index_backoff(kept.get(index), now) for index in _free_indexes(known, lacking)}
    ready = [index for index, wait in waits.items() if not wait]
    later = min((wait for wait in waits.values() if wait), default=None)
    creates = [creation(known.job, index, kept.get(index)) for index in ready]
    return Steps(creates, again_in=later if later is None else max(1.0, later))


def _index_backoff(last: Pod | None, now: float) -> float:
    return 0.0 if last is None else backoff(failures_of_index(last) + 1, finished_at(last), now)


# ------------------------------------------------------------------------------------------------ writing


def _writes(known: Known, verdict: Verdict | None, steps: Steps, *, failed_creating: bool) -> Sequence[Write | Event]:
    """In order: pods, status, finalizers. After a refused create the status comes first, and says what is."""
    job = known.job
    doomed = [deletion(job, pod) for pod in steps.deletes]
    if not steps.counts_deleted:
        about_pods: list[Write | Event] = [letting_go(pod) for pod in steps.deletes if is_tracked(pod)]
        about_pods += [*doomed, *steps.creates]
    else:
        about_pods = list(doomed)
    counting = _count(known, verdict, spared={} if steps.counts_deleted else {p.metadata.uid for p in steps.deletes})
    late = failed_creating and bool(steps.creates)
    status, events = _status(known, verdict, Steps() if late else steps, counting)
    patches = status_patch(job, status)
    told_writes: list[Write | Event] = [*patches, *(events if patches else ()), *map(letting_go, counting.released)]
    return [*told_writes, *about_pods] if late else [*about_pods, *told_writes]


@dataclass(frozen=True)
class Counting:
    """The uids to note, and the pods whose finalizers may go once that is written."""

    succeeded: Sequence[str]
    failed: Sequence[str]
    released: Sequence[Pod]
    done_succeeded: int  # noted before, and their finalizers are gone: they move into the counters now
    done_failed: int


def _count(known: Known, verdict: Verdict | None, spared: Iterable[str]) -> Counting:
    tracked = {pod.metadata.uid for pod in known.pods if is_tracked(pod)}
    succeeded = [uid for uid in known.uncounted_succeeded if uid in tracked]
    failed = [uid for uid in known.uncounted_failed if uid in tracked]
    gone = len(known.uncounted_succeeded) - len(succeeded), len(known.uncounted_failed) - len(failed)
    kept = {pod.metadata.uid for pod in known.kept_by_index().values()}
    released: list[Pod] = []
    for pod in sorted(known.pods, key=lambda each: index_of(each) or 0):
        uid = pod.metadata.uid
        if not is_tracked(pod) or uid in spared or not _may_go(known, verdict, pod, kept):
            continue
        if len(succeeded) + len(failed) >= MAX_UNCOUNTED or len(released) >= MAX_UNCOUNTED:
            break
        released.append(pod)
        if pod.status.phase == "Succeeded" and uid not in known.uncounted_failed:
            if not is_indexed(known.job) and uid not in succeeded:
                succeeded.append(uid)
        elif _counts_as_failed(known, verdict, pod) and uid not in failed:
            failed.append(uid)
    return Counting(succeeded, failed, released, *gone)


def _may_go(known: Known, verdict: Verdict | None, pod: Pod, kept: Iterable[str]) -> bool:
    is_over = verdict is not None or known.job.metadata.deletion_timestamp is not None
    if is_over or pod.status.phase == "Succeeded":
        return True
    return is_failed(pod, known.job) and pod.metadata.uid not in kept


def _counts_as_failed(known: Known, verdict: Verdict | None, pod: Pod) -> bool:
    """Failed pods do, and all that had not ended when the Job failed; not what a policy says to ignore."""
    has_failed = verdict is not None and verdict.type == "FailureTarget"
    if not (is_failed(pod, known.job) or has_failed) or not has_valid_index(pod, known.job):
        return False
    return judge(pod, known.job).counts


def _status(
    known: Known, verdict: Verdict | None, steps: Steps, counting: Counting
) -> tuple[dict[str, Any], Sequence[Event]]:
    """The status as it is once `steps` are done, and what to tell with it."""
    job, now, old = known.job, known.now, known.job.status
    gone = steps.deletes
    ready = sum(map(pods.is_ready, known.active)) - sum(map(pods.is_ready, gone))
    terminating = len(known.terminating) + len(gone)
    succeeded = len(known.completed) if is_indexed(job) else old.succeeded + counting.done_succeeded
    after = status_tree(job) | {
        "active": len(known.active) - len(gone) + len(steps.creates) or None,
        "ready": ready,
        "terminating": terminating,
        "succeeded": succeeded or None,
        "failed": old.failed + counting.done_failed or None,
        "completedIndexes": str(known.completed) or None,
        "uncountedTerminatedPods": uncounted_tree(counting.succeeded, counting.failed),
        "failedIndexes": None if known.failed_indexes is None else str(known.failed_indexes),
    }
    if old.start_time is None and not job.spec.suspend:
        after["startTime"] = rfc3339(now)
    is_busy = bool(counting.succeeded or counting.failed or counting.released or terminating or gone)
    changed, events = _conditions(job, verdict, now, succeeded, is_busy=is_busy)
    return after | changed, events


def _conditions(
    job: Job, verdict: Verdict | None, now: float, succeeded: int, *, is_busy: bool
) -> tuple[dict[str, Any], Sequence[Event]]:
    old, about = trees(job.status.conditions), about_job(job)
    if verdict is None:
        return _suspension(job, now) if job.metadata.deletion_timestamp is None else ({"conditions": old}, ())
    if not verdict.is_told:
        return {"conditions": with_condition(old, verdict.type, "True", verdict.reason, verdict.message, now)}, ()
    if is_busy:
        return {"conditions": old}, ()
    final = FINAL[verdict.type]
    new = {"conditions": with_condition(old, final, "True", verdict.reason, verdict.message, now)}
    if final == "Failed":
        return new, (Event(about, "Warning", verdict.reason, verdict.message),)
    events = [Event(about, "Normal", "Completed", "Job completed")]
    if job.spec.completions is not None and succeeded > job.spec.completions:
        message = "Too many succeeded pods running after completion count reached"
        events.insert(0, Event(about, "Warning", "TooManySucceededPods", message))
    return {**new, "completionTime": rfc3339(now)}, events


def _suspension(job: Job, now: float) -> tuple[dict[str, Any], Sequence[Event]]:
    """Suspended or resumed; a resumed Job's time starts anew."""
    old = trees(job.status.conditions)
    word = "suspended" if job.spec.suspend else "resumed"
    state = "True" if job.spec.suspend else "False"
    new = with_condition(old, "Suspended", state, f"Job{word.title()}", f"Job {word}", now)
    if new == old:
        return {"conditions": old}, ()
    started = {} if job.spec.suspend else {"startTime": rfc3339(now)}
    return {"conditions": new, **started}, (Event(about_job(job), "Normal", word.title(), f"Job {word}"),)


def _sooner(*delays: float | None) -> float | None:
    return min((max(0.0, delay) for delay in delays if delay is not None), default=None)
