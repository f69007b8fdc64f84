"""What the scheduler knows, kept ready as arrays: nodes, the pods on them, and those it has just assumed there.

Pods come and go in place (a vector is added to or taken from one row); a change of the nodes themselves makes the
arrays anew at the next snapshot. An assumed pod counts until the cache shows it bound or the binding is known to have
failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from apimachinery.objects.core_v1 import Toleration
from apimachinery.placement import meets, tolerates
from scheduler import requests
from scheduler.arrays import Ints, Mask, Nodes, PodRow, Taint
from scheduler.filters import ANY_ADDRESS
from scheduler.requests import CPU, MEMORY, PODS, Amounts
from scheduler.views import Node, Pod

BASE = (CPU, MEMORY, "ephemeral-storage", PODS)
UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Placed:
    """What a pod holds on its node."""

    node: str
    amounts: Amounts
    scored: tuple[int, int]
    ports: tuple[tuple[str, str, int], ...]


def placed(pod: Pod, node: str) -> Placed:
    """What `pod` holds on `node`."""
    return Placed(node, requests.requests(pod), requests.for_scores(pod), host_ports(pod))


def host_ports(pod: Pod) -> tuple[tuple[str, str, int], ...]:
    """(address, protocol, port) of every host port."""
    return tuple(
        (port.host_ip or ANY_ADDRESS, port.protocol or "TCP", port.host_port)
        for container in pod.spec.containers
        for port in container.ports
        if port.host_port
    )


class State:
    """The mutable snapshot. It belongs to one task; `snapshot` gives arrays that live until the next change."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.placed: dict[str, Placed] = {}  # by pod uid
        self.assumed: set[str] = set()
        self._built: _Arrays | None = None

    def set_node(self, name: str, node: Node | None) -> bool:
        """Takes in a node's state; says whether anything that matters to placement changed."""
        old = self.nodes.get(name)
        if node is None:
            self.nodes.pop(name, None)
        else:
            self.nodes[name] = node
        changed = old is None or node is None or _matter(old) != _matter(node)
        if changed:
            self._built = None
        return changed

    def set_pod(self, uid: str, pod: Pod | None) -> bool:
        """Takes in a pod's state; says whether room became free."""
        if pod is None or pod.spec.node_name:
            self.assumed.discard(uid)
        holds = pod is not None and pod.spec.node_name != "" and not pod.is_finished
        if not holds:
            return uid not in self.assumed and self._take(uid)
        assert pod is not None
        self._put(uid, placed(pod, pod.spec.node_name))
        return False

    def assume(self, pod: Pod, node: str) -> None:
        """Counts the pod on the node before the server knows."""
        self.assumed.add(pod.metadata.uid)
        self._put(pod.metadata.uid, placed(pod, node))

    def forget(self, uid: str) -> None:
        """Takes an assumption back."""
        if uid in self.assumed:
            self.assumed.discard(uid)
            self._take(uid)

    def _put(self, uid: str, new: Placed) -> None:
        if self.placed.get(uid) == new:
            return
        self._take(uid)
        self.placed[uid] = new
        if self._built is not None:
            self._built.count(new, 1)

    def _take(self, uid: str) -> bool:
        old = self.placed.pop(uid, None)
        if old is not None and self._built is not None:
            self._built.count(old, -1)
        return old is not None

    def snapshot(self) -> Nodes:
        """Every node as arrays, with everything placed and assumed counted."""
        return self._arrays().nodes

    def row(self, pod: Pod) -> PodRow:
        """The pod as a row of the present snapshot's columns."""
        return self._arrays().row(pod)

    def _arrays(self) -> "_Arrays":
        if self._built is None:
            self._built = _Arrays(self.nodes, self.placed.values())
        return self._built


def _matter(node: Node) -> object:
    """What of a node decides about placement (its heartbeats do not)."""
    return node.metadata.labels, node.spec.unschedulable, node.spec.taints, node.status.allocatable


