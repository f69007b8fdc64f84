"""Where does this pod go? A pure function from a snapshot to a node or the reasons why there is none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.arrays import Ints, Nodes, PodRow
from scheduler.filters import Filter, NodeAffinity, NodePorts, NodeResourcesFit, NodeUnschedulable, TaintToleration
from scheduler.scores import BalancedAllocation, LeastAllocated, PreferredAffinity, PreferUntainted, Score


@dataclass(frozen=True)
class Profile:
    """Which filters and scores decide, in order, with their weights."""

    filters: Sequence[Filter]
    scores: Sequence[tuple[Score, float]]


#: Upstream's order of filters: a node is counted under the first that refuses it.
DEFAULT = Profile(
    filters=(NodeUnschedulable(), TaintToleration(), NodeAffinity(), NodePorts(), NodeResourcesFit()),
    scores=(
        (PreferUntainted(), 3.0),
        (PreferredAffinity(), 2.0),
        (LeastAllocated(), 1.0),
        (BalancedAllocation(), 1.0),
    ),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A node's name, or None with how many nodes were refused for which reason."""

    node: str | None
    reasons: Mapping[str, int]
    nodes: int = 0
    waits: str = ""  # for what, whatever the node

    @property
    def message(self) -> str:
        """The text of FailedScheduling and of the pod's condition (framework/types.go FitError)."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        if self.waits:
            return f"0/{self.nodes} nodes are available: {self.waits}."
        reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in self.reasons.items()))
        return f"0/{self.nodes} nodes are available: {reasons}."


def place(profile: Profile, pod: PodRow, nodes: Nodes, order: Ints) -> Decision:
    """Pick a node, or say why none fits. `order` breaks ties: pass a seeded permutation."""
    possible = np.ones(len(nodes), dtype=np.bool_)
    refusals = []
    for plugin in profile.filters:
        passed = plugin.fits(pod, nodes)
        refusals.append((plugin, possible & ~passed))
        possible = possible & passed
    if not possible.any():
        reasons: Counter[str] = Counter()
        for plugin, rejected in refusals:
            if rejected.any():
                reasons.update(plugin.reasons(pod, nodes, rejected))
        return Decision(None, reasons, len(nodes))
    total = np.zeros(len(nodes))
    for scorer, weight in profile.scores:
        total += weight * scorer.score(pod, nodes, possible)
    total[~possible] = -np.inf
    best = order[int(np.argmax(total[order]))]
    return Decision(nodes.names[best], {}, len(nodes))
