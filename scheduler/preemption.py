"""Preemption: which pods of lower priority to evict so that a pod fits, and on which node. Pure.

On each node where evicting may help all pods of lower priority are thought away; if the pod fits then, as many of them
as possible are spared: those that a disruption budget protects first, more important ones before others. Of the nodes
that remain the one is chosen where the least harm is done (`_harm`, upstream's order). Sources:
framework/preemption/preemption.go, plugins/defaultpreemption/default_preemption.go.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from apimachinery.objects.meta_v1 import LabelSelector, ObjectMeta
from scheduler import terms
from scheduler.arrays import Ints, Mask, Nodes, PodRow
from scheduler.census import Change
from scheduler.filters import Filter
from scheduler.place import unfit
from scheduler.placed import Placed
from scheduler.views import DISRUPTED, Pod

#: How many nodes are looked at, at least (of those that remain the search ends when so many are found).
CANDIDATES, CANDIDATES_SHARE = 100, 10
PREEMPTED = "PreemptionByScheduler"
NEVER = "not eligible due to preemptionPolicy=Never."
UNDER_WAY = "not eligible due to a terminating pod on the nominated node."
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NO_HELP = "Preemption is not helpful for scheduling"
_RANGE = 2**31  # of priorities: makes every one positive, so that fewer victims are less harm


class BudgetSpec(Struct, frozen=True, gc=False):
    selector: LabelSelector | None = None


class BudgetStatus(Struct, frozen=True, gc=False, rename="camel"):
    disruptions_allowed: int = 0
    disrupted_pods: Mapping[str, str] = {}


class Budget(Struct, frozen=True, gc=False):
    """A PodDisruptionBudget."""

    metadata: ObjectMeta = ObjectMeta()
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, the pods to evict there (the most important first), and how many of these a budget protects."""

    node: str
    victims: Sequence[Placed]
    violations: int


@dataclass(frozen=True, slots=True)
class Preemption:
    """A node with its victims; or none and why, and whether a node that was promised before is given up."""

    node: str = ""
    victims: Sequence[Placed] = ()
    why: str = ""
    gives_up: bool = False


@dataclass(frozen=True)
class Trial:
    """What a pod is tried on: the nodes with their pods, and the same with pods that have been promised a node."""

    filters: Sequence[Filter]
    pod: PodRow
    nodes: Nodes
    expected: Nodes | None
    fixed: dict[int, Mask] = field(default_factory=dict)  # by number of the filter: what depends on no pod

    def refused(self, row: int, changes: Sequence[Change]) -> Mapping[str, int]:
        """Why the pod does not fit on the node after the changes; nothing where it fits."""
        for nodes in (self.expected, self.nodes):
            if nodes is not None and (why := self._why(nodes.supposing(changes), row)):
                return why
        return {}

    def _why(self, nodes: Nodes, row: int) -> Mapping[str, int]:
        for number, plugin in enumerate(self.filters):
            if not self._passed(number, plugin, nodes)[row]:
                alone = np.zeros(len(nodes), np.bool_)
                alone[row] = True
                return plugin.reasons(self.pod, nodes, alone)
        return {}

    def _passed(self, number: int, plugin: Filter, nodes: Nodes) -> Mask:
        if plugin.counts_pods:
            return plugin.fits(self.pod, nodes)
        if number not in self.fixed:
            self.fixed[number] = plugin.fits(self.pod, nodes)
        return self.fixed[number]


