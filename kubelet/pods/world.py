"""What is known of one pod at one moment: all that `decide` and `status` look at. Plain values, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from kubelet.pods.backoff import Backoff
from kubelet.runtime.protocol import CREATED, Container, PodRef

#: Which list of the spec a container stands in. A sidecar is an init container that is always restarted.
Role = Literal["init", "sidecar", "main", "ephemeral"]

SANDBOX_LABEL = "io.kubernetes.sandbox.id"  # which sandbox a container was made for
HASH_LABEL = "io.kubernetes.container.hash"  # of the part of the spec that asks for a restart when it changes
IMAGE_ID_LABEL = "io.pykube.image.id"  # what the status says as imageID

TERMINAL = ("Succeeded", "Failed")
LOST = 137  # the exit code of a container that nobody saw end


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probes say of one running container. Without probes: started and ready."""

    started: bool = True
    ready: bool = True
    failed: str = ""  # "liveness" or "startup": has to be restarted


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be done, as the status says it, and when to try again."""

    reason: str
    message: str
    retry_at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kubelet's own reason to end a pod: refused, evicted, past its deadline."""

    reason: str
    message: str
    rejected: bool = False  # it was never taken: nothing of it has been started
    disruption: str = ""  # the message of the DisruptionTarget condition, where this is one
    grace: float | None = None  # what is left of the pod's grace period, where this shortens it


@dataclass(frozen=True, slots=True)
class Preemption:
    """There is room for a pod once these have ended; `resource` is what is short."""

    victims: Sequence[Pod]
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One pod as it should be and as it is."""

    pod: Pod
    now: float
    containers: Sequence[Container] = ()  # sandboxes too; newest attempt first
    address: str = ""
    probes: Mapping[str, Probed] = field(default_factory=dict)  # by container id
    backoff: Mapping[str, Backoff] = field(default_factory=dict)  # by container name
    failures: Mapping[str, Failure] = field(default_factory=dict)  # by container name; "" is the pod itself
    stopping: Mapping[str, float] = field(default_factory=dict)  # by container id: when it will be killed at the latest
    messages: Mapping[str, str] = field(default_factory=dict)  # by container id: what an ended container left to say
    verdict: Verdict | None = None
    gone: bool = False  # the API knows the pod no more
    ending_since: float = 0.0  # when the kubelet began to end it, 0 where it has not
    cleaned: bool = False  # volumes, network and folders of the pod have been given back
    started_at: float = 0.0  # when this kubelet first saw the pod
    actuated: Mapping[str, Json] = field(default_factory=dict)  # by container id: the resources it runs with
    kept_lives: int = 2  # how many of each container's lives stay
    forced: frozenset[str] = frozenset()  # names of containers that come back whatever the restart policy says
    resize_at: float = 0.0  # not to be tried again before
    resizing: Sequence[tuple[str, str, str, int]] = ()  # conditions of a resize: type, reason, message, generation

    @property
    def sandbox(self) -> Container | None:
        """The sandbox in use: the newest, if it runs."""
        newest = next((c for c in self.containers if c.is_sandbox), None)
        return newest if newest is not None and newest.running else None

    def history(self, name: str) -> list[Container]:
        """The container's lives, newest first."""
        return [c for c in self.containers if c.name == name]

    def latest(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)

    def here(self, name: str) -> Container | None:
        """The container's latest life, if it was started, and belongs to the sandbox in use."""
        sandbox, latest = self.sandbox, self.latest(name)
        if (
            sandbox is None
            or latest is None
            or latest.state == CREATED
            or latest.labels.get(SANDBOX_LABEL, sandbox.id) != sandbox.id
        ):
            return None
        return latest

    def told(self, name: str) -> core_v1.ContainerStatus | None:
        """The container's status as the API has it."""
        status = self.pod.status
        every = (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)
        return next((s for s in every if s.name == name), None)

    def end(self, name: str) -> int | None:
        """The exit code with which the container's latest life ended; None where it has not ended.

        What was made and not started yet is no life. Where all have been removed behind our back the API's word
        counts: one that was running has ended in some way.
        """
        latest = next((c for c in self.containers if c.name == name and c.state != CREATED), None)
        if latest is not None:
            return latest.exit_code if latest.exited else None
        told = self.told(name)
        if told is None or told.state is None:
            return None
        if told.state.terminated is not None:
            return told.state.terminated.exit_code
        before = told.last_state.terminated if told.last_state is not None else None
        return LOST if told.state.running is not None else before.exit_code if before is not None else None

    def probed(self, container: Container | None) -> Probed:
        """What its probes say; before they have said anything, what that means."""
        if container is None:
            return Probed()
        found = self.probes.get(container.id)
        return unprobed(self.pod, container.name) if found is None else found


def unprobed(pod: Pod, name: str) -> Probed:
    """Of a container that has just begun: who has a startup probe has not started, who has a readiness probe is not."""
    spec = next((c for c in (*pod.spec.init_containers, *pod.spec.containers) if c.name == name), None)
    if spec is None:
        return Probed()
    return Probed(started=spec.startup_probe is None, ready=spec.readiness_probe is None)


def ref(pod: Pod) -> PodRef:
    """The pod's identity for the runtime."""
    return PodRef(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def is_sidecar(container: core_v1.Container) -> bool:
    """Whether an init container goes on beside the others."""
    return container.restart_policy == "Always"


def role_of(pod: Pod, name: str) -> Role:
    """What a container is to its pod, by its name."""
    for container in pod.spec.init_containers:
        if container.name == name:
            return "sidecar" if is_sidecar(container) else "init"
    return "main" if any(c.name == name for c in pod.spec.containers) else "ephemeral"


def restarts(pod: Pod, role: Role, exit_code: int) -> bool:
    """Whether a container that ended so is started again."""
    policy = pod.spec.restart_policy or "Always"
    if role == "sidecar":
        return True
    if role == "ephemeral":
        return False
    if role == "init":
        return exit_code != 0 and policy != "Never"
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def expired(pod: Pod, started_at: float, now: float) -> bool:
    """Whether the pod has been active for longer than its activeDeadlineSeconds."""
    deadline = pod.spec.active_deadline_seconds
    return deadline is not None and now - started_at >= deadline


def start_time(world: World) -> float:
    """When the pod was first accepted by a kubelet on this node."""
    known = world.pod.status.start_time
    return known.timestamp() if known is not None else world.started_at or world.now
