"""The tables of services and networks. Source: pkg/printers/internalversion/printers.go."""

from collections.abc import Sequence

from apimachinery.types import Json
from apiserver.tables.table import (
    AGE,
    NONE,
    Cells,
    age,
    joined,
    labels,
    selector,
    spec_of,
    status_of,
    table,
    text,
    wide,
)

#: How many endpoints, ports or addresses are shown before "+ N more".
_MOST = 3


def _service(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        spec.get("type", ""),
        addresses[0] if addresses else NONE,
        _external(tree),
        _ports(spec.get("ports") or ()),
        age(tree, now),
        labels(spec.get("selector")),
    ]


def _external(tree: Json) -> str:
    spec = spec_of(tree)
    given = joined(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") != "LoadBalancer":
        return given or NONE
    balanced = _balancer(status_of(tree))
    return ",".join(part for part in (balanced, given) if part) or "<pending>"


def _balancer(status: Json) -> str:
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    return joined(sorted({entry.get("ip") or entry.get("hostname", "") for entry in ingress} - {""}))


def _ports(entries: Sequence[Json]) -> str:
    shown = (
        f"{e.get('port')}:{e['nodePort']}/{e.get('protocol')}"
        if e.get("nodePort")
        else f"{e.get('port')}/{e.get('protocol')}"
        for e in entries
    )
    return joined(shown) or NONE


def _endpoints(tree: Json, now: float) -> Cells:
    subsets, found = tree.get("subsets"), list[str]()
    for subset in subsets or ():
        addresses = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [_host(address, port["port"]) for port in ports for address in addresses] if ports else addresses
    return [_some(found) if subsets else NONE, age(tree, now)]


def _host(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _some(values: Sequence[str]) -> str:
    more = f" + {len(values) - _MOST} more..." if len(values) > _MOST else ""
    return joined(values[:_MOST]) + more


def _slice_port(port: Json) -> str:
    """Its number; without one its name, and `*` for every port."""
    number, name = port.get("port"), port.get("name")
    return str(number) if number is not None else "*" if name is None else str(name)


def _slice(tree: Json, now: float) -> Cells:
    ports = [_slice_port(port) for port in tree.get("ports") or ()]
    addresses = [address for endpoint in tree.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [
        tree.get("addressType", ""),
        _some(ports) or "<unset>",
        _some(addresses) or "<unset>",
        age(tree, now),
    ]


def _ingress(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    more = f" + {len(hosts) - _MOST} more..." if len(hosts) > _MOST else ""
    return [
        spec.get("ingressClassName") or NONE,
        (joined(hosts[:_MOST]) + more) or "*",
        _balancer(status_of(tree)),
        "80, 443" if spec.get("tls") else "80",
        age(tree, now),
    ]


def _ingress_class(tree: Json, now: float) -> Cells:
    spec = spec_of(tree)
    reference = spec.get("parameters")
    parameters = NONE
    if reference is not None:
        group = reference.get("apiGroup")
        parameters = f"{reference.get('kind', '')}{f'.{group}' if group else ''}/{reference.get('name', '')}"
    return [spec.get("controller", ""), parameters, age(tree, now)]


def _policy(tree: Json, now: float) -> Cells:
    return [selector(spec_of(tree).get("podSelector")), age(tree, now)]


def _address(tree: Json, now: float) -> Cells:
    parent = spec_of(tree).get("parentRef")
    if parent is None:
        return [NONE, age(tree, now)]
    parts = (parent.get("group"), parent.get("resource"), parent.get("namespace"), parent.get("name"))
    group, resource, namespace, name = (part or "" for part in parts)
    where = f"{resource}.{group}" if group else resource
    return [where.lower() + (f"/{namespace}" if namespace else "") + f"/{name}", age(tree, now)]


def _range(tree: Json, now: float) -> Cells:
    return [joined(spec_of(tree).get("cidrs") or ()), age(tree, now)]


SERVICES = table(
    text("Type"), text("Cluster-IP"), text("External-IP"), text("Port(s)"), AGE, wide("Selector"), cells=_service
)
ENDPOINTS = table(text("Endpoints"), AGE, cells=_endpoints)
ENDPOINTSLICES = table(text("AddressType"), text("Ports"), text("Endpoints"), AGE, cells=_slice)
INGRESSES = table(text("Class"), text("Hosts"), text("Address"), text("Ports"), AGE, cells=_ingress)
INGRESSCLASSES = table(text("Controller"), text("Parameters"), AGE, cells=_ingress_class)
NETWORKPOLICIES = table(text("Pod-Selector"), AGE, cells=_policy)
IPADDRESSES = table(text("ParentRef"), cells=_address)  # the age is in no column, as in upstream
SERVICECIDRS = table(text("CIDRs"), AGE, cells=_range)
