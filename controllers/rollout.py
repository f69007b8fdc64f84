"""How many pods each ReplicaSet of a Deployment should have next: the arithmetic of rolling updates and scaling.

Pure. `sizes` maps the name of a ReplicaSet to the size it should get; one that is missing keeps its size. Bounds that
hold at every step: in all at most replicas + maxSurge pods are asked for, and none is taken away while fewer than
replicas - maxUnavailable are available.
Source: pkg/controller/deployment/rolling.go, sync.go (scale), util/deployment_util.go.
"""

from collections.abc import Sequence
from typing import TypeAlias

from controllers.revisions import DESIRED, MAXIMUM, age, number
from controllers.workload_views import (
    Deployment,
    ReplicaSet,
)

Sizes: TypeAlias = dict[str, int]


def fenceposts(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: surge rounded up, unavailable down, and never both 0."""
    strategy = deployment.spec.strategy
    if strategy.type == "Recreate":
        return 0, 0
    rolling = strategy.rolling_update
    replicas = deployment.spec.replicas
    surge = _pods(rolling.max_surge if rolling else None, replicas, up=True)
    unavailable = _pods(rolling.max_unavailable if rolling else None, replicas, up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _pods(value: int | str | None, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int((value or "25%").removesuffix("%"))
    return -(-replicas * percent // 100) if up else replicas * percent // 100


def max_unavailable(deployment: Deployment) -> int:
    """How many pods may be missing; never more than there are."""
    return min(fenceposts(deployment)[1], deployment.spec.replicas)


def max_size(deployment: Deployment) -> int:
    """How many pods there may be in all during a rolling update."""
    return deployment.spec.replicas + fenceposts(deployment)[0]


def new_size(deployment: Deployment, everything: Sequence[ReplicaSet], size: int) -> int:
    """What the new ReplicaSet, now at `size`, may grow to."""
    wanted = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate":
        return wanted
    room = max_size(deployment) - sum(each.spec.replicas for each in everything)
    return size if room <= 0 else size + min(room, wanted - size)


def shrink_old(
    deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet], everything: Sequence[ReplicaSet]
) -> Sizes:
    """Which old ReplicaSets may lose how many pods: those that are of no use first, then as availability allows."""
    least = deployment.spec.replicas - max_unavailable(deployment)
    coming = new.spec.replicas - new.status.available_replicas if new is not None else 0
    spare = sum(each.spec.replicas for each in everything) - least - coming
    sizes: Sizes = {each.metadata.name: each.spec.replicas for each in old}
    if spare <= 0 or not any(sizes.values()):
        return {}
    ordered = sorted(old, key=age)
    _take(sizes, [(each, each.spec.replicas - each.status.available_replicas) for each in ordered], spare)
    useful = sum(each.status.available_replicas for each in everything) - least
    _take(sizes, [(each, sizes[each.metadata.name]) for each in ordered], useful)
    return {each.metadata.name: sizes[each.metadata.name] for each in old if _changed(each, sizes)}


def _take(sizes: Sizes, offers: Sequence[tuple[ReplicaSet, int]], total: int) -> None:
    for each, offered in offers:
        taken = min(offered, total, sizes[each.metadata.name])
        if taken > 0:
            sizes[each.metadata.name] -= taken
            total -= taken


def _changed(each: ReplicaSet, sizes: Sizes) -> bool:
    return sizes[each.metadata.name] != each.spec.replicas


def scale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Sizes:
    """Sizes after somebody changed `replicas` (or while paused): spread over revisions in proportion to their share."""
    wanted = deployment.spec.replicas
    everything = [*old, new] if new is not None else list(old)
    active = [each for each in everything if each.spec.replicas > 0]
    if len(active) <= 1:
        only = active[0] if active else new or max(old, key=age, default=None)
        return {only.metadata.name: wanted} if only is not None and only.spec.replicas != wanted else {}
    if new is not None and _is_saturated(deployment, new):
        return {each.metadata.name: 0 for each in active if each is not new}
    return {} if deployment.spec.strategy.type == "Recreate" else _proportional(deployment, active)


def _is_saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    wanted = deployment.spec.replicas
    desired = number(new.metadata.annotations, DESIRED)
    return desired == wanted == new.spec.replicas == new.status.available_replicas


def _proportional(deployment: Deployment, active: Sequence[ReplicaSet]) -> Sizes:
    allowed = max_size(deployment) if deployment.spec.replicas > 0 else 0
    change = allowed - sum(each.spec.replicas for each in active)
    # Growing, the youngest of the largest comes first; shrinking, the oldest of them.
    by_age = sorted(active, key=age, reverse=change > 0)
    ordered = sorted(by_age, key=lambda each: -each.spec.replicas)
    sizes: Sizes = {}
    rest = change
    for each in ordered:
        share = _share(deployment, each) if rest else 0
        part = min(share, rest) if change > 0 else max(share, rest)
        sizes[each.metadata.name] = each.spec.replicas + part
        rest -= part
    largest = ordered[0].metadata.name
    sizes[largest] = max(0, sizes[largest] + rest)
    return sizes


def _share(deployment: Deployment, each: ReplicaSet) -> int:
    """How much a ReplicaSet should grow or shrink when the deployment's bound moves."""
    if deployment.spec.replicas == 0:
        return -each.spec.replicas
    before = number(each.metadata.annotations, MAXIMUM) or deployment.status.replicas
    if not before:
        return 0
    exact = each.spec.replicas * max_size(deployment) / before
    return int(exact + 0.5) - each.spec.replicas


def is_scaling(deployment: Deployment, everything: Sequence[ReplicaSet]) -> bool:
    """Whether `replicas` was changed since the active ReplicaSets were last sized."""
    desired = [number(each.metadata.annotations, DESIRED) for each in everything if each.spec.replicas > 0]
    return any(each is not None and each != deployment.spec.replicas for each in desired)
