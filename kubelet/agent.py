"""All pods of the node: who is there, one worker each, woken by the API's and Docker's events.

Three sources wake a worker: the pod's object (a watch), Docker's events, and a relist that finds what an event missed.
Containers of ours whose pod nobody knows get a worker too: it ends them. Source: pkg/kubelet/pleg, pod_workers.go.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import Pod, PodSpec
from apimachinery.objects.meta_v1 import ObjectMeta
from client.cache import Cache
from kubelet.doors import Doors, Node
from kubelet.leftovers import YOUNG, sweep_logs
from kubelet.pods import cgroups
from kubelet.pods.admit import active
from kubelet.pods.world import TERMINAL, Verdict
from kubelet.runtime.protocol import Container, PodRef, RuntimeError_
from kubelet.worker import Worker

log = structlog.get_logger("kubelet.agent")

_RETRY = 1.0


class Agent:
    """Every pod that is or was assigned to this node."""

    def __init__(self, pods: Cache[Pod], node: Node, doors: Doors, *, relist: float = 2.0) -> None:
        self._pods, self._node, self._doors, self._relist_every = pods, node, doors, relist
        self._workers: dict[str, Worker] = {}
        self._static: dict[str, Pod] = {}
        self._seen: Mapping[str, frozenset[tuple[str, str]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.relisted_at = 0.0  # when Docker last answered: the kubelet's own health

    @property
    def workers(self) -> Mapping[str, Worker]:
        return self._workers

    def find(self, namespace: str, name: str) -> Worker | None:
        """The worker of the pod of that name; of namesakes the one that the API knows."""
        known = self._pods.get(namespace, name)
        if known is not None and known.metadata.uid in self._workers:
            return self._workers[known.metadata.uid]
        matching = (w for w in self._workers.values() if w.pod.metadata.name == name)
        return next((w for w in matching if w.pod.metadata.namespace == namespace), None)

    def refresh(self, uid: str) -> None:
        """An object that the pod refers to has changed."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.refresh()

    def wake_all(self) -> None:
        for worker in self._workers.values():
            worker.retry()

    async def run(self) -> None:
        """Forever, from the moment the pods and the runtime are known."""
        await self._pods.wait_synced()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._pods.subscribe(self._changed)
            for pod in self._pods.list():
                self._changed(None, pod)
            await self._tidy()
            tasks.create_task(self._relist())
            tasks.create_task(self._sweep())
            tasks.create_task(self._listen())

    # ---------------------------------------------------------------------------------------------- the API

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            worker = self._workers.get(old.metadata.uid)
            if worker is not None:
                worker.update(None)
        if new is None:
            return
        worker = self._workers.get(new.metadata.uid)
        if worker is None:
            self._begin(Worker(new, self._node, self._doors, verdict=self._refusal(new)))
        else:
            worker.update(new)

    def _refusal(self, pod: Pod) -> Verdict | None:
        """Asked once in a pod's life: one that a kubelet has taken, or that ends anyway, is not measured again."""
        status, meta = pod.status, pod.metadata
        if status.start_time is not None or status.phase in TERMINAL or meta.deletion_timestamp is not None:
            return None
        verdict = self._node.admit(pod, active(p for p in self._pods.list() if self._took(p)))
        if verdict is not None:
            self._doors.events(pod, "", "Warning", verdict.reason, verdict.message)
        return verdict

    def _took(self, pod: Pod) -> bool:
        worker = self._workers.get(pod.metadata.uid)
        return pod.status.start_time is not None if worker is None else not worker.refused

    def _begin(self, worker: Worker) -> None:
        assert self._tasks is not None
        self._workers[worker.pod.metadata.uid] = worker
        self._tasks.create_task(self._keep(worker), name=f"pod {worker.pod.metadata.name}")

    async def _keep(self, worker: Worker) -> None:
        """A worker that fails for a reason of our own is started over: one pod must not take the others down."""
        uid = worker.pod.metadata.uid
        while True:
            try:
                await worker.run()
                break
            except* Exception as group:  # the top of a loop
                log.exception("a pod's worker failed", pod=worker.pod.metadata.name, exc_info=group)
            await asyncio.sleep(_RETRY)
        del self._workers[uid]

    # ---------------------------------------------------------------------------------------------- Docker

    async def _tidy(self) -> None:
        """What a kubelet before this one left behind: addresses and folders of pods that are no more."""
        containers = await self._first_list()
        await self._doors.network.retain({c.id for c in containers if c.is_sandbox and c.running})
        await self._sweep_once(containers)

    async def _sweep(self) -> None:
        """Forever: whatever of pods that are gone is still on this machine."""
        while True:
            await asyncio.sleep(YOUNG)
            with contextlib.suppress(RuntimeError_, OSError):  # next time, then
                await self._sweep_once(await self._doors.runtime.list())

    async def _sweep_once(self, containers: Sequence[Container]) -> None:
        node, held = self._node, await self._doors.volumes.held()
        known = self._workers.keys() | {c.pod.uid for c in containers}
        for uid in held - known:
            log.info("removing the volumes of a pod that is gone", uid=uid)
            try:
                await self._doors.volumes.unmount(uid)
            except (ApiError, OSError) as error:  # a storage driver may not be there yet
                log.warning("volumes of a pod that is gone stay", uid=uid, error=str(error))
        now = self._doors.clock()
        found = await asyncio.to_thread(cgroups.sweep, node.machine, known, now)
        found += await asyncio.to_thread(sweep_logs, node.log_root, node.links_root, known, now)
        if found:
            log.info("removed what pods that are gone had left", names=found)

    async def _first_list(self) -> Sequence[Container]:
        while True:
            try:
                return await self._doors.runtime.list()
            except RuntimeError_ as error:
                log.warning("waiting for Docker", error=str(error))
                await asyncio.sleep(_RETRY)

    async def _relist(self) -> None:
        while True:
            try:
                containers = await self._doors.runtime.list()
                self.relisted_at = self._doors.clock()
                self._compare(containers)
            except RuntimeError_ as error:
                log.warning("cannot list containers", error=str(error))
            await asyncio.sleep(self._relist_every)

    def _compare(self, containers: Sequence[Container]) -> None:
        """Wake whoever's containers are not as they were; give every stranger of ours a worker that ends it."""
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        refs: dict[str, PodRef] = {}
        for container in containers:
            found[container.pod.uid].add((container.id, container.state))
            refs[container.pod.uid] = container.pod
        now = {uid: frozenset(states) for uid, states in found.items()}
        for uid in {uid for uid in now.keys() | self._seen.keys() if now.get(uid) != self._seen.get(uid)}:
            worker = self._workers.get(uid)
            if worker is not None:
                worker.wake()
        for uid in now.keys() - self._workers.keys():
            log.info("ending containers of a pod that is gone", pod=str(refs[uid]))
            self._begin(Worker(_remains(refs[uid]), self._node, self._doors, gone=True))
        self._seen = now

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RuntimeError_):
                async for event in self._doors.runtime.events():
                    worker = self._workers.get(event.uid)
                    if worker is not None:
                        worker.wake()
            await asyncio.sleep(_RETRY)
            for worker in self._workers.values():  # whatever happened while nobody listened
                worker.wake()


def _remains(ref: PodRef) -> Pod:
    """As much of a pod as its containers' labels tell."""
    meta = ObjectMeta(namespace=ref.namespace, name=ref.name, uid=ref.uid, deletion_grace_period_seconds=None)
    return Pod(metadata=meta, spec=PodSpec(termination_grace_period_seconds=30))
