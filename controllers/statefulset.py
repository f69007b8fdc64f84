"""Keeps the pods of a StatefulSet: each with a name and volumes of its own, made, replaced and removed in order.

OrderedReady: a pod is made when all before it are ready, and removed when all after it are gone. Parallel: all at once.
A changed template is rolled out from the last ordinal to the partition, one at a time; what is not yet so far is made
from the revision that was current before. One plan is one step, as in upstream's loop.
Leaves out: maxUnavailable (alpha, off). A pod whose volumes are not its claims is left: volumes cannot be changed.
Source: pkg/controller/statefulset/stateful_set.go, stateful_set_control.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import CONTROLLERREVISIONS, PERSISTENTVOLUMECLAIMS, PODS, STATEFULSETS
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import history, pods, stateful_claims
from controllers.ownership import OwnerOrMatching, claim, owner_reference
from controllers.stateful_identity import (
    NAME_LABEL,
    is_in_range,
    labels_for,
    new_pod,
    ordinal_of,
    parent_and_ordinal,
    pod_name,
    revision_of,
    start,
)
from controllers.views import (
    Meta,
    Pod,
)
from controllers.workload_views import (
    Revision,
    StatefulSet,
)


def selector_of(owner: StatefulSet) -> LabelSelector:
    """Which pods may be the StatefulSet's."""
    return from_label_selector(owner.spec.selector)


@dataclass
class _Step:
    """One plan in the making."""

    owner: StatefulSet
    view: View
    now: float
    current: Revision
    update: Revision
    mine: Sequence[Pod]
    writes: list[Write | Event] = field(default_factory=list)
    outdated: int = 0  # pods on their way out for the update

    @property
    def about(self) -> Json:
        return reference(self.owner, kind=STATEFULSETS.kind, api_version=STATEFULSETS.api_version)

    def event(self, verb: str, pod: str, *, failed: str = "") -> Event:
        text = f"{verb} Pod {pod} in StatefulSet {self.owner.metadata.name}"
        if failed:
            return Event(self.about, "Warning", f"Failed{verb.title()}", f"{text} failed error: {failed}")
        return Event(self.about, "Normal", f"Successful{verb.title()}", f"{text} successful")

    def delete(self, pod: Pod) -> None:
        name = pod.metadata.name
        done, failed = self.event("delete", name), self.event("delete", name, failed="{error}")
        self.writes.append(Delete(PODS, key_of(pod), pod.metadata.uid, done=done, failed=failed))

    def is_unavailable(self, pod: Pod | None) -> bool:
        return pod is None or not self.is_available(pod) or is_terminating(pod)

    def is_available(self, pod: Pod) -> bool:
        return pods.available_in(pod, self.owner.spec.min_ready_seconds, self.now) == 0


def is_terminating(pod: Pod) -> bool:
    """Whether the pod's deletion has begun."""
    return pod.metadata.deletion_timestamp is not None


def is_running_and_ready(pod: Pod) -> bool:
    """Whether the pod runs and is ready: then the next one may come."""
    return pod.status.phase == "Running" and pods.is_ready(pod)


