"""Keeps the Endpoints of each service with a selector: the addresses of its pods, ready and not ready, by ports.

The older form of EndpointSlices, read by older clients; at most 1000 addresses, as upstream.
Source: pkg/controller/endpoint/endpoints_controller.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery.kinds import ENDPOINTS, PODS, SERVICES
from apimachinery.objects.core_v1 import EndpointSubset
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Key, Patch, Plan, View, Watch, itself, key_of
from controllers import pods, service_pods
from controllers.service_pods import HEADLESS, TRIGGER_TIME
from controllers.views import (
    Endpoints,
    Pod,
    Service,
)

MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


@dataclass(frozen=True)
class EndpointsController:
    """The controller of Endpoints."""

    name: str = "endpoint-controller"
    watches: Sequence[Watch] = (
        Watch(SERVICES, itself),
        Watch(ENDPOINTS, itself),
        Watch(PODS, service_pods.services_of, service_pods.concerns_services),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        service: Service | None = view.get(SERVICES, key)
        current: Endpoints | None = view.get(ENDPOINTS, key)
        if service is None:
            is_ours = current is not None and current.metadata.labels.get(MANAGED_BY) == MANAGER
            return Plan([Delete(ENDPOINTS, key, current.metadata.uid)]) if current is not None and is_ours else Plan()
        if not service_pods.is_selecting(service) or service.metadata.deletion_timestamp is not None:
            return Plan()
        found = service_pods.behind(service, view, terminating=bool(service.spec.publish_not_ready_addresses))
        subsets, is_truncated = _truncated(_subsets(service, found))
        labels = _labels(service)
        if current is not None and _is_same(current, subsets, labels, is_truncated=is_truncated):
            return Plan()
        annotations = {
            TRIGGER_TIME: service_pods.trigger_time(service, found),
            OVER_CAPACITY: "truncated" if is_truncated else None,
        }
        return Plan([_write(service, current, subsets, labels, annotations)])


def _write(
    service: Service,
    current: Endpoints | None,
    subsets: Sequence[Json],
    labels: Mapping[str, str],
    annotations: Mapping[str, str | None],
) -> Create | Patch:
    meta = service.metadata
    about = reference(service, kind=SERVICES.kind, api_version=SERVICES.api_version)
    text = f"Failed to {{}} endpoint for service {meta.namespace}/{meta.name}: {{error}}"
    if current is None:
        given = {name: text for name, text in annotations.items() if text is not None}
        body: Json = {"metadata": {"name": meta.name, "labels": dict(labels), "annotations": given}, "subsets": subsets}
        failed = Event(about, "Warning", "FailedToCreateEndpoint", text.replace("{}", "create"))
        return Create(ENDPOINTS, meta.namespace, body, failed=failed)
    kept_labels = _merged(current.metadata.labels, labels)
    body = {"metadata": {"labels": kept_labels, "annotations": dict(annotations)}, "subsets": subsets}
    failed = Event(about, "Warning", "FailedToUpdateEndpoint", text.replace("{}", "update"))
    return Patch(ENDPOINTS, key_of(current), current.metadata.uid, body, failed=failed)


def _merged(old: Mapping[str, str], new: Mapping[str, str]) -> Json:
    """A merge patch from old to new labels."""
    return {**dict.fromkeys(old.keys() - new.keys()), **new}


def _labels(service: Service) -> dict[str, str]:
    labels = {name: text for name, text in service.metadata.labels.items() if name != HEADLESS}
    labels[MANAGED_BY] = MANAGER
    return labels | ({HEADLESS: ""} if service_pods.is_headless(service) else {})


def _subsets(service: Service, found: Sequence[Pod]) -> Sequence[Json]:
    """Pods with the same ports make one subset; in it they are by address."""
    groups: dict[bytes, Json] = {}
    for pod in found:
        ports = [{name: each[name] for name in each if each[name]} for each in service_pods.ports_of(pod, service)]
        if not ports and not (service_pods.is_headless(service) and not service.spec.ports):
            continue
        is_ready = service.spec.publish_not_ready_addresses or pods.is_ready(pod)
        subset = groups.setdefault(
            msgspec.json.encode(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports}
        )
        subset["addresses" if is_ready else "notReadyAddresses"].append(_address(pod, service))
    return [
        {name: sorted(items, key=_order) for name, items in subset.items() if items}
        for _, subset in sorted(groups.items())
    ]


def _order(item: Json) -> Any:
    return item.get("ip", ""), item.get("targetRef", {}).get("uid", ""), item.get("name", ""), item.get("port", 0)


def _address(pod: Pod, service: Service) -> Json:
    address: Json = {
        "ip": pod.status.pod_ip or pod.status.pod_ips[0].ip,
        "targetRef": service_pods.target_reference(pod),
        "nodeName": pod.spec.node_name,
    }
    hostname = service_pods.hostname(pod, service)
    return address | ({"hostname": hostname} if hostname else {})


def _truncated(subsets: Sequence[Json]) -> tuple[Sequence[Json], bool]:
    """At most CAPACITY addresses, the ready ones before the others."""
    total = sum(len(subset.get(part, ())) for subset in subsets for part in ("addresses", "notReadyAddresses"))
    if total <= CAPACITY:
        return subsets, False
    left = CAPACITY
    kept: list[Json] = [{"ports": subset["ports"]} if "ports" in subset else {} for subset in subsets]
    for part in ("addresses", "notReadyAddresses"):
        for subset, target in zip(subsets, kept, strict=True):
            if taken := subset.get(part, ())[:left]:
                target[part] = taken
                left -= len(taken)
    return [subset for subset in kept if "addresses" in subset or "notReadyAddresses" in subset], True


def _is_same(current: Endpoints, subsets: Sequence[Json], labels: Mapping[str, str], *, is_truncated: bool) -> bool:
    wanted = msgspec.convert(subsets, tuple[EndpointSubset, ...])
    was_truncated = OVER_CAPACITY in current.metadata.annotations
    return current.subsets == wanted and current.metadata.labels == labels and was_truncated == is_truncated
