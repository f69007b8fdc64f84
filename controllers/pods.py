"""What several controllers ask about a pod. Pure. Source: pkg/api/v1/pod/util.go, controller_utils.go."""

from apimachinery.kinds import PODS
from apimachinery.objects.core_v1 import PodCondition
from apimachinery.types import Json
from client.plan import Create, Delete, Event, key_of
from controllers.views import (
    Pod,
    seconds,
)

TERMINAL = ("Succeeded", "Failed")


def is_terminal(pod: Pod) -> bool:
    """Whether its containers have run and will not run again."""
    return pod.status.phase in TERMINAL


def is_active(pod: Pod) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    return not is_terminal(pod) and pod.metadata.deletion_timestamp is None


def condition(pod: Pod, type: str) -> PodCondition | None:
    """The pod's condition of a type."""
    return next((each for each in pod.status.conditions if each.type == type), None)


def is_ready(pod: Pod) -> bool:
    """Whether the pod is ready."""
    found = condition(pod, "Ready")
    return found is not None and found.status == "True"


def ready_since(pod: Pod) -> float:
    """Since when it is ready, 0 where it is not or nobody knows."""
    found = condition(pod, "Ready")
    return seconds(found.last_transition_time) if found is not None and found.status == "True" else 0.0


def available_in(pod: Pod, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the pod counts as available: 0 when it does, None when only becoming ready could help."""
    if not is_ready(pod):
        return None
    if not min_ready_seconds:
        return 0.0
    since = ready_since(pod)
    return max(0.0, since + min_ready_seconds - now) if since else None


def reference(pod: Pod) -> Json:
    """An ObjectReference to it, for events."""
    meta = pod.metadata
    return {"apiVersion": "v1", "kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid}


def from_template(template: Json, prefix: str, namespace: str, owner: Json) -> Json:
    """A pod of a template, owned by `owner` (an owner reference); its name is to be made up after `prefix`."""
    wanted = template.get("metadata") or {}
    meta = {name: wanted[name] for name in ("labels", "annotations", "finalizers") if wanted.get(name)}
    meta |= {"generateName": f"{prefix}-", "namespace": namespace, "ownerReferences": [owner]}
    return {"metadata": meta, "spec": template.get("spec") or {}}


def creation(body: Json, about: Json) -> Create:
    """Make a pod, and tell its owner (`about`) how it went."""
    return Create(
        PODS,
        body["metadata"]["namespace"],
        body,
        done=Event(about, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        failed=Event(about, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def deletion(pod: Pod, about: Json) -> Delete:
    """Delete a pod, and tell its owner (`about`) how it went."""
    return Delete(
        PODS,
        key_of(pod),
        pod.metadata.uid,
        done=Event(about, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}"),
        failed=Event(about, "Warning", "FailedDelete", "Error deleting: {error}"),
    )
