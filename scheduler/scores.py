"""Scores: which of the possible nodes is best? Each gives points from 0 to 100, whole ones, one value per node.

Weights are upstream's defaults (place.py), and so is the rounding: nodes that differ by less than a point are equal,
and chance decides. Sources: noderesources/least_allocated.go, balanced_allocation.go, imagelocality, tainttoleration,
nodeaffinity, helper/normalize_score.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scheduler.arrays import Ints, Mask, Nodes, PodRow
from scheduler.filters import matches
from scheduler.requests import CPU, MEMORY

_NATIVE = ("ephemeral-storage",)  # counted although the pod does not ask for it, as extended resources are not
MOST = 100
MIB = 1024**2
#: An image below the first adds nothing; the second, for each container, is all that counts.
SMALL_IMAGE, LARGE_IMAGE = 23 * MIB, 1000 * MIB


class Score(Protocol):
    """Points per node. `possible` are the nodes that passed every filter, for scores that compare."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints: ...


@dataclass(frozen=True)
class Allocated(Score):
    """Prefers nodes where most is free, so that pods spread; or, to pack them, where least is."""

    resources: Sequence[tuple[str, int]] = ((CPU, 1), (MEMORY, 1))
    prefers_full: bool = False

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:  # noqa: ARG002
        total, weights = np.zeros(len(nodes), np.int64), np.zeros(len(nodes), np.int64)
        for resource, weight in self.resources:
            if resource not in nodes.resources:
                continue
            column = nodes.resources.index(resource)
            if column < nodes.scored.shape[1]:
                used = nodes.scored[:, column] + pod.scored[column]
            elif pod.requests[column] or resource in _NATIVE:
                used = nodes.requested[:, column] + pod.requests[column]
            else:
                continue
            capacity = nodes.allocatable[:, column]
            worth = np.minimum(used, capacity) if self.prefers_full else np.maximum(capacity - used, 0)
            total += weight * (worth * MOST // np.maximum(capacity, 1))
            weights += weight * (capacity > 0)
        share: Ints = total // np.maximum(weights, 1)
        return share


class BalancedAllocation(Score):
    """Prefers nodes where cpu and memory are used alike. Pods that ask for neither are not scored."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:  # noqa: ARG002
        if not pod.requests[:2].any():
            return np.zeros(len(nodes), np.int64)
        capacity = nodes.allocatable[:, :2]
        used = np.minimum((nodes.requested[:, :2] + pod.requests[:2]) / np.maximum(capacity, 1), 1.0)
        deviation = np.where(capacity.all(axis=1), np.abs(used[:, 0] - used[:, 1]) / 2, 0.0)
        points: Ints = ((1.0 - deviation) * MOST).astype(np.int64)
        return points


class PreferUntainted(Score):
    """Prefers nodes with the fewest PreferNoSchedule taints that the pod minds."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:
        if not nodes.taints:
            return np.full(len(nodes), MOST)
        counts = np.count_nonzero(nodes.tainted_softly & pod.minds, axis=1)
        return MOST - normal(counts, possible)


class PreferredAffinity(Score):
    """Prefers nodes that meet the preferred terms, by their weights."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:
        total = np.zeros(len(nodes), np.int64)
        if not pod.preferred:
            return total
        for preferred in pod.preferred:
            if preferred.preference is not None and preferred.weight:
                total += preferred.weight * matches(preferred.preference, nodes)
        return normal(total, possible)


class ImageLocality(Score):
    """Prefers nodes that have the pod's images; less so where few nodes have them, lest all pods go there."""

    def score(self, pod: PodRow, nodes: Nodes, possible: Mask) -> Ints:  # noqa: ARG002
        containers = (*pod.pod.spec.init_containers, *pod.pod.spec.containers)
        total = np.zeros(len(nodes), np.int64)
        for container in containers:
            sizes = nodes.images(_normal_name(container.image))
            if not sizes.any():
                continue
            total += (sizes * (np.count_nonzero(sizes) / len(nodes))).astype(np.int64)
        if not total.any():
            return total  # as for most pods on nodes that are new: too small to count
        enough = LARGE_IMAGE * len(containers)
        points: Ints = MOST * (np.clip(total, SMALL_IMAGE, enough) - SMALL_IMAGE) // (enough - SMALL_IMAGE)
        return points


def _normal_name(image: str) -> str:
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def normal(values: Ints, possible: Mask) -> Ints:
    """Values as points: the most of any possible node is worth all."""
    most = int(values[possible].max(initial=0))
    return values * MOST // most if most else values
