"""Which pods stand behind a service, and at which of their ports: shared by endpoints and endpointslice. Pure.

Source: pkg/api/v1/pod/util.go (FindPort), endpointslice/util/controller_utils.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apimachinery.kinds import PODS, SERVICES
from apimachinery.objects.core_v1 import ServicePort
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.plan import Key, View, key_of
from controllers import pods
from controllers.views import (
    Pod,
    Service,
    seconds,
)

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"


def is_selecting(service: Service) -> bool:
    """Whether the service's endpoints are ours to make."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    """Whether the service has no address of its own."""
    return service.spec.cluster_ip in ("", "None")


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a service's selector selects these labels."""
    return selector.items() <= labels.items()


def services_of(pod: Pod, view: View) -> Iterable[Key]:
    """The services that select a pod."""
    labels = pod.metadata.labels
    found = view.list(SERVICES, pod.metadata.namespace)
    return [key_of(each) for each in found if is_selecting(each) and matches(each.spec.selector, labels)]


def concerns_services(old: Pod | None, new: Pod | None) -> bool:
    """Whether a change of a pod can change an endpoint."""
    return old is None or new is None or _seen(old) != _seen(new)


def _seen(pod: Pod) -> Any:
    deleting = pod.metadata.deletion_timestamp is not None
    status = pod.status
    seen = (pod.metadata.labels, deleting, pod.spec.node_name, status.pod_ip, status.pod_ips, pods.is_terminal(pod))
    return (*seen, pods.is_ready(pod))


def behind(service: Service, view: View, *, terminating: bool) -> Sequence[Pod]:
    """The selected pods that have an address and have not finished, by name; `terminating` ones if asked for."""
    found = [
        pod
        for pod in view.list(PODS, service.metadata.namespace)
        if matches(service.spec.selector, pod.metadata.labels)
        and not pods.is_terminal(pod)
        and (pod.status.pod_ip or pod.status.pod_ips)
        and (terminating or pod.metadata.deletion_timestamp is None)
    ]
    return sorted(found, key=lambda pod: pod.metadata.name)


def target_port(pod: Pod, port: ServicePort) -> int | None:
    """The number of the port that a service port leads to; None where the pod has none of that name."""
    wanted = port.target_port
    if isinstance(wanted, int) and wanted:
        return wanted
    if not wanted:
        return port.port
    sidecars = [each for each in pod.spec.init_containers if each.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for each in container.ports:
            if each.name == wanted and (each.protocol or "TCP") == (port.protocol or "TCP"):
                return each.container_port
    return None


def ports_of(pod: Pod, service: Service) -> tuple[Json, ...]:
    """The ports of a pod as an endpoint subset or slice has them."""
    found = []
    for port in service.spec.ports:
        number = target_port(pod, port)
        if number is not None:
            entry: Json = {"name": port.name, "port": number, "protocol": port.protocol or "TCP"}
            found.append(entry | ({"appProtocol": port.app_protocol} if port.app_protocol else {}))
    return tuple(found)


def hostname(pod: Pod, service: Service) -> str:
    """The pod's own name under the service's, where it has one."""
    return pod.spec.hostname if pod.spec.subdomain == service.metadata.name else ""


def target_reference(pod: Pod) -> Json:
    """The pod as an endpoint's `targetRef`."""
    meta = pod.metadata
    return {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid}


def trigger_time(service: Service, found: Sequence[Pod]) -> str:
    """When what the endpoints are made of changed last, as far as it can be known from the objects."""
    moments = [seconds(service.metadata.creation_timestamp)]
    for pod in found:
        ready = pods.condition(pod, "Ready")
        moments.append(seconds(ready.last_transition_time) if ready is not None else 0.0)
        moments.append(seconds(pod.metadata.deletion_timestamp))
    return rfc3339(max(moments))
