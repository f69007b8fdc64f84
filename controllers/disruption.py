"""Keeps the status of PodDisruptionBudgets: how many of the selected pods are healthy, and how many may be disturbed.

The eviction subresource takes its permission from `disruptionsAllowed` and notes the pod in `disruptedPods`; such a pod
counts as gone already, for two minutes. What cannot be counted allows no disruption at all. Not here: owners of other
kinds with a scale subresource, and cleaning up stale DisruptionTarget conditions.
Source: pkg/controller/disruption/disruption.go.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery import selectors
from apimachinery.kinds import (
    DEPLOYMENTS,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    Kind,
)
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.events import reference
from client.plan import Event, Key, Patch, Plan, View, Watch, itself, key_of
from controllers import pods
from controllers.ownership import controller_of
from controllers.views import (
    Budget,
    Pod,
    seconds,
)

#: Seconds until an evicted pod that is still there counts again.
DELETION_TIMEOUT = 120.0
SCALED: Mapping[str, Kind] = {
    kind.kind: kind for kind in (REPLICASETS, DEPLOYMENTS, STATEFULSETS, REPLICATIONCONTROLLERS)
}
_CONDITION = "DisruptionAllowed"
_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of "
    "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please "
    'set ".spec.minAvailable" field of the PDB to an integer value.'
)


def _budgets_of(pod: Pod, view: View) -> Iterable[Key]:
    found: Sequence[Budget] = view.list(PODDISRUPTIONBUDGETS, pod.metadata.namespace)
    return [key_of(each) for each in found if _selector(each).matches(pod.metadata.labels)]


def _budgets_near(item: Any, view: View) -> Iterable[Key]:
    return [key_of(each) for each in view.list(PODDISRUPTIONBUDGETS, item.metadata.namespace)]


def _is_scaled(old: Any, new: Any) -> bool:
    return old is None or new is None or old.spec.replicas != new.spec.replicas


def _counts_otherwise(old: Pod | None, new: Pod | None) -> bool:
    return old is None or new is None or _counted(old) != _counted(new)


def _counted(pod: Pod) -> Any:
    meta = pod.metadata
    return meta.labels, meta.deletion_timestamp is None, meta.owner_references, pods.is_ready(pod)


class _Uncountable(Exception):
    """The expected number of pods cannot be known; the text says why."""


@dataclass(frozen=True)
class DisruptionController:
    """The controller of PodDisruptionBudgets."""

    name: str = "disruption-controller"
    watches: Sequence[Watch] = (
        Watch(PODDISRUPTIONBUDGETS, itself),
        Watch(PODS, _budgets_of, _counts_otherwise),
        *(Watch(kind, _budgets_near, _is_scaled) for kind in SCALED.values()),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:
        budget: Budget | None = view.get(PODDISRUPTIONBUDGETS, key)
        if budget is None or budget.metadata.deletion_timestamp is not None:
            return Plan()
        selector = _selector(budget)
        found: Sequence[Pod] = [p for p in view.list(PODS, key.namespace) if selector.matches(p.metadata.labels)]
        disrupted, overdue = _disrupted(budget, found, now)
        events = [_event(budget, "Normal", "NoPods", "No matching pods found")] if not found else []
        try:
            status, unmanaged = _status(budget, found, disrupted, view)
        except _Uncountable as error:
            why = f"Failed to calculate the number of expected pods: {error}"
            events.append(_event(budget, "Warning", "CalculateExpectedPodCountFailed", why))
            status, unmanaged = _failsafe(budget), ()
            status["conditions"] = _conditions(budget, "False", "SyncFailed", str(error), now)
        else:
            reason = "SufficientPods" if status["disruptionsAllowed"] else "InsufficientPods"
            status["conditions"] = _conditions(
                budget, "True" if status["disruptionsAllowed"] else "False", reason, "", now
            )
        if unmanaged:
            events.append(_event(budget, "Warning", "UnmanagedPods", _UNMANAGED.format(selector)))
        again_in = min((left for _, left in disrupted.values()), default=None)
        patch = _patch(budget, status)
        return Plan([patch, *overdue, *events] if patch is not None else overdue, again_in=again_in)


def _selector(budget: Budget) -> selectors.LabelSelector:
    return selectors.from_label_selector(budget.spec.selector)


def _event(budget: Budget, type: str, reason: str, message: str) -> Event:
    kind = PODDISRUPTIONBUDGETS
    return Event(reference(budget, kind=kind.kind, api_version=kind.api_version), type, reason, message)


def _disrupted(
    budget: Budget, found: Sequence[Pod], now: float
) -> tuple[Mapping[str, tuple[str, float]], Sequence[Event]]:
    """The pods evicted and not yet going, by name: when, and for how long that holds. And what to say of the others."""
    kept, overdue = {}, []
    for pod in found:
        moment = budget.status.disrupted_pods.get(pod.metadata.name)
        if moment is None or pod.metadata.deletion_timestamp is not None:
            continue
        left = seconds(moment) + DELETION_TIMEOUT - now
        if left > 0:
            kept[pod.metadata.name] = (rfc3339(seconds(moment)), left)
            continue
        text = f"Pod was expected by PDB {budget.metadata.namespace}/{budget.metadata.name} to be deleted but it wasn't"
        overdue.append(Event(pods.reference(pod), "Warning", "NotDeleted", text))
    return kept, overdue


def _status(
    budget: Budget, found: Sequence[Pod], disrupted: Mapping[str, tuple[str, float]], view: View
) -> tuple[Json, Sequence[Pod]]:
    """The status without its conditions, and the pods that nobody owns. Raises _Uncountable."""
    expected, desired, unmanaged = _expected(budget, found, view)
    healthy = sum(
        pod.metadata.deletion_timestamp is None and pod.metadata.name not in disrupted and pods.is_ready(pod)
        for pod in found
    )
    return {
        "observedGeneration": budget.metadata.generation,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": max(0, healthy - desired) if expected > 0 else 0,
        "disruptedPods": {name: moment for name, (moment, _) in disrupted.items()},
    }, unmanaged


def _failsafe(budget: Budget) -> Json:
    """As it was, but with no disruption allowed."""
    return {"observedGeneration": budget.metadata.generation, "disruptionsAllowed": 0}


def _expected(budget: Budget, found: Sequence[Pod], view: View) -> tuple[int, int, Sequence[Pod]]:
    """How many pods there should be, how many of them healthy, and which pods have no owner to ask."""
    spec = budget.spec
    if spec.max_unavailable is not None:
        total, unmanaged = _scale(found, view)
        return total, max(0, total - _amount(spec.max_unavailable, total)), unmanaged
    if isinstance(spec.min_available, str):
        total, unmanaged = _scale(found, view)
        return total, _amount(spec.min_available, total), unmanaged
    return len(found), spec.min_available or 0, ()


def _amount(value: int | str, total: int) -> int:
    """A number or a share of the total, rounded up."""
    return value if isinstance(value, int) else math.ceil(int(value.removesuffix("%")) * total / 100)


def _scale(found: Sequence[Pod], view: View) -> tuple[int, Sequence[Pod]]:
    """The sum of what the pods' owners want, each owner once."""
    wanted: dict[str, int] = {}
    unmanaged = []
    for pod in found:
        owner = controller_of(pod)
        if owner is None:
            unmanaged.append(pod)
            continue
        item = _owner(pod.metadata.namespace, owner, view)
        if item is not None and owner.kind == REPLICASETS.kind and (above := controller_of(item)) is not None:
            item = _owner(pod.metadata.namespace, above, view)
        if item is None:
            raise _Uncountable(f'found no controllers for pod "{pod.metadata.name}"')
        wanted[item.metadata.uid] = item.spec.replicas
    return sum(wanted.values()), unmanaged


