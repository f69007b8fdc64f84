"""The end of the node: pods end in the order of their priority before the machine does.

Somebody has to say that it ends: systemd's logind (logind.py), or SIGPWR, as init sends it when the power fails, or a
script before it halts the machine. From then on the node is not ready and takes no pod. Pods of one priority class end
together, the least first, each class within its time.
Source: pkg/kubelet/nodeshutdown/nodeshutdown_manager{,_linux}.go.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from apimachinery.objects.core_v1 import Pod
from kubelet.configuration import Configuration, Grace
from kubelet.eviction.ranking import CRITICAL
from kubelet.pods.world import Verdict

log = structlog.get_logger("kubelet.shutdown")

MESSAGE = "Pod was terminated in response to imminent node shutdown."
REFUSAL = Verdict("NodeShutdown", "Pod was rejected as the node is shutting down.", rejected=True)
PROBLEM = "node is shutting down"
_LOOK = 0.1


def graces(configuration: Configuration) -> list[Grace]:
    """How long each priority has, the least first; empty where pods are not waited for."""
    if configuration.shutdown_by_priority:
        return list(configuration.shutdown_by_priority)
    total, critical = configuration.shutdown_grace_period, configuration.shutdown_grace_period_critical_pods
    return [Grace(0, total - critical), Grace(CRITICAL, critical)] if total else []


def groups(pods: Sequence[Pod], wanted: Sequence[Grace]) -> list[tuple[float, list[Pod]]]:
    """(seconds, the pods that have them), in the order in which they end. What lies below the least joins it."""
    found: list[tuple[float, list[Pod]]] = [(grace.seconds, []) for grace in wanted]
    for pod in pods:
        priority = pod.spec.priority or 0
        index = max((i for i, grace in enumerate(wanted) if grace.priority <= priority), default=0)
        found[index][1].append(pod)
    return [(seconds, members) for seconds, members in found if members]


@dataclass(kw_only=True)
class Shutdown:
    """Waits for the word, and carries it out. `pods` are those that hold something of the node."""

    graces: Sequence[Grace]
    pods: Callable[[], Mapping[str, Pod]]
    evict: Callable[[str, Verdict], None]
    changed: Callable[[], None]
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, ended: Callable[[], None]) -> None:
        """Forever: a shutdown may be called off, and another one come. `ended` is called when the pods are gone."""
        while True:
            await self.run()
            ended()
            while self.begun.is_set():
                await asyncio.sleep(_LOOK)
            log.info("the node is not shutting down any more")
            self.changed()

    async def run(self) -> None:
        """One shutdown, from the word to the pods' end."""
        await self.begun.wait()
        log.info("the node is shutting down")
        self.changed()
        for seconds, members in groups(list(self.pods().values()), self.graces):
            for pod in members:
                own = pod.spec.termination_grace_period_seconds
                grace = seconds if own is None else min(seconds, own)
                self.evict(pod.metadata.uid, Verdict("Terminated", MESSAGE, disruption=MESSAGE, grace=grace))
            await self._wait({pod.metadata.uid for pod in members}, seconds)
        log.info("the pods have ended")

    async def _wait(self, uids: set[str], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while uids & self.pods().keys():
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            log.warning("pods did not end in time", number=len(uids & self.pods().keys()))
