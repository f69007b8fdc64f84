"""What the scheduler knows, kept ready as arrays: nodes, the pods on them, and those it has just assumed there.

Pods come and go in place (a vector is added to or taken from one row); a change of the nodes themselves makes the
arrays anew at the next snapshot. An assumed pod counts until the cache shows it bound or the binding is known to have
failed. A nominated pod has been promised a node by preemption: it counts for pods that are no more important.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from apimachinery.selectors import EVERYTHING, LabelSelector
from scheduler.arrays import Nodes, PodRow
from scheduler.census import Change
from scheduler.events import holds
from scheduler.placed import Placed, placed
from scheduler.snapshot import Arrays
from scheduler.spreading import SYSTEM, Defaults
from scheduler.terms import HARD, SOFT
from scheduler.views import Node, Pod


class State:
    """The mutable snapshot. It belongs to one task; `snapshot` gives arrays that live until the next change."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.placed: dict[str, Placed] = {}  # by pod uid
        self.assumed: set[str] = set()
        self.nominated: dict[str, Placed] = {}  # by pod uid
        self.namespaces: dict[str, Mapping[str, str]] = {}  # the labels of each
        self._built: Arrays | None = None

    def set_node(self, name: str, node: Node | None) -> None:
        """Takes in a node's state."""
        old = self.nodes.get(name)
        if node is None:
            self.nodes.pop(name, None)
        else:
            self.nodes[name] = node
        if old is None or node is None or _matter(old) != _matter(node):
            self._built = None
        elif self._built is not None and old.status.images != node.status.images:
            self._built.set_images(name, node.status.images)

    def set_pod(self, uid: str, pod: Pod | None) -> None:
        """Takes in a pod's state."""
        if pod is None or pod.spec.node_name:
            self.assumed.discard(uid)
            self.nominated.pop(uid, None)
        if pod is not None and holds(pod):
            self._put(uid, placed(pod, pod.spec.node_name))
        elif uid not in self.assumed:
            self._take(uid)

    def assume(self, pod: Pod, node: str) -> None:
        """Counts the pod on the node before the server knows."""
        self.nominated.pop(pod.metadata.uid, None)
        self.assumed.add(pod.metadata.uid)
        self._put(pod.metadata.uid, placed(pod, node))

    def forget(self, uid: str) -> None:
        """Takes an assumption back."""
        if uid in self.assumed:
            self.assumed.discard(uid)
            self._take(uid)

    def nominate(self, pod: Pod, node: str) -> None:
        """Promises the pod a node, or, for "", no node any more."""
        if node:
            self.nominated[pod.metadata.uid] = placed(pod, node)
        else:
            self.nominated.pop(pod.metadata.uid, None)

    def _put(self, uid: str, new: Placed) -> None:
        old = self.placed.get(uid)
        self.placed[uid] = new
        if self._built is None:
            return
        if old is not None and old.counts == new.counts:
            self._built.renew(new)
            return
        if old is not None:
            self._built.count(old, -1)
        self._built.count(new, 1)

    def _take(self, uid: str) -> None:
        old = self.placed.pop(uid, None)
        if old is not None and self._built is not None:
            self._built.count(old, -1)

    def snapshot(self) -> Nodes:
        """Every node as arrays, with everything placed and assumed counted."""
        return self._arrays().nodes

    def expected(self, pod: Pod) -> Nodes | None:
        """The snapshot with the nominated pods that do not yield to this one; None where there are none."""
        arrays = self._arrays()
        changes: list[Change] = [
            (arrays.index[one.node], one, 1)
            for uid, one in self.nominated.items()
            if uid != pod.metadata.uid and one.pod.priority >= pod.priority and one.node in arrays.index
        ]
        return arrays.nodes.supposing(changes) if changes else None

    def on(self, node: str) -> Sequence[Placed]:
        """The pods of a node."""
        arrays = self._arrays()
        return tuple(arrays.census.pods(arrays.index[node])) if node in arrays.index else ()

    def row(self, pod: Pod, owners: LabelSelector = EVERYTHING, spread: Defaults = SYSTEM) -> PodRow:
        """The pod as a row of the present snapshot's columns.

        `owners` is what its services and controller select, `spread` how such pods are spread that say nothing.
        """
        row = self._arrays().row(pod, self.namespaces)
        if pod.spec.topology_spread_constraints or owners.is_everything:
            return row
        hard, soft = spread.constraints(pod, owners, HARD), spread.constraints(pod, owners, SOFT)
        return replace(row, hard=hard, soft=soft, soft_by_default=spread.views is None)

    def _arrays(self) -> Arrays:
        if self._built is None:
            self._built = Arrays(self.nodes, self.placed.values())
        return self._built


def _matter(node: Node) -> object:
    """What of a node decides about placement (its heartbeats do not)."""
    return node.metadata.labels, node.spec.unschedulable, node.spec.taints, node.status.allocatable
