"""Filters: where can the pod go at all? Each gives a mask, and the reasons for the nodes it refuses.

Order and wording are upstream's (pkg/scheduler/framework/plugins); a node is counted under the first filter that
refuses it, resources excepted, which name everything that lacks.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from apimachinery.objects.core_v1 import NodeSelectorTerm
from scheduler.arrays import Mask, Nodes, PodRow

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  (a value in the API, not a bind)


class Filter(Protocol):
    """A yes or no per node. `reasons` completes "0/5 nodes are available: 3 ..." for the nodes of `rejected`."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask: ...

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]: ...


def _all(text: str, rejected: Mask) -> Mapping[str, int]:
    return {text: int(np.count_nonzero(rejected))}


class NodeUnschedulable:
    """Cordoned nodes take only pods that tolerate it."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        return np.ones(len(nodes), np.bool_) if pod.tolerates_unschedulable else ~nodes.unschedulable

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) were unschedulable", rejected)


class TaintToleration:
    """NoSchedule and NoExecute taints keep away what does not tolerate them."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        clear: Mask = ~np.any(nodes.tainted & ~pod.tolerates, axis=1)
        return clear

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        first = np.argmax(nodes.tainted & ~pod.tolerates, axis=1)  # upstream names the first it meets
        for index in first[rejected]:
            taint = nodes.taints[index]
            counts[f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"] += 1
        return counts


class NodeAffinity:
    """nodeSelector and required node affinity."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        mask = np.ones(len(nodes), np.bool_)
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


class NodePorts:
    """Host ports: one pod per address, protocol and port; 0.0.0.0 clashes with every address."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        free = np.ones(len(nodes), np.bool_)
        for address, protocol, port in pod.ports:
            for (used_address, used_protocol, used_port), where in nodes.ports.items():
                same_address = address == used_address or ANY_ADDRESS in (address, used_address)
                if (protocol, port) == (used_protocol, used_port) and same_address:
                    free &= ~where
        return free

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return _all("node(s) didn't have free ports for the requested pod ports", rejected)


class NodeResourcesFit:
    """What the pod asks for must be free; a resource it does not ask for may be overcommitted."""

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        if pod.unknown:
            return np.zeros(len(nodes), np.bool_)
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


def _insufficient(resource: str) -> str:
    return "Too many pods" if resource == "pods" else f"Insufficient {resource}"
