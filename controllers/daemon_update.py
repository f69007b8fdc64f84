"""A DaemonSet's rolling update: which old pods go now, and on which nodes new ones come beside them. Pure.

Bounds: without surge, no more than maxUnavailable nodes are without an available pod for the update's sake; with surge,
an old pod goes only when the new one beside it is available, and no more than maxSurge come beside available ones.
Source: pkg/controller/daemon/update.go (rollingUpdate), daemon/util/daemonset_util.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controllers.views import (
    Pod,
)
from controllers.workload_views import (
    DaemonSet,
)


@dataclass(frozen=True)
class Step:
    """What to do next: these pods go, and a pod is made on each of these nodes."""

    doomed: Sequence[Pod] = ()
    nodes: Sequence[str] = ()


@dataclass(frozen=True)
class Situation:
    """The nodes (those that should run a pod, and those that have one), and how to judge them."""

    pods: Mapping[str, Sequence[Pod]]
    should_run: Callable[[str], bool]
    is_updated: Callable[[Pod], bool]
    is_available: Callable[[Pod], bool]


def bounds(owner: DaemonSet, desired: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) for that many nodes, both rounded up; not both 0 where there are nodes."""
    rolling = owner.spec.update_strategy.rolling_update
    if owner.spec.update_strategy.type != "RollingUpdate" or rolling is None:
        surge, unavailable = 0, 0
    else:
        surge, unavailable = _count(rolling.max_surge, desired), _count(rolling.max_unavailable, desired)
    return (surge, unavailable) if surge or unavailable or not desired else (0, 1)


def allows_surge(owner: DaemonSet) -> bool:
    """Whether new pods may run beside the old ones during an update."""
    return bounds(owner, 1)[0] > 0


def _count(value: int | str | None, total: int) -> int:
    if isinstance(value, str):
        return -(-total * int(value.removesuffix("%")) // 100)
    return value or 0


def next_step(owner: DaemonSet, situation: Situation, desired: int) -> Step:
    """Which pods to make and which to delete next, by the kind of update that the owner asks for."""
    surge, unavailable = bounds(owner, desired)
    return _surge(situation, surge, desired) if surge else _replace(situation, unavailable)


def _new_and_old(situation: Situation, found: Sequence[Pod]) -> tuple[Pod | None, Pod | None] | None:
    """The new and the old pod of a node; None where there are several of a sort, which are to be seen to first."""
    staying = [pod for pod in found if pod.metadata.deletion_timestamp is None]
    new = [pod for pod in staying if situation.is_updated(pod)]
    old = [pod for pod in staying if not situation.is_updated(pod)]
    if len(new) > 1 or len(old) > 1:
        return None
    return (new[0] if new else None), (old[0] if old else None)


def _replace(situation: Situation, most: int) -> Step:
    unavailable = 0
    useless, candidates = [], []
    for found in situation.pods.values():
        pair = _new_and_old(situation, found)
        new, old = pair or (None, None)
        if old is None or new is not None:
            unavailable += new is None or old is not None or not situation.is_available(new)
        elif situation.is_available(old):
            candidates.append(old)
        else:
            useless.append(old)
            unavailable += 1
    return Step([*useless, *candidates[: max(0, most - unavailable)]])


def _surge(situation: Situation, most: int, desired: int) -> Step:
    surging = available = 0
    doomed: list[Pod] = []
    misplaced: list[Pod] = []
    needed: list[str] = []
    candidates: list[str] = []
    for node, found in situation.pods.items():
        pair = _new_and_old(situation, found)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        first = old or new
        available += first is not None and situation.is_available(first)
        if old is None:
            continue
        if new is not None:
            if situation.is_available(new):
                doomed.append(old)
            else:
                surging += 1
        elif not situation.should_run(node):
            (misplaced if situation.is_available(old) else doomed).append(old)
        else:
            (candidates if situation.is_available(old) else needed).append(node)
    # Who asks for surge asks for no gap: a pod that has to leave its node stays until there are enough elsewhere.
    doomed += misplaced[: max(0, available - desired)]
    return Step(doomed, [*needed, *candidates[: max(0, most - surging)]])
