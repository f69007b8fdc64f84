"""What the controllers read of each kind: trimmed, frozen views, and the table of caches made from them.

A field that no controller reads is not here: a pod costs a fifth of its bytes. Adding one costs memory for every object
in the cluster. Pod templates and policy rules are kept raw, since they are written on as they came; views never are.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from apimachinery.kinds import (
    CERTIFICATESIGNINGREQUESTS,
    CLUSTERROLES,
    CONFIGMAPS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    CSIDRIVERS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    RESOURCEQUOTAS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    STORAGECLASSES,
    VOLUMEATTACHMENTS,
    VOLUMEATTRIBUTESCLASSES,
)
from apimachinery.objects.apps_v1 import (
    DaemonSetUpdateStrategy,
    DeploymentStrategy,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from apimachinery.objects.batch_v1 import JobCondition, PodFailurePolicy, SuccessPolicy, UncountedTerminatedPods
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
from client.runtime import Cached


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
    """Any object at all: what the garbage collector and the namespace controller need of it."""

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


class Pod(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ReplicaSetCondition(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    last_update_time: datetime | None = None  # Deployments have it


class ReplicaSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: Json = {}
    template: Json = {}


class ReplicaSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    conditions: tuple[ReplicaSetCondition, ...] = ()


class ReplicaSet(msgspec.Struct, frozen=True, gc=False):
    """A ReplicaSet or a ReplicationController: they differ in the form of the selector only."""

    metadata: Meta = Meta()
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class DeploymentSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    paused: bool = False
    min_ready_seconds: int = 0
    progress_deadline_seconds: int | None = None
    revision_history_limit: int | None = None
    selector: Json = {}
    strategy: DeploymentStrategy = DeploymentStrategy()
    template: Json = {}


class DeploymentStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    collision_count: int | None = None
    conditions: tuple[ReplicaSetCondition, ...] = ()


class Deployment(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class JobSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    parallelism: int = 1
    completions: int | None = None
    completion_mode: str = "NonIndexed"
    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    managed_by: str = ""
    pod_replacement_policy: str = ""
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    selector: Json = {}
    template: Json = {}


class JobStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    active: int = 0
    ready: int | None = None
    terminating: int | None = None
    succeeded: int = 0
    failed: int = 0
    completed_indexes: str = ""
    failed_indexes: str | None = None
    start_time: datetime | None = None
    completion_time: datetime | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    conditions: tuple[JobCondition, ...] = ()


class Job(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    schedule: str = ""
    time_zone: str | None = None
    suspend: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    job_template: Json = {}


class CronJobStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class StatefulSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 1
    min_ready_seconds: int = 0
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    revision_history_limit: int = 10
    selector: Json = {}
    service_name: str = ""
    template: Json = {}
    update_strategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy()
    volume_claim_templates: tuple[Json, ...] = ()


class StatefulSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    observed_generation: int = 0
    collision_count: int | None = None


class StatefulSet(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class DaemonSetSpec(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    selector: Json = {}
    template: Json = {}
    update_strategy: DaemonSetUpdateStrategy = DaemonSetUpdateStrategy()


class DaemonSetStatus(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_misscheduled: int = 0
    number_ready: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    observed_generation: int = 0
    collision_count: int | None = None


class DaemonSet(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class Revision(msgspec.Struct, frozen=True, gc=False):
    """A ControllerRevision."""

    metadata: Meta = Meta()
    revision: int = 0
    data: Any = None  # kept raw: a template that pods are made from


class Budget(msgspec.Struct, frozen=True, gc=False):
    """A PodDisruptionBudget."""

    metadata: Meta = Meta()
    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()


class Service(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: ServiceSpec = ServiceSpec()


class Endpoints(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    subsets: tuple[EndpointSubset, ...] = ()


class EndpointSlice(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
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


class Node(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Lease(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: LeaseSpec = LeaseSpec()


class NamespaceStatus(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""
    conditions: tuple[ReplicaSetCondition, ...] = ()


class Namespace(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    status: NamespaceStatus = NamespaceStatus()


class ConfigMap(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    data: Mapping[str, str] = {}


class ResourceQuota(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: Json = {}
    status: Json = {}


class AggregationRule(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    cluster_role_selectors: tuple[Json, ...] = ()


class ClusterRole(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
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


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A PersistentVolumeClaim."""

    metadata: Meta = Meta()
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


