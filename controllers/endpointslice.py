"""Keeps the EndpointSlices of each service with a selector, with as little churn as possible.

A slice holds at most 100 endpoints, all with the same ports and of one address family. An endpoint stays in the slice
it is in; slices without a change are not written. New endpoints go into slices that are written anyway, then into one
with room for all of them, then into new ones. Slices belong to the service by ownerReference, so the garbage collector
removes them with it.
Source: k8s.io/endpointslice/reconciler.go, utils.go.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery.kinds import ENDPOINTSLICES, NODES, PODS, SERVICES
from apimachinery.objects.core_v1 import EndpointSubset
from apimachinery.objects.discovery_v1 import Endpoint
from apimachinery.types import Json
from client.plan import Create, Delete, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import pods, service_pods
from controllers.ownership import owner_reference
from controllers.service_pods import HEADLESS, TRIGGER_TIME
from controllers.views import (
    SERVICE,
    SERVICE_NAME,
    EndpointSlice,
    Node,
    Pod,
    Service,
)

MANAGED_BY, MANAGER = "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"
CAPACITY = 100
NO_PORTS = b"[]"


def _of_slice(item: EndpointSlice, _view: View) -> Iterable[Key]:
    name = item.metadata.labels.get(SERVICE_NAME, "")
    return (Key(item.metadata.namespace, name),) if name and item.metadata.labels.get(MANAGED_BY) == MANAGER else ()


def _all_services(_node: Node, view: View) -> Iterable[Key]:
    return [key_of(service) for service in view.list(SERVICES)]


def _is_new_place(old: Node | None, new: Node | None) -> bool:
    """Whether a node came, went or moved to another zone."""
    return old is None or new is None or old.metadata.labels.get(ZONE) != new.metadata.labels.get(ZONE)


@dataclass(frozen=True)
class EndpointSliceController:
    """The controller of EndpointSlices."""

    name: str = "endpointslice-controller"
    watches: Sequence[Watch] = (
        Watch(SERVICES, itself),
        Watch(ENDPOINTSLICES, _of_slice),
        Watch(PODS, service_pods.services_of, service_pods.concerns_services),
        Watch(NODES, _all_services, _is_new_place),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        service: Service | None = view.get(SERVICES, key)
        if service is None or service.metadata.deletion_timestamp is not None:
            return Plan()
        existing = [
            each
            for each in view.by(ENDPOINTSLICES, SERVICE, f"{key.namespace}/{key.name}")
            if each.metadata.labels.get(MANAGED_BY) == MANAGER and each.metadata.deletion_timestamp is None
        ]
        if service.spec.type == "ExternalName":
            return Plan([_deletion(each) for each in existing])
        if not service.spec.selector:
            return Plan()
        found = service_pods.behind(service, view, terminating=True)
        families = service.spec.ip_families or ("IPv4",)
        writes: list[Write] = [_deletion(each) for each in existing if each.address_type not in families]
        for family in families:
            of_family = [each for each in existing if each.address_type == family]
            writes += _reconcile(service, family, of_family, _wanted(service, family, found, view), found)
        return Plan(writes)


# ------------------------------------------------------------------------------------------------- what is wanted


def _wanted(service: Service, family: str, found: Sequence[Pod], view: View) -> dict[bytes, dict[str, Json]]:
    """Endpoints by their ports (encoded), then by the pod's uid."""
    wanted: dict[bytes, dict[str, Json]] = {}
    for pod in found:
        addresses = _addresses(pod, family)
        node: Node | None = view.get(NODES, Key("", pod.spec.node_name))
        is_placed = node is not None or service.spec.publish_not_ready_addresses
        ports = service_pods.ports_of(pod, service)
        is_portless = service_pods.is_headless(service) and not service.spec.ports
        if addresses and is_placed and (ports or is_portless):
            of_ports = wanted.setdefault(msgspec.json.encode(ports), {})
            of_ports[pod.metadata.uid] = _endpoint(service, pod, addresses, node)
    return wanted


def _addresses(pod: Pod, family: str) -> list[str]:
    version = 6 if family == "IPv6" else 4
    every = [each.ip for each in pod.status.pod_ips] or [pod.status.pod_ip]
    return [each for each in every if ipaddress.ip_address(each).version == version]


def _endpoint(service: Service, pod: Pod, addresses: Sequence[str], node: Node | None) -> Json:
    serving = pods.is_ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    endpoint: Json = {
        "addresses": list(addresses),
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": service_pods.target_reference(pod),
    }
    zone = node.metadata.labels.get(ZONE, "") if node is not None else ""
    more = {"hostname": service_pods.hostname(pod, service), "nodeName": pod.spec.node_name, "zone": zone}
    return endpoint | {name: text for name, text in more.items() if text}


# ------------------------------------------------------------------------------------------------- what to write


@dataclass
class _Draft:
    """One existing slice, and what it should hold."""

    slice: EndpointSlice
    endpoints: list[Json]
    is_changed: bool

    @property
    def room(self) -> int:
        return CAPACITY - len(self.endpoints)


