"""Static defaults of a pod spec, of its containers and its volumes. Source: pkg/apis/core/v1/defaults.go (v1.34).

`pod_spec` serves pods and templates; `pod` adds what upstream defaults for a pod alone (requests from limits,
enableServiceLinks). All of it is idempotent.
"""

from functools import lru_cache

from apimachinery import references
from apimachinery.pod_resources import of_all_containers
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, fill_zero, items, part

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_CONTAINERS = ("initContainers", "containers")
_HUGE = "hugepages-"
_MODES = ("secret", "configMap", "downwardAPI", "projected")


def pod(tree: Json) -> Json:
    """Defaults of a Pod."""
    spec = part(tree, "spec")
    for container in items(spec, *_CONTAINERS):
        _requests_from_limits(container.get("resources") or {})
    if spec.get("resources"):
        _pod_level_resources(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    pod_spec(spec)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    _addresses(tree.get("status") or {})
    if spec.get("hostNetwork"):
        _host_ports(spec)
    return tree


def _addresses(status: Json) -> None:
    """Both notations say the same; of two that do not, the older one counts (old kubelets know no other)."""
    first, several = status.get("podIP"), status.get("podIPs")
    if first and (not several or several[0].get("ip") != first):
        status["podIPs"] = [{"ip": first}]
    elif several and not first:
        status["podIP"] = several[0].get("ip", "")


def pod_template(template: Json) -> None:
    """Defaults of a PodTemplateSpec."""
    template.setdefault("metadata", {})
    pod_spec(part(template, "spec"))


def pod_spec(spec: Json) -> None:
    """Defaults of a PodSpec, wherever it stands."""
    fill(spec, "restartPolicy", "Always")
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    fill(spec, "dnsPolicy", "ClusterFirst")
    part(spec, "securityContext")
    fill(spec, "schedulerName", "default-scheduler")
    _service_account(spec)
    for container in items(spec, *_CONTAINERS, "ephemeralContainers"):
        _container(container)
    for volume in items(spec, "volumes"):
        _volume(volume)


def _service_account(spec: Json) -> None:
    """`serviceAccount` is the old name of `serviceAccountName`; both are shown."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _container(container: Json) -> None:
    fill(container, "terminationMessagePath", "/dev/termination-log")
    fill(container, "terminationMessagePolicy", "File")
    fill(container, "imagePullPolicy", pull_policy(container.get("image", "")))
    part(container, "resources")
    for entry in items(container, "ports"):
        fill(entry, "protocol", "TCP")
    for variable in items(container, "env"):
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            fill(reference, "apiVersion", "v1")
    for name in _PROBES:
        if container.get(name) is not None:
            _probe(container[name])
    lifecycle = container.get("lifecycle") or {}
    for name in ("postStart", "preStop"):
        _http_get((lifecycle.get(name) or {}).get("httpGet"))


@lru_cache(maxsize=1024)
def pull_policy(image: str) -> str:
    """Always for `:latest`, or neither tag nor digest; else, and for what is no image's name at all, IfNotPresent."""
    tag, digest = references.tag_and_digest(image) or ("none", "")
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def _probe(probe: Json) -> None:
    fill_zero(probe, "timeoutSeconds", 1)
    fill_zero(probe, "periodSeconds", 10)
    fill_zero(probe, "successThreshold", 1)
    fill_zero(probe, "failureThreshold", 3)
    _http_get(probe.get("httpGet"))
    if probe.get("grpc") is not None and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _http_get(action: Json | None) -> None:
    if action is not None:
        fill(action, "path", "/")
        fill(action, "scheme", "HTTP")


def _host_ports(spec: Json) -> None:
    """On the host's network a container's port is the host's port."""
    for container in items(spec, *_CONTAINERS):
        for entry in items(container, "ports"):
            fill_zero(entry, "hostPort", entry.get("containerPort", 0))


def _requests_from_limits(resources: Json) -> None:
    """A limit without a request is the request."""
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _pod_level_resources(spec: Json) -> None:
    """What the pod as a whole may use of huge pages, and asks for, where it says some of it (PodLevelResources)."""
    resources, pod = spec["resources"], {"spec": spec}
    limits, requests = dict(resources.get("limits") or {}), dict(resources.get("requests") or {})
    if not limits and not requests:
        return
    for name, used in of_all_containers(pod, "limits").items():
        if name.startswith(_HUGE) and name not in requests:
            limits.setdefault(name, str(used))
    if limits:
        resources["limits"] = limits
        for name, asked in of_all_containers(pod, "requests").items():
            if name in ("cpu", "memory"):
                requests.setdefault(name, str(asked))
        for name, value in limits.items():
            if name in ("cpu", "memory") or name.startswith(_HUGE):
                requests.setdefault(name, value)
    if requests:
        resources["requests"] = requests


def _volume(volume: Json) -> None:
    sources = [name for name in volume if name != "name" and volume[name] is not None]
    if not sources:
        volume["emptyDir"] = {}
    for name in _MODES:
        if volume.get(name) is not None and volume[name].get("defaultMode") is None:
            volume[name]["defaultMode"] = 0o644
    for source in items(volume.get("projected") or {}, "sources"):
        _projection(source)
    for item in items(volume.get("downwardAPI") or {}, "items"):
        _field_ref(item)
    _block_sources(volume)


def _projection(source: Json) -> None:
    token = source.get("serviceAccountToken")
    if token is not None and token.get("expirationSeconds") is None:
        token["expirationSeconds"] = 3600
    for item in items(source.get("downwardAPI") or {}, "items"):
        _field_ref(item)


def _field_ref(item: Json) -> None:
    if item.get("fieldRef") is not None:
        fill(item["fieldRef"], "apiVersion", "v1")


def _block_sources(volume: Json) -> None:
    """Defaults of the network and host volume sources; also those of a PersistentVolume."""
    if volume.get("hostPath") is not None and volume["hostPath"].get("type") is None:
        volume["hostPath"]["type"] = ""
    if volume.get("iscsi") is not None:
        fill(volume["iscsi"], "iscsiInterface", "default")
    if volume.get("rbd") is not None:
        for name, value in (("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")):
            fill(volume["rbd"], name, value)
    if volume.get("azureDisk") is not None:
        for name, value in (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4")):
            fill(volume["azureDisk"], name, value)
        if volume["azureDisk"].get("readOnly") is None:
            volume["azureDisk"]["readOnly"] = False
    if volume.get("scaleIO") is not None:
        fill(volume["scaleIO"], "storageMode", "ThinProvisioned")
        fill(volume["scaleIO"], "fsType", "xfs")
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template is not None:
        part(template, "spec").setdefault("volumeMode", "Filesystem")


persistent_volume_source = _block_sources
