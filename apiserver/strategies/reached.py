"""The points at which a load balancer is reached, as Services and Ingresses tell of them in their status.

Source: pkg/apis/core/validation (ValidateLoadBalancerStatus), pkg/apis/networking/validation (the same of an Ingress).
"""

from collections.abc import Collection
from typing import Any

from apimachinery.types import Json
from apiserver.strategies.problems import Problems, dns_subdomain, invalid, ip_address


def addresses(balancer: Json) -> Collection[Any]:
    """Those that a status has already: they stay, whatever they are."""
    return frozenset(entry.get("ip") for entry in balancer.get("ingress") or ())


def by_address(path: str, entry: Json, had: Collection[Any]) -> Problems:
    """Of the address, where there is one and it is new."""
    if (address := entry.get("ip")) and address not in had:
        yield from ip_address(f"{path}.ip", address)


def by_name(path: str, entry: Json) -> Problems:
    """Of the name, where there is one."""
    if name := entry.get("hostname"):
        yield from dns_subdomain(f"{path}.hostname", name)
        if not [*ip_address("", name)]:
            yield invalid(f"{path}.hostname", name, "must be a DNS name, not an IP address")
