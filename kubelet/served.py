"""The core's side of the HTTPS API: `Pods` of kubelet/server/doors.py, over the agent and the runtime."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pyroute2 import netns

from apimachinery.errors import ApiError
from apimachinery.types import Json
from kubelet import stats
from kubelet.agent import Agent
from kubelet.doors import Node
from kubelet.measures import Measures
from kubelet.plain import plain
from kubelet.pods.container_config import log_link
from kubelet.pods.world import ref
from kubelet.probe_counts import ProbeCounts
from kubelet.runtime.protocol import Container, ContainerRuntime, NoSuchContainer, Process, RuntimeError_
from kubelet.starting import spec_of
from kubelet.stats import Snapshot
from kubelet.volume_stats import VolumeStats
from kubelet.worker import Worker

_HANGS_AFTER = 120.0  # without a relist for so long the kubelet is not well (upstream: 3 minutes)


class ServedPods:
    """`Pods` for the server."""

    def __init__(
        self,
        agent: Agent,
        runtime: ContainerRuntime,
        node: Node,
        config: Json,
        *,
        probes: ProbeCounts,
        measures: Measures,
        volumes: VolumeStats,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agent, self._runtime, self._node, self._config, self._clock = agent, runtime, node, config, clock
        self._probes, self._started_at = probes, clock()
        self._measures, self._volumes, self._looking = measures, volumes, asyncio.Lock()

    def list_pods(self) -> Json:
        items = [plain(w.pod) for w in self._agent.workers.values() if w.pod.spec.containers]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}

    async def running_pods(self) -> Json:
        containers = [c for c in await self._runtime.list() if c.running and not c.is_sandbox]
        items = []
        for pod in sorted({c.pod for c in containers}, key=str):
            own = [{"name": c.name, "image": c.image, "resources": {}} for c in containers if c.pod == pod]
            meta = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "creationTimestamp": None}
            items.append({"metadata": meta, "spec": {"containers": own}, "status": {}})
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}

    def _worker(self, namespace: str, pod: str) -> Worker:
        worker = self._agent.find(namespace, pod)
        if worker is None:
            raise ApiError(404, "NotFound", "pod does not exist")
        return worker

    def _latest(self, worker: Worker, container: str) -> Container | None:
        if spec_of(worker.pod, container) is None:
            raise ApiError(404, "NotFound", f'container not found ("{container}")')
        return next((c for c in worker.containers if c.name == container), None)

    def container_id(self, namespace: str, pod: str, container: str) -> str:
        found = self._latest(self._worker(namespace, pod), container)
        if found is None or not found.running:
            raise ApiError(404, "NotFound", f'container not found ("{container}")')
        return found.id

    def check_running(self, namespace: str, pod: str) -> None:
        if not any(c.is_sandbox and c.running for c in self._worker(namespace, pod).containers):
            raise ApiError(404, "NotFound", "pod does not exist")

    async def exec(self, container_id: str, command: list[str], *, stdin: bool, tty: bool) -> Process:
        try:
            return await self._runtime.exec(container_id, command, tty=tty, stdin=stdin)
        except RuntimeError_ as error:
            raise _refusal(error) from error

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> Process:  # noqa: ARG002 - Docker knows
        try:
            return await self._runtime.attach(container_id, stdin=stdin)
        except RuntimeError_ as error:
            raise _refusal(error) from error

    def container_tty(self, namespace: str, pod: str, container: str) -> bool:
        spec = spec_of(self._worker(namespace, pod).pod, container)
        return bool(spec and spec.tty)

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        worker = self._worker(namespace, pod)
        sandbox = next((c for c in worker.containers if c.is_sandbox and c.running), None)
        if sandbox is None:
            raise ApiError(404, "NotFound", f"pod {ref(worker.pod)} is not running")
        connected = await asyncio.to_thread(_dial, sandbox.pid, port)
        return await asyncio.open_connection(sock=connected)

    def log_path(self, namespace: str, pod: str, container: str, *, previous: bool) -> Path:
        worker = self._worker(namespace, pod)
        self._latest(worker, container)
        lives = [c for c in worker.containers if c.name == container and (c.started_at or c.exited)]
        if previous:
            ended = lives[1:2] if lives and lives[0].running else lives[:1]
            if not ended or (len(lives) == 1 and lives[0].running):
                message = f'previous terminated container "{container}" in pod "{pod}" not found'
                raise ApiError(400, "BadRequest", message)
            return self._log(ended[0])
        if not lives:
            raise ApiError(400, "BadRequest", _why_waiting(worker, pod, container))
        return self._log(lives[0])

    def _log(self, container: Container) -> Path:
        link = log_link(self._node.log_root, container.pod, container.name, container.attempt)
        if link.exists():
            return link
        own = Path(container.log_path)
        return own if container.log_path and own.exists() else Path(os.devnull)  # it never ran, and said nothing

    async def container_ended(self, namespace: str, pod: str, container: str) -> bool:
        worker = self._agent.find(namespace, pod)
        if worker is None:
            return True
        found = next((c for c in worker.containers if c.name == container), None)
        return found is None or not found.running

    async def check(self) -> None:
        last = max(self._agent.relisted_at, self._started_at)
        if self._clock() - last > _HANGS_AFTER:
            raise RuntimeError("PLEG is not healthy: the container runtime was last seen too long ago")

    def probe_metrics(self) -> str:
        return self._probes.text()

    def config(self) -> Json:
        return self._config

    async def _snapshot(self) -> Snapshot:
        async with self._looking:
            images = sum(image.size for image in await self._runtime.images())
            volumes, pods = await self._volumes.look(), list(self._agent.pods().values())
            return await asyncio.to_thread(self._measures.take, pods, images, volumes)

    async def stats_summary(self) -> Json:
        return stats.summary(await self._snapshot())

    async def cadvisor_metrics(self) -> str:
        return stats.cadvisor_metrics(await self._snapshot())

    async def resource_metrics(self) -> str:
        return stats.resource_metrics(await self._snapshot())


def _refusal(error: RuntimeError_) -> ApiError:
    if isinstance(error, NoSuchContainer):
        return ApiError(404, "NotFound", str(error))
    return ApiError(500, "InternalError", str(error))


def _why_waiting(worker: Worker, pod: str, container: str) -> str:
    statuses = (*worker.pod.status.init_container_statuses, *worker.pod.status.container_statuses)
    status = next((s for s in statuses if s.name == container), None)
    waiting = status.state.waiting if status and status.state else None
    reason = waiting.reason if waiting else "ContainerCreating"
    verb = "trying and failing to pull image" if reason in ("ErrImagePull", "ImagePullBackOff") else ""
    said = verb or f"waiting to start: {reason}"
    return f'container "{container}" in pod "{pod}" is {said}'


def _dial(pid: int, port: int) -> socket.socket:
    """A connection made inside the sandbox's network namespace, by a thread that ends there."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def run() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                netns.setns(namespace)
            finally:
                os.close(namespace)
            made.append(_localhost(port))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="dial")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _localhost(port: int) -> socket.socket:
    try:
        found = socket.create_connection(("127.0.0.1", port), timeout=10)
    except OSError:
        found = socket.create_connection(("::1", port), timeout=10)
    found.setblocking(False)
    return found
