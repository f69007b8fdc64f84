"""In which order groups and versions are listed, as upstream's APIServices of built-in groups say it.

The order decides what a short name means in kubectl (`events`: the core group before events.k8s.io).
Source: cmd/kube-apiserver/app/aggregator.go, pkg/controlplane/apiserver/aggregator.go; crdregistration for the rest.
"""

#: The registration group stands before all others and has no APIService of its own.
REGISTRATION = "apiregistration.k8s.io"
#: What a custom resource's group version gets.
CUSTOM = (1000, 100)

GROUPS = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "internal.apiserver.k8s.io": 16000,
    "storagemigration.k8s.io": 15800,
}
#: Versions whose priority is not the usual one of a v1 (15).
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}
_VERSIONS |= {("admissionregistration.k8s.io", "v1beta1"): 12}
_VERSIONS |= {("resource.k8s.io", "v1"): 21, ("resource.k8s.io", "v1beta2"): 15, ("resource.k8s.io", "v1beta1"): 9}
_V1 = 15
_OTHER = 9


def priority(group: str, version: str) -> tuple[int, int]:
    """(group, version) priority of what this server serves itself; higher ones come first."""
    if group == REGISTRATION:
        return (20000, _V1)
    if group not in GROUPS:
        return CUSTOM
    return (GROUPS[group], _VERSIONS.get((group, version), _V1 if version == "v1" else _OTHER))