def _reconcile(
    service: Service,
    family: str,
    existing: Sequence[EndpointSlice],
    wanted: Mapping[bytes, dict[str, Json]],
    found: Sequence[Pod],
) -> Sequence[Write]:
    annotation = {TRIGGER_TIME: service_pods.trigger_time(service, found)}
    by_ports: dict[bytes, list[EndpointSlice]] = {}
    for each in sorted(existing, key=lambda each: each.metadata.name):
        by_ports.setdefault(encoded_ports(each), []).append(each)
    groups = wanted or {NO_PORTS: {}}  # a slice without endpoints says that the service has none
    writes: list[Write] = [
        _deletion(each) for ports, slices in by_ports.items() if ports not in groups for each in slices
    ]
    for ports, endpoints in groups.items():
        drafts = [_draft(each, endpoints) for each in by_ports.get(ports, ())]
        left = _place(list(_unplaced(drafts, endpoints)), drafts)
        filled = [draft for draft in drafts if draft.endpoints]
        kept = filled if wanted else drafts[:1]
        for draft in drafts:
            writes += _update(service, draft, annotation) if draft in kept else [_deletion(draft.slice)]
        chunks = [left[start : start + CAPACITY] for start in range(0, len(left), CAPACITY)]
        chunks = chunks if kept or chunks else [[]]
        writes += [_creation(service, family, msgspec.json.decode(ports), chunk, annotation) for chunk in chunks]
    return writes


def encoded_ports(each: EndpointSlice | EndpointSubset) -> bytes:
    """The ports as one value to compare by."""
    entries = []
    for port in each.ports:
        entry: Json = {"name": port.name, "port": port.port, "protocol": port.protocol}
        entries.append(entry | ({"appProtocol": port.app_protocol} if port.app_protocol else {}))
    return msgspec.json.encode(entries)


def _uid(endpoint: Endpoint) -> str:
    return endpoint.target_ref.uid if endpoint.target_ref is not None else ""


def _draft(each: EndpointSlice, wanted: Mapping[str, Json]) -> _Draft:
    """The slice with what is still wanted of it, brought up to date."""
    endpoints = [wanted[_uid(endpoint)] for endpoint in each.endpoints if _uid(endpoint) in wanted]
    is_changed = msgspec.convert(endpoints, tuple[Endpoint, ...]) != each.endpoints
    return _Draft(each, endpoints, is_changed)


def _unplaced(drafts: Sequence[_Draft], wanted: Mapping[str, Json]) -> Iterable[Json]:
    placed: set[str] = set()
    for draft in drafts:
        for endpoint in list(draft.endpoints):
            uid = endpoint["targetRef"]["uid"]
            if uid in placed:  # in two slices at once: the first keeps it
                draft.endpoints.remove(endpoint)
                draft.is_changed = True
            placed.add(uid)
    return [endpoint for uid, endpoint in wanted.items() if uid not in placed]


def _place(left: list[Json], drafts: Sequence[_Draft]) -> list[Json]:
    """Put endpoints into slices that have room; gives those for which new slices are needed."""
    for draft in sorted((each for each in drafts if each.is_changed), key=lambda each: each.room):
        left = _fill(draft, left)
    fitting = [draft for draft in drafts if left and len(left) <= draft.room]
    return _fill(min(fitting, key=lambda each: each.room), left) if fitting else left


def _fill(draft: _Draft, left: list[Json]) -> list[Json]:
    taken, rest = left[: draft.room], left[draft.room :]
    if taken:
        draft.endpoints += taken
        draft.is_changed = True
    return rest


def _labels(service: Service) -> dict[str, str]:
    reserved = (SERVICE_NAME, MANAGED_BY, HEADLESS)
    labels = {name: text for name, text in service.metadata.labels.items() if name not in reserved}
    labels |= {SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}
    return labels | ({HEADLESS: ""} if service_pods.is_headless(service) else {})


def _update(service: Service, draft: _Draft, annotation: Mapping[str, str]) -> Sequence[Patch]:
    labels, old = _labels(service), draft.slice.metadata.labels
    if not draft.is_changed and labels == old:
        return ()
    meta: Json = {"labels": {**dict.fromkeys(old.keys() - labels.keys()), **labels}, "annotations": dict(annotation)}
    body: Json = {"metadata": meta, "endpoints": draft.endpoints}
    return (Patch(ENDPOINTSLICES, key_of(draft.slice), draft.slice.metadata.uid, body),)


def _creation(
    service: Service, family: str, ports: Sequence[Any], endpoints: Sequence[Json], annotation: Mapping[str, str]
) -> Create:
    meta = {
        "generateName": f"{service.metadata.name}-",
        "labels": _labels(service),
        "annotations": dict(annotation),
        "ownerReferences": [owner_reference(SERVICES, service.metadata)],
    }
    body = {"metadata": meta, "addressType": family, "endpoints": list(endpoints), "ports": list(ports)}
    return Create(ENDPOINTSLICES, service.metadata.namespace, body)


def _deletion(each: EndpointSlice) -> Delete:
    return Delete(ENDPOINTSLICES, key_of(each), each.metadata.uid)