@dataclass(frozen=True)
class StatefulSetController:
    """The controller of StatefulSets."""

    name: str = "statefulset-controller"
    watches: Sequence[Watch] = (
        Watch(STATEFULSETS, itself),
        Watch(PODS, OwnerOrMatching(STATEFULSETS, selector_of)),
        Watch(CONTROLLERREVISIONS, OwnerOrMatching(STATEFULSETS, selector_of)),
        Watch(PERSISTENTVOLUMECLAIMS, stateful_claims.sets_of_claim, stateful_claims.ownership_changed),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:
        owner: StatefulSet | None = view.get(STATEFULSETS, key)
        if owner is None:
            return Plan()
        selector = selector_of(owner)
        recorded = claim(view, STATEFULSETS, owner, selector, CONTROLLERREVISIONS)
        members = claim(
            view, STATEFULSETS, owner, selector, PODS, fits=lambda pod: parent_and_ordinal(pod)[0] == key.name
        )
        lineup = _line_up(owner, recorded.mine, view)
        step = _Step(owner, view, now, lineup.current, lineup.update, members.mine)
        is_going = owner.metadata.deletion_timestamp is not None
        if not is_going:
            _advance(step)
        live = {lineup.current.metadata.name, lineup.update.metadata.name, *map(revision_of, members.mine)}
        writes: list[Write | Event] = [*recorded.patches, *members.patches]
        writes += [] if is_going else lineup.writes
        # The status before the pods: a pod that is refused for long (a quota) must not keep it from being told.
        writes += [*_status_patch(step, lineup.collisions), *step.writes]
        if not is_going:
            writes += history.surplus(recorded.mine, live, owner.spec.revision_history_limit)
        waits = [pods.available_in(pod, owner.spec.min_ready_seconds, now) for pod in members.mine]
        return Plan(writes, min((wait for wait in waits if wait), default=None))


# -------------------------------------------------------------------------------------------------- revisions


@dataclass(frozen=True)
class _Lineup:
    """The revision that was, the one that shall be (maybe yet to be made), and what makes it so."""

    current: Revision
    update: Revision
    collisions: int
    writes: Sequence[Write]


def _line_up(owner: StatefulSet, recorded: Sequence[Revision], view: View) -> _Lineup:
    ordered = sorted(recorded, key=history.order)
    number = ordered[-1].revision + 1 if ordered else 1
    collisions = owner.status.collision_count or 0
    writes: list[Write] = []
    equal = [each for each in ordered if history.is_of(each, owner.spec.template)]
    if equal:
        update = equal[-1]
        if not history.is_of(ordered[-1], owner.spec.template):  # back to an older one: it is the newest again
            writes = [history.renumber(update, number)]
    else:
        update, collisions, is_there = _new_revision(owner, number, collisions, view)
        writes = [] if is_there else [_creation(owner, update)]
    current = next((each for each in ordered if each.metadata.name == owner.status.current_revision), update)
    return _Lineup(current, update, collisions, writes)


def _new_revision(owner: StatefulSet, number: int, collisions: int, view: View) -> tuple[Revision, int, bool]:
    """The revision of the present template, the collisions its name took, and whether somebody has made it."""
    template, meta = owner.spec.template, owner.metadata
    data = history.snapshot(template)

    def named(count: int) -> str:
        return history.name_for(meta.name, history.data_hash(data, count))

    name, collisions, holder = history.free_name(view, meta.namespace, template, collisions, named)
    made = Revision(Meta(name=name, namespace=meta.namespace), number, data)
    return holder or made, collisions, holder is not None


def _creation(owner: StatefulSet, revision: Revision) -> Create:
    labels = (owner.spec.template.get("metadata") or {}).get("labels") or {}
    meta: Json = {
        "name": revision.metadata.name,
        "namespace": owner.metadata.namespace,
        "labels": {**labels, history.HASH_LABEL: revision.metadata.name.rpartition("-")[2]},
        "annotations": dict(owner.metadata.annotations),
        "ownerReferences": [owner_reference(STATEFULSETS, owner.metadata)],
    }
    body = {"metadata": meta, "data": revision.data, "revision": revision.revision}
    return Create(CONTROLLERREVISIONS, owner.metadata.namespace, body)


# ------------------------------------------------------------------------------------------------------- pods


def _advance(step: _Step) -> None:
    owner, first = step.owner, start(step.owner)
    in_order = owner.spec.pod_management_policy != "Parallel"
    by_ordinal = {ordinal_of(pod): pod for pod in step.mine}
    slots = [by_ordinal.get(first + index) for index in range(owner.spec.replicas)]
    condemned = sorted((p for p in step.mine if not is_in_range(owner, ordinal_of(p))), key=ordinal_of, reverse=True)
    for ordinal, pod in enumerate(slots, first):
        if _see_to(step, ordinal, pod, in_order=in_order) and in_order:
            return
    for pod in condemned:
        step.writes += stateful_claims.retention(owner, pod, ordinal_of(pod), step.view, step.about)
    unhealthy = next((pod for pod in (*slots, *reversed(condemned)) if step.is_unavailable(pod)), None)
    for pod in condemned:
        if _condemn(step, pod, unhealthy, in_order=in_order) and in_order:
            return
    if owner.spec.update_strategy.type != "OnDelete":
        _roll(step, slots)


def _see_to(step: _Step, ordinal: int, pod: Pod | None, *, in_order: bool) -> bool:
    """Make, replace or correct the pod of an ordinal; whether those after it must wait."""
    owner = step.owner
    if pod is None:
        _make(step, ordinal)
        return True
    if pods.is_terminal(pod):  # also one that succeeded: what was evicted or stopped may have
        if not is_terminating(pod):
            step.delete(pod)
        return True
    if pod.status.phase == "Pending":
        step.writes += stateful_claims.missing(owner, ordinal, step.view, step.about)
    if in_order and (is_terminating(pod) or not is_running_and_ready(pod) or not step.is_available(pod)):
        return True
    if pod.metadata.labels.get(NAME_LABEL) != pod.metadata.name:
        name = pod.metadata.name
        done, failed = step.event("update", name), step.event("update", name, failed="{error}")
        body = {"metadata": {"labels": labels_for(owner, ordinal)}}
        step.writes.append(Patch(PODS, key_of(pod), pod.metadata.uid, body, done=done, failed=failed))
    step.writes += stateful_claims.retention(owner, pod, ordinal, step.view, step.about)
    return False


def _make(step: _Step, ordinal: int) -> None:
    owner, name = step.owner, pod_name(step.owner, ordinal)
    if stateful_claims.is_stale(owner, ordinal, step.view):
        return  # the claim is going the way of its former pod; when it is gone there will be a new one
    going = [each for each in stateful_claims.existing(owner, ordinal, step.view) if each.metadata.deletion_timestamp]
    if going:
        texts = sorted(f"pvc {each.metadata.name} is being deleted" for each in going)
        error = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        step.writes.append(step.event("create", name, failed=error))
        return
    step.writes += stateful_claims.missing(owner, ordinal, step.view, step.about)
    revision = step.current if _stays_behind(owner, ordinal) else step.update
    template, claims = history.template_of(revision), stateful_claims.names(owner, ordinal)
    body = new_pod(owner, template, revision.metadata.name, ordinal, claims)
    done, failed = step.event("create", name), step.event("create", name, failed="{error}")
    step.writes.append(Create(PODS, owner.metadata.namespace, body, done=done, failed=failed))


def _stays_behind(owner: StatefulSet, ordinal: int) -> bool:
    """Whether a pod is made from the revision that was, since the update has not come to it."""
    strategy = owner.spec.update_strategy
    if strategy.rolling_update is not None:
        return ordinal < start(owner) + (strategy.rolling_update.partition or 0)
    return strategy.type == "RollingUpdate" and ordinal < start(owner) + owner.status.current_replicas


def _condemn(step: _Step, pod: Pod, unhealthy: Pod | None, *, in_order: bool) -> bool:
    """Remove a pod that is too many, unless it has to wait; whether those after it must wait."""
    if is_terminating(pod):
        return True
    is_well = is_running_and_ready(pod) and step.is_available(pod)
    if in_order and not is_well and pod is not unhealthy:
        return True
    step.delete(pod)
    return True


def _roll(step: _Step, slots: Sequence[Pod | None]) -> None:
    """Replace the last pod that is not of the new revision, once those after it are available."""
    rolling = step.owner.spec.update_strategy.rolling_update
    partition = (rolling.partition or 0) if rolling is not None else 0
    for pod in reversed(slots[partition:]):
        if pod is not None and revision_of(pod) != step.update.metadata.name and not is_terminating(pod):
            if not pods.is_terminal(pod):  # else it is being deleted already
                step.delete(pod)
            step.outdated = 1
            return
        if step.is_unavailable(pod):
            return


# ----------------------------------------------------------------------------------------------------- status


def _status(step: _Step) -> Json:
    created = [pod for pod in step.mine if pod.status.phase]
    staying = [pod for pod in created if not is_terminating(pod)]
    ready = [pod for pod in created if is_running_and_ready(pod)]
    current, update = step.current.metadata.name, step.update.metadata.name
    status = {
        "replicas": len(created),
        "readyReplicas": len(ready),
        "availableReplicas": sum(map(step.is_available, ready)),
        "currentReplicas": max(0, sum(revision_of(pod) == current for pod in staying) - step.outdated),
        "updatedReplicas": sum(revision_of(pod) == update for pod in staying),
        "currentRevision": current,
        "updateRevision": update,
        "observedGeneration": step.owner.metadata.generation,
    }
    wanted = step.owner.spec.replicas
    is_rolling = step.owner.spec.update_strategy.type == "RollingUpdate"
    if is_rolling and wanted == status["updatedReplicas"] == status["readyReplicas"] == status["replicas"]:
        status |= {"currentReplicas": status["updatedReplicas"], "currentRevision": update}
    return status


def _status_patch(step: _Step, collisions: int) -> Sequence[Patch]:
    owner, old = step.owner, step.owner.status
    before = {
        "replicas": old.replicas,
        "readyReplicas": old.ready_replicas,
        "availableReplicas": old.available_replicas,
        "currentReplicas": old.current_replicas,
        "updatedReplicas": old.updated_replicas,
        "currentRevision": old.current_revision,
        "updateRevision": old.update_revision,
        "observedGeneration": old.observed_generation,
        "collisionCount": old.collision_count,
    }
    after = {**_status(step), "collisionCount": collisions}
    if after == before:
        return ()
    shown = ("replicas", "availableReplicas", "collisionCount")
    body = {"status": {name: value if value or name in shown else None for name, value in after.items()}}
    return (Patch(STATEFULSETS, key_of(owner), owner.metadata.uid, body, subresource="status"),)
