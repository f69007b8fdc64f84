"""One pod's worker: looks, asks `decide`, acts, tells the API, sleeps until something changes.

What is slow runs beside the loop: one task at a time makes things (sandbox, containers), any number stop things. So a
deletion is heard while an image is pulled, and the status goes on to be told while containers end. Everything a worker
remembers is a cache or a back-off: a kubelet that restarts finds the rest in Docker and the API.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet import metrics
from kubelet.doors import Doors, Node
from kubelet.network.protocol import NetworkError
from kubelet.pods import cgroups, termination
from kubelet.pods.backoff import Backoff, advance
from kubelet.pods.container_config import (
    TERMINATION_POLICY,
    log_link,
    pod_log_folder,
)
from kubelet.pods.decide import (
    KEPT_LIVES,
    Action,
    Clean,
    Forget,
    MakeSandbox,
    Plan,
    Remove,
    Resize,
    Start,
    Stop,
    StopSandbox,
    Wire,
    decide,
)
from kubelet.pods.phase import finished
from kubelet.pods.status import Host, status
from kubelet.pods.world import TERMINAL, Failure, Verdict, World, expired, ref, start_time
from kubelet.prober import Prober
from kubelet.replacing import Replacing
from kubelet.resizing import Judge, Resizing
from kubelet.runtime.protocol import Container, RuntimeError_
from kubelet.starting import RETRY, NotNow, Starter, field_path
from kubelet.stopping import Stopper
from kubelet.telling import Teller
from kubelet.threads import in_thread
from kubelet.waiting import heard

log = structlog.get_logger("kubelet.worker")
T = TypeVar("T")

_RESYNC = 60.0
_FIRST_PAUSE, _LAST_PAUSE = 0.25, 120.0  # between tries of what the whole pod needs: volumes, sandbox
_TROUBLE = 1.0  # how long to wait when Docker or the API do not answer


class Worker:
    """Runs one pod until nothing of it is left. `update` and `wake` may be called at any time."""

    def __init__(
        self,
        pod: Pod,
        node: Node,
        doors: Doors,
        *,
        gone: bool = False,
        verdict: Verdict | None = None,
        judge: Judge = lambda _pod: None,
        retry_resizes: Callable[[], None] = lambda: None,
    ) -> None:
        self.api_pod, self._node, self._doors = pod, node, doors
        self._retry_resizes = retry_resizes  # of every pod that waits for room, in their order
        self.resizing = Resizing(pod, node, doors, judge)
        self._gone, self._verdict = gone, verdict
        self._told = pod.status.phase in TERMINAL or gone  # the last word has been said
        self._starter = Starter(node, doors)
        self._woken = asyncio.Event()
        self._gone_event = asyncio.Event()
        self._prober = Prober(
            doors.handlers,
            spawn=doors.spawn,
            changed=self.wake,
            tell=self._probed,
            counts=doors.probes,
            clock=doors.clock,
        )
        self._seen_at = doors.clock()
        self._containers: Sequence[Container] = ()
        self._backoff: dict[str, Backoff] = {}
        self._failures: dict[str, Failure] = {}
        self._stopper = Stopper(node, doors)
        self._messages: dict[str, str] = {}
        self._replacing = Replacing()
        self._ran = False
        self._kept = KEPT_LIVES
        self._waiting_told: set[tuple[str, int]] = set()
        self._volumes: Mapping[str, Path] | None = None
        self._refresh, self._tries = False, 0
        self._ending_since = 0.0
        self.ended = asyncio.Event()  # nothing of it runs, and all that it held is given back
        self._acted = 0  # how many acts have ended: what was seen before the last one is no ground for another
        self._making: asyncio.Task[None] | None = None
        self._teller = Teller(
            doors.api, pod=lambda: None if self._gone else self.pod, taken=self._answered, failed=self.wake
        )

    # ---------------------------------------------------------------------------------------------- from outside

    @property
    def pod(self) -> Pod:
        """The pod with the resources that it has been promised."""
        return self.resizing.pod

    @property
    def refused(self) -> bool:
        """It was never taken, and holds nothing of the node."""
        return self._verdict is not None and self._verdict.rejected

    @property
    def containers(self) -> Sequence[Container]:
        """As last seen."""
        return self._containers

    def update(self, pod: Pod | None) -> None:
        """The pod as the API has it now; None when it is gone."""
        if pod is None:
            self._gone = True
            self._gone_event.set()
        elif _revision(pod) == _revision(self.api_pod) > 0:
            return  # our own write, and its answer was faster than the watch
        elif _revision(pod) >= _revision(self.api_pod):
            labels = (pod.metadata.labels, pod.metadata.annotations)
            self._refresh = self._refresh or labels != (self.pod.metadata.labels, self.pod.metadata.annotations)
            self._take(pod)
        self.wake()

    def _take(self, pod: Pod) -> None:
        self.api_pod = pod
        if self.resizing.update(pod):
            self._retry_resizes()  # it may have become smaller

    def resize_again(self) -> None:
        """Ask once more for what it waits for."""
        before = self.resizing.conditions()
        self.resizing.update(self.api_pod)
        if self.resizing.conditions() != before:
            self.wake()

    def _answered(self, pod: Pod) -> None:
        if _revision(pod) > _revision(self.api_pod):
            self._take(pod)

    def evict(self, verdict: Verdict) -> None:
        """End the pod for a reason of the node's own; the first one counts."""
        if self._verdict is None and not self._told and not self._gone:
            self._verdict = verdict
            self._doors.events(self.pod, "", "Warning", verdict.reason, verdict.message)
            self.wake()

    def refresh(self) -> None:
        """Something that the pod's volumes show has changed."""
        self._refresh = True
        self._failures.clear()  # it may be just what was missing
        self.wake()

    def retry(self) -> None:
        """What stood in the way may be there no more: the network is ready, say."""
        self._failures.pop("", None)
        self.wake()

    def discard(self) -> None:
        """The node's disk is full: keep no container that has ended but the last life of each."""
        self._kept = 1
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    # ---------------------------------------------------------------------------------------------- the loop

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            over = False
            while not over:
                self._woken.clear()
                try:
                    over, again_at = await self._step(tasks)
                except RuntimeError_ as error:
                    log.warning("cannot look at the pod", pod=str(ref(self.pod)), error=str(error))
                    again_at = self._doors.clock() + _TROUBLE
                if not over:
                    await self._sleep(again_at)
            self._prober.stop()
            self._doors.probes.forget(self.pod.metadata.uid)
        if self._gone:
            folder = pod_log_folder(self._node.log_root, ref(self.pod))
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._doors.images.forget(self.pod.metadata.uid)

    async def _step(self, tasks: asyncio.TaskGroup) -> tuple[bool, float | None]:
        acted = self._acted
        self._containers = await self._doors.runtime.list(self.pod.metadata.uid)
        await self._stopper.look(self._containers)
        await asyncio.to_thread(self._hear)
        now = self._doors.clock()
        if acted != self._acted:
            return False, now  # an act ended while we looked, and we may have seen what was before it: look again
        self.resizing.learn(self._containers)
        if self.resizing.waits:
            self._retry_resizes()
        self.resizing.settle(self._containers, self._replacing.forced)
        world = self._world(now)
        plan = decide(world)
        if plan.ending and not self._ending_since:
            self._ending_since = now
            if self._making is not None and not self._is_finishing(world):
                self._making.cancel()
        address = self._node.addresses[0] if self.pod.spec.host_network else world.address
        self._prober.sync(self.pod, self._containers, address=address, ending=plan.ending)
        self._act(plan, tasks)
        if not self._is_replacing(plan) or plan.ending:
            self._tell(self._world(now), plan, tasks)
        self._tell_waiting(plan)
        return plan.over and self._making is None, self._next(plan)

    def _is_finishing(self, world: World) -> bool:
        """Whether it ends by itself: then the start of its last container, whose end we see already, is told as any."""
        called_off = self._gone or self._verdict is not None or self.pod.metadata.deletion_timestamp is not None
        return not called_off and finished(world)

    def _is_replacing(self, plan: Plan) -> bool:
        stopping, making = self._stopper.deadlines, self._making is not None
        return self._replacing.is_untold(plan.actions, self._containers, stopping, making=making)

    def _world(self, now: float) -> World:
        sandbox = next((c for c in self._containers if c.is_sandbox and c.running), None)
        if self._verdict is None and not self._told and expired(self.pod, self._started_at(), now):
            self._verdict = Verdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            self._doors.events(self.pod, "", "Normal", "DeadlineExceeded", self._verdict.message)
        return World(
            pod=self.pod,
            now=now,
            containers=self._containers,
            address=self._doors.network.address(sandbox.id) if sandbox else "",
            probes=self._prober.results,
            backoff=self._backoff,
            failures=self._failures,
            stopping=self._stopper.deadlines,
            messages=self._messages,
            verdict=self._verdict,
            gone=self._gone,
            ending_since=self._ending_since,
            cleaned=self.ended.is_set(),
            started_at=self._seen_at,
            actuated=self.resizing.actuated(self._containers),
            resize_at=self.resizing.retry_at,
            resizing=self.resizing.conditions(),
            forced=self._replacing.forced,
            kept_lives=self._kept,
        )

    def _started_at(self) -> float:
        return start_time(World(pod=self.pod, now=self._seen_at, started_at=self._seen_at))

    def _next(self, plan: Plan) -> float:
        now = self._doors.clock()
        times = [now + _RESYNC, plan.again_at, self._doors.volumes.refresh_at(self.pod.metadata.uid)]
        return min(time for time in times if time is not None)

    async def _sleep(self, until: float | None) -> None:
        left = _RESYNC if until is None else max(until - self._doors.clock(), 0.01)
        await heard(self._woken, left)

    def _hear(self) -> None:
        """Read what ended containers left to say, once each."""
        for container in self._containers:
            if container.exited and not container.is_sandbox and container.id not in self._messages:
                policy = container.labels.get(TERMINATION_POLICY, "")
                words = termination.message(
                    self._words(container), policy, Path(container.log_path), container.exit_code
                )
                self._messages[container.id] = words

    def _words(self, container: Container) -> Path:
        """The file of a container's termination message."""
        folder = self._node.root / "pods" / self.pod.metadata.uid / "containers" / container.name
        return folder / str(container.attempt)

    # ---------------------------------------------------------------------------------------------- acting

    def _act(self, plan: Plan, tasks: asyncio.TaskGroup) -> None:
        making: list[Action] = []
        for action in plan.actions:
            if isinstance(action, StopSandbox) and self._making is not None:
                continue  # a container is just being started in it: first that comes to its end
            if isinstance(action, Stop | StopSandbox):
                if isinstance(action, Stop):
                    self._replacing.stopped(action, ending=plan.ending)
                tasks.create_task(self._stop(self._stopper.begin(self.pod, action)))
            else:
                making.append(action)
        refresh = self._wants_volumes() and not plan.ending
        if (making or refresh) and self._making is None:
            self._refresh = False
            self._making = tasks.create_task(self._make(making, refresh=refresh))

    def _wants_volumes(self) -> bool:
        """Whether the volumes of a pod that has a sandbox want to be looked after."""
        failure, now = self._failures.get(""), self._doors.clock()
        if not any(c.is_sandbox and c.running for c in self._containers) or (failure and failure.retry_at > now):
            return False
        due = self._doors.volumes.refresh_at(self.pod.metadata.uid)
        unknown = self._volumes is None  # the sandbox is older than this kubelet: its files go on to be kept true
        return self._refresh or unknown or (due is not None and due <= now)

    async def _make(self, actions: Sequence[Action], *, refresh: bool) -> None:
        """Carry out, one after the other; the first that fails ends the round."""
        try:
            if refresh:
                self._volumes = await self._starter.mount(self.pod)
                self._failures.pop("", None)
            for action in actions:
                await self._one(action)
            self._tries = 0
        except NotNow as problem:
            self._tries += 1
            self._refresh = self._refresh or refresh
            pause = min(_FIRST_PAUSE * 2**self._tries, _LAST_PAUSE)
            self._failures[""] = replace(problem.failure, retry_at=self._doors.clock() + pause)
        except (RuntimeError_, NetworkError, ApiError, OSError) as error:
            log.warning("cannot go on with the pod", pod=str(ref(self.pod)), error=str(error))
            await asyncio.sleep(_TROUBLE)
        finally:
            self._making = None
            self._acted += 1
            self.wake()

    async def _one(self, action: Action) -> None:
        if isinstance(action, MakeSandbox):
            async with asyncio.TaskGroup() as both:
                mounting = both.create_task(_settled(self._starter.mount(self.pod)))
                making = both.create_task(_settled(self._starter.make_sandbox(self.pod, action.attempt)))
            self._volumes = _unwrapped(mounting.result())
            _unwrapped(making.result())
            self._failures.pop("", None)
        elif isinstance(action, Wire):
            await self._starter.wire(self.pod, action.container)
        elif isinstance(action, Start):
            await self._start(action)
        elif isinstance(action, Resize):
            await self.resizing.carry_out(action.containers)
        elif isinstance(action, Remove):
            await self._remove(action.container)
        elif isinstance(action, Clean):
            await self._clean()
        elif isinstance(action, Forget):
            await self._forget()

    async def _start(self, action: Start) -> None:
        before = next((c for c in self._containers if c.name == action.name and c.exited), None)
        sandbox = next((c for c in self._containers if c.is_sandbox and c.running), None)
        if sandbox is None:
            return
        if self._volumes is None:  # the sandbox is older than this kubelet
            self._volumes = await self._starter.mount(self.pod)
        debt, started = self._replacing.debt(action.name), False
        try:
            await self.resizing.make_room(self._containers)
            await self._starter.start(self.pod, action, sandbox, self._volumes, self._target(action.name))
            await self.resizing.tidy()
            started = True
        except NotNow as problem:
            self._failures[action.name] = problem.failure
        else:
            self._failures.pop(action.name, None)
        finally:
            self._acted += 1
            self._replacing.tried(action.name, debt, started=started)
            if before is not None:  # not sooner: whoever looks meanwhile would see the one before in its back-off
                now = self._doors.clock()
                self._backoff[action.name] = advance(self._backoff.get(action.name), before.finished_at, now)

    def _target(self, name: str) -> str:
        """Whose processes an ephemeral container is to see."""
        debugger = next((c for c in self.pod.spec.ephemeral_containers if c.name == name), None)
        wanted = debugger.target_container_name if debugger is not None else ""
        return next((c.id for c in self._containers if wanted and c.name == wanted and c.running), "")

    async def _remove(self, container: Container) -> None:
        if container.is_sandbox:
            await self._doors.network.detach(container.id)
        await self._doors.runtime.remove(container.id)
        self._messages.pop(container.id, None)
        if not container.is_sandbox:
            log_link(self._node.log_root, container.pod, container.name, container.attempt).unlink(missing_ok=True)
            name = f"{container.pod.name}_{container.pod.namespace}_{container.name}-{container.id}.log"
            (self._node.links_root / name).unlink(missing_ok=True)
            self._words(container).unlink(missing_ok=True)

    async def _clean(self) -> None:
        for container in self._containers:
            if container.is_sandbox:
                await self._doors.network.detach(container.id)
        await self._doors.volumes.unmount(self.pod.metadata.uid)
        await in_thread(cgroups.remove, self.pod.metadata.uid, self._node.machine)  # what stays is the sweep's
        self._volumes = None
        self.ended.set()

    async def _forget(self) -> None:
        """The last status first: whoever watches sees how the pod ended."""
        await self._teller.told()
        await self._doors.api.forget(self.pod)
        await heard(self._gone_event, RETRY)  # a finalizer may keep it; then try again

    async def _stop(self, stopping: Awaitable[None]) -> None:
        try:
            await stopping
        finally:
            self._acted += 1
            self.wake()

    # ---------------------------------------------------------------------------------------------- telling

    def _probed(self, container: core_v1.Container, reason: str, message: str) -> None:
        self._doors.events(self.pod, field_path(self.pod, container.name), "Warning", reason, message)

    def _tell_waiting(self, plan: Plan) -> None:
        for name, failure in plan.waiting.items():
            latest = next((c for c in self._containers if c.name == name), None)
            key = (name, latest.attempt if latest else 0)
            if failure.reason == "CrashLoopBackOff" and key not in self._waiting_told:
                self._waiting_told.add(key)
                message = f"Back-off restarting failed container {name} in pod {ref(self.pod)}"
                self._doors.events(self.pod, field_path(self.pod, name), "Warning", "BackOff", message)

    def _tell(self, world: World, plan: Plan, tasks: asyncio.TaskGroup) -> None:
        """Bring the API's copy to what is true, beside the loop; one write at a time, always the newest."""
        if self._told or self._gone:
            return
        told = status(world, Host(self._node.addresses), ending=plan.ending, waiting=plan.waiting)
        if told["phase"] == "Running" and self.pod.status.phase == "Pending" and not self._ran:
            self._ran = True
            metrics.POD_START.of().add(max(self._doors.clock() - self._seen_at, 0))
        self._teller.tell(told, tasks)


def _revision(pod: Pod) -> int:
    return int(pod.metadata.resource_version or 0)


async def _settled(work: Awaitable[T]) -> T | NotNow:
    """The result or the refusal, so that two things side by side both come to their end."""
    try:
        return await work
    except NotNow as problem:
        return problem


def _unwrapped(result: T | NotNow) -> T:
    if isinstance(result, NotNow):
        raise result
    return result
