"""Which kind is described by what. Each describer writes an object's lines and says whether events follow."""

from collections.abc import Awaitable, Callable

from apimachinery.types import Json
from cli.describing import access, configs, networking, nodes, pods, storage, workloads
from cli.describing.writer import Writer
from cli.session import Session

Describer = Callable[[Session, Json, Writer], Awaitable[bool]]
_RBAC = "rbac.authorization.k8s.io"

DESCRIBERS: dict[tuple[str, str], Describer] = {
    ("", "Pod"): pods.pod,
    ("", "Node"): nodes.node,
    ("", "Namespace"): configs.namespace,
    ("", "ConfigMap"): configs.config_map,
    ("", "Secret"): configs.secret,
    ("", "ServiceAccount"): access.service_account,
    ("", "Service"): networking.service,
    ("", "Endpoints"): networking.endpoints,
    ("discovery.k8s.io", "EndpointSlice"): networking.endpoint_slice,
    ("networking.k8s.io", "Ingress"): networking.ingress,
    ("", "PersistentVolume"): storage.persistent_volume,
    ("", "PersistentVolumeClaim"): storage.persistent_volume_claim,
    ("storage.k8s.io", "StorageClass"): storage.storage_class,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    (_RBAC, "Role"): access.role,
    (_RBAC, "ClusterRole"): access.role,
    (_RBAC, "RoleBinding"): access.binding,
    (_RBAC, "ClusterRoleBinding"): access.binding,
    ("", "ResourceQuota"): configs.resource_quota,
    ("", "LimitRange"): configs.limit_range,
    ("scheduling.k8s.io", "PriorityClass"): configs.priority_class,
    ("policy", "PodDisruptionBudget"): configs.pod_disruption_budget,
}
