"""Removes pods from nodes with NoExecute taints that they do not tolerate, or not for so long.

The shortest tolerationSeconds counts, from when the taint was set; for a taint that does not say when, from when we
first saw the pod under it (`first_seen`, the only memory). Source: pkg/controller/tainteviction/taint_eviction.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import NODES, PODS
from apimachinery.objects.core_v1 import Taint
from apimachinery.placement import tolerates
from apimachinery.times import rfc3339
from client.plan import Delete, Event, Key, Patch, Plan, View, Watch, itself, key_of
from controllers import pods
from controllers.views import (
    NODE,
    Node,
    Pod,
    seconds,
)


def _pods_on(node: Node, view: View) -> Iterable[Key]:
    return [key_of(pod) for pod in view.by(PODS, NODE, node.metadata.name)]


def _taints_changed(old: Node | None, new: Node | None) -> bool:
    return (old.spec.taints if old else ()) != (new.spec.taints if new else ())


def _placement_changed(old: Pod | None, new: Pod | None) -> bool:
    if old is None or new is None:
        return True
    return (old.spec.node_name, old.spec.tolerations) != (new.spec.node_name, new.spec.tolerations)


def stay(pod: Pod, taints: Sequence[Taint]) -> float | None:
    """How long the pod may stay under these taints: 0 not at all, None for ever."""
    limits: list[float] = []
    for taint in taints:
        covering = [each for each in pod.spec.tolerations if tolerates(each, taint)]
        if not covering:
            return 0.0
        limits += [max(0, each.toleration_seconds) for each in covering if each.toleration_seconds is not None]
    return min(limits, default=None)


@dataclass(frozen=True)
class TaintEviction:
    """The controller of pods under NoExecute taints."""

    name: str = "taint-eviction-controller"
    watches: Sequence[Watch] = (Watch(PODS, itself, _placement_changed), Watch(NODES, _pods_on, _taints_changed))
    first_seen: dict[str, float] = field(default_factory=dict, repr=False)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        pod: Pod | None = view.get(PODS, key)
        node: Node | None = view.get(NODES, Key("", pod.spec.node_name)) if pod is not None else None
        taints = [taint for taint in node.spec.taints if taint.effect == "NoExecute"] if node is not None else []
        limit = stay(pod, taints) if pod is not None else None
        if pod is None or limit is None or pod.metadata.deletion_timestamp is not None:
            if pod is not None:
                self.first_seen.pop(pod.metadata.uid, None)
            return Plan()
        seen = self.first_seen.setdefault(pod.metadata.uid, now)
        since = min((seconds(taint.time_added) or seen for taint in taints), default=seen)
        left = since + limit - now
        if left > 0:
            return Plan(again_in=left)
        self.first_seen.pop(pod.metadata.uid, None)
        return Plan(_eviction(pod, now))


def _eviction(pod: Pod, now: float) -> Sequence[Patch | Event | Delete]:
    reason = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": rfc3339(now),
    }
    body = {"status": {"conditions": [reason]}}
    text = f"Marking for deletion Pod {pod.metadata.namespace}/{pod.metadata.name}"
    return (
        Event(pods.reference(pod), "Normal", "TaintManagerEviction", text),
        Patch(PODS, key_of(pod), pod.metadata.uid, body, subresource="status", type="strategic"),
        Delete(PODS, key_of(pod), pod.metadata.uid),
    )
