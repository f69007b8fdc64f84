"""Service addresses and node ports: how many are given out, and how the search for them went.

What is given out is read of the watch cache when somebody asks.
Sources: pkg/registry/core/service/{ipallocator,portallocator}/metrics.go and their controllers.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence

from apimachinery.kinds import IPADDRESSES
from apiserver.allocation import choice, ports
from apiserver.allocation.counts import FAMILIES
from apiserver.request import Lookup
from apiserver.storage.watchcache import WatchCache
from serving.series import Family, Rows, Shown

_ADDRESSES, _PORTS = "kube_apiserver_clusterip_allocator_", "kube_apiserver_nodeport_allocator_"


def families(
    cache: WatchCache, lookup: Lookup, ranges: Callable[[], Sequence[str]], node_ports: range
) -> Iterator[Family]:
    """What is told of one server's stock: `ranges` are the CIDRs now, `node_ports` those that there are."""

    def taken() -> dict[str, int]:
        networks = {text: ipaddress.ip_network(text) for text in ranges()}
        found = [ipaddress.ip_address(tree["metadata"]["name"]) for tree in lookup.list(IPADDRESSES)]
        return {text: sum(address in network for address in found) for text, network in networks.items()}

    def free() -> Rows:
        return [((text,), choice.usable(ipaddress.ip_network(text))[1] - count) for text, count in taken().items()]

    def bits() -> int:
        entry = cache.get(ports.KEY)
        return ports.bits_of_tree(entry.tree, node_ports).bit_count() if entry is not None else 0

    yield Shown(
        f"{_ADDRESSES}allocated_ips",
        "Cluster addresses that are taken, by range.",
        ("cidr",),
        lambda: [((text,), count) for text, count in taken().items()],
    )
    yield Shown(f"{_ADDRESSES}available_ips", "Cluster addresses that are free, by range.", ("cidr",), free)
    yield Shown(f"{_PORTS}allocated_ports", "Node ports that are taken.", (), lambda: [((), bits())])
    yield Shown(f"{_PORTS}available_ports", "Node ports that are free.", (), lambda: [((), len(node_ports) - bits())])
    yield from FAMILIES
