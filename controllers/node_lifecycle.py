"""Notices nodes that fell silent: their conditions become Unknown, their pods not ready, and taints say so.

A node is silent when neither its Lease nor its heartbeat changed for `grace` seconds, counted by our own clock from
when *we* saw the last change (`sightings`, the only memory), so neither skewed clocks nor our restart condemn a node.
Conditions become taints: NoSchedule for each of them, and NoExecute for not-ready and unreachable, from which taint
eviction follows (see taint_eviction). While no node at all is ready the fault is more likely ours: no NoExecute then.
Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.kinds import LEASES, NODES, PODS
from apimachinery.objects.core_v1 import NodeCondition
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.events import reference
from client.plan import Event, Key, Patch, Plan, View, Watch, Write, itself, key_of
from controllers import pods
from controllers.views import (
    NODE,
    NODE_LEASES,
    Lease,
    Node,
    Pod,
    seconds,
)

GRACE = 40.0
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
#: Condition -> status -> the taint that says so.
TAINTS: Mapping[str, Mapping[str, str]] = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
}
OURS = {UNSCHEDULABLE, *(key for taints in TAINTS.values() for key in taints.values())}
OF_KUBELET = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass
class Sightings:
    """When each node's sign of life was seen to change."""

    seen: dict[str, tuple[object, float]] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)  # of the nodes that were told of

    def forget(self, node: str) -> str:
        """The uid of a node that is gone; "" where none was known."""
        self.seen.pop(node, None)
        return self.uids.pop(node, "")

    def is_new(self, node: str, uid: str) -> bool:
        """Whether the node is met for the first time; it is not the next time."""
        known, self.uids[node] = self.uids.get(node), uid
        return known != uid

    def since(self, node: str, sign: object, now: float) -> float:
        """Since when `sign` has been the same."""
        known = self.seen.get(node)
        if known is None or known[0] != sign:
            known = self.seen[node] = (sign, now)
        return known[1]


def _node_of_lease(lease: Lease, _view: View) -> Iterable[Key]:
    return (Key("", lease.metadata.name),)


def _all_nodes(_node: Node, view: View) -> Iterable[Key]:
    return [key_of(node) for node in view.list(NODES)]


def _readiness_changed(old: Node | None, new: Node | None) -> bool:
    return is_ready(old) != is_ready(new)


def condition(node: Node, type: str) -> NodeCondition | None:
    """The node's condition of a type."""
    return next((each for each in node.status.conditions if each.type == type), None)


def is_ready(node: Node | None) -> bool:
    """Whether the node says that it is ready."""
    found = condition(node, "Ready") if node is not None else None
    return found is not None and found.status == "True"


def _came_to_node(old: Pod | None, new: Pod | None) -> bool:
    return new is not None and bool(new.spec.node_name) and (old is None or pods.is_ready(old) != pods.is_ready(new))


@dataclass(frozen=True)
class NodeLifecycle:
    """The controller of nodes' conditions and taints."""

    grace: float = GRACE
    name: str = "node-lifecycle-controller"
    watches: Sequence[Watch] = (
        Watch(NODES, itself),
        Watch(NODES, _all_nodes, _readiness_changed),
        Watch(LEASES, _node_of_lease),
        Watch(PODS, lambda pod, _view: (Key("", pod.spec.node_name),), _came_to_node),
    )
    sightings: Sightings = field(default_factory=Sightings, repr=False)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        node: Node | None = view.get(NODES, key)
        if node is None:
            uid = self.sightings.forget(key.name)
            return Plan(
                [_told(key.name, uid, "RemovingNode", f"Removing Node {key.name} from Controller")] if uid else []
            )
        silent = now - self.sightings.since(key.name, _sign_of_life(node, view), now)
        is_silent = silent >= self.grace
        writes: list[Write | Event] = []
        if self.sightings.is_new(key.name, node.metadata.uid):
            told = f"Registered Node {key.name} in Controller"
            writes.append(_told(key.name, node.metadata.uid, "RegisteredNode", told))
        conditions = {each.type: each.status for each in node.status.conditions}
        if is_silent:
            writes += _silenced(node, now)
            conditions |= dict.fromkeys(OF_KUBELET, "Unknown")
            writes += _pods_not_ready(view.by(PODS, NODE, key.name), now)
        may_evict = any(is_ready(each) and each is not node for each in view.list(NODES))
        if "Ready" in conditions:  # a node that has just registered keeps the taints it came with
            writes += _taints(node, conditions, now, may_evict=may_evict)
        return Plan(writes, None if is_silent else self.grace - silent)


