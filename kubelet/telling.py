"""Tells the API a pod's status, beside the pod's loop: one write at a time, always the newest, never the same twice."""

import asyncio
from collections.abc import Callable

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from kubelet.doors import PodApi
from kubelet.pods.status import differing, patch
from kubelet.pods.world import ref
from kubelet.starting import RETRY

log = structlog.get_logger("kubelet.telling")

_TROUBLE = 1.0  # how long to wait when the API does not answer


class Teller:
    """`pod` is the pod as we know it, None when it is gone; `taken` gets what the API answers; `failed` looks again."""

    def __init__(
        self, api: PodApi, *, pod: Callable[[], Pod | None], taken: Callable[[Pod], None], failed: Callable[[], None]
    ) -> None:
        self._api, self._pod, self._taken, self._failed = api, pod, taken, failed
        self._status: Json | None = None
        self._writing: asyncio.Task[None] | None = None

    def tell(self, status: Json, tasks: asyncio.TaskGroup) -> None:
        """Bring the API's copy to this."""
        self._status = status
        pod = self._pod()
        if self._writing is None and pod is not None and patch(pod, status) is not None:
            self._writing = tasks.create_task(self._write())

    async def told(self) -> None:
        """Until nothing is being written."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        again = False
        try:
            again = await self._write_newest()
        except ApiError as error:
            again = True
            pod = self._pod()
            log.warning("cannot tell the pod's status", pod=str(ref(pod)) if pod else "", error=error.message)
            await asyncio.sleep(_TROUBLE)
        finally:
            self._writing = None
            if again and self._pod() is not None:
                self._failed()

    async def _write_newest(self) -> bool:
        """Until the API has the newest; whether it is to be looked at again."""
        while (pod := self._pod()) is not None and self._status is not None:
            body = patch(pod, self._status)
            if body is None:
                return False
            answer = await self._api.patch_status(pod, body)
            if answer is None:
                return False  # that pod is there no more: the watch will say so
            self._taken(answer)
            now = self._pod() or pod
            if patch(now, self._status) == body:  # the server does not take it as it is: do not insist
                fields = differing(now, self._status)
                log.warning("the API keeps a different status", pod=str(ref(now)), fields=fields, there=now.status)
                await asyncio.sleep(RETRY)
                return True
        return False
