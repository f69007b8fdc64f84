"""What the scheduler reads of pods and nodes, and no more: a pod is held in a tenth of the memory of its full view."""

from collections.abc import Mapping

from msgspec import Struct, field

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


class Container(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A container's claims."""

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


class Status(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Whether the pod still holds what it was given."""

    phase: str = ""


class Pod(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A pod to place or placed."""

    metadata: Meta = field(default_factory=Meta)
    spec: Spec = field(default_factory=Spec)
    status: Status = field(default_factory=Status)

    @property
    def key(self) -> str:
        """`namespace/name`, as messages say it."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_finished(self) -> bool:
        """A finished pod holds nothing any more."""
        return self.status.phase in ("Succeeded", "Failed")


class Node(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A node to place pods on."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)
