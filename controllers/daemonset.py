"""Keeps one pod of a DaemonSet on each node that is fit for one, and brings them to a changed template.

First the nodes are seen to (a pod where there is none, none where it does not belong, none that is finished); when
there is nothing to do, the update takes its next step (see daemon_update). A pod that fails is replaced with back-off
for each node, lest the controller and a kubelet that refuses the pod chase one another.
Source: pkg/controller/daemon/daemon_controller.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.annotation_numbers import int64
from apimachinery.kinds import CONTROLLERREVISIONS, DAEMONSETS, NODES, PODS
from apimachinery.selectors import LabelSelector, from_label_selector
from apimachinery.types import Json
from client.events import reference
from client.plan import Event, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import daemon_history, daemon_nodes, daemon_update, pods
from controllers.history import REVISION_LABEL
from controllers.ownership import OwnerOrMatching, claim, owner_reference
from controllers.views import (
    Node,
    Pod,
    seconds,
)
from controllers.workload_views import (
    DaemonSet,
)

BURST = 250
BACKOFF, BACKOFF_MAX = 1.0, 900.0
GENERATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"


def selector_of(owner: DaemonSet) -> LabelSelector:
    """Which pods may be the DaemonSet's."""
    return from_label_selector(owner.spec.selector)


def _everyone(_node: Any, view: View) -> Iterable[Key]:
    return map(key_of, view.list(DAEMONSETS))


@dataclass
class Backoffs:
    """How long a failed pod of a node stays before it is replaced: twice as long each time, forgotten after a while."""

    known: dict[str, tuple[float, float]] = field(default_factory=dict)  # (since, how long)

    def left(self, key: str, now: float) -> float:
        """Seconds still to wait; 0 starts the next wait."""
        self._forget(now)
        since, length = self.known.get(key, (0.0, 0.0))
        if now < since + length:
            return since + length - now
        self.known[key] = (now, min(length * 2, BACKOFF_MAX) or BACKOFF)
        return 0.0

    def _forget(self, now: float) -> None:
        for key in [key for key, (since, _) in self.known.items() if now > since + 2 * BACKOFF_MAX]:
            del self.known[key]


@dataclass
class _Step:
    """One plan in the making."""

    owner: DaemonSet
    hash: str
    fit: Mapping[str, tuple[bool, bool]]  # node -> should run, may go on
    found: Mapping[str, Sequence[Pod]]  # node -> pods, but for finished ones on their way out
    now: float
    doomed: list[Pod] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def about(self) -> Json:
        return reference(self.owner, kind=DAEMONSETS.kind, api_version=DAEMONSETS.api_version)

    def is_available(self, pod: Pod) -> bool:
        return pods.available_in(pod, self.owner.spec.min_ready_seconds, self.now) == 0

    def is_updated(self, pod: Pod) -> bool:
        labels, generation = pod.metadata.labels, _generation(self.owner)
        return labels.get(REVISION_LABEL) == self.hash or (
            generation is not None and labels.get(GENERATION_LABEL) == generation
        )


def _generation(owner: DaemonSet) -> str | None:
    number = int64(owner.metadata.annotations.get(GENERATION, ""))
    return None if number is None else str(number)


def _age(pod: Pod) -> tuple[bool, float, str]:
    """Sorts pods: those on their node first, then from the oldest."""
    return not pod.spec.node_name, seconds(pod.metadata.creation_timestamp), pod.metadata.name


