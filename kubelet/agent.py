"""All pods of the node: who is there, one worker each, woken by the API's and Docker's events.

Three sources wake a worker: the pod's object (a watch), Docker's events, and a relist that finds what an event missed.
Containers of ours whose pod nobody knows get a worker too: it ends them. Static pods do not wait for the API server,
and their mirrors in it get no workers. Source: pkg/kubelet/pleg, pod_workers.go.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import Pod, PodSpec
from apimachinery.objects.meta_v1 import ObjectMeta
from client.cache import Cache
from kubelet import metrics
from kubelet.doors import Doors, Node
from kubelet.leftovers import sweep_logs
from kubelet.mirrors import Mirrors
from kubelet.network.protocol import NetworkError
from kubelet.pods import cgroups, preemption
from kubelet.pods.admit import active
from kubelet.pods.world import TERMINAL, Preemption, Verdict
from kubelet.runtime.protocol import Container, PodRef, RuntimeError_
from kubelet.static_pods import changes, is_mirror, read
from kubelet.threads import in_thread
from kubelet.worker import Worker

log = structlog.get_logger("kubelet.agent")

_RETRY = 1.0
_LEAST_PATIENCE = 10.0
_SWEEP = 15.0  # seconds between looks for what is left of pods that are gone


class Agent:
    """Every pod that is or was assigned to this node."""

    def __init__(
        self,
        pods: Cache[Pod],
        node: Node,
        doors: Doors,
        *,
        relist: float = 5.0,  # events tell sooner; this finds what they missed
        manifests: Path | None = None,
        mirrors: Mirrors | None = None,
    ) -> None:
        self._pods, self._node, self._doors, self._relist_every = pods, node, doors, relist
        self._manifests, self._mirrors = manifests, mirrors
        self._workers: dict[str, Worker] = {}
        self._static: dict[str, Pod] = {}
        self._seen: Mapping[str, frozenset[tuple[str, str]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._preempted: set[str] = set()  # uids; what they hold is promised to critical pods
        self._lost: set[str] = set()  # sandboxes with an address that the last list did not show
        self.relisted_at = 0.0  # when Docker last answered: the kubelet's own health

    @property
    def workers(self) -> Mapping[str, Worker]:
        return self._workers

    def pods(self) -> dict[str, tuple[Pod, Sequence[Container]]]:
        """The pods that hold something of the node, by uid, and their containers as last seen."""
        held = active([w.pod for w in self._workers.values() if not w.refused])
        return {pod.metadata.uid: (pod, self._workers[pod.metadata.uid].containers) for pod in held}

    def containers(self) -> Iterator[Container]:
        """All of the node, as last seen."""
        for worker in list(self._workers.values()):
            yield from worker.containers

    def desired(self) -> tuple[int, int]:
        """How many pods the node shall run: of the API, and static ones."""
        running = [uid for uid, worker in self._workers.items() if not worker.refused]
        static = sum(uid in self._static for uid in running)
        return len(running) - static, static

    def evict(self, uid: str, verdict: Verdict) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.evict(verdict)

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
        """Forever. Static pods at once; the API's from the moment that they and the runtime are known."""
        containers = await self._first_list()
        await self._doors.network.retain({c.id for c in containers if c.is_sandbox and c.running})
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            if self._manifests is not None:
                tasks.create_task(self._follow(self._manifests))
            tasks.create_task(self._listen())
            await self._pods.wait_synced()
            self._pods.subscribe(self._changed)
            for pod in self._pods.list():
                self._changed(None, pod)
            tasks.create_task(self._relist())
            tasks.create_task(self._sweep())

    # ---------------------------------------------------------------------------------------------- static pods

    async def _follow(self, folder: Path) -> None:
        """Run what the manifests say, and end what they say no longer."""
        async for _ in changes(folder):
            now = self._doors.clock()
            found = await asyncio.to_thread(read, folder, node=self._node.name, now=now, known=self._static)
            for uid in self._static.keys() - found.keys():
                worker = self._workers.get(uid)
                if worker is not None:
                    worker.update(None)
            self._static = found
            if self._mirrors is not None:
                self._mirrors.want(found)
            self._begin_static()

    def _begin_static(self) -> None:
        """A pod waits until its namesake before it has ended: both may want the same ports."""
        here = {(w.pod.metadata.namespace, w.pod.metadata.name) for w in self._workers.values()}
        for pod in self._static.values():
            if (pod.metadata.namespace, pod.metadata.name) not in here:
                told = self._mirrors.told(pod) if self._mirrors is not None else pod
                self._take(told)

    def _mirrored(self, old: Pod | None, new: Pod | None) -> None:
        """What the API says of a static pod."""
        uid = self._mirrors.see(old, new) if self._mirrors is not None else ""
        worker = self._workers.get(uid)
        if worker is not None and self._mirrors is not None and uid in self._static:
            worker.update(self._mirrors.told(self._static[uid]))

    # ---------------------------------------------------------------------------------------------- the API

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if any(pod is not None and is_mirror(pod) for pod in (old, new)):
            self._mirrored(old, new)
            return
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            worker = self._workers.get(old.metadata.uid)
            if worker is not None:
                worker.update(None)
        if new is None:
            return
        worker = self._workers.get(new.metadata.uid)
        if worker is None:
            self._take(new)
        else:
            worker.update(new)

    def _take(self, pod: Pod) -> None:
        judged = self._judged(pod)
        leaving = self._preempt(judged) if isinstance(judged, Preemption) else []
        verdict = judged if isinstance(judged, Verdict) else None
        worker = Worker(
            pod,
            self._node,
            self._doors,
            verdict=verdict,
            judge=self._resize,
            retry_resizes=self._retry_resizes,
        )
        self._begin(worker, leaving)

    def _preempt(self, wanted: Preemption) -> list[Worker]:
        """End the pods that go for a critical one; it is started when they have ended."""
        leaving = [self._workers[pod.metadata.uid] for pod in wanted.victims if pod.metadata.uid in self._workers]
        for worker in leaving:
            log.info("a pod goes for a critical one", pod=worker.pod.metadata.name, resource=wanted.resource)
            self._preempted.add(worker.pod.metadata.uid)
            worker.evict(Verdict(preemption.REASON, preemption.MESSAGE, disruption=preemption.DISRUPTION))
            metrics.PREEMPTIONS.of(wanted.resource).value += 1
        return leaving

    def _resize(self, pod: Pod) -> tuple[str, str] | None:
        return self._node.resize(pod, [o for o in self._others() if o.metadata.uid != pod.metadata.uid])

    def _retry_resizes(self) -> None:
        """Those that wait for room are looked at in their order, so that who is first in it has it."""
        waiting = [worker for worker in self._workers.values() if worker.resizing.waits]
        for worker in sorted(waiting, key=lambda worker: worker.resizing.rank):
            worker.resize_again()

    def _others(self) -> list[Pod]:
        """The pods that the node has taken, with what they have been promised."""
        known = [p for p in self._pods.list() if not is_mirror(p) and self._took(p)]
        known = [p for p in known if p.metadata.uid not in self._preempted]
        own = [self._workers[p.metadata.uid].pod if p.metadata.uid in self._workers else p for p in known]
        static = [w.pod for uid, w in self._workers.items() if uid in self._static and not w.refused]
        return active([*own, *static])

    def _judged(self, pod: Pod) -> Verdict | Preemption | None:
        """Asked once in a pod's life: one that a kubelet has taken, or that ends anyway, is not measured again."""
        status, meta = pod.status, pod.metadata
        if status.start_time is not None or status.phase in TERMINAL or meta.deletion_timestamp is not None:
            return None
        verdict = self._node.admit(pod, self._others())
        if isinstance(verdict, Verdict):
            metrics.REJECTIONS.of(verdict.reason).value += 1
            self._doors.events(pod, "", "Warning", verdict.reason, verdict.message)
        return verdict

    def _took(self, pod: Pod) -> bool:
        worker = self._workers.get(pod.metadata.uid)
        return pod.status.start_time is not None if worker is None else not worker.refused

    def _begin(self, worker: Worker, after: Sequence[Worker] = ()) -> None:
        assert self._tasks is not None
        self._workers[worker.pod.metadata.uid] = worker
        self._tasks.create_task(self._keep(worker, after), name=f"pod {worker.pod.metadata.name}")

    async def _keep(self, worker: Worker, after: Sequence[Worker]) -> None:
        """A worker that fails for a reason of our own is started over: one pod must not take the others down."""
        uid = worker.pod.metadata.uid
        for other in after:
            with contextlib.suppress(TimeoutError):  # whoever does not end in time keeps nobody waiting
                async with asyncio.timeout(patience(other.pod)):
                    await other.ended.wait()
        while True:
            try:
                await worker.run()
                break
            except* Exception as group:  # the top of a loop
                log.exception("a pod's worker failed", pod=worker.pod.metadata.name, exc_info=group)
            await asyncio.sleep(_RETRY)
        worker.ended.set()
        del self._workers[uid]
        self._preempted.discard(uid)
        self._begin_static()
        self._retry_resizes()

    # ---------------------------------------------------------------------------------------------- Docker

    async def _sweep(self) -> None:
        """Forever: whatever of pods that are gone is still on this machine."""
        while True:
            with contextlib.suppress(RuntimeError_, OSError):  # next time, then
                await self._sweep_once()
            await asyncio.sleep(_SWEEP)

    async def _sweep_once(self) -> None:
        """First what there is, then who is known: nothing that is being made is taken for a stranger's."""
        node = self._node
        held, limited = await self._doors.volumes.held(), await asyncio.to_thread(cgroups.pods, node.machine)
        listed = self._seen.keys() or {c.pod.uid for c in await self._doors.runtime.list()}  # the last relist will do
        known = self._workers.keys() | listed
        for uid in held - known:
            log.info("removing the volumes of a pod that is gone", uid=uid)
            try:
                await self._doors.volumes.unmount(uid)
            except (ApiError, OSError) as error:  # a storage driver may not be there yet
                log.warning("volumes of a pod that is gone stay", uid=uid, error=str(error))
        for uid in limited - known:
            if await in_thread(cgroups.remove, uid, node.machine):
                log.info("removed the cgroup of a pod that is gone", uid=uid)
        now, pods = self._doors.clock(), [pod for pod, _ in self.pods().values()]
        await asyncio.to_thread(cgroups.keep_classes, node.machine, pods)
        found = await asyncio.to_thread(sweep_logs, node.log_root, node.links_root, known, now)
        if found:
            log.info("removed what pods that are gone had left", names=found)

    async def discard(self) -> None:
        """Throw away what nobody needs: the containers of pods that are over, and earlier lives of those that run."""
        for worker in list(self._workers.values()):
            worker.discard()
        await asyncio.sleep(_RETRY)

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
                held = set(self._doors.network.held())
                began, before = self._doors.clock(), self.relisted_at
                containers = await self._doors.runtime.list()
                self.relisted_at = self._doors.clock()
                metrics.relisted(began, before, self.relisted_at)
                self._compare(containers)
                await self._take_back(held - {c.id for c in containers if c.is_sandbox})
            except RuntimeError_ as error:
                log.warning("cannot list containers", error=str(error))
            except (NetworkError, OSError) as error:
                log.warning("cannot take back an address", error=str(error))
            await asyncio.sleep(self._relist_every)

    async def _take_back(self, lost: Collection[str]) -> None:
        """The addresses of sandboxes that somebody else has removed; only what two lists do not show is gone."""
        gone, self._lost = self._lost & set(lost), set(lost)
        for sandbox in gone:
            log.info("taking back the address of a sandbox that is gone", sandbox=sandbox)
            await self._doors.network.detach(sandbox)

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


def patience(pod: Pod) -> float:
    """How long the end of a pod may take."""
    return max(1.5 * (pod.spec.termination_grace_period_seconds or 0), _LEAST_PATIENCE)


def _remains(ref: PodRef) -> Pod:
    """As much of a pod as its containers' labels tell."""
    meta = ObjectMeta(namespace=ref.namespace, name=ref.name, uid=ref.uid, deletion_grace_period_seconds=None)
    return Pod(metadata=meta, spec=PodSpec(termination_grace_period_seconds=30))
