"""Fields of pods whose features are off in v1.34: dropped from what is written, as upstream does.

Upstream drops them late: whoever sent them still comes to own them.

HostnameOverride, ContainerRestartRules, ContainerStopSignals, EnvFiles, PodCertificateRequest,
ClusterTrustBundleProjection.
Source: pkg/api/pod/util.go (dropDisabledFields), pkg/features/kube_features.go.
"""

from apimachinery.types import Json
from apiserver.strategies.defaulting import items
from apiserver.strategies.strategy import Prepare

_PROJECTIONS = ("clusterTrustBundle", "podCertificate")


def dropping(path: str, prepare: Prepare) -> Prepare:
    """A strategy's `prepare` for objects that have a pod spec at `path` (`spec.template.spec`)."""
    steps = path.split(".")

    def prepared(new: Json, old: Json | None) -> Json:
        spec: Json = new
        for step in steps:
            spec = spec.get(step) or {}
        drop(spec)
        return prepare(new, old)

    return prepared


def drop(spec: Json) -> None:
    """Take them out of a pod spec."""
    spec.pop("hostnameOverride", None)
    for container in items(spec, "initContainers", "containers", "ephemeralContainers"):
        _container(container)
    for container in items(spec, "initContainers"):
        if container.get("restartPolicy") != "Always":
            container.pop("restartPolicy", None)
    for container in items(spec, "containers", "ephemeralContainers"):
        container.pop("restartPolicy", None)
    for volume in items(spec, "volumes"):
        for source in items(volume.get("projected") or {}, "sources"):
            for name in _PROJECTIONS:
                source.pop(name, None)


def _container(container: Json) -> None:
    container.pop("restartPolicyRules", None)
    lifecycle = container.get("lifecycle")
    if lifecycle is not None and lifecycle.pop("stopSignal", None) is not None and not lifecycle:
        del container["lifecycle"]
    for variable in items(container, "env"):
        (variable.get("valueFrom") or {}).pop("fileKeyRef", None)