@dataclass(frozen=True)
class DaemonSetController:
    """The controller of DaemonSets."""

    name: str = "daemonset-controller"
    watches: Sequence[Watch] = (
        Watch(DAEMONSETS, itself),
        Watch(PODS, OwnerOrMatching(DAEMONSETS, selector_of)),
        Watch(CONTROLLERREVISIONS, OwnerOrMatching(DAEMONSETS, selector_of)),
        Watch(NODES, _everyone, daemon_nodes.placement_changed),
    )
    backoffs: Backoffs = field(default_factory=Backoffs, repr=False)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        owner: DaemonSet | None = view.get(DAEMONSETS, key)
        if owner is None:
            return Plan()
        if not any(owner.spec.selector.get(part) for part in ("matchLabels", "matchExpressions")):
            return Plan(_selects_everything(owner))
        if owner.metadata.deletion_timestamp is not None:
            return Plan()  # what is left of its revisions and pods is the garbage collector's
        recorded = claim(view, DAEMONSETS, owner, selector_of(owner), CONTROLLERREVISIONS)
        members = claim(view, DAEMONSETS, owner, selector_of(owner), PODS)
        line = daemon_history.line_up(owner, recorded.mine, members.mine, view)
        fits = daemon_nodes.fitness(owner)
        nodes: Sequence[Node] = sorted(view.list(NODES), key=lambda node: str(node.metadata.name))
        fit = {node.metadata.name: fits(node) for node in nodes}
        step = _Step(owner, line.hash, fit, _by_node(members.mine), now)
        writes: list[Write | Event] = [*recorded.patches, *members.patches, *line.writes]
        writes += _status_patch(step, line.collisions)
        if line.is_settled:
            self._advance(step)
            writes += _pod_writes(step)
            writes += daemon_history.surplus(owner, line.old, members.mine)
        waits = [pods.available_in(pod, owner.spec.min_ready_seconds, now) for pod in members.mine]
        return Plan(writes, min((wait for wait in (*waits, *step.waits) if wait), default=None))

    def _advance(self, step: _Step) -> None:
        for node, (should_run, may_go_on) in step.fit.items():
            found = step.found.get(node)
            if should_run and found is None:
                step.nodes.append(node)
            elif may_go_on:
                self._see_to(step, node, found or (), should_run=should_run)
            else:
                step.doomed += [pod for pod in found or () if pod.metadata.deletion_timestamp is None]
        # A pod meant for a node that is gone is never scheduled, so that nobody else would remove it.
        lost = [pod for node, found in step.found.items() if node not in step.fit for pod in found]
        step.doomed += [pod for pod in lost if not pod.spec.node_name and pod.metadata.deletion_timestamp is None]
        if not step.doomed and not step.nodes and step.owner.spec.update_strategy.type == "RollingUpdate":
            _update(step)

    def _see_to(self, step: _Step, node: str, found: Sequence[Pod], *, should_run: bool) -> None:
        """Remove what is finished or too many of a node's pods."""
        running = []
        for pod in found:
            if pod.metadata.deletion_timestamp is not None:
                continue
            if not pods.is_terminal(pod):
                running.append(pod)
            elif pod.status.phase == "Succeeded" or not self._must_wait(step, node):
                _note_finished(step, pod, node)
                step.doomed.append(pod)
        running.sort(key=_age)
        if not daemon_update.allows_surge(step.owner):
            step.doomed += running[1:]
        elif running:
            step.doomed += _too_many_while_surging(step, running)
        elif should_run:
            step.nodes.append(node)

    def _must_wait(self, step: _Step, node: str) -> bool:
        owner = step.owner
        key = f"{owner.metadata.uid}/{owner.status.observed_generation}/{node}"
        left = self.backoffs.left(key, step.now)
        step.waits.append(left)
        return left > 0


def _selects_everything(owner: DaemonSet) -> Sequence[Event]:
    about = reference(owner, kind=DAEMONSETS.kind, api_version=DAEMONSETS.api_version)
    text = "This daemon set is selecting all pods. A non-empty selector is required."
    return [Event(about, "Warning", "SelectingAll", text)]


def _note_finished(step: _Step, pod: Pod, node: str) -> None:
    where = f"daemon pod {pod.metadata.namespace}/{pod.metadata.name} on node {node}"
    if pod.status.phase == "Failed":
        event = Event(step.about, "Warning", "FailedDaemonPod", f"Found failed {where}, will try to kill it")
    else:
        event = Event(step.about, "Normal", "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it")
    step.events.append(event)


