"""The objects every cluster of ours starts with, beyond what the API server bootstraps itself.

The DNS Service (every node's pykube-dns answers on its address, so kube-proxy leaves it alone: that is what the label
service.kubernetes.io/service-proxy-name is for), the default StorageClass (folders of the nodes, made by their
kubelets), the rights of both and of kube-proxy, and the cluster-info of kube-public. `kubectl` users find what they
know from kubeadm and kind.
"""

import base64
from collections.abc import Sequence

import yaml

from apimachinery.kinds import CLUSTERROLEBINDINGS, CLUSTERROLES, CONFIGMAPS, SERVICES, STORAGECLASSES, Kind
from apimachinery.types import Json
from bootstrap.spec import ClusterSpec

#: kube-proxy ignores services with this label (KEP 2447's neighbour: pkg/proxy/apis well-known labels).
PROXY_NAME = "service.kubernetes.io/service-proxy-name"

#: The rights of the controllers that run. They share one process and one identity, so its user gets the roles that
#: upstream gives to each controller's service account; together they are far less than cluster-admin.
CONTROLLER_ROLES = (
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "job-controller",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
)


def objects(spec: ClusterSpec) -> Sequence[tuple[Kind, Json]]:
    """Every add-on object with its kind, in the order of creation."""
    return (
        (CLUSTERROLES, _role("pykube:dns", _DNS_RULES)),
        (CLUSTERROLEBINDINGS, _binding("pykube:dns", "pykube:dns", "system:kube-dns")),
        (CLUSTERROLES, _role("pykube:local-path-provisioner", _LOCAL_PATH_RULES)),
        (CLUSTERROLEBINDINGS, _binding(*["pykube:local-path-provisioner"] * 3)),
        (STORAGECLASSES, _STANDARD),
        *((CLUSTERROLEBINDINGS, _controller_binding(name)) for name in CONTROLLER_ROLES),
        (SERVICES, _dns_service(spec)),
        (CONFIGMAPS, _cluster_info(spec)),
    )


#: kind's and minikube's name for the class that is there.
_STANDARD: Json = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "pykube.io/local-path",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}

_READ = ["get", "list", "watch"]
_LOCAL_PATH_RULES = [
    {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": [*_READ, "create", "delete", "patch"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims/status"], "verbs": ["patch"]},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
]
_DNS_RULES = [
    {"apiGroups": [""], "resources": ["services", "endpoints", "namespaces", "pods"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def _role(name: str, rules: Sequence[Json]) -> Json:
    return {
        "apiVersion": CLUSTERROLES.api_version,
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(rules),
    }


def _controller_binding(name: str) -> Json:
    return _binding(f"pykube:controller:{name}", f"system:controller:{name}", "system:kube-controller-manager")


def _binding(name: str, role: str, user: str) -> Json:
    group = CLUSTERROLEBINDINGS.group
    return {
        "apiVersion": CLUSTERROLEBINDINGS.api_version,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _dns_service(spec: ClusterSpec) -> Json:
    labels = {
        "k8s-app": "kube-dns",
        "kubernetes.io/cluster-service": "true",
        "kubernetes.io/name": "CoreDNS",
        PROXY_NAME: "pykube-dns",
    }
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
        "spec": {"clusterIP": spec.dns_ip, "ports": ports[:2], "type": "ClusterIP"},
    }


def _cluster_info(spec: ClusterSpec) -> Json:
    """What anybody may read of the cluster; `kubeconfig` is what the bootstrap signer signs and kubeadm reads."""
    authority = (spec.pki / "ca.crt").read_text()
    server = f"https://{spec.node_ip}:{spec.ports.apiserver}"
    cluster = {"certificate-authority-data": base64.b64encode(authority.encode()).decode(), "server": server}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "", "cluster": cluster}]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cluster-info", "namespace": "kube-public"},
        "data": {"server": server, "ca.crt": authority, "kubeconfig": yaml.safe_dump(config)},
    }
