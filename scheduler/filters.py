"""Filters: where can the pod go at all? Each gives a mask, and the reasons for the nodes it refuses.

Order and wording are upstream's (pkg/scheduler/framework/plugins); a node is counted under the first filter that
refuses it, resources excepted, which name everything that lacks.
"""

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np

from apimachinery.objects.core_v1 import NodeSelectorTerm
from scheduler.arrays import Mask, Nodes, PodRow
from scheduler.events import Change, Event
from scheduler.placed import ANY_ADDRESS
from scheduler.views import Pod


class Filter(Protocol):
    """A yes or no per node. `reasons` completes "0/5 nodes are available: 3 ..." for the nodes of `rejected`."""

    #: Whether the answer depends on the pods that are there, so that evicting some may change it.
    counts_pods: ClassVar[bool] = False
    #: What may let a pod fit that this filter refused everywhere.
    helped_by: ClassVar[frozenset[Change]]

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask: ...

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]: ...

    def final(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mask:  # noqa: ARG002
        """Those of the rejected nodes where evicting pods would not help."""
        return np.zeros_like(rejected) if self.counts_pods else rejected

    def may_help(self, pod: Pod, event: Event) -> bool:  # noqa: ARG002
        """Whether the event may let a pod fit that was refused by this filter."""
        return event.change in self.helped_by


def everywhere(nodes: Nodes) -> Mask:
    """A mask of all nodes."""
    return np.ones(len(nodes), np.bool_)


def _all(text: str, rejected: Mask) -> Mapping[str, int]:
    return {text: int(np.count_nonzero(rejected))}


def by_first(rejected: Mask, *causes: tuple[Mask, str]) -> Mapping[str, int]:
    """Counts each rejected node under the first cause that applies to it."""
    counts, left = Counter[str](), rejected
    for refused, text in causes:
        if found := int(np.count_nonzero(left & refused)):
            counts[text] += found
        left = left & ~refused
    return counts


class NamedNodes(Filter):
    """Required affinity that names nodes (as DaemonSets write it): upstream looks at no other node at all."""

    helped_by = frozenset({Change.NODE_ADDED})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        if not pod.required:
            return everywhere(nodes)
        found = ~everywhere(nodes)
        for term in pod.required:
            named = [one for one in term.match_fields if (one.key, one.operator) == ("metadata.name", "In")]
            if not named:
                return everywhere(nodes)
            mask = everywhere(nodes)
            for one in named:
                mask &= nodes.named("In", one.values)
            found |= mask
        return found

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) didn't satisfy plugin(s) [NodeAffinity]", rejected)


class NodeUnschedulable(Filter):
    """Cordoned nodes take only pods that tolerate it."""

    helped_by = frozenset({Change.NODE_ADDED, Change.NODE_TAINTS})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        return everywhere(nodes) if pod.tolerates_unschedulable else ~nodes.unschedulable

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) were unschedulable", rejected)


class TaintToleration(Filter):
    """NoSchedule and NoExecute taints keep away what does not tolerate them."""

    helped_by = frozenset({Change.NODE_ADDED, Change.NODE_TAINTS})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        if not nodes.taints:
            return everywhere(nodes)
        clear: Mask = ~np.any(nodes.tainted & ~pod.tolerates, axis=1)
        return clear

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        first = np.argmax(nodes.tainted & ~pod.tolerates, axis=1)  # upstream names the first it meets
        for index in first[rejected]:
            taint = nodes.taints[index]
            counts[f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"] += 1
        return counts


class NodeAffinity(Filter):
    """nodeSelector and required node affinity."""

    helped_by = frozenset({Change.NODE_ADDED, Change.NODE_LABELS})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        mask = everywhere(nodes)
        for key, value in pod.selector.items():
            mask &= nodes.labelled(key, "In", (value,))
        if pod.required is not None:
            any_term = np.zeros(len(nodes), np.bool_)
            for term in pod.required:
                any_term |= matches(term, nodes)
            mask &= any_term
        return mask

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) didn't match Pod's node affinity/selector", rejected)


def matches(term: NodeSelectorTerm, nodes: Nodes) -> Mask:
    """The nodes that meet every requirement of the term; an empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return np.zeros(len(nodes), np.bool_)
    mask = np.ones(len(nodes), np.bool_)
    for wanted in term.match_expressions:
        mask &= nodes.labelled(wanted.key, wanted.operator, wanted.values)
    for wanted in term.match_fields:
        mask &= nodes.named(wanted.operator, wanted.values)
    return mask


class NodePorts(Filter):
    """Host ports: one pod per address, protocol and port; 0.0.0.0 clashes with every address."""

    counts_pods = True
    helped_by = frozenset({Change.NODE_ADDED, Change.POD_REMOVED})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        free = everywhere(nodes)
        for address, protocol, port in pod.ports:
            for (used_address, used_protocol, used_port), where in nodes.ports.items():
                same_address = address == used_address or ANY_ADDRESS in (address, used_address)
                if (protocol, port) == (used_protocol, used_port) and same_address:
                    free &= where == 0
        return free

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) didn't have free ports for the requested pod ports", rejected)


class NodeResourcesFit(Filter):
    """What the pod asks for must be free; a resource it does not ask for may be overcommitted."""

    counts_pods = True
    helped_by = frozenset({Change.NODE_ADDED, Change.NODE_ALLOCATABLE, Change.POD_REMOVED, Change.POD_SHRUNK})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        if pod.unknown:
            return ~everywhere(nodes)
        wanted = pod.requests > 0
        free = nodes.allocatable - nodes.requested
        fits: Mask = np.all((pod.requests <= free) | ~wanted, axis=1)
        return fits

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:
        lacking = (pod.requests > nodes.allocatable - nodes.requested) & (pod.requests > 0)
        counts = {
            _insufficient(resource): int(np.count_nonzero(lacking[rejected, column]))
            for column, resource in enumerate(nodes.resources)
        }
        counts |= {_insufficient(resource): int(np.count_nonzero(rejected)) for resource in pod.unknown}
        return {text: count for text, count in counts.items() if count}

    def final(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mask:
        """A node that is too small even when empty; the number of pods excepted, as upstream has it."""
        if pod.unknown:
            return rejected
        too_small = pod.requests > nodes.allocatable
        too_small[:, nodes.resources.index("pods")] = False
        hopeless: Mask = rejected & np.any(too_small & (pod.requests > 0), axis=1)
        return hopeless


def _insufficient(resource: str) -> str:
    return "Too many pods" if resource == "pods" else f"Insufficient {resource}"
