"""Removes pods that nobody else will: those of nodes that are gone, and the oldest finished ones beyond a limit.

    finished      more than `threshold` pods that succeeded or failed: the oldest go
    orphaned      bound to a node that has been gone for 40 seconds: marked Failed, then removed
    unscheduled   being deleted without ever having had a node: no kubelet will confirm it
    out of service  being deleted on a node that was tainted out-of-service

All under one key, every 20 seconds. When a node was first missed is this controller's only memory: `missing`.
Source: pkg/controller/podgc/gc_controller.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import NODES, PODS
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.plan import Delete, Key, Patch, Plan, View, Watch, Write, key_of
from controllers import pods
from controllers.views import (
    Node,
    Pod,
    seconds,
)

ALL = Key("", "all pods")
PERIOD, QUARANTINE = 20.0, 40.0
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def _all(_item: object, _view: View) -> Iterable[Key]:
    return (ALL,)


def _node_went(_old: Node | None, new: Node | None) -> bool:
    return new is None


def _is_lost(_old: Pod | None, new: Pod | None) -> bool:
    """Whether a pod got into a state that needs no waiting for the next round."""
    return new is not None and new.metadata.deletion_timestamp is not None and not new.spec.node_name


@dataclass(frozen=True)
class PodGC:
    """The controller of pods without a keeper."""

    threshold: int = 12500
    name: str = "pod-garbage-collector-controller"
    watches: Sequence[Watch] = (Watch(NODES, _all, _node_went), Watch(PODS, _all, _is_lost))
    at_start: Sequence[Key] = (ALL,)
    missing: dict[str, float] = field(default_factory=dict, repr=False)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        every: Sequence[Pod] = view.list(PODS)
        gone = self._gone_nodes(every, view, now)
        writes: list[Write] = []
        for pod in every:
            deleting = pod.metadata.deletion_timestamp is not None
            if pod.spec.node_name in gone:
                writes += _removal(pod, "PodGC: node no longer exists", now)
            elif deleting and not pod.spec.node_name:
                writes += _removal(pod, "", now)
            elif deleting and _is_out_of_service(view.get(NODES, Key("", pod.spec.node_name))):
                writes += _removal(pod, "PodGC: node out of service", now)
        finished = sorted(filter(pods.is_terminal, every), key=lambda pod: seconds(pod.metadata.creation_timestamp))
        surplus = finished[: max(0, len(finished) - self.threshold)] if self.threshold > 0 else []
        writes += [_deletion(pod) for pod in surplus]
        return Plan(sorted(writes, key=lambda write: isinstance(write, Delete)), PERIOD)

    def _gone_nodes(self, every: Sequence[Pod], view: View, now: float) -> set[str]:
        named = {pod.spec.node_name for pod in every if pod.spec.node_name}
        absent = {name for name in named if view.get(NODES, Key("", name)) is None}
        for name in self.missing.keys() - absent:
            del self.missing[name]
        return {name for name in absent if now - self.missing.setdefault(name, now) >= QUARANTINE}


def _is_out_of_service(node: Node | None) -> bool:
    return node is not None and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _removal(pod: Pod, message: str, now: float) -> Sequence[Write]:
    """Mark the pod as failed by us, then delete it at once: there is no kubelet that could do either."""
    if not message or pods.is_terminal(pod):
        return (_deletion(pod),)
    status: Json = {
        "phase": "Failed",
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "DeletionByPodGC",
                "message": message,
                "lastTransitionTime": rfc3339(now),
            }
        ],
    }
    mark = Patch(PODS, key_of(pod), pod.metadata.uid, {"status": status}, subresource="status", type="strategic")
    return (mark, _deletion(pod))


def _deletion(pod: Pod) -> Delete:
    return Delete(PODS, key_of(pod), pod.metadata.uid, grace_period=0)
