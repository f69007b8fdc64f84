"""Deletes objects whose owners are gone, and lets owners go whose dependents are: over every kind the server has.

The decisions are pure (gc_graph); this shell keeps the graph fresh from the metadata of every kind (every_kind), asks
the server about owners it has not seen before it believes them gone, and carries decisions out. It awaits, so it
is no plain controller: what it decides about is the server's truth at that moment, not a cache's. Every write names
uid and resourceVersion, so a decision made from an old state is refused and made again.
Source: pkg/controller/garbagecollector.
"""

import asyncio
from collections import OrderedDict
from typing import Any

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from client.client import Client
from client.events import EventRecorder
from client.queue import Queue
from controllers.every_kind import EveryKind
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
from controllers.views import (
    Owner,
)

WORKERS = 10
ABSENT_MAX = 500

_log = structlog.get_logger("controllers.garbage_collector")


class GarbageCollector:
    """The shell around the graph."""

    name = "garbage-collector-controller"

    def __init__(self, client: Client, every: EveryKind, recorder: EventRecorder) -> None:
        self.graph = Graph()
        self.queue: Queue[str] = Queue(self.name)
        self._client, self._every, self._recorder = client, every, recorder
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def idle(self) -> bool:
        return self.queue.idle

    async def run(self) -> None:
        """Until cancelled."""
        self._every.subscribe(self._changed)
        await self._every.wait_synced()
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(WORKERS):
                    tasks.create_task(self._work(), name=f"gc-{number}")
        finally:
            self.queue.close()

    def _changed(self, kind: Kind, old: Any, new: Any) -> None:
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
        kind = self._every.discovered.find(owner.api_version.rpartition("/")[0], owner.kind)
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


def _shown(owner: Owner) -> str:
    return f"[{owner.api_version}/{owner.kind}, namespace: , name: {owner.name}, uid: {owner.uid}]"
