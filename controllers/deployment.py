"""Brings a Deployment's pods to its template, as fast as its strategy allows, by sizing its ReplicaSets.

One plan is one step: it sizes ReplicaSets (or makes the new one) and writes the status; the next plan is made when the
effects are seen. Rollback, history and restart are nothing special: they are changes of the template, and a template
that an old ReplicaSet still has makes that one the new one again, with the next revision number.
Source: pkg/controller/deployment/deployment_controller.go (syncDeployment), sync.go, rolling.go, recreate.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.kinds import DEPLOYMENTS, PODS, REPLICASETS
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.types import Json
from client.events import reference
from client.plan import Create, Delete, Event, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import pods, progress, revisions, rollout
from controllers.ownership import OwnerOrMatching, claim, controller_of, owner_reference
from controllers.progress import Conditions, set_condition
from controllers.revisions import DESIRED, HASH_LABEL, MAXIMUM, REVISION
from controllers.views import (
    CONTROLLER,
    Pod,
)
from controllers.workload_views import (
    Deployment,
    ReplicaSet,
)


def selector_of(deployment: Deployment) -> LabelSelector:
    """Which ReplicaSets and pods may be the Deployment's."""
    return from_label_selector(deployment.spec.selector)


def deployment_of_pod(pod: Pod, view: View) -> Iterable[Key]:
    """The Deployment that stands behind a pod's ReplicaSet: Recreate waits for old pods to be gone."""
    owner = controller_of(pod)
    if owner is None or owner.kind != REPLICASETS.kind:
        return ()
    replica_set = view.get(REPLICASETS, Key(pod.metadata.namespace, owner.name))
    above = controller_of(replica_set) if replica_set is not None else None
    return (Key(pod.metadata.namespace, above.name),) if above is not None else ()


def _is_gone(_old: Any, new: Any) -> bool:
    return new is None


@dataclass
class _Step:
    """One plan in the making."""

    deployment: Deployment
    new: ReplicaSet | None
    old: Sequence[ReplicaSet]
    view: View
    now: float
    conditions: Conditions
    writes: list[Write | Event] = field(default_factory=list)
    revision: int | None = None  # what the deployment's annotation should say
    collisions: int | None = None

    @property
    def everything(self) -> Sequence[ReplicaSet]:
        return [*self.old, self.new] if self.new is not None else self.old

    @property
    def about(self) -> Json:
        return reference(self.deployment, kind=DEPLOYMENTS.kind, api_version=DEPLOYMENTS.api_version)


