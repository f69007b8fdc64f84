"""Keeps exactly `spec.replicas` live pods for each ReplicaSet, and for each ReplicationController.

A pod that has finished or is being deleted does not count. Pods that do the least good go first (see `usefulness`).
Both kinds are one controller: they differ in the form of their selector only. Statuses are written before pods, so that
a refused create can be reported (ReplicaFailure) by the next attempt before it tries again.
Source: pkg/controller/replicaset/replica_set.go, replica_set_utils.go.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.kinds import PODS, REPLICASETS, REPLICATIONCONTROLLERS, Kind
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Failure, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import pods
from controllers.ownership import OwnerOrMatching, claim, controller_of, owner_reference
from controllers.views import (
    CONTROLLER,
    NODE,
    Condition,
    Pod,
    seconds,
)
from controllers.workload_views import (
    ReplicaSet,
)

BURST = 500
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1}  # running and anything else: 2


def selector_of(owner: ReplicaSet) -> LabelSelector:
    """The selector in either of its forms: a ReplicationController has a bare map of labels."""
    tree = owner.spec.selector
    is_structured = isinstance(tree.get("matchLabels", tree.get("matchExpressions")), dict | list)
    return from_label_selector(tree if is_structured or not tree else {"matchLabels": tree})


@dataclass(frozen=True)
class ReplicaSetController:
    """The controller of ReplicaSets, or of another `kind` of the same shape."""

    name: str = "replicaset-controller"
    kind: Kind = REPLICASETS
    watches: Sequence[Watch] = field(default=(), init=False)
    reads: Sequence[Kind] = (REPLICASETS,)

    def __post_init__(self) -> None:
        watches = (Watch(self.kind, itself), Watch(PODS, OwnerOrMatching(self.kind, selector_of)))
        object.__setattr__(self, "watches", watches)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        owner: ReplicaSet | None = view.get(self.kind, key)
        if owner is None or not owner.spec.selector:
            return Plan()
        claimed = claim(view, self.kind, owner, selector_of(owner), PODS)
        live = [pod for pod in claimed.mine if pods.is_active(pod)]
        status = self._status(owner, claimed.mine, view.failure, now)
        writes: list[Write | Event] = [*claimed.patches, *self._status_patch(owner, status)]
        if owner.metadata.deletion_timestamp is None:
            writes += self._pod_writes(owner, live, view, now)
        return Plan(writes, _next_available(owner, live, now))

    # -------------------------------------------------------------------------------------------- pods

    def _pod_writes(self, owner: ReplicaSet, live: Sequence[Pod], view: View, now: float) -> Sequence[Write]:
        surplus = len(live) - owner.spec.replicas
        about = reference(owner, kind=self.kind.kind, api_version=self.kind.api_version)
        if surplus < 0:
            return [self._pod_for(owner, about)] * min(-surplus, BURST)
        ranks = _crowding(owner, live, view) if surplus else {}
        doomed = sorted(live, key=lambda pod: usefulness(pod, ranks.get(pod.metadata.uid, 0), now))
        return [pods.deletion(pod, about) for pod in doomed[: min(surplus, BURST)]]

    def _pod_for(self, owner: ReplicaSet, about: Json) -> Create:
        meta = owner.metadata
        reference = owner_reference(self.kind, meta)
        return pods.creation(pods.from_template(owner.spec.template, meta.name, meta.namespace, reference), about)

    # -------------------------------------------------------------------------------------------- status

    def _status(self, owner: ReplicaSet, mine: Sequence[Pod], failure: Failure | None, now: float) -> Json:
        live = [pod for pod in mine if pods.is_active(pod)]
        labels = ((owner.spec.template.get("metadata") or {}).get("labels") or {}).items()
        available = [pods.available_in(pod, owner.spec.min_ready_seconds, now) == 0 for pod in live]
        return {
            "replicas": len(live),
            "fullyLabeledReplicas": sum(labels <= pod.metadata.labels.items() for pod in live),
            "readyReplicas": sum(map(pods.is_ready, live)),
            "availableReplicas": sum(available),
            "observedGeneration": owner.metadata.generation,
            "conditions": _conditions(owner, failure, now),
        }

    def _status_patch(self, owner: ReplicaSet, status: Json) -> Sequence[Patch]:
        old = owner.status
        before = {
            "replicas": old.replicas,
            "fullyLabeledReplicas": old.fully_labeled_replicas,
            "readyReplicas": old.ready_replicas,
            "availableReplicas": old.available_replicas,
            "observedGeneration": old.observed_generation,
            "conditions": [_condition(each) for each in old.conditions],
        }
        if status == before:
            return ()
        kept = {name: value if value or name == "replicas" else None for name, value in status.items()}
        return (Patch(self.kind, key_of(owner), owner.metadata.uid, {"status": kept}, subresource="status"),)


REPLICASET = ReplicaSetController()
REPLICATIONCONTROLLER = ReplicaSetController("replicationcontroller-controller", REPLICATIONCONTROLLERS)


def usefulness(pod: Pod, crowding: int, now: float) -> tuple[Any, ...]:
    """Pods sorted by this go in that order when there are too many.

    Unassigned before assigned, pending before unknown before running, unready before ready, cheap before dear
    (pod-deletion-cost), from crowded nodes first, ready for a shorter time first, restarted often first, younger first.
    Times are compared by orders of magnitude only, with the uid as the tie-breaker, so that which pod goes is spread.
    """
    ready = pods.is_ready(pod)
    restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 2),
        ready,
        _deletion_cost(pod),
        -crowding,
        _magnitude(pods.ready_since(pod), now) if ready else 0,
        -restarts,
        _magnitude(seconds(pod.metadata.creation_timestamp), now),
        pod.metadata.uid,
    )


def _magnitude(since: float, now: float) -> int:
    """How long something has lasted, as a power of two of seconds; 0 where nobody knows since when."""
    return 1 + int(math.log2(max(1.0, now - since))) if since else 0


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "0")
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _crowding(owner: ReplicaSet, live: Sequence[Pod], view: View) -> dict[str, int]:
    """For each pod how many live pods of ReplicaSets with the same owner (a Deployment) share its node."""
    parent = controller_of(owner)
    related = {owner.metadata.uid}
    if parent is not None:
        related |= {each.metadata.uid for each in view.by(REPLICASETS, CONTROLLER, parent.uid)}
    nodes: Counter[str] = Counter()
    for node in {pod.spec.node_name for pod in live if pod.spec.node_name}:
        for pod in view.by(PODS, NODE, node):
            above = controller_of(pod)
            nodes[node] += above is not None and above.uid in related and pods.is_active(pod)
    return {pod.metadata.uid: nodes[pod.spec.node_name] for pod in live}


def _next_available(owner: ReplicaSet, live: Sequence[Pod], now: float) -> float | None:
    """When the next ready pod will have been so for minReadySeconds."""
    waits = [pods.available_in(pod, owner.spec.min_ready_seconds, now) for pod in live]
    return min((wait for wait in waits if wait), default=None)


def _conditions(owner: ReplicaSet, failure: Failure | None, now: float) -> list[Json]:
    """The conditions as they should be: ReplicaFailure where the last attempt was refused, others as they are."""
    failed = failure is not None and failure.write.kind is PODS and isinstance(failure.write, Create | Delete)
    others = [_condition(each) for each in owner.status.conditions if each.type != "ReplicaFailure"]
    current = [_condition(each) for each in owner.status.conditions if each.type == "ReplicaFailure"]
    if not failed or failure is None:
        return others
    if current:  # as upstream: the first refusal stays until one attempt goes through
        return [_condition(each) for each in owner.status.conditions]
    return [
        *others,
        {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": rfc3339(now),
            "reason": "FailedCreate" if isinstance(failure.write, Create) else "FailedDelete",
            "message": str(failure.error),
        },
    ]


def _condition(each: Condition) -> Json:
    found = {"type": each.type, "status": each.status, "reason": each.reason, "message": each.message}
    if each.last_transition_time is not None:
        found["lastTransitionTime"] = rfc3339(seconds(each.last_transition_time))
    return found
