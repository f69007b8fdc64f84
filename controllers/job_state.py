"""A Job's conditions and status: reading them, adding to them, writing what changed. Pure.

Source: pkg/apis/batch, pkg/controller/job/job_controller.go (ensureJobConditionStatus), pkg/controller/job/util.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.kinds import JOBS
from apimachinery.objects.batch_v1 import JobCondition
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.plan import Patch, key_of
from controllers.views import (
    seconds,
)
from controllers.workload_views import (
    Job,
)

#: What is said first, while pods go, and what that turns into when they are gone.
FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a Job ends: the type of the interim condition, why, and whether that is known from an earlier plan."""

    type: str
    reason: str
    message: str
    is_told: bool = False


def condition_of(job: Job, type: str) -> JobCondition | None:
    """The Job's condition of a type."""
    return next((each for each in job.status.conditions if each.type == type), None)


def finished(job: Job) -> JobCondition | None:
    """The condition by which a Job is over."""
    return next((c for c in job.status.conditions if c.type in ("Complete", "Failed") and c.status == "True"), None)


def told(job: Job) -> Verdict | None:
    """The verdict of an earlier plan."""
    for type in FINAL:
        found = condition_of(job, type)
        if found is not None and found.status == "True":
            return Verdict(type, found.reason, found.message, is_told=True)
    return None


def trees(conditions: Sequence[JobCondition]) -> list[Json]:
    """Conditions as they are written into a status."""
    return [_tree(each) for each in conditions]


def _tree(each: JobCondition) -> Json:
    found = {"type": each.type, "status": each.status, "reason": each.reason, "message": each.message}
    for name, moment in (("lastProbeTime", each.last_probe_time), ("lastTransitionTime", each.last_transition_time)):
        if moment is not None:
            found[name] = rfc3339(seconds(moment))
    return {name: value for name, value in found.items() if value}


def with_condition(
    conditions: Sequence[Json], type: str, status: str, reason: str, message: str, now: float
) -> list[Json]:
    """The conditions with one set; from nothing to False is no news."""
    new = {"type": type, "status": status, "reason": reason, "message": message}
    old = next((each for each in conditions if each["type"] == type), None)
    if old is None and status == "False":
        return list(conditions)
    if old is not None and all(old.get(name, "") == value for name, value in new.items()):
        return list(conditions)
    new |= {"lastProbeTime": rfc3339(now), "lastTransitionTime": rfc3339(now)}
    if old is None:
        return [*conditions, new]
    return [new if each is old else each for each in conditions]


def status_tree(job: Job) -> dict[str, Any]:
    """The status as it is, None for what is absent."""
    old = job.status
    uncounted = old.uncounted_terminated_pods
    return {
        "active": old.active or None,
        "ready": old.ready,
        "terminating": old.terminating,
        "succeeded": old.succeeded or None,
        "failed": old.failed or None,
        "completedIndexes": old.completed_indexes or None,
        "failedIndexes": old.failed_indexes,
        "startTime": rfc3339(seconds(old.start_time)) if old.start_time else None,
        "completionTime": rfc3339(seconds(old.completion_time)) if old.completion_time else None,
        "uncountedTerminatedPods": None if uncounted is None else uncounted_tree(uncounted.succeeded, uncounted.failed),
        "conditions": trees(old.conditions),
    }


def uncounted_tree(succeeded: Sequence[str], failed: Sequence[str]) -> Json:
    """`status.uncountedTerminatedPods`; nulls, so that a merge empties what is empty."""
    return {"succeeded": list(succeeded) or None, "failed": list(failed) or None}


def status_patch(job: Job, after: Mapping[str, Any]) -> Sequence[Patch]:
    """What turns the status into `after`, as of the version decided upon: the counts must not be added twice."""
    before = status_tree(job)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return ()
    version = job.metadata.resource_version
    body = {"status": changed}
    uid = job.metadata.uid
    return (Patch(JOBS, key_of(job), uid, body, subresource="status", resource_version=version),)