def _too_many_while_surging(step: _Step, running: Sequence[Pod]) -> Sequence[Pod]:
    """All but the oldest new and the oldest old pod; of these the old one too, once it is of no more use."""
    new = [pod for pod in running if pod.metadata.labels.get(REVISION_LABEL) == step.hash]
    old = [pod for pod in running if pod not in new]
    if len(running) == 1:
        return ()
    is_spent = bool(new and old) and (not pods.is_ready(old[0]) or step.is_available(new[0]))
    return [*new[1:], *old[0 if is_spent else 1 :]]


def _by_node(mine: Sequence[Pod]) -> Mapping[str, Sequence[Pod]]:
    found: dict[str, list[Pod]] = {}
    for pod in mine:
        is_leaving = pods.is_terminal(pod) and pod.metadata.deletion_timestamp is not None
        node = daemon_nodes.target(pod)
        if node and not is_leaving:
            found.setdefault(node, []).append(pod)
    return found


def _update(step: _Step) -> None:
    desired = [node for node, (should_run, _) in step.fit.items() if should_run]
    everywhere: dict[str, Sequence[Pod]] = dict.fromkeys(desired, ()) | dict(step.found)
    situation = daemon_update.Situation(
        everywhere, lambda node: step.fit.get(node, (False, False))[0], step.is_updated, step.is_available
    )
    following = daemon_update.next_step(step.owner, situation, len(desired))
    step.doomed += following.doomed
    step.nodes += following.nodes


def _pod_writes(step: _Step) -> Sequence[Write | Event]:
    owner, about = step.owner, step.about
    made = [pods.creation(_pod(owner, step.hash, node), about) for node in step.nodes[:BURST]]
    return [*step.events, *made, *(pods.deletion(pod, about) for pod in step.doomed[:BURST])]


def _pod(owner: DaemonSet, suffix: str, node: str) -> Json:
    meta = owner.metadata
    body = pods.from_template(owner.spec.template, meta.name, meta.namespace, owner_reference(DAEMONSETS, meta))
    labels = {**body["metadata"].get("labels", {}), REVISION_LABEL: suffix}
    generation = _generation(owner)
    if generation is not None:
        labels[GENERATION_LABEL] = generation
    return {"metadata": {**body["metadata"], "labels": labels}, "spec": daemon_nodes.bound_to(body["spec"], node)}


# ----------------------------------------------------------------------------------------------------- status


def _status(step: _Step) -> Json:
    desired = [node for node, (should_run, _) in step.fit.items() if should_run]
    first = [min(step.found[node], key=_age) for node in desired if step.found.get(node)]
    ready = [pod for pod in first if pods.is_ready(pod)]
    available = sum(map(step.is_available, ready))
    return {
        "desiredNumberScheduled": len(desired),
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(bool(step.found.get(node)) for node, fits in step.fit.items() if not fits[0]),
        "numberReady": len(ready),
        "updatedNumberScheduled": sum(map(step.is_updated, first)),
        "numberAvailable": available,
        "numberUnavailable": len(desired) - available,
        "observedGeneration": step.owner.metadata.generation,
    }


def _status_patch(step: _Step, collisions: int | None) -> Sequence[Patch]:
    owner, old = step.owner, step.owner.status
    before = {
        "desiredNumberScheduled": old.desired_number_scheduled,
        "currentNumberScheduled": old.current_number_scheduled,
        "numberMisscheduled": old.number_misscheduled,
        "numberReady": old.number_ready,
        "updatedNumberScheduled": old.updated_number_scheduled,
        "numberAvailable": old.number_available,
        "numberUnavailable": old.number_unavailable,
        "observedGeneration": old.observed_generation,
        "collisionCount": old.collision_count,
    }
    after = {**_status(step), "collisionCount": collisions}
    if after == before:
        return ()
    shown = ("desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady")
    body = {"status": {name: value if value or name in shown else None for name, value in after.items()}}
    return (Patch(DAEMONSETS, key_of(owner), owner.metadata.uid, body, subresource="status"),)
