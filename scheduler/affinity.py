"""Inter-pod affinity: which pods a pod must, must not or had better be near, and which of those there say so of it.

Near means in the same domain of the term's topology key. All terms of required affinity are to be met by one pod. A
pod that asks for pods like itself may be the first of them. Source: plugins/interpodaffinity.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scheduler import terms
from scheduler.arrays import Ints, Mask, Nodes, PodRow
from scheduler.events import Change, Event
from scheduler.filters import Filter, by_first, everywhere
from scheduler.scores import MOST, Score
from scheduler.terms import Term
from scheduler.views import Node, Pod


class InterPodAffinity(Filter):
    """Required terms of the pod, and required anti-affinity of those that are there."""

    counts_pods = True
    helped_by = frozenset(
        {Change.POD_ADDED, Change.POD_REMOVED, Change.POD_LABELS, Change.NODE_ADDED, Change.NODE_LABELS}
    )

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        return self._near(pod, nodes) & ~self._avoided(pod, nodes) & ~self._unwanted(pod, nodes)

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:
        return by_first(
            rejected,
            (~self._near(pod, nodes), "node(s) didn't match pod affinity rules"),
            (self._avoided(pod, nodes), "node(s) didn't match pod anti-affinity rules"),
            (self._unwanted(pod, nodes), "node(s) didn't satisfy existing pods anti-affinity rules"),
        )

    def final(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mask:
        """No eviction brings a pod to be near to."""
        return rejected & ~self._near(pod, nodes)

    def _near(self, pod: PodRow, nodes: Nodes) -> Mask:
        """Where all of the pod's required affinity is met."""
        labelled = met = everywhere(nodes)
        if pod.near is None:
            return met
        counts, anywhere = nodes.census.matching(pod.near), False
        for term in pod.terms.near:
            domains = nodes.domains(term.key)
            found = domains.totals(counts)
            anywhere = anywhere or bool(found.any())
            labelled, met = labelled & domains.known, met & (found[domains.codes] > 0)
        is_first = not anywhere and pod.near.matches(pod.pod)
        return labelled if is_first else labelled & met

    def _avoided(self, pod: PodRow, nodes: Nodes) -> Mask:
        """Where a pod is that this one must not be near to."""
        blocked = np.zeros(len(nodes), np.bool_)
        for question, key in pod.apart:
            blocked |= nodes.domains(key).sums(nodes.census.matching(question)) > 0
        return blocked

    def _unwanted(self, pod: PodRow, nodes: Nodes) -> Mask:
        """Where a pod is that must not have this one near."""
        blocked = np.zeros(len(nodes), np.bool_)
        for term, counts in nodes.census.apart():
            if term.matches(pod.pod, pod.namespace_labels):
                blocked |= nodes.domains(term.key).sums(counts) > 0
        return blocked

    def may_help(self, pod: Pod, event: Event) -> bool:
        """As upstream's hints: another pod must have begun, or ceased, to be one that the terms are about."""
        if event.change not in self.helped_by:
            return False
        wanted = terms.terms(pod)
        if isinstance(event.old, Node) or isinstance(event.new, Node):
            return _moved(wanted.near + wanted.apart, event.old, event.new) or not wanted.near + wanted.apart
        began = _all_match(wanted.near, event.new) and not _all_match(wanted.near, event.old)
        ceased = _all_match(wanted.apart, event.old) and not _all_match(wanted.apart, event.new)
        unwanted = event.old is not None and bool(terms.terms(_a_pod(event.old)).apart)
        return began or ceased or unwanted


def _a_pod(value: Pod | Node) -> Pod:
    assert isinstance(value, Pod)
    return value


def _all_match(wanted: tuple[Term, ...], pod: Pod | Node | None) -> bool:
    """Namespace selectors are taken for everything: a hint may err on the side of another try."""
    if pod is None or not wanted:
        return False
    one = _a_pod(pod)
    return all(
        (not term.elsewhere.nothing or one.metadata.namespace in term.namespaces)
        and term.selector.matches(one.metadata.labels)
        for term in wanted
    )


def _moved(wanted: tuple[Term, ...], old: Pod | Node | None, new: Pod | Node | None) -> bool:
    """Whether a node came, or went to another domain of a topology key."""
    if old is None or new is None:
        return True
    return any(old.metadata.labels.get(term.key) != new.metadata.labels.get(term.key) for term in wanted)


@dataclass(frozen=True)
class PreferredNeighbours(Score):
    """Preferred terms of the pod and of those that are there; the best node gets all points, the worst none.

    A required affinity term of a pod that is there counts `required_weight` (hardPodAffinityWeight) for pods to come.
    """

    required_weight: int = 1

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:
        total = np.zeros(len(nodes), np.int64)
        for question, term in pod.drawn:
            total += term.weight * nodes.domains(term.key).sums(nodes.census.matching(question))
        for term, counts in nodes.census.preferring():
            if term.matches(pod.pod, pod.namespace_labels):
                total += (term.weight or self.required_weight) * nodes.domains(term.key).sums(counts)
        least, most = (total[possible].min(), total[possible].max()) if total.any() else (0, 0)
        if least == most:
            return np.zeros(len(nodes), np.int64)
        points: Ints = (MOST * ((total - least) / (most - least))).astype(np.int64)
        return points
