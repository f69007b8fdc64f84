"""The table of the controllers' caches: kinds, the views made of them, and the indexes by which they are asked."""

from collections.abc import Iterable
from typing import Any

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
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    STORAGECLASSES,
    VOLUMEATTACHMENTS,
    VOLUMEATTRIBUTESCLASSES,
)
from client.runtime import Cached
from controllers.views import (
    BOOTSTRAP_NAMESPACE,
    BOOTSTRAP_TOKEN,
    CLAIM,
    CONTROLLER,
    JOB_TRACKING,
    NODE,
    NODE_LEASES,
    ORPHANS,
    ROOT_CA,
    SERVICE,
    SERVICE_NAME,
    TRACKED,
    Budget,
    Claim,
    ClusterRole,
    ConfigMap,
    Driver,
    Endpoints,
    EndpointSlice,
    Lease,
    Namespace,
    Node,
    Object,
    Pod,
    ResourceQuota,
    Secret,
    Service,
    SigningRequest,
    StorageClass,
    Volume,
    VolumeAttachment,
    claim_name,
)
from controllers.workload_views import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    ReplicaSet,
    Revision,
    StatefulSet,
)


def _controller(item: Any) -> Iterable[str]:
    return [owner.uid for owner in item.metadata.owner_references if owner.controller]


def _orphan(item: Any) -> Iterable[str]:
    return () if any(owner.controller for owner in item.metadata.owner_references) else (item.metadata.namespace,)


def _node(pod: Pod) -> Iterable[str]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


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
    Cached(SECRETS, Secret, namespace=BOOTSTRAP_NAMESPACE, fields=f"type={BOOTSTRAP_TOKEN}"),
    Cached(CLUSTERROLES, ClusterRole),
    Cached(PERSISTENTVOLUMES, Volume),
    Cached(PERSISTENTVOLUMECLAIMS, Claim),
    Cached(STORAGECLASSES, StorageClass),
    Cached(VOLUMEATTRIBUTESCLASSES, Object),
    Cached(VOLUMEATTACHMENTS, VolumeAttachment),
    Cached(CSIDRIVERS, Driver),
    Cached(CERTIFICATESIGNINGREQUESTS, SigningRequest),
)
