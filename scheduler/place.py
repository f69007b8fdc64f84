"""Where does this pod go? A pure function from a snapshot to a node or the reasons why there is none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scheduler.affinity import InterPodAffinity, PreferredNeighbours
from scheduler.arrays import Ints, Mask, Nodes, PodRow
from scheduler.filters import (
    Filter,
    NamedNodes,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    NodeUnschedulable,
    TaintToleration,
    everywhere,
)
from scheduler.scores import (
    Allocated,
    BalancedAllocation,
    ImageLocality,
    PreferredAffinity,
    PreferUntainted,
    Score,
)
from scheduler.spreading import SYSTEM, Defaults, PodTopologySpread, SpreadEvenly


@dataclass(frozen=True)
class Profile:
    """Which filters and scores decide, in order, with their weights. Volumes come between the two lists of filters."""

    filters: Sequence[Filter]
    after_volumes: Sequence[Filter]
    scores: Sequence[tuple[Score, int]]
    spread: Defaults = SYSTEM
    preempts: bool = True

    def with_volumes(self, volumes: Sequence[Filter]) -> Sequence[Filter]:
        """All filters, in upstream's order."""
        return (*self.filters, *volumes, *self.after_volumes)


#: Upstream's order of filters, in which a node is counted under the first that refuses it, and upstream's weights.
DEFAULT = Profile(
    filters=(
        NamedNodes(),
        NodeUnschedulable(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
    ),
    after_volumes=(PodTopologySpread(), InterPodAffinity()),
    scores=(
        (PreferUntainted(), 3),
        (PreferredAffinity(), 2),
        (Allocated(), 1),
        (SpreadEvenly(), 2),
        (PreferredNeighbours(), 2),
        (BalancedAllocation(), 1),
        (ImageLocality(), 1),
    ),
)


#: What upstream calls them, in configuration files.
PLUGINS: Mapping[str, tuple[type, ...]] = {
    "NodeUnschedulable": (NodeUnschedulable,),
    "TaintToleration": (TaintToleration, PreferUntainted),
    "NodeAffinity": (NamedNodes, NodeAffinity, PreferredAffinity),
    "NodePorts": (NodePorts,),
    "NodeResourcesFit": (NodeResourcesFit, Allocated),
    "PodTopologySpread": (PodTopologySpread, SpreadEvenly),
    "InterPodAffinity": (InterPodAffinity, PreferredNeighbours),
    "NodeResourcesBalancedAllocation": (BalancedAllocation,),
    "ImageLocality": (ImageLocality,),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A node's name, or None with how many nodes were refused for which reason."""

    node: str | None
    reasons: Mapping[str, int]
    nodes: int = 0
    waits: str = ""  # for what, whatever the node
    refused_by: Sequence[Filter] = ()
    hopeful: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))  # where evicting pods may help
    after: str = ""  # what came of preemption, where that is to be told

    @property
    def message(self) -> str:
        """The text of FailedScheduling and of the pod's condition (framework/types.go FitError)."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        return " ".join(filter(None, (unfit(self.nodes, self.waits, self.reasons), self.after)))


def unfit(nodes: int, waits: str, reasons: Mapping[str, int]) -> str:
    """How upstream tells that no node fits, and why."""
    why = waits or ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available:" + (f" {why}." if why else "")


def place(
    filters: Sequence[Filter],
    scores: Sequence[tuple[Score, int]],
    pod: PodRow,
    nodes: Nodes,
    order: Ints,
    *,
    expected: Nodes | None = None,
    nominated: str = "",
) -> Decision:
    """Pick a node, or say why none fits. `order` breaks ties: pass a seeded permutation.

    `expected` is the snapshot with the pods that have been promised a node by preemption and do not yield to this one:
    the pod must fit with and without them. A node that it has been promised itself is taken if it fits.
    """
    tried = nodes if expected is None else expected
    refusals, possible = _refusals(filters, pod, tried, everywhere(nodes))
    if expected is not None and possible.any():
        again, possible = _refusals([each for each in filters if each.counts_pods], pod, nodes, possible)
        refusals = [*refusals, *again]
    if not possible.any():
        return _refused(pod, refusals)
    if nominated in nodes.names and possible[nodes.names.index(nominated)]:
        return Decision(nominated, {}, len(nodes))
    return Decision(nodes.names[_best(scores, pod, nodes, possible, order)], {}, len(nodes))


_Refusal = tuple[Filter, Nodes, Mask]


def _refusals(filters: Sequence[Filter], pod: PodRow, nodes: Nodes, possible: Mask) -> tuple[Sequence[_Refusal], Mask]:
    """Which nodes each filter is the first to refuse, and those that none does."""
    found = []
    for plugin in filters:
        passed = plugin.fits(pod, nodes)
        found.append((plugin, nodes, possible & ~passed))
        possible = possible & passed
    return found, possible


def _refused(pod: PodRow, refusals: Sequence[_Refusal]) -> Decision:
    nodes = refusals[0][1]
    reasons, hopeful, refused_by = Counter[str](), np.zeros(len(nodes), np.bool_), list[Filter]()
    for plugin, tried, rejected in refusals:
        if rejected.any():
            reasons.update(plugin.reasons(pod, tried, rejected))
            hopeful |= rejected & ~plugin.final(pod, tried, rejected)
            refused_by.append(plugin)
    return Decision(None, reasons, len(nodes), refused_by=refused_by, hopeful=hopeful)


def _best(scores: Sequence[tuple[Score, int]], pod: PodRow, nodes: Nodes, possible: Mask, order: Ints) -> int:
    if np.count_nonzero(possible) == 1:
        return int(np.argmax(possible))
    total = np.zeros(len(nodes), np.int64)
    for scorer, weight in scores:
        total += weight * scorer.score(pod, nodes, possible)
    total[~possible] = -1
    return int(order[int(np.argmax(total[order]))])
