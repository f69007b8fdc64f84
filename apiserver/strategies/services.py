"""Services: defaults, what depends on the type, validation.

Source: core/v1/defaults.go, registry/core/service, validation.go.

Addresses and node ports are given by `apiserver.allocation`, just before the object is stored; so this module lets
them be absent, carries them over from the stored object when an update leaves them out (`prepare`), and drops those
that a new type no longer has.
"""

from collections.abc import Mapping
from typing import Any

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, fill_absent, items, part
from apiserver.strategies.problems import (
    Problems,
    cidr,
    dns_label,
    duplicate,
    forbidden,
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
from apiserver.strategies.service_warnings import of_service
from apiserver.strategies.strategy import Strategy, metadata_fields

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
HEADLESS = "None"
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_INTERNAL = ("Cluster", "Local")
_MAX_AFFINITY = 86400


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        fill(part(part(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds", 10800)
    else:
        spec.pop("sessionAffinityConfig", None)
    fill(spec, "type", "ClusterIP")
    for entry in items(spec, "ports"):
        fill(entry, "protocol", "TCP")
        if entry.get("targetPort") in (None, "", 0):
            entry["targetPort"] = entry.get("port", 0)
    if has_node_ports(spec):
        fill(spec, "externalTrafficPolicy", "Cluster")
    if spec["type"] != "ExternalName":
        fill_absent(spec, "internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    return tree


def has_cluster_ip(spec: Json) -> bool:
    """Whether the Service's type comes with a virtual address (which `None` declines)."""
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")


def has_node_ports(spec: Json) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def is_headless(spec: Json) -> bool:
    return bool(cluster_ips(spec)) and cluster_ips(spec)[0] == HEADLESS


def cluster_ips(spec: Json) -> list[str]:
    """Both notations as one list; the singular is the first of the plural."""
    return list(spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []))


def prepare(new: Json, old: Json | None) -> Json:
    new["status"] = {"loadBalancer": {}} if old is None else old.get("status", {"loadBalancer": {}})
    spec, before = new["spec"], (old or {}).get("spec")
    _normalise_ips(spec, before)
    if spec.get("type") == "ExternalName" and spec.get("internalTrafficPolicy") in _INTERNAL:
        del spec["internalTrafficPolicy"]  # upstream stores it, and never shows it
    if before is not None:
        _carry_over(spec, before)
        _drop_by_type(spec, before)
    return new


def _normalise_ips(spec: Json, before: Json | None) -> None:
    """`clusterIP` and `clusterIPs` say the same; a client that knows only one changes both."""
    single, several = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if before is None:
        if single and not several:
            spec["clusterIPs"] = [single]
        return
    if single != (before.get("clusterIP") or "") and several == (before.get("clusterIPs") or []):
        if single:
            spec["clusterIPs"] = [single]
        else:
            spec.pop("clusterIPs", None)


def _carry_over(spec: Json, before: Json) -> None:
    """An update that leaves out what the server gave keeps it."""
    if has_cluster_ip(before) and has_cluster_ip(spec) and not cluster_ips(spec):
        for name in ("clusterIP", "clusterIPs"):
            if name in before:
                spec[name] = before[name]
    if has_cluster_ip(before) and has_cluster_ip(spec):
        for name in ("ipFamilies", "ipFamilyPolicy"):
            if before.get(name):
                fill(spec, name, before[name])
    if has_node_ports(before) and has_node_ports(spec):
        _carry_node_ports(spec, before)
    was = before.get("healthCheckNodePort")
    if was and _wants_health_port(before) and _wants_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = was


def _carry_node_ports(spec: Json, before: Json) -> None:
    given = {(e.get("port"), e.get("protocol")): e.get("nodePort") for e in items(before, "ports")}
    taken = {entry["nodePort"] for entry in items(spec, "ports") if entry.get("nodePort")}
    for entry in items(spec, "ports"):
        was = given.get((entry.get("port"), entry.get("protocol")))
        if not entry.get("nodePort") and was and was not in taken:
            entry["nodePort"] = was


def _wants_health_port(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _drop_by_type(spec: Json, before: Json) -> None:
    """What the old type had and the new one has not goes, unless the user changed it himself in the same breath."""
    if has_cluster_ip(before) and not has_cluster_ip(spec):
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    if has_node_ports(before) and not has_node_ports(spec):
        ports = {e.get("nodePort") for e in items(before, "ports")}
        for entry in items(spec, "ports"):
            if entry.get("nodePort") in ports:
                entry.pop("nodePort", None)
        _drop(spec, before, "externalTrafficPolicy", when=not spec.get("externalIPs"))
    _drop(spec, before, "healthCheckNodePort", when=_wants_health_port(before) and not _wants_health_port(spec))
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            _drop(spec, before, name, when=True)
    if before.get("type") != "ExternalName" or spec.get("type") == "ExternalName":
        return
    _drop(spec, before, "externalName", when=True)


def _drop(spec: Json, before: Json, name: str, *, when: bool) -> None:
    if when and spec.get(name) == before.get(name):
        spec.pop(name, None)


def check(new: Json, old: Json | None) -> list[FieldError]:
    if old is not None and (wrong := [*_families_of_addresses(new["spec"])]):
        return wrong  # found while addresses are given, and upstream gives them before it looks at all else
    return [*_check(new["spec"]), *(_changes(new["spec"], old["spec"]) if old is not None else ())]


def _check(spec: Json) -> Problems:
    yield from one_of("spec.type", spec.get("type", ""), TYPES)
    yield from _by_type(spec)
    yield from labels("spec.selector", spec.get("selector"))
    yield from one_of("spec.sessionAffinity", spec.get("sessionAffinity", ""), ("ClientIP", "None"))
    yield from _affinity(spec)
    yield from _cluster_ips(spec)
    yield from _ports(spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        yield from _external_ip(f"spec.externalIPs[{i}]", address)
    yield from _policies(spec)
    yield from _load_balancer(spec)


def _by_type(spec: Json) -> Problems:
    kind = spec.get("type")
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        detail = f"may not be set to 'None' for {kind} services"
        yield invalid("spec.clusterIPs[0]", HEADLESS, detail)
    if kind == "ExternalName":
        if cluster_ips(spec):
            yield forbidden("spec.clusterIPs", "may not be set for ExternalName services")
        if not spec.get("externalName"):
            yield required("spec.externalName")
        else:
            yield from named("spec.externalName", spec["externalName"].removesuffix("."), names.dns_subdomain)
    if kind == "LoadBalancer":
        for i, entry in enumerate(spec.get("ports") or ()):
            if entry.get("port") == 10250:
                yield invalid(
                    f"spec.ports[{i}]", 10250, "may not expose port 10250 externally since it is used by kubelet"
                )


def _affinity(spec: Json) -> Problems:
    config = spec.get("sessionAffinityConfig")
    here = "spec.sessionAffinityConfig"
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            yield required(here, "when session affinity type is ClientIP")
        elif not 0 < seconds <= _MAX_AFFINITY:
            detail = f"must be greater than 0 and less than {_MAX_AFFINITY}"
            yield invalid(f"{here}.clientIP.timeoutSeconds", seconds, detail)
    elif config is not None:
        yield forbidden(here, "must not be set when session affinity is None")


def _cluster_ips(spec: Json) -> Problems:
    addresses = cluster_ips(spec)
    if spec.get("clusterIP") and addresses and addresses[0] != spec["clusterIP"]:
        yield invalid("spec.clusterIPs[0]", addresses, "first value must match `clusterIP`")
    if len(addresses) > 2:
        yield invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")
    for i, address in enumerate(addresses):
        if address == HEADLESS:
            if len(addresses) > 1:
                yield invalid("spec.clusterIPs", addresses, "'None' must be the first and only value")
        else:
            yield from ip_address(f"spec.clusterIPs[{i}]", address)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None:
        yield from supported("spec.ipFamilyPolicy", policy, ("PreferDualStack", "RequireDualStack", "SingleStack"))
    families = spec.get("ipFamilies") or ()
    for i, family in enumerate(families):
        yield from supported(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6"))
        if family in families[:i]:
            yield duplicate(f"spec.ipFamilies[{i}]", family)


def _ports(spec: Json) -> Problems:
    entries = spec.get("ports") or ()
    if not entries and not is_headless(spec) and spec.get("type") != "ExternalName":
        yield required("spec.ports")
    seen_names: set[str] = set()
    seen: set[tuple[Any, Any]] = set()
    node_ports: set[tuple[Any, Any]] = set()
    for i, entry in enumerate(entries):
        here = f"spec.ports[{i}]"
        yield from _port(here, entry, named_needed=len(entries) > 1, taken=seen_names)
        key = (entry.get("protocol"), entry.get("port"))
        if key in seen:
            yield duplicate(here, {"protocol": key[0], "port": key[1]})
        seen.add(key)
        yield from _node_port(here, entry, spec, node_ports)


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


def _node_port(path: str, entry: Json, spec: Json, taken: set[tuple[Any, Any]]) -> Problems:
    number = entry.get("nodePort")
    if not number:
        return
    if not has_node_ports(spec):
        kind = spec.get("type", "")
        yield forbidden(f"{path}.nodePort", f"may not be used when `type` is '{kind}'")
    key = (entry.get("protocol"), number)
    if key in taken:
        yield duplicate(f"{path}.nodePort", number)
    taken.add(key)


def _external_ip(path: str, text: str) -> Problems:
    """An address that may be a Service's from outside."""
    problems = [*ip_address(path, text)]
    yield from problems or ordinary_address(path, text)


def _policies(spec: Json) -> Problems:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    accessible = has_node_ports(spec) or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))
    if external and not accessible:
        yield invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
    elif external or has_node_ports(spec):
        yield from one_of("spec.externalTrafficPolicy", external, ("Cluster", "Local"))
    yield from supported("spec.internalTrafficPolicy", internal, _INTERNAL)
    health = spec.get("healthCheckNodePort")
    if health and not _wants_health_port(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", health, detail)
    distribution = spec.get("trafficDistribution")
    if distribution is not None:
        options = ("PreferClose", "PreferSameZone", "PreferSameNode")
        yield from supported("spec.trafficDistribution", distribution, options)


def _load_balancer(spec: Json) -> Problems:
    is_balancer = spec.get("type") == "LoadBalancer"
    for name in ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts"):
        if spec.get(name) not in (None, []) and not is_balancer:
            yield forbidden(f"spec.{name}", "may only be used when `type` is 'LoadBalancer'")
    for i, source in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from cidr(f"spec.LoadBalancerSourceRanges[{i}]", source.strip())
    if spec.get("loadBalancerClass") and is_balancer:
        yield from named("spec.loadBalancerClass", spec["loadBalancerClass"], names.qualified_name)


def _families_of_addresses(spec: Json) -> Problems:
    """Addresses that are not of the families that are asked for."""
    if not has_cluster_ip(spec) or is_headless(spec):
        return
    for i, (address, family) in enumerate(zip(cluster_ips(spec), spec.get("ipFamilies") or (), strict=False)):
        if family in ("IPv4", "IPv6") and (":" in address) != (family == "IPv6"):
            detail = f"expected an {family} value as indicated by `ipFamilies[{i}]`"
            yield invalid(f"spec.clusterIPs[{i}]", address, detail)


def _changes(spec: Json, before: Json) -> Problems:
    """The first address and the first family are for life, as long as the type has any."""
    if not (has_cluster_ip(spec) and has_cluster_ip(before)):
        return
    now, was = cluster_ips(spec), cluster_ips(before)
    if was and not now:
        yield invalid("spec.clusterIPs[0]", now, "primary clusterIP can not be unset")
    elif was and now[0] != was[0]:
        yield invalid("spec.clusterIPs[0]", now, "may not change once set")
    families, old_families = spec.get("ipFamilies") or (), before.get("ipFamilies") or ()
    if families and old_families and families[0] != old_families[0]:
        yield invalid("spec.ipFamilies[0]", list(families), "may not change once set")
    if before.get("type") == "LoadBalancer" == spec.get("type"):
        old_class = before.get("loadBalancerClass")
        if old_class != spec.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), "may not change once set")


def fields(tree: Json) -> Mapping[str, str]:
    spec = tree.get("spec") or {}
    return {
        **metadata_fields(tree),
        "spec.clusterIP": spec.get("clusterIP", ""),
        "spec.type": spec.get("type", ""),
    }


SERVICES = Strategy(
    default=default,
    prepare=prepare,
    check=check,
    fields=fields,
    field_labels=("metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"),
    allow_create_on_update=True,
    name=names.label_1035_name,
    warnings=of_service,
)