@dataclass(frozen=True)
class DeploymentController:
    """The controller of Deployments."""

    name: str = "deployment-controller"
    watches: Sequence[Watch] = (
        Watch(DEPLOYMENTS, itself),
        Watch(REPLICASETS, OwnerOrMatching(DEPLOYMENTS, selector_of)),
        Watch(PODS, deployment_of_pod, _is_gone),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:
        deployment: Deployment | None = view.get(DEPLOYMENTS, key)
        if deployment is None:
            return Plan()
        if not any(deployment.spec.selector.get(part) for part in ("matchLabels", "matchExpressions")):
            return Plan(_selects_everything(deployment))
        claimed = claim(view, DEPLOYMENTS, deployment, selector_of(deployment), REPLICASETS)
        new = revisions.current(deployment, claimed.mine)
        old = [each for each in claimed.mine if each is not new]
        step = _Step(deployment, new, old, view, now, progress.conditions_of(deployment), list(claimed.patches))
        step.collisions = deployment.status.collision_count
        is_rolling_out = _advance(step)
        return _finish(step, is_rolling_out=is_rolling_out)


def _selects_everything(deployment: Deployment) -> Sequence[Event]:
    about = reference(deployment, kind=DEPLOYMENTS.kind, api_version=DEPLOYMENTS.api_version)
    text = "This deployment is selecting all pods. A non-empty selector is required."
    return [Event(about, "Warning", "SelectingAll", text)]


def _advance(step: _Step) -> bool:
    """The next step; whether it is one of a rollout (and not of scaling, pausing or going away)."""
    deployment = step.deployment
    if deployment.metadata.deletion_timestamp is not None:
        return False
    progress.note_pause(deployment, step.conditions, step.now)
    if _number_current(step):
        return False
    if deployment.spec.paused or rollout.is_scaling(deployment, step.everything):
        _resize(step, rollout.scale(deployment, step.new, step.old), annotate=True)
        if deployment.spec.paused:
            _clean_up(step)
        return False
    if deployment.spec.strategy.type == "Recreate":
        _recreate(step)
    else:
        _roll(step)
    return True


def _roll(step: _Step) -> None:
    deployment = step.deployment
    if step.new is None:
        _make_new(step)
        return
    size = step.new.spec.replicas
    wanted = deployment.spec.replicas
    target = wanted if size > wanted else rollout.new_size(deployment, step.everything, size)
    sizes = {step.new.metadata.name: target} if target != size else {}
    sizes = sizes or rollout.shrink_old(deployment, step.new, step.old, step.everything)
    _resize(step, sizes)
    if not sizes:
        _clean_up_when_complete(step)


def _recreate(step: _Step) -> None:
    """All old pods go, and only when the last of them is gone the new ones come."""
    live = {each.metadata.name: 0 for each in step.old if each.spec.replicas > 0}
    if live:
        _resize(step, live)
    elif _are_old_pods_left(step):
        return
    elif step.new is None:
        _make_new(step)
    elif step.new.spec.replicas != step.deployment.spec.replicas:
        _resize(step, {step.new.metadata.name: step.deployment.spec.replicas})
    else:
        _clean_up_when_complete(step)


def _are_old_pods_left(step: _Step) -> bool:
    if any(each.status.replicas for each in step.old):
        return True
    of_old = (pod for each in step.old for pod in step.view.by(PODS, CONTROLLER, each.metadata.uid))
    return any(not pods.is_terminal(pod) for pod in of_old)


# ------------------------------------------------------------------------------------------------- ReplicaSets


def _number_current(step: _Step) -> bool:
    """See to the current ReplicaSet's revision, annotations and minReadySeconds; whether something had to be done."""
    deployment, new = step.deployment, step.new
    if new is None:
        return False
    next_revision = max((revisions.revision(each) for each in step.old), default=0) + 1
    existing = new.metadata.annotations
    changes = revisions.annotations_for(deployment, existing, next_revision, maximum=None)
    body: Json = {"metadata": {"annotations": changes}} if changes else {}
    if new.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
        body["spec"] = {"minReadySeconds": deployment.spec.min_ready_seconds}
    step.revision = max(next_revision, revisions.revision(new))
    if progress.has_deadline(deployment) and "Progressing" not in step.conditions:
        text = f'Found new replica set "{new.metadata.name}"'
        set_condition(step.conditions, step.now, "Progressing", "True", "FoundNewReplicaSet", text)
    if body:
        step.writes.append(Patch(REPLICASETS, key_of(new), new.metadata.uid, body))
    return bool(body)


def _make_new(step: _Step) -> None:
    deployment = step.deployment
    suffix = revisions.template_hash(deployment.spec.template, step.collisions)
    name = f"{deployment.metadata.name}-{suffix}"
    if step.view.get(REPLICASETS, Key(deployment.metadata.namespace, name)) is not None:
        step.collisions = (step.collisions or 0) + 1  # the name is another template's: the next step tries the next
        return
    failure = step.view.failure
    if failure is not None and isinstance(failure.write, Create) and failure.error.reason != "AlreadyExists":
        texts = ("False", "ReplicaSetCreateError", str(failure.error))
        set_condition(step.conditions, step.now, "Progressing", *texts)
    step.revision = max((revisions.revision(each) for each in step.old), default=0) + 1
    size = rollout.new_size(deployment, step.everything, 0)
    text = f"Scaled up replica set {name} from 0 to {size}"
    done = Event(step.about, "Normal", "ScalingReplicaSet", text) if size else None
    body = _replica_set(deployment, name, size, step.revision)
    step.writes.append(Create(REPLICASETS, deployment.metadata.namespace, body, done=done))
    if progress.has_deadline(deployment) and failure is None:
        texts = ("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        set_condition(step.conditions, step.now, "Progressing", *texts)


def _replica_set(deployment: Deployment, name: str, size: int, revision: int) -> Json:
    suffix = name.rpartition("-")[2]
    template = deployment.spec.template
    meta = template.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), HASH_LABEL: suffix}
    selector = deployment.spec.selector
    maximum = rollout.max_size(deployment)
    return {
        "metadata": {
            "name": name,
            "namespace": deployment.metadata.namespace,
            "labels": labels,
            "annotations": revisions.annotations_for(deployment, {}, revision, maximum=maximum),
            "ownerReferences": [owner_reference(DEPLOYMENTS, deployment.metadata)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: suffix}},
            "template": {**template, "metadata": {**meta, "labels": labels}},
        },
    }


