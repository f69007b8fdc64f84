"""Endpoints and EndpointSlices.

Source: core/validation ValidateEndpoints, discovery/validation, discovery/v1/defaults.go.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import fill, items
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    dns_subdomain,
    duplicate,
    immutable,
    invalid,
    ip_address,
    named,
    one_of,
    ordinary_address,
    port,
    required,
    too_many,
)
from apiserver.strategies.strategy import Strategy, as_sent

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("FQDN", "IPv4", "IPv6")


def default_endpoints(tree: Json) -> Json:
    for subset in items(tree, "subsets"):
        for entry in items(subset, "ports"):
            fill(entry, "protocol", "TCP")
    return tree


def check_endpoints(new: Json, old: Json | None) -> list[FieldError]:
    if old is not None and new.get("subsets") == old.get("subsets"):
        return []  # what is there may be older than the rules
    return [problem for i, s in enumerate(new.get("subsets") or ()) for problem in _subset(f"subsets[{i}]", s)]


def _subset(path: str, subset: Json) -> Problems:
    ready, other, ports = (subset.get(n) or () for n in ("addresses", "notReadyAddresses", "ports"))
    if not ready and not other:
        yield required(path, "must specify `addresses` or `notReadyAddresses`")
    for name, addresses in (("addresses", ready), ("notReadyAddresses", other)):
        for i, address in enumerate(addresses):
            yield from _address(f"{path}.{name}[{i}]", address)
    for i, entry in enumerate(ports):
        here = f"{path}.ports[{i}]"
        if len(ports) > 1 and not entry.get("name"):
            yield required(f"{here}.name")
        elif entry.get("name"):
            yield from dns_label(f"{here}.name", entry["name"])
        yield from port(f"{here}.port", entry.get("port", 0))
        yield from one_of(f"{here}.protocol", entry.get("protocol", ""), _PROTOCOLS)
        if entry.get("appProtocol") is not None:
            yield from named(f"{here}.appProtocol", entry["appProtocol"], names.qualified_name)


def _address(path: str, address: Json) -> Problems:
    text, here = address.get("ip", ""), f"{path}.ip"
    wrong = [*ip_address(here, text)]
    yield from wrong
    if address.get("hostname"):
        yield from dns_label(f"{path}.hostname", address["hostname"])
    if address.get("nodeName") is not None:
        yield from dns_subdomain(f"{path}.nodeName", address["nodeName"])
    if wrong:
        yield invalid(here, text, "must be a valid IP address")
    else:
        yield from ordinary_address(here, text)


def endpoint_ip(path: str, text: str) -> Problems:
    """Where traffic may go."""
    problems = [*ip_address(path, text)]
    if problems:
        yield from problems
        yield invalid(path, text, "must be a valid IP address")
    else:
        yield from ordinary_address(path, text)


def default_slice(tree: Json) -> Json:
    for entry in items(tree, "ports"):
        if entry.get("name") is None:
            entry["name"] = ""
        if entry.get("protocol") is None:
            entry["protocol"] = "TCP"
    return tree


def check_slice(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_slice(new)]
    if old is not None:
        problems += immutable("addressType", new.get("addressType"), old.get("addressType"))
    return problems


def _slice(tree: Json) -> Problems:
    family, endpoints, ports = tree.get("addressType", ""), tree.get("endpoints") or (), tree.get("ports") or ()
    if not family:
        yield required("addressType")
    elif family not in _FAMILIES:
        yield not_supported("addressType", family, ("FQDN", "IPv4", "IPv6"))
    if len(endpoints) > 1000:
        yield too_many("endpoints", len(endpoints), 1000)
    for i, endpoint in enumerate(endpoints):
        yield from _endpoint(f"endpoints[{i}]", endpoint, family)
    if len(ports) > 100:
        yield too_many("ports", len(ports), 100)
    yield from _slice_ports(ports)


def _endpoint(path: str, endpoint: Json, family: str) -> Problems:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    if len(addresses) > 100:
        yield too_many(f"{path}.addresses", len(addresses), 100)
    for i, address in enumerate(addresses):
        yield from _slice_address(f"{path}.addresses[{i}]", address, family)
    if endpoint.get("nodeName") is not None:
        yield from dns_subdomain(f"{path}.nodeName", endpoint["nodeName"])
    hints = endpoint.get("hints") or {}
    for i, node in enumerate(hints.get("forNodes") or ()):
        yield from dns_subdomain(f"{path}.hints.forNodes[{i}].name", node.get("name", ""))
    for i, zone in enumerate(hints.get("forZones") or ()):
        yield from named(f"{path}.hints.forZones[{i}].name", zone.get("name", ""), names.label_value)
    if endpoint.get("hostname") is not None:
        yield from dns_label(f"{path}.hostname", endpoint["hostname"])


def _slice_address(path: str, address: str, family: str) -> Problems:
    if family == "FQDN":
        yield from named(path, address, names.dns_subdomain)
        return
    version = {"IPv4": 4, "IPv6": 6}.get(family)
    if version is None:
        return
    try:
        right = ipaddress.ip_address(address).version == version
    except ValueError:
        yield invalid(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return
    if right:
        yield from endpoint_ip(path, address)
    else:
        yield invalid(path.rpartition("[")[0], address, f"must be an {family} address")


def _slice_ports(ports: Sequence[Json]) -> Problems:
    seen: set[str] = set()
    for i, entry in enumerate(ports):
        here, name = f"ports[{i}]", entry.get("name") or ""
        if name:
            yield from dns_label(f"{here}.name", name)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        if entry.get("protocol") is None:
            yield required(f"{here}.protocol")
        elif entry["protocol"] not in _PROTOCOLS:
            yield not_supported(f"{here}.protocol", entry["protocol"], ("SCTP", "TCP", "UDP"))
        if entry.get("appProtocol") is not None:
            yield from named(f"{here}.appProtocol", entry["appProtocol"], names.qualified_name)


def slice_changed(new: Json, old: Json) -> bool:
    """Everything but metadata counts, and of metadata the labels."""

    def counted(tree: Json) -> Iterator[object]:
        yield from (tree.get(name) for name in ("addressType", "endpoints", "ports"))
        yield (tree.get("metadata") or {}).get("labels")

    return [*counted(new)] != [*counted(old)]


ENDPOINTS = Strategy(
    default=default_endpoints,
    prepare=as_sent,
    check=check_endpoints,
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    allow_create_on_update=True,
)


def prepare_slice(new: Json, old: Json | None) -> Json:
    """`deprecatedTopology` is what v1 never took; what a v1beta1 object had stays."""
    if old is None:
        for endpoint in items(new, "endpoints"):
            endpoint.pop("deprecatedTopology", None)
    return new


def warn_slice(new: Json, old: Json | None) -> list[str]:
    is_new = old is None or old.get("addressType") != "FQDN"
    return ["spec.addressType: FQDN endpoints are deprecated"] if new.get("addressType") == "FQDN" and is_new else []


ENDPOINTSLICES = Strategy(
    warnings=warn_slice,
    default=default_slice,
    prepare=prepare_slice,
    check=check_slice,
    has_generation=True,
    raises_generation=slice_changed,
)
