"""Services: defaults, and what depends on the type. What may be written is in `service_rules`.

Source: core/v1/defaults.go, registry/core/service.

Addresses and node ports are given by `apiserver.allocation`, just before the object is stored; so this module lets
them be absent, carries them over from the stored object when an update leaves them out (`prepare`), and drops those
that a new type no longer has.
"""

from collections.abc import Mapping

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies import service_changes, service_rules
from apiserver.strategies.defaulting import fill, fill_absent, items, part
from apiserver.strategies.service_addresses import HEADLESS, has_cluster_ip
from apiserver.strategies.service_rules import has_node_ports, is_accessible, wants_health_port
from apiserver.strategies.service_warnings import of_service
from apiserver.strategies.strategy import Strategy, metadata_fields


def default(tree: Json) -> Json:
    spec = part(tree, "spec")
    fill(spec, "sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800 if seconds is None else seconds}}
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    fill(spec, "type", "ClusterIP")
    for entry in items(spec, "ports"):
        fill(entry, "protocol", "TCP")
        if entry.get("targetPort") in (None, "", 0):
            entry["targetPort"] = entry.get("port", 0)
    if is_accessible(spec):
        fill(spec, "externalTrafficPolicy", "Cluster")
    if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
        fill_absent(spec, "internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        fill_absent(spec, "allocateLoadBalancerNodePorts", True)
        for ingress in (((tree.get("status") or {}).get("loadBalancer")) or {}).get("ingress") or ():
            if ingress.get("ip"):
                fill_absent(ingress, "ipMode", "VIP")
    return tree


def complete(tree: Json, primary: str) -> Json:
    """A Service of a server that knew one address only, or no families."""
    spec = tree["spec"]
    if spec["type"] == "ExternalName":
        spec.pop("internalTrafficPolicy", None)  # upstream stores it, and never shows it
    _normalise(spec, None)
    if has_cluster_ip(spec) and not spec.get("ipFamilies"):
        spec.update(_implied_families(spec, primary))
    return tree


def _implied_families(spec: Json, primary: str) -> Json:
    """By the addresses; without an address one family, and both where others write the endpoints."""
    if spec.get("clusterIP") != HEADLESS:
        families = ["IPv6" if ":" in address else "IPv4" for address in spec.get("clusterIPs") or ()]
    elif spec.get("selector"):
        families = [primary]
    else:
        families = [primary, "IPv6" if primary == "IPv4" else "IPv4"]
    policies = {1: "SingleStack", 2: "RequireDualStack"}
    policy = {"ipFamilyPolicy": policies[len(families)]} if len(families) in policies else {}
    return {"ipFamilies": families, **policy}


def prepare(new: Json, old: Json | None) -> Json:
    spec, before = new["spec"], (old or {}).get("spec")
    new["status"] = {"loadBalancer": {}} if old is None else {**old.get("status", {})}
    if spec["type"] != "LoadBalancer":
        new["status"]["loadBalancer"] = {}
    if before is not None:
        _carry_over(spec, before)
    _normalise(spec, before)
    if spec["type"] == "ExternalName":
        spec.pop("internalTrafficPolicy", None)  # upstream stores it, and never shows it
    if before is not None:
        _drop_by_type(spec, before)
    return new


def _normalise(spec: Json, before: Json | None) -> None:
    """`clusterIP` and `clusterIPs` say the same; a client that knows only one changes both."""
    single = spec.get("clusterIP") or ""
    if before is None:
        if single and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [single]
    elif single != (before.get("clusterIP") or "") and _same(spec, before, "clusterIPs"):
        if single:
            spec["clusterIPs"] = [single]
        else:
            spec.pop("clusterIPs", None)


def _carry_over(spec: Json, before: Json) -> None:
    """An update that leaves out what the server gave keeps it."""
    if has_cluster_ip(before) and has_cluster_ip(spec):
        for name in ("clusterIP", "clusterIPs"):
            if before.get(name) and not spec.get(name):
                spec[name] = before[name]
    if has_node_ports(before) and has_node_ports(spec):
        _carry_node_ports(spec, before)
    was = before.get("healthCheckNodePort")
    if was and wants_health_port(before) and wants_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = was


def _carry_node_ports(spec: Json, before: Json) -> None:
    """Ports are known again by their names."""
    given = {entry.get("name", ""): entry.get("nodePort") for entry in items(before, "ports")}
    taken = {entry["nodePort"] for entry in items(spec, "ports") if entry.get("nodePort")} & {*given.values()}
    for entry in items(spec, "ports"):
        was = given.get(entry.get("name", ""))
        if was and not entry.get("nodePort") and was not in taken:
            entry["nodePort"] = was


def _drop_by_type(spec: Json, before: Json) -> None:
    """What the old type had and the new one has not goes, unless the user changed it himself in the same breath."""
    if has_cluster_ip(before) and not has_cluster_ip(spec):
        if _same(spec, before, "clusterIP") and _same(spec, before, "clusterIPs"):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        for name in ("ipFamilies", "ipFamilyPolicy"):
            _drop(spec, before, name)
    if has_node_ports(before) and not has_node_ports(spec):
        had, has = ({e.get("nodePort") or 0 for e in items(tree, "ports")} for tree in (before, spec))
        for entry in items(spec, "ports") if has <= had | {0} else ():
            entry.pop("nodePort", None)
    if wants_health_port(before) and not wants_health_port(spec):
        _drop(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            _drop(spec, before, name)
    if is_accessible(before) and not is_accessible(spec):
        _drop(spec, before, "externalTrafficPolicy")


def _same(spec: Json, before: Json, name: str) -> bool:
    return (spec.get(name) or None) == (before.get(name) or None)


def _drop(spec: Json, before: Json, name: str) -> None:
    if spec.get(name) == before.get(name):
        spec.pop(name, None)


def check(new: Json, old: Json | None) -> list[FieldError]:
    changed = service_changes.changes(new["spec"], old["spec"]) if old is not None else ()
    return [*changed, *service_rules.service(new, old)]


def check_status(new: Json, old: Json | None) -> list[FieldError]:
    """Addresses of a load balancer. The conditions are free."""
    balancer, before = (((tree or {}).get("status") or {}).get("loadBalancer") or {} for tree in (new, old))
    return [*service_rules.load_balancer("status.loadBalancer", balancer, before, new.get("spec") or {})]


def fields(tree: Json) -> Mapping[str, str]:
    spec = tree.get("spec") or {}
    return {
        **metadata_fields(tree),
        "spec.clusterIP": spec.get("clusterIP", ""),
        "spec.type": spec.get("type", ""),
    }


SERVICES = Strategy(
    default=default,
    complete=complete,
    prepare=prepare,
    check=check,
    check_status=check_status,
    fields=fields,
    field_labels=("metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"),
    allow_create_on_update=True,
    name=names.label_1035_name,
    warnings=of_service,
)
