"""One container's status: state, lastState, readiness, restart count, ids. Pure.

Source: pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses), kuberuntime_container.go (reasons).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from apimachinery import quantity, times
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from kubelet.pods.world import IMAGE_ID_LABEL, LOST, Failure, Role, World, restarts
from kubelet.runtime.protocol import CREATED, Container

CONTAINER_ID = "docker://"
_NOT_LOCATED = "The container could not be located when the pod was terminated"
_USED_TO_RUN = "The container could not be located when the pod was deleted.  The container used to be Running"
_NEVER_RAN = 128  # what runtimes report where the process could not be started
_MESSAGES = 12 * 1024  # bytes that the termination messages of a whole pod may have


def container_status(
    world: World, container: core_v1.Container | core_v1.EphemeralContainer, role: Role, waiting: Mapping[str, Failure]
) -> Json:
    """The status of one container of the spec."""
    lives = world.history(container.name)
    latest = lives[0] if lives else None
    told = world.told(container.name)
    bound = told is not None and _is_final(world, role, told)
    if latest is None and told is not None and told.state is not None and told.state.terminated is not None:
        return _kept(told, None if bound else waiting.get(container.name))
    state, last = _states(world, container.name, role, lives, waiting)
    if told is not None and bound and "terminated" not in state:
        if latest is None or not latest.exited:
            return _kept(told, None)
        state, last = _terminated(world, latest), _before(world, container.name)  # once told, it may wait
    probed = world.probed(latest)
    running = latest is not None and latest.running
    status: Json = {
        "name": container.name,
        "state": state,
        "lastState": last,
        "ready": _ready(role, latest, probed=probed.started and probed.ready),
        "restartCount": max(latest.attempt if latest is not None else 0, _told(world, container.name)),
        "image": latest.image if latest is not None else container.image,
        "imageID": _image_id(latest) if latest is not None else "",
    }
    if latest is not None and latest.state != CREATED:
        status["containerID"] = CONTAINER_ID + latest.id
    if role != "ephemeral":
        status["started"] = running and probed.started
    if latest is not None and isinstance(container, core_v1.Container):
        status |= _resources(container, world.actuated.get(latest.id) if latest.running else None)
    if container.volume_mounts:
        status["volumeMounts"] = [_mount(mount) for mount in container.volume_mounts]
    return status


def _is_final(world: World, role: Role, told: core_v1.ContainerStatus) -> bool:
    """Whether the API would refuse the whole status, were the container told as waiting or running.

    An init container that is not restarted runs again all the same, in a new sandbox after the old one has been lost.
    Upstream's status manager tells nothing of such a pod until it ends (checkContainerStateTransition); we tell the
    rest.
    """
    ended = told.state.terminated if told.state is not None else None
    if role != "init" or ended is None or world.pod.spec.restart_policy in ("", "Always"):
        return False
    return not restarts(world.pod, role, ended.exit_code)


def _kept(told: core_v1.ContainerStatus, why: Failure | None) -> Json:
    """As it was told: it has ended, and what it was has been removed since, or what runs anew may not be told."""
    status: Json = {"lastState": {}} | _plain(msgspec.to_builtins(told)) | {"ready": False}
    if why is not None:
        status |= {"lastState": status["state"], "state": _waiting(why.reason, why.message)}
    return status


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _plain(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner not in ("", [], {})}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _ready(role: Role, latest: Container | None, *, probed: bool) -> bool:
    if latest is None or role == "ephemeral":
        return False
    if role == "init":
        return latest.exited and latest.exit_code == 0
    return latest.running and probed


def _told(world: World, name: str) -> int:
    """The restart count that the API knows: it never goes back, whoever removes containers behind our back."""
    told = world.told(name)
    if told is None:
        return 0
    lost = world.latest(name) is None and told.state is not None and told.state.running is not None
    return (told.restart_count or 0) + (lost and world.pod.metadata.deletion_timestamp is None)


def _image_id(container: Container) -> str:
    return container.labels.get(IMAGE_ID_LABEL) or CONTAINER_ID + container.image_id


def _states(
    world: World, name: str, role: Role, lives: Sequence[Container], waiting: Mapping[str, Failure]
) -> tuple[Json, Json]:
    """State and lastState. A container that waits for its restart shows its last end as lastState."""
    why = waiting.get(name)
    if not lives:
        return _waiting(why.reason, why.message) if why else _waiting(_default_reason(world)), _before(world, name)
    latest, earlier = lives[0], (_terminated(world, lives[1]) if len(lives) > 1 else _before(world, name))
    if latest.running:
        return {"running": {"startedAt": times.rfc3339(int(latest.started_at))}}, earlier
    if not latest.exited:
        return _waiting(why.reason, why.message) if why else _waiting(_default_reason(world)), earlier
    ended = _terminated(world, latest)
    if why is not None and restarts(world.pod, role, latest.exit_code):
        return _waiting(why.reason, why.message), ended
    return ended, earlier


def _before(world: World, name: str) -> Json:
    """The last end that the API was told of, where the container itself has been removed behind our back."""
    told = world.told(name)
    if told is None:
        return {}
    if told.last_state is not None and told.last_state.terminated is not None:
        kept: Json = _plain(msgspec.to_builtins(told.last_state))
        return kept
    if told.state is None or told.state.running is None or world.latest(name) is not None:
        return {}
    ended: Json = {"exitCode": LOST, "reason": "ContainerStatusUnknown", "message": _USED_TO_RUN}
    return {"terminated": ended | {"startedAt": None, "finishedAt": None}}


def unaccounted(inits: Sequence[core_v1.Container], first: Sequence[Json], mains: Sequence[Json]) -> None:
    """In a pod that is over nothing waits: whoever should have run and left no trace has ended in an unknown way.

    Changes the statuses in place. As upstream's status manager does when it terminates a pod.
    """
    begun = [index for index, status in enumerate(first) if _has_begun(status)]
    due = [*first[: max(begun, default=0) + 1], *(mains if _initialized(inits, first, mains) else ())]
    for status in due:
        if "terminated" not in status["state"]:
            unknown: Json = {"exitCode": LOST, "reason": "ContainerStatusUnknown", "message": _NOT_LOCATED}
            status["state"] = {"terminated": unknown | {"startedAt": None, "finishedAt": None}}


def _has_begun(status: Json) -> bool:
    return "waiting" not in status["state"] or "terminated" in status["lastState"]


def _initialized(inits: Sequence[core_v1.Container], first: Sequence[Json], mains: Sequence[Json]) -> bool:
    if not inits or any(_has_begun(status) for status in mains):
        return True
    last = first[-1]
    ended = last["state"].get("terminated")
    return bool(last["started"]) if inits[-1].restart_policy == "Always" else bool(ended and not ended["exitCode"])


def _default_reason(world: World) -> str:
    """Why a container that was never started waits."""
    return "PodInitializing" if world.pod.spec.init_containers else "ContainerCreating"


def _waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def _terminated(world: World, container: Container) -> Json:
    code = container.exit_code if container.started_at else _NEVER_RAN
    ended: Json = {"exitCode": code, "reason": _reason(container)}
    if container.started_at:
        ended["startedAt"] = times.rfc3339(int(container.started_at))
    else:
        ended["startedAt"] = "1970-01-01T00:00:00Z"  # upstream's zero time of a container that never ran
    ended["finishedAt"] = times.rfc3339(int(container.finished_at))
    ended["containerID"] = CONTAINER_ID + container.id
    message = world.messages.get(container.id, "") or (container.error if not container.started_at else "")
    message = _cut(message, _MESSAGES // max(_many(world.pod), 1))
    return {"terminated": ended | ({"message": message} if message else {})}


def _many(pod: Pod) -> int:
    return len(pod.spec.containers) + len(pod.spec.init_containers) + len(pod.spec.ephemeral_containers)


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")


def _reason(container: Container) -> str:
    if container.oom_killed:
        return "OOMKilled"
    if not container.started_at:
        return "StartError"
    return "Completed" if container.exit_code == 0 else "Error"


def _resources(container: core_v1.Container, actuated: Json | None) -> Json:
    """What the container has, and what it has been promised: they differ while a resize is under way."""
    wanted = container.resources or core_v1.ResourceRequirements()
    promised = {name: quantity.canonical(value) for name, value in wanted.requests.items()}
    if actuated is not None:
        wanted = msgspec.convert(actuated, core_v1.ResourceRequirements)
    requests = {name: quantity.canonical(value) for name, value in wanted.requests.items()}
    limits = {name: quantity.canonical(value) for name, value in wanted.limits.items()}
    given: Json = {"resources": {k: v for k, v in (("limits", limits), ("requests", requests)) if v}}
    return given | ({"allocatedResources": promised} if promised else {})


def _mount(mount: core_v1.VolumeMount) -> Json:
    told: Json = {"name": mount.name, "mountPath": mount.mount_path}
    if mount.read_only:
        told |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return told
