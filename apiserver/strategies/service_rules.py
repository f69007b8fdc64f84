"""What a Service may be. Source: validation.go validateService and its callees, ValidateLoadBalancerStatus."""

from collections.abc import Collection, Sequence
from typing import Any

from apimachinery import names
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies import reached, service_addresses
from apiserver.strategies.problems import (
    Problems,
    cidr,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    go_struct,
    invalid,
    ip_address,
    labels,
    named,
    one_of,
    ordinary_address,
    port,
    port_or_name,
    required,
    supported,
)
from apiserver.strategies.service_addresses import HEADLESS, is_headless

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MAX_AFFINITY = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


def has_node_ports(spec: Json) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def is_accessible(spec: Json) -> bool:
    """Whether somebody outside of the cluster may reach it."""
    return has_node_ports(spec) or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def wants_health_port(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def service(new: Json, old: Json | None) -> Problems:
    """The whole Service; what an old one has already, it may keep."""
    spec, before = new["spec"], (old or {}).get("spec") or {}
    yield from _hints(new["metadata"].get("annotations") or {})
    entries = spec.get("ports") or ()
    if not entries and not is_headless(spec) and spec.get("type") != "ExternalName":
        yield required("spec.ports")
    yield from _by_type(spec)
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        yield from _port(f"spec.ports[{i}]", entry, named_needed=len(entries) > 1, taken=seen)
    yield from labels("spec.selector", spec.get("selector"))
    yield from _affinity(spec)
    yield from service_addresses.check(spec, before)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        yield from _external_ip(f"spec.externalIPs[{i}]", address, before.get("externalIPs") or ())
    yield from one_of("spec.type", spec.get("type", ""), TYPES)
    yield from _doubled(spec, entries)
    yield from _source_ranges(new, old)
    if spec.get("allocateLoadBalancerNodePorts") is not None and spec.get("type") != "LoadBalancer":
        yield forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED)
    yield from load_balancer_class(spec)
    yield from _external_policy(spec)
    yield from supported("spec.internalTrafficPolicy", spec.get("internalTrafficPolicy"), ("Cluster", "Local"))
    yield from supported("spec.trafficDistribution", spec.get("trafficDistribution"), _DISTRIBUTIONS)


def _hints(annotations: Json) -> Problems:
    if None not in (annotations.get(_HINTS), annotations.get(_MODE)) and annotations[_HINTS] != annotations[_MODE]:
        why = f"must match annotations[{_HINTS}] when both are specified"
        yield invalid(f"metadata.annotations[{_MODE}]", annotations[_MODE], why)