def preempt(
    trial: Trial, hopeful: Ints, on: Callable[[str], Sequence[Placed]], budgets: Sequence[Budget], start: int
) -> Preemption:
    """Find a node and victims for a pod that fits nowhere.

    `hopeful` are the rows of nodes where evicting pods may help, `on` gives a node's pods, `start` is a random number.
    """
    pod = trial.pod.pod
    nominated = pod.status.nominated_node_name
    if pod.spec.preemption_policy == "Never":
        return Preemption(why=NEVER)
    if nominated in {trial.nodes.names[row] for row in hopeful} and _still_going(pod, on(nominated)):
        return Preemption(why=UNDER_WAY)
    reasons, found = Counter[str](), list[Candidate]()
    enough = max(len(hopeful) * CANDIDATES_SHARE // 100, CANDIDATES)
    for row in np.roll(hopeful, -(start % len(hopeful))) if len(hopeful) else ():
        name = trial.nodes.names[row]
        answer = _victims(trial, int(row), on(name), budgets)
        if isinstance(answer, Candidate):
            found.append(answer)
            if len(found) >= enough and any(not one.violations for one in found):
                break
        else:
            reasons.update(answer)
    if found:
        best = choose(found)
        return Preemption(best.node, best.victims)
    if unlikely := len(trial.nodes) - len(hopeful):
        reasons[_NO_HELP] += unlikely
    return Preemption(why=unfit(len(trial.nodes), "", reasons), gives_up=True)


def _still_going(pod: Pod, on: Iterable[Placed]) -> bool:
    """Whether victims of an earlier preemption are still on the node."""
    return any(_is_victim(one.pod) for one in on if one.pod.priority < pod.priority)


def _is_victim(pod: Pod) -> bool:
    condition = pod.condition(DISRUPTED)
    return pod.metadata.deletion_timestamp is not None and condition is not None and condition.reason == PREEMPTED


def _victims(trial: Trial, row: int, on: Sequence[Placed], budgets: Sequence[Budget]) -> Candidate | Mapping[str, int]:
    """The fewest pods to evict on a node; where that does not help, why."""
    lower = sorted((one for one in on if one.pod.priority < trial.pod.pod.priority), key=_importance)
    if not lower:
        return {_NO_VICTIMS: 1}
    gone = {one.pod.metadata.uid: (row, one, -1) for one in lower}
    if why := trial.refused(row, [*gone.values()]):
        return why
    protected, others = by_budget(lower, budgets)
    violations = 0
    for one in (*protected, *others):
        change = gone.pop(one.pod.metadata.uid)
        if trial.refused(row, [*gone.values()]):
            gone[one.pod.metadata.uid] = change
            violations += one in protected
    if not gone:
        return {}
    victims = sorted((one for _, one, _ in gone.values()), key=_importance)
    return Candidate(trial.nodes.names[row], victims, violations)


def _importance(one: Placed) -> tuple[int, str]:
    """Sorts the most important pod first: higher priority, then longer running."""
    return -one.pod.priority, _started(one)


def _started(one: Placed) -> str:
    return one.pod.status.start_time or "~"  # sorts after every time: it has not begun


def by_budget(pods: Iterable[Placed], budgets: Iterable[Budget]) -> tuple[list[Placed], list[Placed]]:
    """The pods whose eviction would go against a disruption budget, and the others; the order is kept."""
    left = [(budget, terms.selector(budget.spec.selector)) for budget in budgets]
    allowed = [budget.status.disruptions_allowed for budget, _ in left]
    protected, others = list[Placed](), list[Placed]()
    for one in pods:
        violates = False
        meta = one.pod.metadata
        for number, (budget, selector) in enumerate(left):
            if budget.metadata.namespace != meta.namespace or selector.is_everything or not meta.labels:
                continue
            if not selector.matches(meta.labels) or meta.name in budget.status.disrupted_pods:
                continue
            allowed[number] -= 1
            violates = violates or allowed[number] < 0
        (protected if violates else others).append(one)
    return protected, others


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that does the least harm; the first of equal ones."""
    least = min(map(_harm, candidates))
    equal = [one for one in candidates if _harm(one) == least]
    return max(equal, key=_latest)


def _harm(candidate: Candidate) -> tuple[int, int, int, int]:
    priorities = [one.pod.priority for one in candidate.victims]
    return candidate.violations, max(priorities), sum(each + _RANGE for each in priorities), len(priorities)


def _latest(candidate: Candidate) -> str:
    """When the longest running of the most important victims began: the later the better."""
    most = max(one.pod.priority for one in candidate.victims)
    return min(_started(one) for one in candidate.victims if one.pod.priority == most)
