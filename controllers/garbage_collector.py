"""Deletes objects whose owners are gone, and lets owners go whose dependents are: over every kind the server has.

The decisions are pure (gc_graph); this shell keeps the graph fresh from metadata-only caches (those of other
controllers where they hold all of a kind, own ones for the rest, found by discovery and so including custom resources),
asks the server about owners it has not seen before it believes them gone, and carries decisions out. It awaits, so it
is no plain controller: what it decides about is the server's truth at that moment, not a cache's. Every write names
uid and resourceVersion, so a decision made from an old state is refused and made again.
Source: pkg/controller/garbagecollector.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import BY_RESOURCE, CUSTOMRESOURCEDEFINITIONS, EVENTS, Kind
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from client.discovery import Discovered, discover
from client.events import EventRecorder
from client.queue import Queue
from client.runtime import Caches
from controllers.gc_graph import (
    DeleteItem,
    DropFinalizer,
    Fate,
    Graph,
    Item,
    KeepOwners,
    LookAt,
    decide,
    references,
    without_owner,
)
from controllers.views import Object, Owner

REDISCOVER = 30.0
WORKERS = 10
SYNC_MAX = 10.0
ABSENT_MAX = 500

_log = structlog.get_logger("controllers.garbage_collector")


class GarbageCollector:
    """The shell around the graph."""

    name = "garbage-collector-controller"

    def __init__(self, client: Client, caches: Caches, recorder: EventRecorder, *, random: Callable[[], float]) -> None:
        self.graph = Graph()
        self.queue: Queue[str] = Queue(self.name)
        self._client, self._shared, self._recorder, self._random = client, caches, recorder, random
        self._discovered = Discovered(())
        self._watched: dict[tuple[str, str], asyncio.Task[None] | None] = {}
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._again = asyncio.Event()

    @property
    def idle(self) -> bool:
        return self.queue.idle

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._watch_all(tasks)
                tasks.create_task(self._follow_discovery(tasks), name="gc-discovery")
                for number in range(WORKERS):
                    tasks.create_task(self._work(), name=f"gc-{number}")
        finally:
            self.queue.close()

    # ------------------------------------------------------------------------------------------ what there is

    async def _follow_discovery(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                async with asyncio.timeout(REDISCOVER):
                    await self._again.wait()
                    await asyncio.sleep(1)  # a new kind is served a moment after its definition is stored
            except TimeoutError:
                pass
            self._again.clear()
            await self._watch_all(tasks)

    async def _watch_all(self, tasks: asyncio.TaskGroup) -> None:
        """Have a cache for each kind that can be deleted; an undiscoverable group keeps those it has."""
        try:
            self._discovered = await discover(self._client)
        except ApiError as error:
            _log.warning("discovery failed", error=str(error))
            self._again.set()
            await asyncio.sleep(1)
            return
        wanted = {(kind.group, kind.plural): kind for kind in self._discovered.kinds if _is_collectable(kind)}
        for name in self._watched.keys() - wanted.keys():
            if name[0] not in {failed.rpartition("/")[0] for failed in self._discovered.failed}:
                task = self._watched.pop(name)
                if task is not None:
                    task.cancel()
        for name in wanted.keys() - self._watched.keys():
            self._watched[name] = None
            await self._watch(BY_RESOURCE.get((*name[:1], wanted[name].version, name[1]), wanted[name]), tasks)

    async def _watch(self, kind: Kind, tasks: asyncio.TaskGroup) -> None:
        cache: Cache[Any] | None = self._shared.whole(kind)
        if cache is None:
            cache = Cache(self._client, kind, Object, random=self._random)
            self._watched[kind.group, kind.plural] = tasks.create_task(cache.run(), name=f"gc-{kind.resource}")
        try:
            async with asyncio.timeout(SYNC_MAX):
                await cache.wait_synced()
        except TimeoutError:
            _log.warning("kind not listed in time", resource=kind.resource)
        cache.subscribe(lambda old, new: self._changed(kind, old, new))

    def _changed(self, kind: Kind, old: Any, new: Any) -> None:
        if kind.resource == CUSTOMRESOURCEDEFINITIONS.resource:
            self._again.set()
        for uid in self.graph.observe(kind, old and old.metadata, new and new.metadata):
            self.queue.add(uid)

    # ------------------------------------------------------------------------------------------ deciding

    async def _work(self) -> None:
        while True:
            uid = await self.queue.get()
            try:
                await self._attempt(uid)
            except ApiError as error:
                if error.reason not in ("Conflict", "NotFound"):
                    _log.warning("cannot collect", uid=uid, error=str(error))
                self.queue.retry(uid)
            except Exception:  # noqa: BLE001 - the top of the loop
                _log.exception("cannot collect", uid=uid)
                self.queue.retry(uid)
            else:
                self.queue.forget(uid)
            finally:
                self.queue.done(uid)

    async def _attempt(self, uid: str) -> None:
        item = self.graph.items.get(uid)
        if item is None:
            return
        fates = {owner.uid: await self._fate(item, owner) for owner in item.meta.owner_references}
        action = decide(self.graph, item, fates)
        match action:
            case LookAt(uids):
                for each in uids:
                    self.queue.add(each)
            case KeepOwners(owners):
                await self._patch(item, {"ownerReferences": references(owners)})
            case DropFinalizer(finalizer, release):
                await self._let_go(item, finalizer, release)
            case DeleteItem(propagation, unblock):
                await self._delete(item, propagation, unblock)

    async def _fate(self, item: Item, owner: Owner) -> Fate:
        known = self.graph.fate(item, owner)
        if known is not Fate.UNKNOWN:
            return known
        asked = (item.meta.namespace, owner.uid)
        if asked in self._absent:
            return Fate.ABSENT
        kind = self._discovered.find(owner.api_version.rpartition("/")[0], owner.kind)
        if kind is None:  # nobody can say whether it is there: never delete on that account
            raise ApiError(404, "NoMatch", f'no matches for kind "{owner.kind}" in version "{owner.api_version}"')
        if kind.namespaced and not item.meta.namespace:
            self._complain(item, f"ownerRef {_shown(owner)} must not be namespaced for a cluster-scoped object")
            return Fate.SOLID
        if await self._is_there(kind, item.meta.namespace, owner):
            return Fate.SOLID
        self._absent[asked] = None
        if len(self._absent) > ABSENT_MAX:
            self._absent.popitem(last=False)
        elsewhere = self.graph.items.get(owner.uid)
        if elsewhere is not None and elsewhere.meta.namespace not in ("", item.meta.namespace):
            self._complain(item, f'ownerRef {_shown(owner)} does not exist in namespace "{item.meta.namespace}"')
        return Fate.ABSENT

    async def _is_there(self, kind: Kind, namespace: str, owner: Owner) -> bool:
        try:
            tree = await self._client.get(kind, namespace if kind.namespaced else "", owner.name)
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return bool(tree["metadata"].get("uid") == owner.uid)

    def _complain(self, item: Item, message: str) -> None:
        meta = item.meta
        about = {"apiVersion": item.kind.api_version, "kind": item.kind.kind, "name": meta.name, "uid": meta.uid}
        if meta.namespace:
            about["namespace"] = meta.namespace
        self._recorder.event(about, "Warning", "OwnerRefInvalidNamespace", message)

    # ------------------------------------------------------------------------------------------ acting

    async def _let_go(self, item: Item, finalizer: str, release: tuple[Item, ...]) -> None:
        for dependent in release:
            await self._patch(dependent, {"ownerReferences": references(without_owner(dependent, item.meta.uid))})
        await self._patch(item, {"finalizers": [each for each in item.meta.finalizers if each != finalizer]})

    async def _patch(self, item: Item, meta: Json) -> None:
        """A merge patch, which custom resources know too, over the very version decided about."""
        body = {"metadata": {"uid": item.meta.uid, "resourceVersion": item.meta.resource_version, **meta}}
        await self._client.patch(item.kind, item.meta.namespace, item.meta.name, body)

    async def _delete(self, item: Item, propagation: str, unblock: tuple[str, ...]) -> None:
        meta = item.meta
        version = meta.resource_version
        if unblock:
            owners = references(meta.owner_references, unblocked=unblock)
            await self._patch(item, {"ownerReferences": owners})
            version = ""
        try:
            await self._client.delete(
                item.kind, meta.namespace, meta.name, uid=meta.uid, resource_version=version, propagation=propagation
            )
        except ApiError as error:
            if error.code != 404:
                raise
        _log.debug("collected", resource=item.kind.resource, namespace=meta.namespace, name=meta.name)


def _is_collectable(kind: Kind) -> bool:
    is_event = kind.plural == EVENTS.plural and kind.group in ("", "events.k8s.io")
    return not is_event and {"delete", "list", "watch"} <= set(kind.verbs)


def _shown(owner: Owner) -> str:
    return f"[{owner.api_version}/{owner.kind}, namespace: , name: {owner.name}, uid: {owner.uid}]"