class Volume(msgspec.Struct, frozen=True, gc=False):
    """A PersistentVolume."""

    metadata: Meta = Meta()
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class StorageClass(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    metadata: Meta = Meta()
    provisioner: str = ""
    volume_binding_mode: str = ""
    allow_volume_expansion: bool | None = None


class VolumeAttachment(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
    status: VolumeAttachmentStatus = VolumeAttachmentStatus()


class Driver(msgspec.Struct, frozen=True, gc=False):
    """A CSIDriver."""

    metadata: Meta = Meta()
    spec: CSIDriverSpec = CSIDriverSpec()


class SigningRequest(msgspec.Struct, frozen=True, gc=False):
    """A CertificateSigningRequest."""

    metadata: Meta = Meta()
    spec: CertificateSigningRequestSpec = CertificateSigningRequestSpec()
    status: CertificateSigningRequestStatus = CertificateSigningRequestStatus()


NODE_LEASES = "kube-node-lease"
ROOT_CA = "kube-root-ca.crt"
SERVICE_NAME = "kubernetes.io/service-name"
JOB_TRACKING = "batch.kubernetes.io/job-tracking"

#: Index names.
CONTROLLER, ORPHANS, NODE, SERVICE, CLAIM = "controller", "orphans", "node", "service", "claim"
TRACKED = "tracked"


def _controller(item: Any) -> Iterable[str]:
    return [owner.uid for owner in item.metadata.owner_references if owner.controller]


def _orphan(item: Any) -> Iterable[str]:
    return () if any(owner.controller for owner in item.metadata.owner_references) else (item.metadata.namespace,)


def _node(pod: Pod) -> Iterable[str]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def claim_name(pod: Pod, volume: PodVolume) -> str:
    """The claim that a pod's volume stands for, "" where it stands for none."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def _claims(pod: Pod) -> Iterable[str]:
    names = (claim_name(pod, volume) for volume in pod.spec.volumes)
    return {f"{pod.metadata.namespace}/{name}" for name in names if name}


def _tracked(pod: Pod) -> Iterable[str]:
    """NAMESPACE/JOB of a pod that a Job has not let go of; without the name where nobody controls it any more."""
    if JOB_TRACKING not in pod.metadata.finalizers:
        return ()
    owner = next((each for each in pod.metadata.owner_references if each.controller), None)
    if owner is not None and (owner.kind, owner.api_version) != ("Job", "batch/v1"):
        return ()
    return (f"{pod.metadata.namespace}/{owner.name if owner else ''}",)


def _service(item: Any) -> Iterable[str]:
    name = item.metadata.labels.get(SERVICE_NAME, "")
    return (f"{item.metadata.namespace}/{name}",) if name else ()


_OWNED = {CONTROLLER: _controller, ORPHANS: _orphan}

CACHED: tuple[Cached, ...] = (
    Cached(PODS, Pod, {**_OWNED, NODE: _node, CLAIM: _claims, TRACKED: _tracked}),
    Cached(REPLICASETS, ReplicaSet, _OWNED),
    Cached(REPLICATIONCONTROLLERS, ReplicaSet),
    Cached(DEPLOYMENTS, Deployment),
    Cached(STATEFULSETS, StatefulSet),
    Cached(DAEMONSETS, DaemonSet),
    Cached(CONTROLLERREVISIONS, Revision, _OWNED),
    Cached(JOBS, Job, {CONTROLLER: _controller}),
    Cached(CRONJOBS, CronJob),
    Cached(PODDISRUPTIONBUDGETS, Budget),
    Cached(SERVICES, Service),
    Cached(ENDPOINTS, Endpoints),
    Cached(ENDPOINTSLICES, EndpointSlice, {SERVICE: _service}),
    Cached(NODES, Node),
    Cached(RESOURCEQUOTAS, ResourceQuota),
    Cached(LEASES, Lease, namespace=NODE_LEASES),
    Cached(NAMESPACES, Namespace),
    Cached(SERVICEACCOUNTS, Object, fields="metadata.name=default"),
    Cached(CONFIGMAPS, ConfigMap, fields=f"metadata.name={ROOT_CA}"),
    Cached(CLUSTERROLES, ClusterRole),
    Cached(PERSISTENTVOLUMES, Volume),
    Cached(PERSISTENTVOLUMECLAIMS, Claim),
    Cached(STORAGECLASSES, StorageClass),
    Cached(VOLUMEATTRIBUTESCLASSES, Object),
    Cached(VOLUMEATTACHMENTS, VolumeAttachment),
    Cached(CSIDRIVERS, Driver),
    Cached(CERTIFICATESIGNINGREQUESTS, SigningRequest),
)


def seconds(moment: datetime | None) -> float:
    """A time of an object as seconds since 1970, 0 where there is none."""
    return moment.timestamp() if moment is not None else 0.0
