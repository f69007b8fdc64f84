"""Cluster addresses, each held by an IPAddress object (networking.k8s.io/v1) of that name, as upstream does since 1.33.

Taking an address is creating its object: `put(expect=ABSENT)` succeeds for one server only, so an address cannot be
given twice, whatever crashes. What can be left behind is an IPAddress whose Service was never written, or is gone: it
points to its owner by `spec.parentRef`, and the repair finds it. Source: pkg/registry/core/service/ipallocator.
"""

import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import msgspec

from apimachinery import kinds, times
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.allocation import counts
from apiserver.allocation.choice import Network, address_band, order, usable
from apiserver.storage.protocol import ABSENT, Conflict, Storage

FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGER_LABEL = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"
#: How many addresses in a row may be found taken before the range counts as full.
_MAX_TRIES = 65536


class Refused(Exception):
    """An address or port that cannot be had; the text is upstream's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the cluster's service ranges. `random` picks where the search starts."""

    storage: Storage
    ranges: Callable[[], Sequence[str]]  # the CIDRs now; ServiceCIDRs can be added while the server runs
    random: random.Random
    clock: Callable[[], float]
    new_uid: Callable[[], str]

    def networks(self, family: str = "") -> list[Network]:
        """The ranges of a family (or all), in order."""
        found = [ipaddress.ip_network(text) for text in self.ranges()]
        return [network for network in found if family in ("", f"IPv{network.version}")]

    def families(self) -> list[str]:
        """The families offered, the primary one first."""
        return list(dict.fromkeys(f"IPv{network.version}" for network in self.networks()))

    async def take(self, address: str, owner: Json) -> None:
        """Take this address for the Service `owner` (its metadata). Raises Refused."""
        began = perf_counter()
        try:
            network = await self._take(address, owner)
        except Refused:
            counts.ADDRESS_REFUSED.of(self._range_of(address), counts.STATIC).value += 1
            raise
        _taken(network, counts.STATIC, began)

    def _range_of(self, address: str) -> str:
        ip = ipaddress.ip_address(address)
        return next((str(network) for network in self.networks(f"IPv{ip.version}") if ip in network), "")

    async def _take(self, address: str, owner: Json) -> str:
        ip = ipaddress.ip_address(address)
        networks = self.networks(f"IPv{ip.version}")
        around = [network for network in networks if ip in network]
        if not around:
            raise Refused("the provided network does not match the current range")
        if not any(_is_usable(ip, network) for network in around):
            raise Refused(f"provided IP is not in the valid range. The range of valid IPs is {around[0]}")
        if not await self._create(str(ip), owner):
            raise Refused("provided IP is already allocated")
        return str(around[0])

    def check(self, address: str) -> None:
        """Raise Refused where an address is outside of the ranges: all that a dry run asks."""
        ip = ipaddress.ip_address(address)
        networks = self.networks(f"IPv{ip.version}")
        if networks and not any(ip in network and _is_usable(ip, network) for network in networks):
            valid = f"The range of valid IPs is {networks[0]}"
            raise Refused(f"the provided IP ({address}) is not in the valid range. {valid}")

    def some(self, family: str) -> str:
        """The address of a family that a dry run shows: the first, taken or not. Raises Refused when there is none."""
        for network in self.networks(family):
            first, size = usable(network)
            if size:
                return str(network[first])
        raise Refused("range is full")

    async def take_any(self, family: str, owner: Json) -> str:
        """Take a free address of a family. Raises Refused when there is none."""
        tries, began, network = 0, perf_counter(), None
        for network in self.networks(family):
            first, size = usable(network)
            start = self.random.randrange(size) if size else 0
            for offset in order(size, address_band(size), start):
                tries += 1
                if tries > _MAX_TRIES:
                    break
                address = str(network[first + offset])
                if await self._create(address, owner):
                    _taken(str(network), counts.DYNAMIC, began)
                    return address
        counts.ADDRESS_REFUSED.of(str(network or ""), counts.DYNAMIC).value += 1
        raise Refused("range is full")

    async def release(self, address: str, owner: Json) -> None:
        """Give an address back, if it still belongs to this Service. Calling it again does no harm."""
        key = kinds.IPADDRESSES.storage_key("", str(ipaddress.ip_address(address)))
        stored = await self.storage.get(key)
        if stored is None or not belongs(protobuf.decode_stored(stored.value), owner):
            return
        try:
            await self.storage.delete(key, expect=stored.revision)
        except Conflict:
            return  # somebody else changed or deleted it: it is theirs to answer for

    async def _create(self, address: str, owner: Json) -> bool:
        tree = ip_address(address, owner, uid=self.new_uid(), now=self.clock())
        try:
            await self.storage.put(kinds.IPADDRESSES.storage_key("", address), msgspec.json.encode(tree), expect=ABSENT)
        except Conflict:
            return False
        return True


def _taken(network: str, scope: str, began: float) -> None:
    counts.ADDRESS_TAKEN.of(network, scope).value += 1
    counts.ADDRESS_SECONDS.of(network).add(perf_counter() - began)


def _is_usable(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, network: Network) -> bool:
    """Neither the network's own address nor the broadcast one."""
    first, size = usable(network)
    return first <= int(ip) - int(network.network_address) < first + size


def ip_address(address: str, owner: Json, *, uid: str, now: float) -> Json:
    """The IPAddress object that holds an address for a Service."""
    return {
        "kind": "IPAddress",
        "apiVersion": kinds.IPADDRESSES.api_version,
        "metadata": {
            "name": address,
            "uid": uid,
            "creationTimestamp": times.rfc3339(now),
            "labels": {
                FAMILY_LABEL: f"IPv{ipaddress.ip_address(address).version}",
                MANAGER_LABEL: MANAGER,
            },
        },
        "spec": {
            "parentRef": {
                "resource": "services",
                "namespace": owner.get("namespace", ""),
                "name": owner.get("name", ""),
            }
        },
    }


def belongs(tree: Json, owner: Json) -> bool:
    """Whether an IPAddress is held for this Service."""
    parent = (tree.get("spec") or {}).get("parentRef") or {}
    return (parent.get("resource"), parent.get("namespace"), parent.get("name")) == (
        "services",
        owner.get("namespace", ""),
        owner.get("name", ""),
    )