def _by_type(spec: Json) -> Problems:
    kind = spec.get("type")
    if has_node_ports(spec) and is_headless(spec):
        yield invalid("spec.clusterIPs[0]", HEADLESS, f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        value = spec.get(name)
        if value is not None if name == "ipFamilyPolicy" else value:
            yield forbidden(f"spec.{name}", "may not be set for ExternalName services")
    target = (spec.get("externalName") or "").removesuffix(".")
    if target:
        yield from dns_subdomain("spec.externalName", target)
    else:
        yield required("spec.externalName")


def _port(path: str, entry: Json, *, named_needed: bool, taken: set[str]) -> Problems:
    name = entry.get("name", "")
    if named_needed and not name:
        yield required(f"{path}.name")
    elif name:
        yield from dns_label(f"{path}.name", name)
        if name in taken:
            yield duplicate(f"{path}.name", name)
        taken.add(name)
    yield from port(f"{path}.port", entry.get("port", 0))
    if not entry.get("protocol"):
        yield required(f"{path}.protocol")
    elif entry["protocol"] not in _PROTOCOLS:
        yield not_supported(f"{path}.protocol", entry["protocol"], _PROTOCOLS)
    yield from port_or_name(f"{path}.targetPort", entry.get("targetPort", 0))
    if entry.get("appProtocol") is not None:
        yield from named(f"{path}.appProtocol", entry["appProtocol"], names.qualified_name)


def _affinity(spec: Json) -> Problems:
    yield from one_of("spec.sessionAffinity", spec.get("sessionAffinity", ""), ("ClientIP", "None"))
    config = spec.get("sessionAffinityConfig")
    here = "spec.sessionAffinityConfig"
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            yield required(here, "when session affinity type is ClientIP")
        elif not 0 < seconds <= _MAX_AFFINITY:
            detail = f"must be greater than 0 and less than {_MAX_AFFINITY}"
            yield invalid(f"{here}.clientIP.timeoutSeconds", seconds, detail)
    elif config is not None and spec.get("sessionAffinity") == "None":
        yield forbidden(here, "must not be set when session affinity is None")


def _external_ip(path: str, text: str, before: Collection[str]) -> Problems:
    """An address that may be a Service's from outside."""
    problems = [] if text in before else [*ip_address(path, text)]
    if problems:
        yield from problems
    elif not [*ip_address(path, text)]:
        yield from ordinary_address(path, text)


def _doubled(spec: Json, entries: Sequence[Json]) -> Problems:
    """Node ports and ports that are there twice for one protocol."""
    if spec.get("type") == "ClusterIP":
        for i, entry in enumerate(entries):
            if entry.get("nodePort"):
                yield forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'")
    seen: set[tuple[Any, Any]] = set()
    for i, entry in enumerate(entries):
        key = (entry.get("protocol"), entry.get("nodePort"))
        if key[1] and key in seen:
            yield duplicate(f"spec.ports[{i}].nodePort", key[1])
        seen.add(key)
    seen = set()
    for i, entry in enumerate(entries):
        protocol, number = key = (entry.get("protocol", ""), entry.get("port", 0))
        if key in seen:
            yield duplicate(f"spec.ports[{i}]", go_struct(
                Name="", Protocol=protocol, AppProtocol=None, Port=number, TargetPort=0, NodePort=0
            ))  # fmt: skip
        seen.add(key)


def _source_ranges(new: Json, old: Json | None) -> Problems:
    """From where a load balancer may be reached: a field, which took the place of an annotation."""
    spec, before = new["spec"], (old or {}).get("spec") or {}
    ranges, path = spec.get("loadBalancerSourceRanges") or (), "spec.LoadBalancerSourceRanges"
    if not ranges:
        yield from _annotated_ranges(new, old)
        return
    if spec.get("type") != "LoadBalancer":
        yield forbidden(path, _ONLY_BALANCED)
    had = [text.strip() for text in before.get("loadBalancerSourceRanges") or ()]
    for i, text in enumerate(ranges):
        if text.strip() not in had:
            yield from cidr(f"{path}[{i}]", text.strip())


def _annotated_ranges(new: Json, old: Json | None) -> Problems:
    text = (new["metadata"].get("annotations") or {}).get(_RANGES)
    if text is None:
        return
    path = f"metadata.annotations[{_RANGES}]"
    if new["spec"].get("type") != "LoadBalancer":
        yield forbidden(path, _ONLY_BALANCED)
    before = ((old or {}).get("metadata") or {}).get("annotations") or {}
    if before.get(_RANGES) != text and text.strip():
        for each in text.strip().split(","):
            yield from cidr(path, each.strip())


def load_balancer_class(spec: Json) -> Problems:
    name = spec.get("loadBalancerClass")
    if name is None:
        return
    if spec.get("type") == "LoadBalancer":
        yield from named("spec.loadBalancerClass", name, names.qualified_name)
    else:
        yield forbidden("spec.loadBalancerClass", _ONLY_BALANCED)


def _external_policy(spec: Json) -> Problems:
    policy, health = spec.get("externalTrafficPolicy") or "", spec.get("healthCheckNodePort")
    if is_accessible(spec):
        yield from one_of("spec.externalTrafficPolicy", policy, ("Cluster", "Local"))
    elif policy:
        yield invalid("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services")
    if health and not wants_health_port(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", health, detail)
    elif health:
        yield from port("spec.healthCheckNodePort", health)


def load_balancer(path: str, status: Json, before: Json, spec: Json) -> Problems:
    """What a load balancer says of itself."""
    entries = status.get("ingress") or ()
    if entries and spec.get("type") != "LoadBalancer":
        yield forbidden(f"{path}.ingress", "may only be used when `spec.type` is 'LoadBalancer'")
        return
    yield from ingresses(f"{path}.ingress", entries, before)


def ingresses(path: str, entries: Sequence[Json], before: Json) -> Problems:
    """The points at which a load balancer is reached."""
    had = reached.addresses(before)
    for i, entry in enumerate(entries):
        here, address, mode = f"{path}[{i}]", entry.get("ip"), entry.get("ipMode")
        yield from reached.by_address(here, entry, had)
        if mode is None:
            if address:
                yield required(f"{here}.ipMode", "must be specified when `ip` is set")
        elif not address:
            yield forbidden(f"{here}.ipMode", "may not be specified when `ip` is not set")
        else:
            yield from supported(f"{here}.ipMode", mode, ("Proxy", "VIP"))
        yield from reached.by_name(here, entry)