def _owner(namespace: str, owner: Any, view: View) -> Any:
    """The owner itself, where it is of a kind with replicas and still the same object."""
    kind = SCALED.get(owner.kind)
    item = view.get(kind, Key(namespace, owner.name)) if kind is not None else None
    return item if item is not None and item.metadata.uid == owner.uid else None


def _conditions(budget: Budget, status: str, reason: str, message: str, now: float) -> list[Json]:
    old = next((each for each in budget.status.conditions if each.type == _CONDITION), None)
    moved = old is None or old.status != status
    since = now if moved or old is None else seconds(old.last_transition_time)
    new: Json = {"type": _CONDITION, "status": status, "reason": reason, "message": message}
    new |= {"lastTransitionTime": rfc3339(since), "observedGeneration": budget.metadata.generation}
    return [new]


def _patch(budget: Budget, status: Json) -> Patch | None:
    """The change of the status as of the version read, for evictions write it too; None where nothing differs."""
    old = budget.status
    was: Json = {
        "observedGeneration": old.observed_generation,
        "currentHealthy": old.current_healthy,
        "desiredHealthy": old.desired_healthy,
        "expectedPods": old.expected_pods,
        "disruptionsAllowed": old.disruptions_allowed,
        "disruptedPods": {name: rfc3339(seconds(moment)) for name, moment in old.disrupted_pods.items()},
        "conditions": [
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "lastTransitionTime": rfc3339(seconds(each.last_transition_time)),
                "observedGeneration": each.observed_generation,
            }
            for each in old.conditions
        ],
    }
    if all(was[name] == value for name, value in status.items()):
        return None
    if "disruptedPods" in status:
        gone = dict.fromkeys(old.disrupted_pods.keys() - status["disruptedPods"].keys())
        status = status | {"disruptedPods": {**status["disruptedPods"], **gone}}
    meta = budget.metadata
    return Patch(
        PODDISRUPTIONBUDGETS,
        key_of(budget),
        meta.uid,
        {"status": status},
        subresource="status",
        resource_version=meta.resource_version,
    )
