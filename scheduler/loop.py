"""The loop of the scheduler: takes pods from the backlog, places them on a snapshot, binds them on the server.

Placing and binding are apart: a placed pod is assumed at once, so that the next one sees the room taken, while its
binding travels. A binding that fails is forgotten and the pod tried again. Two schedulers never harm: the server
accepts one binding for a pod and refuses the other.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import structlog
from prometheus_client import Counter, Gauge, Histogram

from apimachinery.errors import ApiError
from apimachinery.kinds import NODES, PODS
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from client.events import NORMAL, WARNING, EventRecorder
from scheduler.backlog import Backlog, Waiting
from scheduler.place import DEFAULT, Decision, Profile, place
from scheduler.state import State
from scheduler.views import Node, Pod
from scheduler.volumes import Needs, Unready, VolumeBinding, Volumes, Write, claims_of

SCHEDULER_NAME = "default-scheduler"
BINDINGS_AT_ONCE = 64
VOLUMES_WITHIN = 600.0  # seconds for a pod's volumes to be bound, upstream's bindTimeoutSeconds
#: How many pods to place before other tasks (watches, bindings) get their turn.
BATCH = 32

_log = structlog.get_logger("scheduler")
_ATTEMPTS = Counter("scheduler_schedule_attempts_total", "Attempts by result.", ("result", "profile"))
_ALGORITHM = Histogram("scheduler_scheduling_algorithm_duration_seconds", "Time to place one pod.")
_PENDING = Gauge("scheduler_pending_pods", "Pods that wait for a node.")


class Scheduler:
    """One scheduler. `run` serves until cancelled; `clock` is wall time for the conditions it writes."""

    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        *,
        profile: Profile = DEFAULT,
        name: str = SCHEDULER_NAME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client, self.recorder, self.profile, self.name, self.clock = client, recorder, profile, name, clock
        self.nodes = Cache(client, NODES, Node)
        self.pods = Cache(client, PODS, Pod)
        self.volumes = Volumes(client, self._uses)
        self.state = State()
        self.backlog = Backlog()
        self._wake = asyncio.Event()
        self._bindings = asyncio.Semaphore(BINDINGS_AT_ONCE)
        self._under_way = 0
        self._bound = asyncio.Event()  # set, and replaced, when a claim or a volume changes

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now (for tests that wait until everything has settled)."""
        return not self._under_way and not self._wake.is_set()

    async def run(self) -> None:
        """Places pods for ever."""
        self.nodes.subscribe(self._node_changed)
        self.pods.subscribe(self._pod_changed)
        for cache in self.volumes.caches:
            cache.subscribe(self._volume_changed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.nodes.run())
            tasks.create_task(self.pods.run())
            for cache in self.volumes.caches:
                tasks.create_task(cache.run())
            for each in (self.nodes, self.pods, *self.volumes.caches):
                await each.wait_synced()
            while True:
                self._wake.clear()
                await self._drain(tasks)
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.backlog.next_due(self._now())):
                await self._wake.wait()
        except TimeoutError:
            self.backlog.wake_stale(self._now())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        node = new or old
        assert node is not None
        if self.state.set_node(node.metadata.name, new):
            self.backlog.wake()
            self._wake.set()

    def _uses(self, claim: str, namespace: str, but: str) -> bool:
        """Whether any pod that has, or is about to have, a node uses the claim; `but` is the uid of one that may."""
        return any(
            pod.metadata.uid != but
            and not pod.is_finished
            and (pod.spec.node_name or pod.metadata.uid in self.state.assumed)
            and any(name == claim for name, _ in claims_of(pod))
            for pod in self.pods.list(namespace)
        )

    def _volume_changed(self, _old: object, _new: object) -> None:
        self.backlog.wake()
        self._wake.set()
        self._bound.set()
        self._bound = asyncio.Event()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        if self.state.set_pod(pod.metadata.uid, new):
            self.backlog.wake()
        if pod.metadata.uid in self.state.assumed:
            return  # its binding is under way and will tell
        if new is not None and self._is_ours(new):
            self.backlog.put(new)
        else:
            self.backlog.drop(pod.metadata.uid)
        self._wake.set()

    def _is_ours(self, pod: Pod) -> bool:
        is_waiting = not pod.spec.node_name and not pod.metadata.deletion_timestamp and not pod.is_finished
        mine = (pod.spec.scheduler_name or SCHEDULER_NAME) == self.name
        return is_waiting and mine and not pod.spec.scheduling_gates

    async def _drain(self, tasks: asyncio.TaskGroup) -> None:
        done = 0
        while (waiting := self.backlog.take(self._now())) is not None:
            needs, decision = self._place(waiting.pod)
            self._under_way += 1
            if decision.node is None:
                self.backlog.park(waiting, self._now())
                tasks.create_task(self._report(waiting, decision))
            else:
                self.state.assume(waiting.pod, decision.node)
                first = self.volumes.promise(waiting.pod, needs, decision.node, self.state.snapshot())
                tasks.create_task(self._bind(waiting, decision.node, first))
            done += 1
            if done % BATCH == 0:
                await asyncio.sleep(0)
        _PENDING.set(len(self.backlog))

    def _place(self, pod: Pod) -> tuple[Needs, Decision]:
        nodes = self.state.snapshot()
        order = np.random.default_rng(_seed(pod)).permutation(len(nodes))
        try:
            needs = self.volumes.needs(pod)
        except Unready as reason:
            return Needs(), Decision(None, {}, len(nodes), str(reason))
        profile = self.profile
        if needs:
            profile = replace(profile, filters=(*profile.filters, VolumeBinding(needs, self.volumes.promises)))
        with _ALGORITHM.time():
            return needs, place(profile, self.state.row(pod), nodes, order)

    async def _bind_volumes(self, pod: Pod, node: str, writes: Sequence[Write]) -> None:
        """Reserve the pod's volumes and wait until they are bound. Raises Unready."""
        try:
            for write in writes:
                await self.client.patch(write.kind, write.namespace, write.name, write.body)
            async with asyncio.timeout(VOLUMES_WITHIN):
                while not self.volumes.state(pod, node):
                    if self._is_bound(pod):
                        raise Unready("pod does not exist any more")
                    await self._bound.wait()
        except TimeoutError as error:
            raise Unready("timed out waiting for the condition") from error
        except ApiError as error:  # somebody else was faster, or a claim has gone
            raise Unready(str(error)) from error
        finally:
            self.volumes.release(pod.metadata.uid)

    async def _bind(self, waiting: Waiting, node: str, first: Sequence[Write] | None) -> None:
        """`first` is to be written before; None where no volume has to be waited for."""
        pod = waiting.pod
        try:
            if first is not None:
                await self._bind_volumes(pod, node, first)
            async with self._bindings:
                await self.client.create(
                    PODS,
                    _binding(pod, node),
                    namespace=pod.metadata.namespace,
                    name=pod.metadata.name,
                    subresource="binding",
                )
        except Unready as reason:
            self._volumes_failed(waiting, f"binding volumes: {reason}")
        except ApiError as error:
            self._bind_failed(waiting, error)
        else:
            self.backlog.drop(pod.metadata.uid)
            _ATTEMPTS.labels("scheduled", self.name).inc()
            self.recorder.event(reference(pod), NORMAL, "Scheduled", f"Successfully assigned {pod.key} to {node}")
        finally:
            self._under_way -= 1
            self._wake.set()

    def _bind_failed(self, waiting: Waiting, error: ApiError) -> None:
        self.state.forget(waiting.pod.metadata.uid)
        _ATTEMPTS.labels("error", self.name).inc()
        if error.reason == "NotFound" or (error.reason == "Conflict" and self._is_bound(waiting.pod)):
            self.backlog.drop(waiting.pod.metadata.uid)
            return
        _log.warning("binding failed", pod=waiting.pod.key, error=str(error))
        self.recorder.event(reference(waiting.pod), WARNING, "FailedScheduling", f"binding rejected: {error}")
        self.backlog.retry(waiting, self._now())

    def _volumes_failed(self, waiting: Waiting, message: str) -> None:
        self.state.forget(waiting.pod.metadata.uid)
        if self._is_bound(waiting.pod):
            self.backlog.drop(waiting.pod.metadata.uid)
            return
        self.recorder.event(reference(waiting.pod), WARNING, "FailedScheduling", message)
        self.backlog.retry(waiting, self._now())

    def _is_bound(self, pod: Pod) -> bool:
        current = self.pods.get(pod.metadata.namespace, pod.metadata.name)
        return current is None or current.metadata.uid != pod.metadata.uid or bool(current.spec.node_name)

    async def _report(self, waiting: Waiting, decision: Decision) -> None:
        """Tells why a pod waits: an event, and the pod's condition."""
        pod = waiting.pod
        try:
            _ATTEMPTS.labels("unschedulable", self.name).inc()
            self.recorder.event(reference(pod), WARNING, "FailedScheduling", decision.message)
            if waiting.reported == decision.message:
                return
            body = {
                "metadata": {"uid": pod.metadata.uid},
                "status": {"conditions": [self._condition(pod, decision.message)]},
            }
            await self.client.patch(
                PODS, pod.metadata.namespace, pod.metadata.name, body, type="strategic", subresource="status"
            )
            waiting.reported = decision.message
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                _log.warning("condition not written", pod=pod.key, error=str(error))
        finally:
            self._under_way -= 1

    def _condition(self, pod: Pod, message: str) -> Json:
        return {
            "type": "PodScheduled",
            "observedGeneration": pod.metadata.generation,
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock())),
        }


def reference(pod: Pod) -> Json:
    """The pod as an event refers to it."""
    meta = pod.metadata
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta.namespace,
        "name": meta.name,
        "uid": meta.uid,
        "resourceVersion": meta.resource_version,
    }


def _binding(pod: Pod, node: str) -> Json:
    metadata = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid}
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}


def _seed(pod: Pod) -> int:
    """A number that is the pod's own, so that any decision can be repeated from a snapshot."""
    return random.Random(pod.metadata.uid).getrandbits(32)  # noqa: S311  (ties, not secrets)
