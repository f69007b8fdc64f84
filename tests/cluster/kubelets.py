"""Simulated kubelets: nodes that renew their leases, and pods whose life is a list of stages (data, as in kwok).

All nodes are played by one controller on the ordinary runtime: a pod on a node that is up goes through the first stage
that fits it, after that stage's delay. A node that is down does nothing, as a dead machine.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.errors import ApiError
from apimachinery.kinds import LEASES, NODES, PODS
from apimachinery.times import rfc3339, rfc3339_micro
from apimachinery.types import Json
from client.client import Client
from client.events import EventRecorder
from client.plan import Delete, Key, Patch, Plan, View, Watch, itself, key_of
from client.runtime import Cached, Caches, Runtime
from controllers import pods
from controllers.cached import _node
from controllers.views import (
    NODE,
    NODE_LEASES,
    Node,
    Pod,
)

RENEWAL = 10.0
#: A pod's annotations that change its life: seconds from running to ready, seconds to stop; "never".
READY_AFTER, STOP_AFTER = "simulation/ready-after", "simulation/stop-after"


@dataclass(frozen=True)
class Stage:
    """From one state of a pod to the next: for which pods, after how long, what is written (None: it is deleted)."""

    name: str
    fits: Callable[[Pod], bool]
    delay: Callable[[Pod], float]
    status: Callable[[Pod, str, str], Json] | None


def _annotated(name: str, default: float) -> Callable[[Pod], float]:
    def delay(pod: Pod) -> float:
        text = pod.metadata.annotations.get(name, "")
        return float("inf") if text == "never" else float(text or default)

    return delay


def _conditions(moment: str, *, ready: bool) -> list[Json]:
    states = {"Initialized": True, "PodReadyToStartContainers": True, "ContainersReady": ready, "Ready": ready}
    return [{"type": t, "status": "True" if s else "False", "lastTransitionTime": moment} for t, s in states.items()]


def _running(pod: Pod, moment: str, address: str) -> Json:
    containers = [
        {
            "name": each.name,
            "ready": False,
            "started": True,
            "restartCount": 0,
            "image": "simulated",
            "imageID": "",
            "state": {"running": {"startedAt": moment}},
        }
        for each in pod.spec.containers
    ]
    return {
        "phase": "Running",
        "conditions": _conditions(moment, ready=False),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": moment,
        "containerStatuses": containers,
    }


def _ready(pod: Pod, moment: str, address: str) -> Json:
    return {"conditions": _conditions(moment, ready=True)}


def _is_leaving(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is not None


LIFE: Sequence[Stage] = (
    Stage("stop", _is_leaving, _annotated(STOP_AFTER, 0.5), None),
    Stage("run", lambda pod: pod.status.phase == "Pending", lambda _pod: 0.3, _running),
    Stage(
        "ready",
        lambda pod: pod.status.phase == "Running" and not pods.is_ready(pod),
        _annotated(READY_AFTER, 0.7),
        _ready,
    ),
)


@dataclass
class Kubelets:
    """The nodes of a simulated cluster."""

    client: Client
    clock: Callable[[], float]
    stages: Sequence[Stage] = LIFE
    up: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)  # by uid of the pod
    since: dict[tuple[str, str], float] = field(default_factory=dict)

    name = "kubelet"
    watches = (
        Watch(PODS, itself),
        Watch(NODES, lambda node, view: map(key_of, view.by(PODS, NODE, node.metadata.name))),
    )

    def __post_init__(self):
        self.caches = Caches(self.client, [Cached(PODS, Pod, {NODE: _node}), Cached(NODES, Node)], random=lambda: 0.5)
        recorder = EventRecorder(self.client, "kubelet", clock=self.clock)
        self.runtime = Runtime(self.client, self.caches, [self], recorder=lambda _name: recorder, clock=self.clock)

    def plan(self, key: Key, view: View, now: float) -> Plan:
        pod = view.get(PODS, key)
        if pod is None:
            return Plan()
        node = view.get(NODES, Key("", pod.spec.node_name))
        stage = next((each for each in self.stages if each.fits(pod)), None)
        if pod.spec.node_name not in self.up or node is None or stage is None:
            return Plan()
        due = self.since.setdefault((pod.metadata.uid, stage.name), now) + stage.delay(pod)
        if due == float("inf"):
            return Plan()
        if due - now > 1e-6:
            return Plan(again_in=due - now)
        if stage.status is None:
            self.addresses.pop(pod.metadata.uid, None)
            return Plan([Delete(PODS, key, pod.metadata.uid, grace_period=0)])
        if not node.spec.pod_cidr:
            return Plan(again_in=0.5)
        status = stage.status(pod, rfc3339(now), self._address(pod, node))
        return Plan([Patch(PODS, key, pod.metadata.uid, {"status": status}, subresource="status", type="strategic")])

    def _address(self, pod: Pod, node: Node) -> str:
        uid = pod.metadata.uid
        if uid not in self.addresses:
            taken = set(self.addresses.values())
            hosts = list(ipaddress.ip_network(node.spec.pod_cidr).hosts())[1:]
            self.addresses[uid] = next(str(each) for each in hosts if str(each) not in taken)
        return self.addresses[uid]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.caches.run())
            await self.caches.wait_synced()
            tasks.create_task(self.runtime.run())
            tasks.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            for name in sorted(self.up):
                spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": rfc3339_micro(self.clock())}
                try:
                    await self.client.patch(LEASES, NODE_LEASES, name, {"spec": spec})
                except ApiError as error:
                    if error.code != 404:
                        raise
                    owner = await self.client.get(NODES, "", name)
                    meta = {"name": name, "namespace": NODE_LEASES, "ownerReferences": [_reference(owner)]}
                    await self.client.create(LEASES, {"metadata": meta, "spec": spec})
            await asyncio.sleep(RENEWAL)

    async def join(self, name: str, *, cpu: str = "4", labels: Json | None = None) -> None:
        """A machine comes up and registers itself."""
        capacity = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
        meta = {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        await self.client.create(NODES, {"metadata": meta, "spec": {}})
        self.up.add(name)
        await self._report(name, {"capacity": capacity, "allocatable": capacity})

    async def start(self, name: str) -> None:
        """A machine that was down is up again."""
        self.up.add(name)
        await self._report(name, {})

    def stop(self, name: str) -> None:
        """The machine dies without a word."""
        self.up.discard(name)

    async def _report(self, name: str, status: Json) -> None:
        moment = rfc3339(self.clock())
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
        others = [{"type": f"{each}Pressure", "status": "False"} for each in ("Memory", "Disk", "PID")]
        stamps = {"lastHeartbeatTime": moment, "lastTransitionTime": moment}
        conditions = [{**each, **stamps} for each in (ready, *others)]
        body: Any = {"status": {**status, "conditions": conditions}}
        await self.client.patch(NODES, "", name, body, type="strategic", subresource="status")


def _reference(owner: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Node", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
