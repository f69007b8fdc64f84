"""Ends the containers of one pod, any number side by side: preStop hook, whoever has to end before, signal, kill.

As upstream's killContainer: hook and waiting are taken from the grace, and the signal comes when that is used up.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from apimachinery.objects.core_v1 import Pod
from kubelet.doors import Doors, Node
from kubelet.hooks import HookProblem, run_hook
from kubelet.pods.decide import LEAST_STOP, Stop, StopSandbox
from kubelet.pods.world import ref
from kubelet.runtime.protocol import Container, RuntimeError_
from kubelet.starting import field_path, spec_of

log = structlog.get_logger("kubelet.stopping")

_TROUBLE = 1.0  # how long to wait when Docker does not answer


class Stopper:
    """`look` tells it what there is; `begin` counts a container as being stopped, and gives what stops it."""

    def __init__(self, node: Node, doors: Doors) -> None:
        self._node, self._doors = node, doors
        self.deadlines: dict[str, float] = {}  # of what is being stopped, by the container's id
        self._containers: Sequence[Container] = ()
        self._looked = asyncio.Condition()

    async def look(self, containers: Sequence[Container]) -> None:
        async with self._looked:
            self._containers = containers
            self._looked.notify_all()

    def begin(self, pod: Pod, action: Stop | StopSandbox) -> Coroutine[Any, Any, None]:
        """A second stop with a shorter grace says nothing and runs no hook: the first did."""
        again = action.container.id in self.deadlines
        grace = action.grace if isinstance(action, Stop) else 0.0
        self.deadlines[action.container.id] = self._doors.clock() + grace
        return self._stop(pod, action, again=again)

    async def _stop(self, pod: Pod, action: Stop | StopSandbox, *, again: bool) -> None:
        id = action.container.id
        try:
            if isinstance(action, StopSandbox):
                await self._doors.runtime.stop_sandbox(id)
                return
            began = self._doors.clock()
            if not again:
                path = field_path(pod, action.container.name)
                self._doors.events(pod, path, "Normal", "Killing", action.message)
                await self._pre_stop(pod, action)
            await self._turn(action, action.grace - (self._doors.clock() - began))
            left = action.grace - (self._doors.clock() - began)
            await self._doors.runtime.stop(id, max(left, LEAST_STOP))
        except RuntimeError_ as error:
            log.warning("cannot stop a container", pod=str(ref(pod)), error=str(error))
            await asyncio.sleep(_TROUBLE)
        finally:
            self.deadlines.pop(id, None)

    async def _turn(self, action: Stop, patience: float) -> None:
        """Wait for those who have to end before."""
        try:
            async with asyncio.timeout(patience), self._looked:
                await self._looked.wait_for(
                    lambda: not any(c.running and c.id in action.after for c in self._containers)
                )
        except TimeoutError:
            pass  # the grace is used up

    async def _pre_stop(self, pod: Pod, action: Stop) -> None:
        spec = spec_of(pod, action.container.name)
        hook = spec.lifecycle.pre_stop if spec is not None and spec.lifecycle else None
        if spec is None or hook is None:
            return
        sandbox = next((c for c in self._containers if c.is_sandbox and c.running), None)
        own = self._doors.network.address(sandbox.id) if sandbox else ""
        address = self._node.addresses[0] if pod.spec.host_network else own
        try:
            async with asyncio.timeout(action.grace):
                told = await run_hook(
                    self._doors.handlers, spec, hook, id=action.container.id, address=address, pod=str(ref(pod))
                )
            if told:
                self._doors.events(pod, "", "Warning", "LifecycleHTTPFallback", told)
        except TimeoutError:
            pass  # the grace is used up: the stop signal comes at once
        except HookProblem as problem:
            path = field_path(pod, action.container.name)
            log.warning("a preStop hook failed", pod=str(ref(pod)), error=str(problem))  # it may hold secrets
            self._doors.events(pod, path, "Warning", "FailedPreStopHook", "PreStopHook failed")
