"""Gives each node its part of the cluster's pod network: a /24 by default, the lowest that is free.

All nodes are planned together, under one key: two plans could otherwise pick one range.
Source: pkg/controller/nodeipam.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import NODES
from client.events import reference
from client.plan import Event, Key, Patch, Plan, View, Watch, Write, key_of
from controllers.views import (
    Node,
)

ALL = Key("", "all nodes")


def _all(_node: Node, _view: View) -> Iterable[Key]:
    return (ALL,)


def _matters(old: Node | None, new: Node | None) -> bool:
    return old is None or new is None or old.spec.pod_cidr != new.spec.pod_cidr


@dataclass(frozen=True)
class NodeIPAM:
    """Assigns `spec.podCIDR` out of `cluster_cidr`."""

    cluster_cidr: str = "10.244.0.0/16"
    mask: int = 24
    name: str = "node-ipam-controller"
    watches: Sequence[Watch] = (Watch(NODES, _all, _matters),)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        nodes: list[Node] = sorted(view.list(NODES), key=lambda node: str(node.metadata.name))
        taken = {
            ipaddress.ip_network(cidr)
            for node in nodes
            for cidr in node.spec.pod_cidrs or (node.spec.pod_cidr,)
            if cidr
        }
        free = (each for each in self._ranges() if not any(each.overlaps(other) for other in taken))
        writes: list[Write | Event] = []
        for node in nodes:
            if node.spec.pod_cidr or node.metadata.deletion_timestamp is not None:
                continue
            found = next(free, None)
            if found is None:
                about = reference(node, kind=NODES.kind, api_version=NODES.api_version)
                text = f"Node {node.metadata.name} status is now: CIDRNotAvailable"
                writes.append(Event(about, "Normal", "CIDRNotAvailable", text))
                continue
            body = {"spec": {"podCIDR": str(found), "podCIDRs": [str(found)]}}
            writes.append(Patch(NODES, key_of(node), node.metadata.uid, body))
        return Plan(writes)

    def _ranges(self) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return ipaddress.ip_network(self.cluster_cidr).subnets(new_prefix=self.mask)
