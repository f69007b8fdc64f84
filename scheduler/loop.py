"""The loop of the scheduler: takes pods from the backlog, places them on a snapshot, binds them on the server.

Placing and binding are apart: a placed pod is assumed at once, so that the next one sees the room taken, while its
binding travels. A binding that fails is forgotten and the pod tried again. A pod that fits nowhere may evict others
(preemption.py): it is promised the node and parked until they have gone. Two schedulers never harm: the server accepts
one binding for a pod and refuses the other.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np
import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import NAMESPACES, NODES, PODDISRUPTIONBUDGETS, PODS
from apimachinery.selectors import EVERYTHING
from client.cache import Cache
from client.client import Client
from client.events import EventRecorder
from scheduler import metrics
from scheduler.backlog import Backlog, Waiting
from scheduler.binding import Binder
from scheduler.events import Change, Event, node_events, pod_events
from scheduler.evicting import evict
from scheduler.owners import Owners
from scheduler.place import DEFAULT, Decision, Profile, place
from scheduler.preemption import Budget, Preemption, Trial, preempt
from scheduler.state import State
from scheduler.telling import ERROR, UNSCHEDULABLE, Teller
from scheduler.views import SCHEDULER_NAME, Namespace, Node, Pod
from scheduler.volume_filters import UNREADY, Needs
from scheduler.volumes import Unready, Volumes, Write

#: How many pods to place before other tasks (watches, bindings) get their turn; one that fits nowhere takes far longer.
BATCH = 32
#: What upstream's DynamicResources says after a pod without resource claims fitted nowhere, before preemption; and
#: where it was not asked before, because the pod's volumes were not ready, that it knows nothing.
_NO_CLAIMS, _NOT_ASKED = "no new claims to deallocate", "not found"

_log = structlog.get_logger("scheduler")


class Scheduler:
    """One scheduler. `run` serves until cancelled; `clock` is wall time for the conditions it writes.

    It places the pods whose schedulerName is that of a profile; a profile may have a recorder of its own for events.
    """

    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        *,
        profiles: Mapping[str, Profile] = MappingProxyType({SCHEDULER_NAME: DEFAULT}),
        recorders: Mapping[str, EventRecorder] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client, self.profiles = client, profiles
        self.teller = Teller(client, recorder, recorders, clock)
        self.nodes = Cache(client, NODES, Node)
        self.pods = Cache(client, PODS, Pod)
        self.namespaces = Cache(client, NAMESPACES, Namespace)
        self.budgets = Cache(client, PODDISRUPTIONBUDGETS, Budget)
        self.volumes = Volumes(client)
        self.owners = Owners(client)
        self.state = State()
        self.backlog = Backlog()
        self.binder = Binder(client, self.volumes, self._is_bound)
        self._wake = asyncio.Event()
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do now (for tests that wait until everything has settled)."""
        return not self._under_way and not self._wake.is_set()

    def held(self) -> Mapping[str, int]:
        """How much is held in memory, by upstream's names."""
        return {"assumed_pods": len(self.state.assumed), "nodes": len(self.state.nodes), "pods": len(self.pods)}

    async def run(self) -> None:
        """Places pods for ever."""
        self.nodes.subscribe(self._node_changed)
        self.pods.subscribe(self._pod_changed)
        self.namespaces.subscribe(self._namespace_changed)
        for cache in self.volumes.caches:
            cache.subscribe(self._volume_changed)
        caches: tuple[Cache[Any], ...] = (
            self.nodes,
            self.pods,
            self.namespaces,
            self.budgets,
            *self.volumes.caches,
            *self.owners.caches,
        )
        async with asyncio.TaskGroup() as tasks:
            for each in caches:
                tasks.create_task(each.run())
            for each in caches:
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

    # ------------------------------------------------------------------------------------------------- what happens

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        node = new or old
        assert node is not None
        self.state.set_node(node.metadata.name, new)
        for event in node_events(old, new):
            self.backlog.wake(event)
            self._wake.set()

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self.state.namespaces[new.metadata.name] = new.metadata.labels
        elif old is not None:
            self.state.namespaces.pop(old.metadata.name, None)

    def _volume_changed(self, _old: object, _new: object) -> None:
        self.backlog.wake(Event(Change.VOLUMES))
        self._wake.set()
        self.binder.volumes_changed()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        uid = pod.metadata.uid
        self.state.set_pod(uid, new)
        for event in pod_events(old, new):
            self.backlog.wake(event)
        self._nomination_changed(old, new)
        if uid in self.state.assumed:
            return  # its binding is under way and will tell
        if new is not None and self._is_ours(new):
            self.backlog.put(new, self._now())
        else:
            self.backlog.drop(uid)
            self.state.nominated.pop(uid, None)
        self._wake.set()

    def _nomination_changed(self, old: Pod | None, new: Pod | None) -> None:
        """A node promised to a pod, or given up by it; what is no more important may go there then."""
        was = old.status.nominated_node_name if old is not None and not old.spec.node_name else ""
        now = new.status.nominated_node_name if new is not None and not new.spec.node_name else ""
        if was == now:
            return
        if new is not None:
            self.state.nominate(new, now)
        if was and old is not None and not (new is not None and new.spec.node_name):
            self.backlog.wake(Event(Change.POD_REMOVED, old), at_most=old.priority)

    def _is_ours(self, pod: Pod) -> bool:
        is_waiting = not pod.spec.node_name and not pod.metadata.deletion_timestamp and not pod.is_finished
        mine = pod.scheduler in self.profiles
        return is_waiting and mine and not pod.spec.scheduling_gates

    # ------------------------------------------------------------------------------------------------- placing

    async def _drain(self, tasks: asyncio.TaskGroup) -> None:
        done = 0
        while (waiting := self.backlog.take(self._now())) is not None:
            for work in self._attempt(waiting):
                self._under_way += 1
                tasks.create_task(self._finish(work))
            done += 1 if waiting.pod.metadata.uid in self.state.assumed else BATCH
            if done >= BATCH:
                done = 0
                await asyncio.sleep(0)

    async def _finish(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            self._under_way -= 1
            self._wake.set()

    def _attempt(self, waiting: Waiting) -> Sequence[Coroutine[None, None, None]]:
        """Places one pod; gives what is left to do on the server."""
        pod = waiting.pod
        try:
            needs = self.volumes.needs(pod)
        except Unready as reason:
            decision = Decision(None, {}, len(self.state.nodes), str(reason), (UNREADY,), after=_NOT_ASKED)
            return self._parked(waiting, decision, None)
        trial, order = self._trial(pod, needs), np.random.default_rng(_seed(pod)).permutation(len(self.state.nodes))
        began = perf_counter()
        decision = place(
            trial.filters,
            self.profiles[pod.scheduler].scores,
            trial.pod,
            trial.nodes,
            order,
            expected=trial.expected,
            nominated=pod.status.nominated_node_name,
        )
        metrics.ALGORITHM.of().add(perf_counter() - began)
        if decision.node is None:
            return self._unplaced(waiting, trial, decision)
        self.state.assume(pod, decision.node)
        self.backlog.placed(pod.metadata.uid)
        first = self.volumes.promise(pod, needs, decision.node, trial.nodes)
        return (self._bind(waiting, decision.node, first),)

    def _trial(self, pod: Pod, needs: Needs) -> Trial:
        owners = EVERYTHING if pod.spec.topology_spread_constraints else self.owners.selector(pod)
        profile = self.profiles[pod.scheduler]
        row = self.state.row(pod, owners, profile.spread)
        return Trial(
            profile.with_volumes(self.volumes.filters(pod, needs)), row, self.state.snapshot(), self.state.expected(pod)
        )

    def _unplaced(self, waiting: Waiting, trial: Trial, decision: Decision) -> Sequence[Coroutine[None, None, None]]:
        """No node: the pod makes itself room, or waits."""
        pod = waiting.pod
        if not decision.nodes or not self.profiles[pod.scheduler].preempts:
            return self._parked(waiting, replace(decision, after=_NO_CLAIMS if decision.nodes else ""), "")
        found = preempt(trial, np.flatnonzero(decision.hopeful), self.state.on, self.budgets.list(), _seed(pod))
        metrics.PREEMPTIONS.of().value += 1
        if not found.node:
            why = f"{_NO_CLAIMS}, preemption: {found.why}"
            return self._parked(waiting, replace(decision, after=why), "" if found.gives_up else None)
        metrics.VICTIMS.of().add(len(found.victims))
        self._count(waiting, metrics.UNSCHEDULABLE)
        self.state.nominate(pod, found.node)
        return (
            self.teller.waits(waiting, UNSCHEDULABLE, decision.message, found.node),
            self._evict(waiting, found, decision),
        )

    def _parked(
        self, waiting: Waiting, decision: Decision, nominated: str | None
    ) -> Sequence[Coroutine[None, None, None]]:
        self._count(waiting, metrics.UNSCHEDULABLE)
        if nominated == "":
            self.state.nominate(waiting.pod, "")
        self.backlog.park(waiting, self._now(), decision.refused_by)
        return (self.teller.waits(waiting, UNSCHEDULABLE, decision.message, nominated),)

    async def _evict(self, waiting: Waiting, found: Preemption, decision: Decision) -> None:
        """The pod is parked only when all victims have been told to go: till then it is not to be tried again."""
        pod = waiting.pod
        yielding = [
            one.pod
            for one in self.state.nominated.values()
            if one.node == found.node and one.pod.priority < pod.priority
        ]
        for one in yielding:
            self.state.nominate(one, "")
        try:
            await evict(self.client, self.teller, pod, found, yielding)
        except ApiError as error:
            _log.warning("preemption failed", pod=pod.key, error=str(error))
            self.backlog.retry(waiting, self._now())
        else:
            self.backlog.park(waiting, self._now(), decision.refused_by)

    # ------------------------------------------------------------------------------------------------- binding

    async def _bind(self, waiting: Waiting, node: str, first: Sequence[Write] | None) -> None:
        """`first` reserves volumes for the pod (binding.py)."""
        pod = waiting.pod
        try:
            await self.binder.bind(pod, node, first)
        except Unready as reason:
            await self._failed(waiting, f'running PreBind plugin "VolumeBinding": binding volumes: {reason}')
        except ApiError as error:
            if error.reason == "NotFound":
                self.state.forget(pod.metadata.uid)
                self.backlog.drop(pod.metadata.uid)
                return
            message = f'binding rejected: running Bind plugin "DefaultBinder": {error}'
            await self._failed(waiting, message, lost=error.reason == "Conflict")
        else:
            self.backlog.drop(pod.metadata.uid)
            self._count(waiting, metrics.SCHEDULED)
            metrics.placed(waiting.attempts + 1, self._now() - waiting.came)
            self.teller.scheduled(pod, node)

    async def _failed(self, waiting: Waiting, message: str, *, lost: bool = False) -> None:
        """A pod that was placed is not bound: what it was given is free again. `lost`: somebody else was faster."""
        pod = waiting.pod
        self._count(waiting, metrics.ERROR)
        self.state.forget(pod.metadata.uid)
        self.backlog.wake(Event(Change.POD_REMOVED, pod))
        if self._is_bound(pod):
            self.backlog.drop(pod.metadata.uid)
            return
        _log.warning("pod not bound", pod=pod.key, error=message)
        self.backlog.retry(waiting, self._now())
        if not lost:
            await self.teller.waits(waiting, ERROR, message, "")

    def _count(self, waiting: Waiting, result: str) -> None:
        metrics.attempted(result, waiting.pod.scheduler, self._now() - waiting.taken)

    def _is_bound(self, pod: Pod) -> bool:
        current = self.pods.get(pod.metadata.namespace, pod.metadata.name)
        return current is None or current.metadata.uid != pod.metadata.uid or bool(current.spec.node_name)


def _seed(pod: Pod) -> int:
    """A number that is the pod's own, so that any decision can be repeated from a snapshot."""
    return random.Random(pod.metadata.uid).getrandbits(32)  # noqa: S311  (ties, not secrets)
