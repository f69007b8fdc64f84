"""Mirror pods: what the API shows of static pods. Written by the kubelet alone; the static pod is the truth.

One that somebody deletes comes back, a second later: upstream's comes back in the same sync that removes it, some 10 ms
after, and kubectl, which asks for the pod and then lists it, waits for ever where it comes back between the two (seen
often, since we are quicker). One whose static pod is no more goes; one whose static pod is another now is replaced at
once. The statuses of static pods are told here, in the mirror's name.
Source: pkg/kubelet/pod/mirror_client.go, kubelet.go (tryReconcileMirrorPods).
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.objects.core_v1 import Node as NodeView
from apimachinery.objects.core_v1 import Pod
from apimachinery.types import Json
from client.client import Client
from kubelet.doors import PodApi
from kubelet.plain import plain
from kubelet.pods.admit import is_static
from kubelet.static_pods import HASH, MIRROR, is_mirror
from kubelet.waiting import heard

log = structlog.get_logger("kubelet.mirrors")

_RETRY = 5.0
_ABSENT = 1.0  # seconds in which whoever deleted a mirror can see that it is gone


class Mirrors:
    """Keeps the mirrors of static pods, and is `PodApi` for all pods of the node."""

    def __init__(
        self,
        client: Client,
        api: PodApi,
        node: Callable[[], NodeView | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._api, self._node, self._clock = client, api, node, clock
        self._wanted: Mapping[str, Pod] = {}
        self._there: dict[tuple[str, str], Pod] = {}
        self._absent: dict[tuple[str, str], float] = {}  # when a deleted one may come back
        self._changed = asyncio.Event()

    # ------------------------------------------------------------------------------------- what is, what should be

    def want(self, pods: Mapping[str, Pod]) -> None:
        """These are the static pods now, by uid."""
        self._wanted = pods
        self._changed.set()

    def see(self, old: Pod | None, new: Pod | None) -> str:
        """A mirror pod has changed in the API; the uid of its static pod, where there is one."""
        for pod in (old, new):
            if pod is not None:
                self._there.pop(_key(pod), None)
        if new is not None:
            self._there[_key(new)] = new
        elif old is not None and self._is_wanted(old):
            self._absent[_key(old)] = self._clock() + _ABSENT
        self._changed.set()
        pod = new or old
        uid = pod.metadata.annotations.get(MIRROR, "") if pod is not None else ""
        return uid if uid in self._wanted else ""

    def told(self, static: Pod) -> Pod:
        """The static pod with the status that the API has of it."""
        mirror = self._mirror(static)
        if mirror is None:
            return static
        meta = msgspec.structs.replace(
            static.metadata,
            resource_version=mirror.metadata.resource_version,
            generation=mirror.metadata.generation,
        )
        return msgspec.structs.replace(static, metadata=meta, status=mirror.status)

    def _mirror(self, static: Pod) -> Pod | None:
        mirror = self._there.get(_key(static))
        return mirror if mirror is not None and _is_of(mirror, static) else None

    def _is_wanted(self, mirror: Pod) -> bool:
        return any(_key(static) == _key(mirror) and _is_of(mirror, static) for static in self._wanted.values())

    async def run(self) -> None:
        """Forever: bring the API's mirrors to what the static pods are."""
        while True:
            self._changed.clear()
            try:
                pause = await self._reconcile()
            except ApiError as error:
                log.warning("cannot keep the mirror pods", error=error.message)
                pause = _RETRY
            await heard(self._changed, pause)

    async def _reconcile(self) -> float | None:
        """Removes and makes what it can; in how many seconds there is more to do."""
        static = {_key(pod): pod for pod in self._wanted.values()}
        for key, mirror in list(self._there.items()):
            own = static.get(key)
            if own is None or not _is_of(mirror, own) or mirror.metadata.deletion_timestamp is not None:
                await self._api.forget(mirror)
                self._there.pop(key, None)
                if own is not None and _is_of(mirror, own):
                    self._absent[key] = self._clock() + _ABSENT
        self._absent = {key: until for key, until in self._absent.items() if key in static and until > self._clock()}
        for key, pod in static.items():
            if key not in self._there and key not in self._absent:
                await self._create(pod)
        return min(self._absent.values()) - self._clock() if self._absent else None

    async def _create(self, pod: Pod) -> None:
        node = self._node()
        if node is None:
            raise ApiError(503, "ServiceUnavailable", "the node is not registered yet")
        try:
            await self._client.create(PODS, mirror_of(pod, node), namespace=pod.metadata.namespace)
        except ApiError as error:
            if error.code != 409:  # the watch has not told us yet
                raise

    # ------------------------------------------------------------------------------------- PodApi

    async def patch_status(self, pod: Pod, body: Json) -> Pod | None:
        if not is_static(pod):
            return await self._api.patch_status(pod, body)
        mirror = self._mirror(pod)
        if mirror is None:
            return None  # it is told when there is one
        changed = await self._api.patch_status(mirror, body | {"metadata": {"uid": mirror.metadata.uid}})
        if changed is None:
            return None
        held = self._there.get(_key(changed))
        if held is not None and _revision(held) < _revision(changed):  # else the watch has told of a later one already
            self._there[_key(changed)] = changed
        return self.told(pod)

    async def forget(self, pod: Pod) -> None:
        if not is_static(pod):
            await self._api.forget(pod)


def _key(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name


def _revision(pod: Pod) -> int:
    return int(pod.metadata.resource_version or 0)


def _is_of(mirror: Pod, static: Pod) -> bool:
    return is_mirror(mirror) and mirror.metadata.annotations[MIRROR] == static.metadata.annotations[HASH]


def mirror_of(pod: Pod, node: NodeView) -> Json:
    """The object to create."""
    tree: Json = plain(pod)
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.metadata.name, "uid": node.metadata.uid}
    notes = {**pod.metadata.annotations, MIRROR: pod.metadata.annotations[HASH]}
    meta = {
        "name": pod.metadata.name,
        "namespace": pod.metadata.namespace,
        "labels": dict(pod.metadata.labels),
        "annotations": notes,
        "ownerReferences": [owner | {"controller": True}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": tree["spec"]}
