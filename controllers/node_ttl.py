"""Tells kubelets how long they may trust a cached Secret or ConfigMap: the longer, the larger the cluster.

Source: pkg/controller/ttl. Sizes overlap, so that a cluster at a boundary does not waver.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import NODES
from client.plan import Key, Patch, Plan, View, Watch, Write, key_of
from controllers.node_ipam import ALL
from controllers.views import (
    Node,
)

TTL = "node.alpha.kubernetes.io/ttl"
#: (from nodes, to nodes, seconds)
STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 10_000, 300))


def _all(_node: Node, _view: View) -> Iterable[Key]:
    return (ALL,)


def _matters(old: Node | None, new: Node | None) -> bool:
    return old is None or new is None or old.metadata.annotations.get(TTL) != new.metadata.annotations.get(TTL)


@dataclass(frozen=True)
class NodeTTL:
    """Keeps the annotation on every node."""

    name: str = "ttl-controller"
    watches: Sequence[Watch] = (Watch(NODES, _all, _matters),)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        nodes: Sequence[Node] = view.list(NODES)
        possible = [str(ttl) for low, high, ttl in STEPS if low <= len(nodes) <= high] or [str(STEPS[-1][2])]
        writes: list[Write] = [
            Patch(NODES, key_of(node), node.metadata.uid, {"metadata": {"annotations": {TTL: possible[0]}}})
            for node in nodes
            if node.metadata.annotations.get(TTL) not in possible
        ]
        return Plan(writes)
