"""Probes the containers of one pod, as long as they run, and keeps what came out of it.

Startup first; until it has passed the others rest. A failed startup or liveness probe condemns the container: it is
probed no more, and `decide` stops it. Readiness goes on while the pod ends, liveness does not. After a restart of the
kubelet a container keeps the readiness that the API knew. Source: pkg/kubelet/prober.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.handlers import Away, Handlers, Unresolved
from kubelet.pods.container_status import CONTAINER_ID
from kubelet.pods.expansion import expand
from kubelet.pods.probes import Tally, count, initial_delay, patience, period
from kubelet.pods.world import Probed
from kubelet.probe_counts import ProbeCounts
from kubelet.runtime.protocol import Container

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
Tell = Callable[[core_v1.Container, str, str], None]  # container, reason and message of an event

_TRIES = 3  # of a probe that cannot be tried at all
_TITLES = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}


class Prober:
    """One pod's probes. `changed` is called whenever `results` differ."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        spawn: Spawn,
        changed: Callable[[], None],
        tell: Tell,
        counts: ProbeCounts,
        clock: Callable[[], float],
    ) -> None:
        self._handlers, self._spawn, self._changed, self._tell = handlers, spawn, changed, tell
        self._counts, self._clock = counts, clock
        self._results: dict[str, Probed] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._started: dict[str, asyncio.Event] = {}

    @property
    def results(self) -> Mapping[str, Probed]:
        return self._results

    def sync(self, pod: Pod, containers: Sequence[Container], *, address: str, ending: bool) -> None:
        """Probe exactly the containers that run."""
        specs = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
        running = {c.id: c for c in containers if c.running and c.name in specs}
        for key in [key for key in self._tasks if key[0] not in running or (ending and key[1] != "readiness")]:
            self._tasks.pop(key).cancel()
        for id in self._results.keys() - running.keys():
            del self._results[id]
            self._started.pop(id, None)
        for id, container in running.items():
            if id not in self._results and not ending:
                self._begin(pod, specs[container.name], container, address)

    def _begin(self, pod: Pod, spec: core_v1.Container, container: Container, address: str) -> None:
        if not (spec.startup_probe or spec.liveness_probe or spec.readiness_probe):
            return
        known = _known(pod, container.id)
        started = spec.startup_probe is None or bool(known and known.started)
        ready = spec.readiness_probe is None or bool(known and known.ready)
        self._results[container.id] = Probed(started=started, ready=ready)
        gate = self._started[container.id] = asyncio.Event()
        if started:
            gate.set()
        for kind, probe in (
            ("startup", spec.startup_probe),
            ("liveness", spec.liveness_probe),
            ("readiness", spec.readiness_probe),
        ):
            if probe is None or (kind == "startup" and started):
                continue
            work = self._run(kind, probe, pod, spec, container, address, restarted=known is not None)
            self._tasks[container.id, kind] = self._spawn(work)

    async def _run(
        self,
        kind: str,
        probe: core_v1.Probe,
        pod: Pod,
        spec: core_v1.Container,
        container: Container,
        address: str,
        *,
        restarted: bool,
    ) -> None:
        if kind != "startup":
            await self._started[container.id].wait()
        now = self._results[container.id]
        tally = Tally({"startup": now.started, "liveness": True, "readiness": now.ready}[kind])
        if restarted:  # many pods at once after a restart of the kubelet: spread them
            await asyncio.sleep(random.random() * period(probe))  # noqa: S311 - jitter
        await asyncio.sleep(max(container.started_at + initial_delay(probe) - self._clock(), 0))
        while True:
            passed = await self._told(kind, probe, spec, container.id, address)
            if passed is not None:
                self._counts.count(pod, spec.name, _TITLES[kind], passed=passed)
                tally = count(tally, probe, passed=passed)
                if self._settle(kind, container.id, tally, probe):
                    return
            await asyncio.sleep(period(probe))

    async def _told(
        self, kind: str, probe: core_v1.Probe, spec: core_v1.Container, id: str, address: str
    ) -> bool | None:
        """The result, and the event of a bad one; None where it could not be tried, which counts for nothing."""
        problem = ""
        for _ in range(_TRIES):
            try:
                passed, message = await self._once(probe, spec, id, address)
            except Unresolved as error:
                problem = str(error)
                continue
            except Away as warning:
                self._tell(spec, "ProbeWarning", f"{_TITLES[kind]} probe warning: {warning}")
                return True
            if not passed:
                self._tell(spec, "Unhealthy", f"{_TITLES[kind]} probe failed: {message}")
            return passed
        self._tell(spec, "Unhealthy", f"{_TITLES[kind]} probe errored and resulted in unknown state: {problem}")
        return None

    def _settle(self, kind: str, id: str, tally: Tally, probe: core_v1.Probe) -> bool:
        """Take a result in; whether this probe has done its work."""
        before = self._results.get(id)
        if before is None:
            return True
        after = before
        if kind == "readiness":
            after = Probed(before.started, tally.settled, before.failed)
        elif kind == "startup" and tally.settled:
            after = Probed(started=True, ready=before.ready, failed=before.failed)
        elif not tally.last and tally.run >= (probe.failure_threshold or 3):
            after = Probed(before.started, before.ready, kind)
        if after != before:
            self._results[id] = after
            if after.started:
                self._started[id].set()
            self._changed()
        return bool(after.failed) or (kind == "startup" and after.started)

    async def _once(self, probe: core_v1.Probe, spec: core_v1.Container, id: str, address: str) -> tuple[bool, str]:
        limit = patience(probe)
        if probe.exec:
            command = [expand(word, {v.name: v.value for v in spec.env}) for word in probe.exec.command]
            return await self._handlers.command(id, command, limit)
        if probe.http_get:
            return await self._handlers.get(spec, probe.http_get, address=address, patience=limit)
        if probe.tcp_socket:
            return await self._handlers.connect(spec, probe.tcp_socket, address=address, patience=limit)
        if probe.grpc:
            return await self._handlers.health(probe.grpc, address=address, patience=limit)
        raise Unresolved("missing probe handler")

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()


def _known(pod: Pod, id: str) -> core_v1.ContainerStatus | None:
    """What the API knew of this very container."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return next((s for s in statuses if s.container_id == CONTAINER_ID + id), None)
