"""The API objects that pods refer to: config maps, secrets, tokens, claims. A door, and its implementation.

Each config map and secret is watched by its own name while a pod of this node refers to it (the Node authorizer
allows no more), so an update reaches a running pod's files at once; immutable ones are cached the same way. A name that
does not exist is None, everything else that goes wrong is an ApiError.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from apimachinery import times
from apimachinery.errors import ApiError, timeout
from apimachinery.kinds import CONFIGMAPS, PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, SECRETS, SERVICEACCOUNTS, Kind
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret
from client.cache import Cache
from client.client import Client

T = TypeVar("T")
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires_at: float


class Objects(Protocol):
    async def configmap(self, namespace: str, name: str, uid: str) -> ConfigMap | None:
        """The config map as it is now; `uid` is the pod that needs it, until `release`."""
        ...

    async def secret(self, namespace: str, name: str, uid: str) -> Secret | None: ...

    async def token(self, pod: Pod, audience: str, seconds: int) -> Token:
        """A service-account token bound to the pod."""
        ...

    async def claimed(self, namespace: str, claim: str) -> PersistentVolume:
        """The volume that a claim is bound to."""
        ...

    def release(self, uid: str) -> None:
        """The pod needs nothing any more."""
        ...


@dataclass
class _Watched:
    cache: Cache[Any]
    task: asyncio.Task[None]
    users: set[str] = field(default_factory=set)


class ApiObjects:
    """`Objects` by the API. `spawn` runs the watches."""

    def __init__(self, client: Client, *, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        self._client, self._spawn = client, spawn
        self._changed: Callable[[str], None] = lambda _uid: None
        self._watched: dict[tuple[str, str, str], _Watched] = {}

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """`changed` hears the uids of pods whose objects have changed."""
        self._changed = changed

    async def configmap(self, namespace: str, name: str, uid: str) -> ConfigMap | None:
        return await self._get(CONFIGMAPS, ConfigMap, namespace, name, uid)

    async def secret(self, namespace: str, name: str, uid: str) -> Secret | None:
        return await self._get(SECRETS, Secret, namespace, name, uid)

    async def _get(self, kind: Kind, type: type[T], namespace: str, name: str, uid: str) -> T | None:
        key = (kind.plural, namespace, name)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = self._watch(kind, type, namespace, name)
        watched.users.add(uid)
        try:
            async with asyncio.timeout(_PATIENCE):
                await watched.cache.wait_synced()
        except TimeoutError as error:
            raise timeout(f"failed to sync {kind.kind.lower()} cache: timed out waiting for the condition") from error
        found: T | None = watched.cache.get(namespace, name)
        return found

    def _watch(self, kind: Kind, type: type[T], namespace: str, name: str) -> _Watched:
        cache = Cache(self._client, kind, type, namespace=namespace, fields=f"metadata.name={name}")
        watched = _Watched(cache, self._spawn(cache.run()))

        def tell(_old: T | None, _new: T | None) -> None:
            if cache.synced:
                for user in tuple(watched.users):
                    self._changed(user)

        cache.subscribe(tell)
        return watched

    async def token(self, pod: Pod, audience: str, seconds: int) -> Token:
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod.metadata.name, "uid": pod.metadata.uid}
        spec = {"audiences": [audience] if audience else [], "expirationSeconds": seconds, "boundObjectRef": bound}
        answer = await self._client.create(
            SERVICEACCOUNTS,
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
            namespace=pod.metadata.namespace,
            name=pod.spec.service_account_name or "default",
            subresource="token",
        )
        status = answer["status"]
        return Token(status["token"], times.parse(status["expirationTimestamp"]))

    async def claimed(self, namespace: str, claim: str) -> PersistentVolume:
        found = view(await self._client.get(PERSISTENTVOLUMECLAIMS, namespace, claim), PersistentVolumeClaim)
        if found.status.phase != "Bound" or not found.spec.volume_name:
            raise ApiError(409, "Conflict", f"PVC {namespace}/{claim} is not bound")
        return view(await self._client.get(PERSISTENTVOLUMES, "", found.spec.volume_name), PersistentVolume)

    def release(self, uid: str) -> None:
        for key, watched in list(self._watched.items()):
            watched.users.discard(uid)
            if not watched.users:
                watched.task.cancel()
                del self._watched[key]
