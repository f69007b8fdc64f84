"""Topology spread constraints: how evenly pods are spread over the domains of a topology key.

Hard constraints filter, soft ones score. A pod without any is spread softly over hosts and zones by what its services
and its controller select (`Defaults`; owners.py). Terminating pods do not count. Source: plugins/podtopologyspread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apimachinery.objects.core_v1 import TopologySpreadConstraint
from apimachinery.selectors import LabelSelector
from scheduler import terms
from scheduler.arrays import Domains, Ints, Mask, Nodes, PodRow
from scheduler.events import Change, Event
from scheduler.filters import Filter, NodeAffinity, TaintToleration, by_first, everywhere
from scheduler.scores import MOST, Score
from scheduler.terms import HARD, HOSTNAME, SOFT, ZONE, Constraint, Question, Who
from scheduler.views import Node, Pod

MISMATCH = "node(s) didn't match pod topology spread constraints"
UNLABELLED = f"{MISMATCH} (missing required label)"
_AFFINITY, _TAINTS = NodeAffinity(), TaintToleration()


@dataclass(frozen=True)
class Defaults:
    """How pods are spread that say nothing. `views` None: upstream's system defaults."""

    views: Sequence[TopologySpreadConstraint] | None = None

    def constraints(self, pod: Pod, owners: LabelSelector, action: str) -> tuple[Constraint, ...]:
        """Constraints of one kind, for pods that the selector of their owners tells apart."""
        if owners.is_everything:
            return ()
        if self.views is None:
            return (Constraint(3, HOSTNAME, owners), Constraint(5, ZONE, owners)) if action == SOFT else ()
        given = terms.parsed(pod, self.views, action)
        return tuple(replace(each, selector=owners) for each in given)


SYSTEM = Defaults()


@dataclass(frozen=True, slots=True)
class _Spread:
    """One constraint on these nodes: the matching pods on each, and which nodes count at all."""

    constraint: Constraint
    domains: Domains
    counts: Ints
    counted: Mask


def _spreads(pod: PodRow, nodes: Nodes, wanted: Sequence[Constraint], eligible: Mask) -> Iterable[_Spread]:
    for constraint in wanted:
        counted = eligible
        if constraint.honors_affinity:
            counted = counted & _AFFINITY.fits(pod, nodes)
        if constraint.honors_taints:
            counted = counted & _TAINTS.fits(pod, nodes)
        counts = _matching(pod, nodes, constraint)
        yield _Spread(constraint, nodes.domains(constraint.key), counts, counted)


def _matching(pod: PodRow, nodes: Nodes, constraint: Constraint) -> Ints:
    if constraint.selector.is_everything:  # as upstream: what selects everything counts nothing
        return np.zeros(len(nodes), np.int64)
    who = Who(frozenset((pod.pod.metadata.namespace,)), constraint.selector)
    return nodes.census.matching(Question((who,), living=True))


def _labelled(nodes: Nodes, wanted: Sequence[Constraint]) -> Mask:
    """The nodes that have every topology key."""
    found = everywhere(nodes)
    for constraint in wanted:
        found &= nodes.domains(constraint.key).known
    return found


class PodTopologySpread(Filter):
    """Hard constraints: no domain may have more than `max_skew` pods more than the one with the fewest."""

    counts_pods = True
    helped_by = frozenset(
        {
            Change.POD_ADDED,
            Change.POD_REMOVED,
            Change.POD_LABELS,
            Change.NODE_ADDED,
            Change.NODE_REMOVED,
            Change.NODE_LABELS,
            Change.NODE_TAINTS,
        }
    )

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:
        fits = everywhere(nodes)
        if not pod.hard:
            return fits
        for spread in _spreads(pod, nodes, pod.hard, _labelled(nodes, pod.hard)):
            fits &= spread.domains.known & self._level(pod, spread)
        return fits

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:
        return by_first(rejected, *self._causes(pod, nodes))

    def final(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mask:
        """A node that lacks a key, unless an earlier constraint refused it for its skew."""
        hopeless, left = np.zeros(len(nodes), np.bool_), rejected
        for refused, text in self._causes(pod, nodes):
            hopeless = hopeless | (left & refused) if text == UNLABELLED else hopeless
            left = left & ~refused
        return hopeless

    def _causes(self, pod: PodRow, nodes: Nodes) -> list[tuple[Mask, str]]:
        found = []
        for spread in _spreads(pod, nodes, pod.hard, _labelled(nodes, pod.hard)):
            found += [(~spread.domains.known, UNLABELLED), (~self._level(pod, spread), MISMATCH)]
        return found

    def _level(self, pod: PodRow, spread: _Spread) -> Mask:
        """Where one pod more keeps the skew."""
        domains, constraint = spread.domains, spread.constraint
        totals = domains.totals(spread.counts, spread.counted)
        present = np.bincount(domains.codes[spread.counted], minlength=domains.size + 1)[: domains.size] > 0
        enough = np.count_nonzero(present) >= constraint.min_domains
        least = int(totals[: domains.size][present].min()) if enough and present.any() else 0
        itself = int(constraint.selector.matches(pod.pod.metadata.labels))
        level: Mask = totals[domains.codes] + itself - least <= constraint.max_skew
        return level

    def may_help(self, pod: Pod, event: Event) -> bool:
        """Pods of other namespaces and pods that no constraint selects change nothing."""
        if event.change not in self.helped_by:
            return False
        if isinstance(event.old, Node) or isinstance(event.new, Node):
            return True
        sides = [one for one in (event.old, event.new) if one is not None]
        if any(one.metadata.namespace != pod.metadata.namespace for one in sides):
            return False
        wanted = terms.constraints(pod, HARD)
        return any(each.selector.matches(one.metadata.labels) for each in wanted for one in sides)


class SpreadEvenly(Score):
    """Soft constraints: the fewer matching pods in a node's domains, the more points."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:
        nothing = np.zeros(len(nodes), np.int64)
        if not pod.soft:
            return nothing
        eligible = everywhere(nodes) if pod.soft_by_default else _labelled(nodes, pod.soft)
        scored = possible & eligible
        if not scored.any():
            return nothing
        raw = np.zeros(len(nodes))
        for spread in _spreads(pod, nodes, pod.soft, eligible):
            raw += self._raw(spread, scored)
        points = np.floor(raw + 0.5).astype(np.int64)
        least, most = int(points[scored].min()), int(points[scored].max())
        if most == 0:
            return np.where(scored, MOST, 0)
        return np.where(scored, MOST * (most + least - points) // most, 0)

    def _raw(self, spread: _Spread, scored: Mask) -> Ints:
        """Upstream's measure: pods in the domain, weighed by how many domains there are."""
        domains, constraint = spread.domains, spread.constraint
        if constraint.key == HOSTNAME:
            size, counts = int(np.count_nonzero(scored)), spread.counts
        else:
            size = len(np.unique(domains.codes[scored]))
            counts = domains.totals(spread.counts, spread.counted)[domains.codes]
        found: Ints = np.where(domains.known, counts * np.log(size + 2) + (constraint.max_skew - 1), 0)
        return found
