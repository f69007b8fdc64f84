"""What the scheduler reads of pods and nodes, and no more: a pod is held in a tenth of the memory of its full view."""

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import force_setattr

from apimachinery.objects.core_v1 import (
    Affinity,
    ContainerPort,
    NodeSpec,
    NodeStatus,
    PersistentVolumeClaimVolumeSource,
    PodSchedulingGate,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from apimachinery.objects.meta_v1 import ObjectMeta, OwnerReference
from apimachinery.types import Json


class Meta(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A pod's metadata without annotations, finalizers and the like."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()


SCHEDULER_NAME = "default-scheduler"
DISRUPTED, SCHEDULED, RESIZE = "DisruptionTarget", "PodScheduled", "PodResizePending"
_TELLING = ((DISRUPTED, "True"), (SCHEDULED, "False"), (RESIZE, "True"))


class Container(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A container's claims."""

    name: str = ""
    image: str = ""
    resources: ResourceRequirements | None = None
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""


class Volume(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A pod's volume, as far as it stands for a claim."""

    name: str = ""
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    ephemeral: Json | None = None


class Spec(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What decides where a pod can go."""

    node_name: str = ""
    scheduler_name: str = ""
    priority: int | None = None
    preemption_policy: str = ""
    host_network: bool | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    overhead: Mapping[str, str] = field(default_factory=dict)
    resources: ResourceRequirements | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    volumes: tuple[Volume, ...] = ()


class Condition(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A condition of a pod, without what nobody here reads."""

    type: str = ""
    status: str = ""
    reason: str = ""
    last_transition_time: str | None = None


class ContainerStatus(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What a container has, while that is not what it asks for."""

    name: str = ""
    resources: ResourceRequirements | None = None
    allocated_resources: Mapping[str, str] = field(default_factory=dict)


class Status(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Whether the pod still holds what it was given, and what schedulers have said of it."""

    phase: str = ""
    start_time: str | None = None
    nominated_node_name: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()

    def __post_init__(self) -> None:
        """Keeps only the conditions that are read here, while they say something."""
        if self.conditions:
            kept = tuple(one for one in self.conditions if (one.type, one.status) in _TELLING)
            force_setattr(self, "conditions", kept)


_OF_CONTAINERS, _OF_INIT = "container_statuses", "init_container_statuses"


def _is_other(status: ContainerStatus, asked: Mapping[str, str]) -> bool:
    if status.resources is None:
        return False
    return status.resources.requests != asked or (status.allocated_resources or asked) != asked


class Pod(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A pod to place or placed."""

    metadata: Meta = field(default_factory=Meta)
    spec: Spec = field(default_factory=Spec)
    status: Status = field(default_factory=Status)

    def __post_init__(self) -> None:
        """Forgets what containers have where it is what they ask for, as it mostly is."""
        for containers, name in ((self.spec.containers, _OF_CONTAINERS), (self.spec.init_containers, _OF_INIT)):
            if held := getattr(self.status, name):
                asked = {one.name: one.resources.requests for one in containers if one.resources}
                force_setattr(self.status, name, tuple(one for one in held if _is_other(one, asked.get(one.name, {}))))

    @property
    def key(self) -> str:
        """`namespace/name`, as messages say it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def scheduler(self) -> str:
        """Whose pod it is."""
        return self.spec.scheduler_name or SCHEDULER_NAME

    @property
    def priority(self) -> int:
        return self.spec.priority or 0

    @property
    def claims(self) -> list[tuple[str, bool]]:
        """The names of the pod's claims, and whether each is made for the pod itself."""
        found = []
        for volume in self.spec.volumes:
            if volume.persistent_volume_claim is not None:
                found.append((volume.persistent_volume_claim.claim_name, False))
            elif volume.ephemeral is not None:
                found.append((f"{self.metadata.name}-{volume.name}", True))
        return found

    def condition(self, type: str) -> Condition | None:
        """One of those that are kept (see Status)."""
        return next((one for one in self.status.conditions if one.type == type), None)

    @property
    def is_finished(self) -> bool:
        """A finished pod holds nothing any more."""
        return self.status.phase in ("Succeeded", "Failed")


class Node(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A node to place pods on."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class NamespaceMeta(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class Namespace(Struct, frozen=True, kw_only=True):
    """A namespace, for the labels by which affinity terms may select it."""

    metadata: NamespaceMeta = field(default_factory=NamespaceMeta)
