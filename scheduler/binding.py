"""Carries out a placement on the server: reserves the pod's volumes, waits for them, and binds the pod to its node."""

import asyncio
from collections.abc import Callable, Sequence

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.types import Json
from client.client import Client
from scheduler.views import Pod
from scheduler.volumes import Unready, Volumes, Write

BINDINGS_AT_ONCE = 64
VOLUMES_WITHIN = 600.0  # seconds for a pod's volumes to be bound, upstream's bindTimeoutSeconds


class Binder:
    """`is_bound` says whether a pod has a node by now, or is gone."""

    def __init__(self, client: Client, volumes: Volumes, is_bound: Callable[[Pod], bool]) -> None:
        self._client, self._volumes, self._is_bound = client, volumes, is_bound
        self._at_once = asyncio.Semaphore(BINDINGS_AT_ONCE)
        self._changed = asyncio.Event()  # set, and replaced, when a claim or a volume changes

    def volumes_changed(self) -> None:
        """Those that wait for volumes look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def bind(self, pod: Pod, node: str, first: Sequence[Write] | None) -> None:
        """`first` is to be written before; None where no volume has to be waited for. Raises Unready and ApiError."""
        if first is not None:
            await self._bind_volumes(pod, node, first)
        meta = pod.metadata
        async with self._at_once:
            body = _binding(pod, node)
            await self._client.create(PODS, body, namespace=meta.namespace, name=meta.name, subresource="binding")

    async def _bind_volumes(self, pod: Pod, node: str, writes: Sequence[Write]) -> None:
        """Reserve the pod's volumes and wait until they are bound. Raises Unready."""
        try:
            for write in writes:
                await self._client.patch(write.kind, write.namespace, write.name, write.body)
            async with asyncio.timeout(VOLUMES_WITHIN):
                while not self._volumes.state(pod, node):
                    if self._is_bound(pod):
                        raise Unready("pod does not exist any more")
                    await self._changed.wait()
        except TimeoutError as error:
            raise Unready("timed out waiting for the condition") from error
        except ApiError as error:  # somebody else was faster, or a claim has gone
            raise Unready(str(error)) from error
        finally:
            self._volumes.release(pod.metadata.uid)


def _binding(pod: Pod, node: str) -> Json:
    metadata = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid}
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
