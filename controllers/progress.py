"""A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure. Pure.

`kubectl rollout status` reads exactly these. A condition whose status and reason stay keeps its times, even if its
message would differ; but each step of progress renews Progressing's lastUpdateTime, from which the deadline counts.
Source: pkg/controller/deployment/progress.go, sync.go (calculateStatus), util/deployment_util.go.
"""

from collections.abc import Sequence

from apimachinery.times import rfc3339
from apimachinery.types import Json
from controllers.rollout import max_unavailable
from controllers.views import (
    Condition,
    seconds,
)
from controllers.workload_views import (
    Deployment,
    ReplicaSet,
)

NO_DEADLINE = 2**31 - 1
DONE, UPDATED, TIMED_OUT = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"

Conditions = dict[str, Json]


def conditions_of(owner: Deployment | ReplicaSet) -> Conditions:
    """The conditions as they are, by type, in their order."""
    return {each.type: _condition(each) for each in owner.status.conditions}


def _condition(each: Condition) -> Json:
    found = {"type": each.type, "status": each.status, "reason": each.reason, "message": each.message}
    for name, moment in (("lastUpdateTime", each.last_update_time), ("lastTransitionTime", each.last_transition_time)):
        if moment is not None:
            found[name] = rfc3339(seconds(moment))
    return found


def set_condition(conditions: Conditions, now: float, *texts: str) -> None:
    """Set the condition (type, status, reason, message), unless its status and reason are so already."""
    name, status, reason, message = texts
    current = conditions.pop(name, None)
    if current and (current["status"], current["reason"]) == (status, reason):
        conditions[name] = current
        return
    moment = rfc3339(now)
    kept = current.get("lastTransitionTime", moment) if current and current["status"] == status else moment
    conditions[name] = {
        "type": name,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": moment,
        "lastTransitionTime": kept,
    }


def has_deadline(deployment: Deployment) -> bool:
    """Whether the deployment says how long it may stand still; the largest int32 means that it does not."""
    return deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)


def note_pause(deployment: Deployment, conditions: Conditions, now: float) -> None:
    """Say in Progressing that the deployment was paused or resumed: the deadline does not run meanwhile."""
    if not has_deadline(deployment):
        return
    reason = conditions.get("Progressing", {}).get("reason")
    if reason == TIMED_OUT or deployment.spec.paused == (reason == PAUSED):
        return
    if deployment.spec.paused:
        set_condition(conditions, now, "Progressing", "Unknown", PAUSED, "Deployment is paused")
    else:
        set_condition(conditions, now, "Progressing", "Unknown", RESUMED, "Deployment is resumed")


def counts(deployment: Deployment, new: ReplicaSet | None, everything: Sequence[ReplicaSet]) -> Json:
    """The numbers of the status, from the statuses of the ReplicaSets."""
    total = sum(each.status.replicas for each in everything)
    available = sum(each.status.available_replicas for each in everything)
    return {
        "observedGeneration": deployment.metadata.generation,
        "replicas": total,
        "updatedReplicas": new.status.replicas if new is not None else 0,
        "readyReplicas": sum(each.status.ready_replicas for each in everything),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
    }


def note_availability(deployment: Deployment, status: Json, conditions: Conditions, now: float) -> None:
    """Set the condition Available, by the replicas that the status counts and those that may be missing."""
    if status["availableReplicas"] >= deployment.spec.replicas - max_unavailable(deployment):
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        set_condition(conditions, now, "Available", "True", reason, message)
    else:
        reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        set_condition(conditions, now, "Available", "False", reason, message)


def note_progress(
    deployment: Deployment, new: ReplicaSet | None, status: Json, conditions: Conditions, now: float
) -> None:
    """Say in Progressing how the rollout goes."""
    if not has_deadline(deployment):
        conditions.pop("Progressing", None)
        return
    current = conditions.get("Progressing")
    if status["replicas"] == status["updatedReplicas"] and current is not None and current["reason"] == DONE:
        return  # a finished rollout stays finished, whatever becomes of its pods
    who = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, status):
        set_condition(conditions, now, "Progressing", "True", DONE, f"{who} has successfully progressed.")
    elif _is_progressing(deployment, status):
        _renew(conditions, now, f"{who} is progressing.")
    elif _is_late(deployment, conditions, now):
        set_condition(conditions, now, "Progressing", "False", TIMED_OUT, f"{who} has timed out progressing.")


def _renew(conditions: Conditions, now: float, message: str) -> None:
    old = conditions.pop("Progressing", None)
    set_condition(conditions, now, "Progressing", "True", UPDATED, message)
    if old is not None and old["status"] == "True" and "lastTransitionTime" in old:
        conditions["Progressing"]["lastTransitionTime"] = old["lastTransitionTime"]


def note_failure(new: ReplicaSet | None, everything: Sequence[ReplicaSet], conditions: Conditions, now: float) -> None:
    """Pass the ReplicaFailure of a ReplicaSet on, the new one's before any other's."""
    ordered = ([new] if new is not None else []) + [each for each in everything if each is not new]
    for each in ordered:
        failure = conditions_of(each).get("ReplicaFailure")
        if failure is not None:
            texts = ("ReplicaFailure", failure["status"], failure["reason"], failure["message"])
            set_condition(conditions, now, *texts)
            return
    conditions.pop("ReplicaFailure", None)


def is_complete(deployment: Deployment, status: Json) -> bool:
    """Whether all pods are new, there are no others, and all are available."""
    wanted = deployment.spec.replicas
    return bool(
        status["updatedReplicas"] == wanted == status["replicas"] == status["availableReplicas"]
        and status["observedGeneration"] >= deployment.metadata.generation
    )


def _is_progressing(deployment: Deployment, status: Json) -> bool:
    old = deployment.status
    return bool(
        status["updatedReplicas"] > old.updated_replicas
        or status["replicas"] - status["updatedReplicas"] < old.replicas - old.updated_replicas
        or status["readyReplicas"] > old.ready_replicas
        or status["availableReplicas"] > old.available_replicas
    )


def _is_late(deployment: Deployment, conditions: Conditions, now: float) -> bool:
    current = conditions.get("Progressing")
    if current is None or current["reason"] == DONE:
        return False
    left = deadline_in(deployment, now)
    return current["reason"] == TIMED_OUT or (left is not None and left < 0)


def deadline_in(deployment: Deployment, now: float) -> float | None:
    """Seconds until the rollout, as its stored status has it, counts as stuck; None where nothing runs out."""
    deadline = deployment.spec.progress_deadline_seconds
    current = next((each for each in deployment.status.conditions if each.type == "Progressing"), None)
    if deadline is None or deadline == NO_DEADLINE or current is None or current.last_update_time is None:
        return None
    if current.reason in (DONE, TIMED_OUT):
        return None
    return seconds(current.last_update_time) + deadline - now
