"""What the scheduler tells: events, and a waiting pod's condition and nominated node. The words are upstream's."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.times import rfc3339
from apimachinery.types import Json
from client.client import Client
from client.events import NORMAL, WARNING, EventRecorder
from scheduler.backlog import Waiting
from scheduler.views import SCHEDULED, Pod

UNSCHEDULABLE, ERROR = "Unschedulable", "SchedulerError"
LONGEST_NOTE, CUT = 1024, " ..."

_log = structlog.get_logger("scheduler")


@dataclass
class Teller:
    """`clock` is wall time, for conditions."""

    client: Client
    recorder: EventRecorder
    recorders: Mapping[str, EventRecorder] = field(default_factory=dict)  # of profiles that have their own
    clock: Callable[[], float] = time.time

    def _event(self, by: Pod, about: Pod, type: str, reason: str, message: str) -> None:
        self.recorders.get(by.scheduler, self.recorder).event(reference(about), type, reason, message)

    def scheduled(self, pod: Pod, node: str) -> None:
        self._event(pod, pod, NORMAL, "Scheduled", f"Successfully assigned {pod.key} to {node}")

    def preempted(self, victim: Pod, by: Pod, node: str) -> None:
        message = f"Preempted by pod {by.metadata.uid} on node {node}"
        self._event(by, victim, NORMAL, "Preempted", message)

    async def waits(self, waiting: Waiting, reason: str, message: str, nominated: str | None = None) -> None:
        """Why a pod waits, and which node it is promised now ("": none any more, None: as before)."""
        pod = waiting.pod
        self._event(pod, pod, WARNING, "FailedScheduling", _note(message))
        status: Json = {}
        said = (reason, message, pod.metadata.generation)
        if waiting.reported != said:
            status["conditions"] = [self._condition(pod, reason, message)]
        if nominated is not None and nominated != pod.status.nominated_node_name:
            status["nominatedNodeName"] = nominated or None
        if status and await self._patch(pod, status):
            waiting.reported = said

    async def give_up(self, pod: Pod) -> None:
        """A less important pod loses the node that it was promised."""
        await self._patch(pod, {"nominatedNodeName": None})

    async def _patch(self, pod: Pod, status: Json) -> bool:
        body = {"metadata": {"uid": pod.metadata.uid}, "status": status}
        namespace, name = pod.metadata.namespace, pod.metadata.name
        try:
            await self.client.patch(PODS, namespace, name, body, type="strategic", subresource="status")
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                _log.warning("status not written", pod=pod.key, error=str(error))
            return False
        return True

    def _condition(self, pod: Pod, reason: str, message: str) -> Json:
        known = pod.condition(SCHEDULED)
        return {
            "type": SCHEDULED,
            "observedGeneration": pod.metadata.generation,
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": (known and known.last_transition_time) or rfc3339(self.clock()),
        }


def _note(message: str) -> str:
    return message if len(message) <= LONGEST_NOTE else message[: LONGEST_NOTE - len(CUT)] + CUT


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
