"""Copies Endpoints that somebody wrote by hand into EndpointSlices, which is what kube-proxy and DNS read.

Only for services without a selector: those of the others are made from pods. One slice for each set of ports and
address family; at most 1000 addresses of a subset are copied. The slices belong to the Endpoints object.
Source: pkg/controller/endpointslicemirroring/{endpointslicemirroring_controller,reconciler,utils}.go.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from apimachinery.kinds import ENDPOINTS, ENDPOINTSLICES, SERVICES
from apimachinery.objects.core_v1 import EndpointAddress
from apimachinery.objects.discovery_v1 import Endpoint
from apimachinery.types import Json
from client.plan import Create, Delete, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers.endpointslice import MANAGED_BY, encoded_ports
from controllers.ownership import owner_reference
from controllers.service_pods import HEADLESS, TRIGGER_TIME
from controllers.views import (
    SERVICE,
    SERVICE_NAME,
    Endpoints,
    EndpointSlice,
    Service,
)

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
CAPACITY = 1000
_NOT_COPIED = (TRIGGER_TIME, "kubectl.kubernetes.io/last-applied-configuration")


def _of_slice(item: EndpointSlice, _view: View) -> Iterable[Key]:
    name = item.metadata.labels.get(SERVICE_NAME, "")
    return (Key(item.metadata.namespace, name),) if name and item.metadata.labels.get(MANAGED_BY) == MANAGER else ()


@dataclass(frozen=True)
class EndpointSliceMirroring:
    """The controller of mirrored EndpointSlices; its keys are Endpoints."""

    name: str = "endpointslice-mirroring-controller"
    watches: Sequence[Watch] = (
        Watch(ENDPOINTS, itself),
        Watch(SERVICES, itself),
        Watch(ENDPOINTSLICES, _of_slice),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        existing = [
            each
            for each in view.by(ENDPOINTSLICES, SERVICE, f"{key.namespace}/{key.name}")
            if each.metadata.labels.get(MANAGED_BY) == MANAGER and each.metadata.deletion_timestamp is None
        ]
        endpoints: Endpoints | None = view.get(ENDPOINTS, key)
        service: Service | None = view.get(SERVICES, key)
        wanted = _wanted(endpoints) if endpoints is not None and _is_mirrored(endpoints, service) else {}
        writes: list[Write] = []
        for each in sorted(existing, key=lambda each: each.metadata.name):
            items = wanted.pop((each.address_type, encoded_ports(each)), None)
            if items is None or endpoints is None:
                writes.append(Delete(ENDPOINTSLICES, key_of(each), each.metadata.uid))
            elif not _is_same(each, endpoints, items):
                writes.append(_update(each, endpoints, items))
        if endpoints is not None:
            writes += [_creation(endpoints, *group, items) for group, items in wanted.items()]
        return Plan(writes)


def _is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    meta = endpoints.metadata
    if service is None or service.spec.selector or meta.deletion_timestamp is not None:
        return False
    return meta.labels.get(SKIP) != "true" and LEADER not in meta.annotations


def _wanted(endpoints: Endpoints) -> dict[tuple[str, bytes], list[Json]]:
    """Endpoints by family and ports (encoded as those of a slice are); an address once, ready before not ready."""
    wanted: dict[tuple[str, bytes], dict[str, Json]] = {}
    for subset in endpoints.subsets:
        ports = encoded_ports(subset)
        both = [(each, True) for each in subset.addresses] + [(each, False) for each in subset.not_ready_addresses]
        for address, is_ready in both[:CAPACITY]:
            group = wanted.setdefault((_family(address.ip), ports), {})
            group.setdefault(address.ip, _endpoint(address, is_ready=is_ready))
    return {group: list(items.values()) for group, items in wanted.items()}


def _family(address: str) -> str:
    return f"IPv{ipaddress.ip_address(address).version}"


def _endpoint(address: EndpointAddress, *, is_ready: bool) -> Json:
    endpoint: Json = {"addresses": [address.ip], "conditions": {"ready": is_ready}}
    if address.target_ref is not None:
        endpoint["targetRef"] = {name: text for name, text in msgspec.to_builtins(address.target_ref).items() if text}
    more = {"hostname": address.hostname, "nodeName": address.node_name}
    return endpoint | {name: text for name, text in more.items() if text}


def _is_same(each: EndpointSlice, endpoints: Endpoints, items: Sequence[Json]) -> bool:
    has_items = each.endpoints == msgspec.convert(items, tuple[Endpoint, ...])
    return (
        has_items
        and each.metadata.labels == _labels(endpoints)
        and each.metadata.annotations == _annotations(endpoints)
    )


def _labels(endpoints: Endpoints) -> dict[str, str]:
    labels = {name: text for name, text in endpoints.metadata.labels.items() if name != HEADLESS}
    return labels | {SERVICE_NAME: endpoints.metadata.name, MANAGED_BY: MANAGER}


def _annotations(endpoints: Endpoints) -> dict[str, str]:
    return {name: text for name, text in endpoints.metadata.annotations.items() if name not in _NOT_COPIED}


def _change(old: Mapping[str, str], new: Mapping[str, str]) -> Json:
    """A merge patch from old to new."""
    return {**dict.fromkeys(old.keys() - new.keys()), **new}


def _update(each: EndpointSlice, endpoints: Endpoints, items: Sequence[Json]) -> Patch:
    meta: Json = {
        "labels": _change(each.metadata.labels, _labels(endpoints)),
        "annotations": _change(each.metadata.annotations, _annotations(endpoints)),
    }
    return Patch(ENDPOINTSLICES, key_of(each), each.metadata.uid, {"metadata": meta, "endpoints": list(items)})


def _creation(endpoints: Endpoints, family: str, ports: bytes, items: Sequence[Json]) -> Create:
    meta = {
        "generateName": f"{endpoints.metadata.name}-",
        "labels": _labels(endpoints),
        "annotations": _annotations(endpoints),
        "ownerReferences": [owner_reference(ENDPOINTS, endpoints.metadata)],
    }
    body = {"metadata": meta, "addressType": family, "endpoints": items, "ports": msgspec.json.decode(ports)}
    return Create(ENDPOINTSLICES, endpoints.metadata.namespace, body)