class _Arrays:
    """The arrays of one set of nodes."""

    def __init__(self, nodes: Mapping[str, Node], pods: Iterable[Placed]) -> None:
        names = tuple(sorted(nodes))
        self.index = {name: row for row, name in enumerate(names)}
        rows = [nodes[name] for name in names]
        amounts = [requests.amounts(node.status.allocatable) for node in rows]
        extra = sorted({resource for one in amounts for resource in one} - set(BASE))
        self.resources = (*BASE, *extra)
        self.column = {resource: column for column, resource in enumerate(self.resources)}
        self._labels = [node.metadata.labels for node in rows]
        self._masks: dict[tuple[str, str, tuple[str, ...]], Mask] = {}
        self._ports: dict[tuple[str, str, int], Mask] = {}
        taints = [_taints(node) for node in rows]
        known = tuple(dict.fromkeys(taint for one in taints for taint in one))
        tainted = np.array([[taint in one for taint in known] for one in taints], np.bool_).reshape(
            len(rows), len(known)
        )
        hard = np.array([taint.effect != "PreferNoSchedule" for taint in known], np.bool_)
        self.nodes = Nodes(
            names=names,
            resources=self.resources,
            allocatable=self._matrix(amounts),
            requested=np.zeros((len(rows), len(self.resources)), np.int64),
            scored=np.zeros((len(rows), 2), np.int64),
            unschedulable=np.array([bool(node.spec.unschedulable) for node in rows], np.bool_),
            taints=known,
            tainted=tainted & hard,
            tainted_softly=tainted & ~hard,
            ports=self._ports,
            labelled=self._labelled,
            named=self._named,
        )
        for one in pods:
            self.count(one, 1)

    def _matrix(self, amounts: list[dict[str, int]]) -> Ints:
        values = [[one.get(resource, 0) for resource in self.resources] for one in amounts]
        return np.array(values, np.int64).reshape(len(amounts), len(self.resources))

    def count(self, one: Placed, sign: int) -> None:
        """Adds a pod to its node's row, or takes it away."""
        row = self.index.get(one.node)
        if row is None:
            return
        for resource, value in one.amounts.items():
            if (column := self.column.get(resource)) is not None:
                self.nodes.requested[row, column] += sign * value
        self.nodes.scored[row] += sign * np.array(one.scored, np.int64)
        for port in one.ports:
            self._ports.setdefault(port, np.zeros(len(self.index), np.bool_))[row] = sign > 0

    def row(self, pod: Pod) -> PodRow:
        wanted = requests.requests(pod)
        vector = np.array([wanted.get(resource, 0) for resource in self.resources], np.int64)
        unknown = tuple(r for r, value in wanted.items() if value and r not in self.column)
        tolerated = np.array([_is_tolerated(t, pod.spec.tolerations) for t in self.nodes.taints], np.bool_)
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
        return PodRow(
            pod=pod,
            requests=vector,
            unknown=unknown,
            scored=np.array(requests.for_scores(pod), np.int64),
            tolerates=tolerated,
            minds=~tolerated,
            tolerates_unschedulable=_is_tolerated(UNSCHEDULABLE, pod.spec.tolerations),
            ports=host_ports(pod),
            selector=pod.spec.node_selector,
            required=required.node_selector_terms if required else None,
            preferred=affinity.preferred_during_scheduling_ignored_during_execution if affinity else (),
        )

    def _labelled(self, key: str, operator: str, values: tuple[str, ...]) -> Mask:
        """The nodes whose labels meet a requirement; computed once for these nodes."""
        wanted = (key, operator, values)
        if wanted not in self._masks:
            met = [meets(labels.get(key), operator, values) for labels in self._labels]
            self._masks[wanted] = np.array(met, np.bool_)
        return self._masks[wanted]

    def _named(self, operator: str, values: tuple[str, ...]) -> Mask:
        return np.array([meets(name, operator, values) for name in self.nodes.names], np.bool_)


def _taints(node: Node) -> tuple[Taint, ...]:
    return tuple(Taint(taint.key, taint.value, taint.effect) for taint in node.spec.taints)


def _is_tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(tolerates(toleration, taint) for toleration in tolerations)
