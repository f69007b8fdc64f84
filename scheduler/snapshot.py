"""The arrays of one set of nodes, changed in place as pods come and go; what is asked of the nodes is asked once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from apimachinery.objects.core_v1 import ContainerImage, Toleration
from apimachinery.placement import meets, tolerates
from scheduler import requests, terms
from scheduler.arrays import Domains, Ints, Mask, Nodes, PodRow, Taint
from scheduler.census import Census
from scheduler.placed import HostPort, Placed, host_ports
from scheduler.requests import CPU, MEMORY, PODS
from scheduler.terms import HARD, SOFT, Question
from scheduler.views import Node, Pod

BASE = (CPU, MEMORY, "ephemeral-storage", PODS)
UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


class Arrays:
    """The arrays of one set of nodes."""

    def __init__(self, nodes: Mapping[str, Node], pods: Iterable[Placed]) -> None:
        names = tuple(sorted(nodes))
        self.index = {name: row for row, name in enumerate(names)}
        rows = [nodes[name] for name in names]
        amounts = [requests.amounts(node.status.allocatable) for node in rows]
        extra = sorted({resource for one in amounts for resource in one} - set(BASE))
        self.resources = (*BASE, *extra)
        self.column = {resource: column for column, resource in enumerate(self.resources)}
        self.census = Census(len(rows))
        self._labels = [node.metadata.labels for node in rows]
        self._cached = _Cached([_sizes(node.status.images) for node in rows])
        self._ports: dict[HostPort, Ints] = {}
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
            domains=self._domains,
            images=self._image,
            census=self.census,
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
        self.nodes.scored[row, 0] += sign * one.scored[0]
        self.nodes.scored[row, 1] += sign * one.scored[1]
        for port in one.ports:
            used = self._ports.setdefault(port, np.zeros(len(self.index), np.int64))
            used[row] += sign
            if not used.any():
                del self._ports[port]
        self.census.count(row, one, sign)

    def renew(self, one: Placed) -> None:
        """A newer state of a pod that counts as before."""
        if (row := self.index.get(one.node)) is not None:
            self.census.renew(row, one)

    def set_images(self, name: str, images: Iterable[ContainerImage]) -> None:
        """A node has other images than before."""
        self._cached.sizes[self.index[name]] = _sizes(images)
        self._cached.images.clear()

    def row(self, pod: Pod, namespaces: Mapping[str, Mapping[str, str]]) -> PodRow:
        wanted = requests.requests(pod)
        vector = np.array([wanted.get(resource, 0) for resource in self.resources], np.int64)
        tolerated = np.array([_is_tolerated(t, pod.spec.tolerations) for t in self.nodes.taints], np.bool_)
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
        about = terms.terms(pod)
        return PodRow(
            pod=pod,
            requests=vector,
            unknown=tuple(r for r, value in wanted.items() if value and r not in self.column),
            scored=np.array(requests.for_scores(pod), np.int64),
            tolerates=tolerated,
            minds=~tolerated,
            tolerates_unschedulable=_is_tolerated(UNSCHEDULABLE, pod.spec.tolerations),
            ports=host_ports(pod),
            selector=pod.spec.node_selector,
            required=required.node_selector_terms if required else None,
            preferred=affinity.preferred_during_scheduling_ignored_during_execution if affinity else (),
            namespace_labels=namespaces.get(pod.metadata.namespace, {}),
            terms=about,
            near=Question(tuple(term.who(namespaces) for term in about.near)) if about.near else None,
            apart=tuple((Question((term.who(namespaces),)), term.key) for term in about.apart),
            drawn=tuple((Question((term.who(namespaces),)), term) for term in about.preferred),
            hard=terms.constraints(pod, HARD),
            soft=terms.constraints(pod, SOFT),
        )

    def _labelled(self, key: str, operator: str, values: tuple[str, ...]) -> Mask:
        """The nodes whose labels meet a requirement; computed once for these nodes."""
        wanted = (key, operator, values)
        if wanted not in self._cached.masks:
            met = [meets(labels.get(key), operator, values) for labels in self._labels]
            self._cached.masks[wanted] = np.array(met, np.bool_)
        return self._cached.masks[wanted]

    def _named(self, operator: str, values: tuple[str, ...]) -> Mask:
        if operator == "In":
            rows = [self.index[name] for name in values if name in self.index]
            mask = np.zeros(len(self.index), np.bool_)
            mask[rows] = True
            return mask
        return np.array([meets(name, operator, values) for name in self.nodes.names], np.bool_)

    def _domains(self, key: str) -> Domains:
        """Which domain of the key each node is in; computed once for these nodes."""
        if key not in self._cached.domains:
            values = [labels.get(key) for labels in self._labels]
            code = {value: number for number, value in enumerate(dict.fromkeys(v for v in values if v is not None))}
            codes = np.array([len(code) if value is None else code[value] for value in values], np.int64)
            self._cached.domains[key] = Domains(codes, len(code))
        return self._cached.domains[key]

    def _image(self, name: str) -> Ints:
        """An image's size on each node; computed once until images change."""
        if name not in self._cached.images:
            self._cached.images[name] = np.array([sizes.get(name, 0) for sizes in self._cached.sizes], np.int64)
        return self._cached.images[name]


@dataclass
class _Cached:
    """What has been asked of these nodes."""

    sizes: list[dict[str, int]]  # of each node's images
    images: dict[str, Ints] = field(default_factory=dict)
    masks: dict[tuple[str, str, tuple[str, ...]], Mask] = field(default_factory=dict)
    domains: dict[str, Domains] = field(default_factory=dict)


def _sizes(images: Iterable[ContainerImage]) -> dict[str, int]:
    return {name: image.size_bytes or 0 for image in images for name in image.names}


def _taints(node: Node) -> tuple[Taint, ...]:
    return tuple(Taint(taint.key, taint.value, taint.effect) for taint in node.spec.taints)


def _is_tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(tolerates(toleration, taint) for toleration in tolerations)
