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
_PROTECTION = "kubernetes.io/pvc-protection"


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires_at: float


class Unbound(Exception):
    """A claim leads to no volume now; the message is upstream's (desired_state_of_world_populator.go)."""


class Objects(Protocol):
    async def configmap(self, namespace: str, name: str, uid: str) -> ConfigMap | None:
        """The config map as it is now; `uid` is the pod that needs it, until `release`."""
        ...

    async def secret(self, namespace: str, name: str, uid: str) -> Secret | None: ...

    async def token(self, pod: Pod, audience: str, seconds: int) -> Token:
        """A service-account token bound to the pod."""
        ...

    async def claimed(self, namespace: str, claim: str, owner: Pod | None = None) -> PersistentVolume:
        """The volume that a claim is bound to; the claim must be the pod's own where there is an `owner`.

        Raises Unbound.
        """
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
        if getattr(found, "immutable", False):
            watched.task.cancel()  # what cannot change need not be watched; the cache keeps it
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

    async def claimed(self, namespace: str, claim: str, owner: Pod | None = None) -> PersistentVolume:
        where = f"error processing PVC {namespace}/{claim}"
        try:
            found = view(await self._client.get(PERSISTENTVOLUMECLAIMS, namespace, claim), PersistentVolumeClaim)
        except ApiError as error:
            raise Unbound(f"{where}: failed to fetch PVC from API server: {error}") from error
        meta, name = found.metadata, found.spec.volume_name
        if meta.deletion_timestamp is not None and _PROTECTION not in meta.finalizers:
            raise Unbound(f"{where}: PVC is being deleted")
        if found.status.phase != "Bound":
            raise Unbound(f"{where}: PVC is not bound")
        if not name:
            raise Unbound(f"{where}: PVC has empty pvc.Spec.VolumeName")
        if owner is not None and not any(o.controller and o.uid == owner.metadata.uid for o in meta.owner_references):
            pod = f"{owner.metadata.namespace}/{owner.metadata.name}"
            raise Unbound(f"PVC {namespace}/{claim} was not created for pod {pod} (pod is not owner)")
        return await self._volume(name, meta.uid, where)

    async def _volume(self, name: str, claim_uid: str, where: str) -> PersistentVolume:
        try:
            found = view(await self._client.get(PERSISTENTVOLUMES, "", name), PersistentVolume)
        except ApiError as error:
            raise Unbound(f"{where}: failed to fetch PV {name} from API server: {error}") from error
        ref = found.spec.claim_ref
        if ref is None:
            why = "it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
            raise Unbound(f"{where}: found PV object {name} but {why}")
        if ref.uid != claim_uid:
            why = f"its pv.Spec.ClaimRef.UID {ref.uid} does not point to claim.UID {claim_uid}"
            raise Unbound(f"{where}: found PV object {name} but {why}")
        return found

    def release(self, uid: str) -> None:
        for key, watched in list(self._watched.items()):
            watched.users.discard(uid)
            if not watched.users:
                watched.task.cancel()
                del self._watched[key]