def _resize(step: _Step, sizes: rollout.Sizes, *, annotate: bool = False) -> None:
    """Patch ReplicaSets to their sizes; `annotate` also where only the recorded bounds changed."""
    deployment = step.deployment
    bounds = {DESIRED: str(deployment.spec.replicas), MAXIMUM: str(rollout.max_size(deployment))}
    for each in step.everything:
        old, size = each.spec.replicas, sizes.get(each.metadata.name, each.spec.replicas)
        is_current = all(each.metadata.annotations.get(name) == text for name, text in bounds.items())
        if size == old and (is_current or not annotate or not old):
            continue
        body: Json = {"metadata": {"annotations": bounds}, "spec": {"replicas": size}}
        word = "up" if size > old else "down"
        text = f"Scaled {word} replica set {each.metadata.name} from {old} to {size}"
        done = Event(step.about, "Normal", "ScalingReplicaSet", text) if size != old else None
        step.writes.append(Patch(REPLICASETS, key_of(each), each.metadata.uid, body, done=done))


def _clean_up_when_complete(step: _Step) -> None:
    status = step.deployment.status
    stored = {
        "updatedReplicas": status.updated_replicas,
        "replicas": status.replicas,
        "availableReplicas": status.available_replicas,
        "observedGeneration": status.observed_generation,
    }
    if progress.is_complete(step.deployment, stored):
        _clean_up(step)


def _clean_up(step: _Step) -> None:
    for each in revisions.to_clean_up(step.deployment, step.old):
        step.writes.append(Delete(REPLICASETS, key_of(each), each.metadata.uid))


# ------------------------------------------------------------------------------------------------------ status


def _finish(step: _Step, *, is_rolling_out: bool) -> Plan:
    """The step's writes and the status: before a ReplicaSet is made (that may be refused), after all else."""
    deployment, conditions = step.deployment, step.conditions
    status = progress.counts(deployment, step.new, step.everything)
    progress.note_availability(deployment, status, conditions, step.now)
    if is_rolling_out:
        progress.note_progress(deployment, step.new, status, conditions, step.now)
        progress.note_failure(step.new, step.everything, conditions, step.now)
    patches = _status_patch(step, status)
    is_retrying = step.view.failure is not None
    writes = [*patches, *step.writes] if is_retrying else [*step.writes, *patches]
    left = progress.deadline_in(deployment, step.now)
    return Plan(writes, max(0.0, left) + 1 if left is not None and not deployment.spec.paused else None)


def _status_patch(step: _Step, status: Json) -> Sequence[Patch]:
    deployment, old = step.deployment, step.deployment.status
    before = {
        "observedGeneration": old.observed_generation,
        "replicas": old.replicas,
        "updatedReplicas": old.updated_replicas,
        "readyReplicas": old.ready_replicas,
        "availableReplicas": old.available_replicas,
        "unavailableReplicas": old.unavailable_replicas,
        "collisionCount": old.collision_count,
        "conditions": progress.conditions_of(deployment),
    }
    after = {**status, "collisionCount": step.collisions, "conditions": step.conditions}
    body: Json = {}
    if after != before:
        body["status"] = {name: value or None for name, value in after.items()}
        body["status"]["conditions"] = list(step.conditions.values())
    if step.revision is not None and deployment.metadata.annotations.get(REVISION) != str(step.revision):
        # Through the status, as upstream: a change of the annotation there does not raise the generation.
        body["metadata"] = {"annotations": {REVISION: str(step.revision)}}
    if not body:
        return ()
    return (Patch(DEPLOYMENTS, key_of(deployment), deployment.metadata.uid, body, subresource="status"),)
