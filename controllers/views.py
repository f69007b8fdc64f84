"""What the controllers read of each kind: trimmed, frozen views, and the table of caches made from them.

A field that no controller reads is not here: a pod costs a fifth of its bytes. Adding one costs memory for every object
in the cluster. Pod templates and policy rules are kept raw, since they are written on as they came; views never are.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from apimachinery.objects.certificates_v1 import CertificateSigningRequestSpec, CertificateSigningRequestStatus
from apimachinery.objects.coordination_v1 import LeaseSpec
from apimachinery.objects.core_v1 import (
    AttachedVolume,
    ContainerPort,
    CSIPersistentVolumeSource,
    EndpointSubset,
    HostPathVolumeSource,
    NodeCondition,
    NodeSelector,
    ObjectReference,
    PersistentVolumeClaimCondition,
    PersistentVolumeClaimVolumeSource,
    PodCondition,
    PodIP,
    PodReadinessGate,
    ServiceSpec,
    Taint,
    Toleration,
    VolumeResourceRequirements,
)
from apimachinery.objects.discovery_v1 import Endpoint, EndpointPort
from apimachinery.objects.policy_v1 import PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from apimachinery.objects.storage_v1 import CSIDriverSpec, VolumeAttachmentSpec, VolumeAttachmentStatus
from apimachinery.types import Json


class Owner(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Meta(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owner_references: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()


class Object(msgspec.Struct, frozen=True, gc=False):
    """Any object at all: what the garbage collector and the namespace controller need of it. Other views have more."""

    metadata: Meta = Meta()


class Container(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    name: str = ""
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""


class PodVolume(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A volume of a pod, as far as it leads to a claim."""

    name: str = ""
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    ephemeral: Json | None = None  # kept raw: its template is written on


class NodeAffinity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Affinity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Which nodes a pod must be on; the rest is the scheduler's."""

    node_affinity: NodeAffinity | None = None

    @property
    def required(self) -> NodeSelector | None:
        nodes = self.node_affinity
        return nodes.required_during_scheduling_ignored_during_execution if nodes is not None else None


class PodSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    affinity: Affinity | None = None
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    termination_grace_period_seconds: int | None = None
    volumes: tuple[PodVolume, ...] = ()


class Terminated(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    exit_code: int = 0
    finished_at: datetime | None = None


class ContainerState(msgspec.Struct, frozen=True, gc=False):
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    name: str = ""
    restart_count: int = 0
    state: ContainerState = ContainerState()


class PodStatus(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "pod_ip": "podIP",
        "pod_ips": "podIPs",
        "container_statuses": "containerStatuses",
        "init_container_statuses": "initContainerStatuses",
    },
):
    phase: str = ""
    pod_ip: str = ""
    pod_ips: tuple[PodIP, ...] = ()
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Budget(Object, frozen=True):
    """A PodDisruptionBudget."""

    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()


class Service(Object, frozen=True):
    spec: ServiceSpec = ServiceSpec()


class Endpoints(Object, frozen=True):
    subsets: tuple[EndpointSubset, ...] = ()


class EndpointSlice(Object, frozen=True, rename="camel"):
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class NodeSpec(msgspec.Struct, frozen=True, gc=False, rename={"pod_cidr": "podCIDR", "pod_cidrs": "podCIDRs"}):
    pod_cidr: str = ""
    pod_cidrs: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class NodeStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    conditions: tuple[NodeCondition, ...] = ()
    volumes_attached: tuple[AttachedVolume, ...] = ()
    volumes_in_use: tuple[str, ...] = ()


class Node(Object, frozen=True):
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Lease(Object, frozen=True):
    spec: LeaseSpec = LeaseSpec()


class Condition(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    last_update_time: datetime | None = None  # Deployments have it


class NamespaceStatus(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(Object, frozen=True):
    status: NamespaceStatus = NamespaceStatus()


class ConfigMap(Object, frozen=True):
    data: Mapping[str, str] = {}


class Secret(Object, frozen=True):
    type: str = ""
    data: Mapping[str, bytes] = {}


class ResourceQuota(Object, frozen=True):
    spec: Json = {}
    status: Json = {}


class AggregationRule(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    cluster_role_selectors: tuple[Json, ...] = ()


class ClusterRole(Object, frozen=True, rename="camel"):
    rules: tuple[Json, ...] | None = ()
    aggregation_rule: AggregationRule | None = None


class ClaimSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    access_modes: tuple[str, ...] = ()
    resources: VolumeResourceRequirements | None = None
    selector: Json | None = None
    storage_class_name: str | None = None  # None: not yet said; "": of no class
    volume_attributes_class_name: str = ""
    volume_mode: str = ""
    volume_name: str = ""


class ModifyVolumeStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    target_volume_attributes_class_name: str = ""


class ClaimStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    phase: str = ""
    current_volume_attributes_class_name: str = ""
    modify_volume_status: ModifyVolumeStatus | None = None
    access_modes: tuple[str, ...] = ()
    capacity: Mapping[str, str] = {}
    conditions: tuple[PersistentVolumeClaimCondition, ...] = ()


class Claim(Object, frozen=True):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class VolumeSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    access_modes: tuple[str, ...] = ()
    capacity: Mapping[str, str] = {}
    claim_ref: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    volume_attributes_class_name: str = ""
    volume_mode: str = ""


class VolumeStatus(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""


class Volume(Object, frozen=True):
    """A PersistentVolume."""

    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class StorageClass(Object, frozen=True, rename="camel"):
    provisioner: str = ""
    volume_binding_mode: str = ""
    allow_volume_expansion: bool | None = None


class VolumeAttachment(Object, frozen=True):
    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
    status: VolumeAttachmentStatus = VolumeAttachmentStatus()


class Driver(Object, frozen=True):
    """A CSIDriver."""

    spec: CSIDriverSpec = CSIDriverSpec()


class SigningRequest(Object, frozen=True):
    """A CertificateSigningRequest."""

    spec: CertificateSigningRequestSpec = CertificateSigningRequestSpec()
    status: CertificateSigningRequestStatus = CertificateSigningRequestStatus()


NODE_LEASES = "kube-node-lease"
ROOT_CA = "kube-root-ca.crt"
SERVICE_NAME = "kubernetes.io/service-name"
BOOTSTRAP_NAMESPACE = "kube-system"
BOOTSTRAP_TOKEN = "bootstrap.kubernetes.io/token"  # noqa: S105 - a type's name, not a secret
JOB_TRACKING = "batch.kubernetes.io/job-tracking"

#: Index names.
CONTROLLER, ORPHANS, NODE, SERVICE, CLAIM = "controller", "orphans", "node", "service", "claim"
TRACKED = "tracked"


def claim_name(pod: Pod, volume: PodVolume) -> str:
    """The claim that a pod's volume stands for, "" where it stands for none."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def seconds(moment: datetime | None) -> float:
    """A time of an object as seconds since 1970, 0 where there is none."""
    return moment.timestamp() if moment is not None else 0.0