def _told(node: str, uid: str, reason: str, text: str) -> Event:
    """What becomes of a node with this controller (controller/util/node/controller_utils.go, RecordNodeEvent)."""
    about = {"apiVersion": NODES.api_version, "kind": NODES.kind, "name": node, "uid": uid}
    return Event(about, "Normal", reason, f"Node {node} event: {text}")


def _sign_of_life(node: Node, view: View) -> object:
    lease: Lease | None = view.get(LEASES, Key(NODE_LEASES, node.metadata.name))
    ready = condition(node, "Ready")
    renewed = lease.spec.renew_time if lease is not None else None
    return renewed, ready.last_heartbeat_time if ready is not None else None


def _silenced(node: Node, now: float) -> Sequence[Write | Event]:
    """Every condition the kubelet keeps becomes Unknown."""
    moment = rfc3339(now)
    changed: list[Json] = []
    for name in OF_KUBELET:
        current = condition(node, name)
        if current is not None and current.status == "Unknown":
            continue
        never = current is None
        body: Json = {
            "type": name,
            "status": "Unknown",
            "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
            "message": "Kubelet never posted node status." if never else "Kubelet stopped posting node status.",
            "lastTransitionTime": moment,
        }
        beat = current.last_heartbeat_time if current is not None else node.metadata.creation_timestamp
        changed.append(body | {"lastHeartbeatTime": rfc3339(seconds(beat))})
    if not changed:
        return ()
    body = {"status": {"conditions": changed}}
    patch = Patch(NODES, key_of(node), node.metadata.uid, body, subresource="status", type="strategic")
    if not is_ready(node):
        return (patch,)
    about = reference(node, kind=NODES.kind, api_version=NODES.api_version)
    text = f"Node {node.metadata.name} status is now: NodeNotReady"
    return (patch, Event(about, "Normal", "NodeNotReady", text))


def _pods_not_ready(on_node: Sequence[Pod], now: float) -> Sequence[Write | Event]:
    """Nobody can vouch for them: services stop sending traffic there."""
    writes: list[Write | Event] = []
    for pod in on_node:
        if pods.is_ready(pod):
            moment = rfc3339(now)
            ready = {"type": "Ready", "status": "False", "lastTransitionTime": moment}
            body = {"status": {"conditions": [ready]}}
            patch = Patch(PODS, key_of(pod), pod.metadata.uid, body, subresource="status", type="strategic")
            writes += [patch, Event(pods.reference(pod), "Warning", "NodeNotReady", "Node is not ready")]
    return sorted(writes, key=lambda write: isinstance(write, Event))


def _taints(node: Node, conditions: Mapping[str, str], now: float, *, may_evict: bool) -> Sequence[Patch]:
    """Our taints as the conditions have them, others as they are."""
    wanted = [
        (TAINTS[name][status], "NoSchedule") for name, status in conditions.items() if status in TAINTS.get(name, ())
    ]
    wanted += [(UNSCHEDULABLE, "NoSchedule")] if node.spec.unschedulable else []
    ready = TAINTS["Ready"].get(conditions.get("Ready", ""))
    has_it = any((taint.key, taint.effect) == (ready, "NoExecute") for taint in node.spec.taints)
    if ready and (may_evict or has_it):
        wanted.append((ready, "NoExecute"))
    is_ours = {(taint.key, taint.effect) for taint in node.spec.taints if _is_our(taint)}
    if is_ours == set(wanted):
        return ()
    kept = [_taint(taint) for taint in node.spec.taints if not _is_our(taint) or (taint.key, taint.effect) in wanted]
    fresh = [pair for pair in wanted if pair not in is_ours]
    added = [{"key": key, "effect": effect, "timeAdded": rfc3339(now)} for key, effect in fresh]
    body = {"spec": {"taints": kept + added}}
    version = node.metadata.resource_version  # the list is written whole: nobody else's taint may get lost
    return (Patch(NODES, key_of(node), node.metadata.uid, body, resource_version=version),)


def _is_our(taint: Any) -> bool:
    return taint.key in OURS and (taint.effect == "NoSchedule" or taint.key in (NOT_READY, UNREACHABLE))


def _taint(taint: Any) -> Json:
    tree: Json = {"key": taint.key, "effect": taint.effect}
    if taint.value:
        tree["value"] = taint.value
    if taint.time_added is not None:
        tree["timeAdded"] = rfc3339(seconds(taint.time_added))
    return tree
