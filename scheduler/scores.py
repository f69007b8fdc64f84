"""Scores: which of the possible nodes is best? Each gives a vector in [0, 1], one value per node.

Weights are upstream's defaults (apis/config/v1/default_plugins.go). Sources: noderesources/least_allocated.go,
balanced_allocation.go, tainttoleration, nodeaffinity.
"""

from typing import Protocol

import numpy as np

from scheduler.arrays import Mask, Nodes, PodRow, Vector
from scheduler.filters import matches


class Score(Protocol):
    """A value per node. `possible` are the nodes that passed every filter, for scores that compare."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Vector: ...


def _used(pod: PodRow, nodes: Nodes) -> Vector:
    """The share of cpu and memory in use once the pod is there: [node, (cpu, memory)]."""
    capacity = np.maximum(nodes.allocatable[:, :2], 1)
    used: Vector = (nodes.scored + pod.scored) / capacity
    return used


class LeastAllocated:
    """Prefers nodes where most is free: pods spread."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Vector:  # noqa: ARG002
        free: Vector = np.clip(1.0 - _used(pod, nodes), 0.0, 1.0).mean(axis=1)
        return free


class BalancedAllocation:
    """Prefers nodes where cpu and memory are used alike."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Vector:  # noqa: ARG002
        used = np.clip(_used(pod, nodes), 0.0, 1.0)
        balanced: Vector = 1.0 - np.abs(used[:, 0] - used[:, 1]) / 2
        return balanced


class PreferUntainted:
    """Prefers nodes with the fewest PreferNoSchedule taints that the pod minds."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Vector:
        counts = np.count_nonzero(nodes.tainted_softly & pod.minds, axis=1).astype(np.float64)
        most = counts[possible].max(initial=0.0)
        return np.ones(len(nodes)) if most == 0 else 1.0 - counts / most


class PreferredAffinity:
    """Prefers nodes that meet the preferred terms, by their weights."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Vector:
        total = np.zeros(len(nodes))
        for preferred in pod.preferred:
            if preferred.preference is not None and preferred.weight:
                total += preferred.weight * matches(preferred.preference, nodes)
        most = total[possible].max(initial=0.0)
        return total / most if most else total
