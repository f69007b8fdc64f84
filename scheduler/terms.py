"""What pods say of other pods: affinity terms and spread constraints, parsed once and comparable.

A `Term` is as it stands in the pod; `Who` is a term whose namespace selector has been looked up, and a `Question` asks
for the pods that meet all of several. Equal terms of a thousand replicas are one value, which is what makes counting
cheap (census.py). matchLabelKeys of affinity have been merged into the selector by the API server; those of spread
constraints are merged here, too, for pods older than that. Sources: framework/types.go (AffinityTerm),
plugins/podtopologyspread/common.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from apimachinery import selectors
from apimachinery.objects.core_v1 import PodAffinityTerm, TopologySpreadConstraint, WeightedPodAffinityTerm
from apimachinery.objects.meta_v1 import LabelSelector as SelectorView
from apimachinery.selectors import NOTHING, LabelSelector
from scheduler.views import Pod

HONOR = "Honor"
SOFT, HARD = "ScheduleAnyway", "DoNotSchedule"
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Who:
    """Pods by namespace (None: every one) and labels."""

    namespaces: frozenset[str] | None
    selector: LabelSelector

    def matches(self, pod: Pod) -> bool:
        if self.namespaces is not None and pod.metadata.namespace not in self.namespaces:
            return False
        return self.selector.matches(pod.metadata.labels)


@dataclass(frozen=True, slots=True)
class Question:
    """The pods that are all of `wanted` at once; `living` leaves out those being deleted."""

    wanted: tuple[Who, ...]
    living: bool = False

    def matches(self, pod: Pod) -> bool:
        if self.living and pod.metadata.deletion_timestamp is not None:
            return False
        return all(who.matches(pod) for who in self.wanted)


@dataclass(frozen=True, slots=True)
class Term:
    """An affinity term; `weight` is 0 for a required one and negative where the pod is to stay away."""

    namespaces: frozenset[str]
    elsewhere: LabelSelector  # of namespaces
    selector: LabelSelector
    key: str
    weight: int = 0

    def matches(self, pod: Pod, namespace_labels: Mapping[str, str]) -> bool:
        here = pod.metadata.namespace in self.namespaces or self.elsewhere.matches(namespace_labels)
        return here and self.selector.matches(pod.metadata.labels)

    def who(self, namespaces: Mapping[str, Mapping[str, str]]) -> Who:
        """The term for a pod to place: its namespace selector as the names that it selects now."""
        if self.elsewhere.is_everything:
            return Who(None, self.selector)
        if self.elsewhere.nothing:
            return Who(self.namespaces, self.selector)
        more = {name for name, labels in namespaces.items() if self.elsewhere.matches(labels)}
        return Who(self.namespaces | more, self.selector)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A topology spread constraint."""

    max_skew: int
    key: str
    selector: LabelSelector
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """A pod's terms about other pods."""

    near: tuple[Term, ...] = ()  # required affinity
    apart: tuple[Term, ...] = ()  # required anti-affinity
    preferred: tuple[Term, ...] = ()  # with their weights


NONE = Terms()


def terms(pod: Pod) -> Terms:
    """The affinity terms of a pod."""
    affinity = pod.spec.affinity
    if affinity is None or (affinity.pod_affinity is None and affinity.pod_anti_affinity is None):
        return NONE
    near, away = affinity.pod_affinity, affinity.pod_anti_affinity
    preferred = list[Term]()
    if near is not None:
        preferred += _weighted(pod, near.preferred_during_scheduling_ignored_during_execution, 1)
    if away is not None:
        preferred += _weighted(pod, away.preferred_during_scheduling_ignored_during_execution, -1)
    return Terms(
        tuple(_term(pod, each) for each in near.required_during_scheduling_ignored_during_execution) if near else (),
        tuple(_term(pod, each) for each in away.required_during_scheduling_ignored_during_execution) if away else (),
        tuple(preferred),
    )


def _weighted(pod: Pod, weighted: Iterable[WeightedPodAffinityTerm], sign: int) -> list[Term]:
    return [
        _term(pod, each.pod_affinity_term, sign * each.weight)
        for each in weighted
        if each.pod_affinity_term is not None
    ]


def _term(pod: Pod, term: PodAffinityTerm, weight: int = 0) -> Term:
    """Without namespaces and a namespace selector the pod's own namespace is meant."""
    named = term.namespaces or (() if term.namespace_selector is not None else (pod.metadata.namespace,))
    return Term(
        frozenset(named), selector(term.namespace_selector), selector(term.label_selector), term.topology_key, weight
    )


def constraints(pod: Pod, action: str) -> tuple[Constraint, ...]:
    """The pod's own spread constraints that say `action` (SOFT or HARD)."""
    return parsed(pod, pod.spec.topology_spread_constraints, action)


def parsed(pod: Pod, views: Iterable[TopologySpreadConstraint], action: str) -> tuple[Constraint, ...]:
    """The constraints that say `action`, for that pod."""
    return tuple(_constraint(pod, each) for each in views if each.when_unsatisfiable == action)


def _constraint(pod: Pod, constraint: TopologySpreadConstraint) -> Constraint:
    labels = pod.metadata.labels
    found = selector(constraint.label_selector)
    keys = [key for key in constraint.match_label_keys if key in labels]
    if keys and not found.nothing:
        more = selectors.from_labels({key: labels[key] for key in keys})
        found = LabelSelector((*more.requirements, *found.requirements))
    return Constraint(
        max_skew=constraint.max_skew,
        key=constraint.topology_key,
        selector=found,
        min_domains=constraint.min_domains if constraint.min_domains is not None else 1,
        honors_affinity=(constraint.node_affinity_policy or HONOR) == HONOR,
        honors_taints=constraint.node_taints_policy == HONOR,
    )


def selector(view: SelectorView | None) -> LabelSelector:
    """The selector that a view stands for; one that is not valid selects nothing."""
    return NOTHING if view is None else _read(msgspec.json.encode(view, order="deterministic"))


@lru_cache(maxsize=4096)
def _read(text: bytes) -> LabelSelector:
    try:
        return selectors.from_label_selector(msgspec.json.decode(text))
    except ValueError:
        return NOTHING
