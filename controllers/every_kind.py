"""What there is of every kind a server has, custom ones included: metadata alone, for those who work on all kinds.

One watch per kind, shared with the caches of other controllers where those hold all of it; discovery is asked again now
and then, and a moment after a CustomResourceDefinition changed. Kinds that cannot be listed, watched and deleted are
left out, and events. An undiscoverable group keeps the kinds it had.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import BY_RESOURCE, CUSTOMRESOURCEDEFINITIONS, EVENTS, Kind
from client.cache import Cache
from client.client import Client
from client.discovery import Discovered, discover
from client.runtime import Caches
from controllers.views import (
    Object,
)

REDISCOVER = 30.0
SYNC_MAX = 10.0

#: Called with the kind, the old and the new state of an object; None stands for "not there".
Changed: TypeAlias = Callable[[Kind, Any, Any], None]

_log = structlog.get_logger("controllers.every_kind")


class EveryKind:
    """See the module. `run` is for ever."""

    def __init__(self, client: Client, shared: Caches, *, random: Callable[[], float]) -> None:
        self.discovered = Discovered(())
        self._client, self._shared, self._random = client, shared, random
        self._watched: dict[tuple[str, str], asyncio.Task[None] | None] = {}
        self._caches: dict[tuple[str, str], Cache[Any]] = {}
        self._subscribers: list[Changed] = []
        self._again = asyncio.Event()
        self._synced = asyncio.Event()

    def subscribe(self, changed: Changed) -> None:
        """Be told of every change; what is there already comes as additions."""
        self._subscribers.append(changed)
        for cache in self._caches.values():
            cache.subscribe(partial(changed, cache.kind))

    async def wait_synced(self) -> None:
        """Until every kind has been listed once, or did not answer in time."""
        await self._synced.wait()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._watch_all(tasks)
                self._synced.set()
                try:
                    async with asyncio.timeout(REDISCOVER):
                        await self._again.wait()
                        await asyncio.sleep(1)  # a new kind is served a moment after its definition is stored
                except TimeoutError:
                    pass
                self._again.clear()

    async def _watch_all(self, tasks: asyncio.TaskGroup) -> None:
        try:
            self.discovered = await discover(self._client)
        except ApiError as error:
            _log.warning("discovery failed", error=str(error))
            self._again.set()
            return
        wanted = {(kind.group, kind.plural): kind for kind in self.discovered.kinds if _is_kept(kind)}
        failed = {group_version.rpartition("/")[0] for group_version in self.discovered.failed}
        for name in self._watched.keys() - wanted.keys():
            if name[0] not in failed:
                self._drop(name)
        for name in wanted.keys() - self._watched.keys():
            self._watched[name] = None
            await self._watch(BY_RESOURCE.get((*name[:1], wanted[name].version, name[1]), wanted[name]), tasks)

    def _drop(self, name: tuple[str, str]) -> None:
        self._caches.pop(name)
        task = self._watched.pop(name)
        if task is not None:
            task.cancel()

    async def _watch(self, kind: Kind, tasks: asyncio.TaskGroup) -> None:
        cache: Cache[Any] | None = self._shared.whole(kind)
        if cache is None:
            cache = Cache(self._client, kind, Object, random=self._random)
            self._watched[kind.group, kind.plural] = tasks.create_task(cache.run(), name=f"every-{kind.resource}")
        self._caches[kind.group, kind.plural] = cache
        try:
            async with asyncio.timeout(SYNC_MAX):
                await cache.wait_synced()
        except TimeoutError:
            _log.warning("kind not listed in time", resource=kind.resource)
        for changed in self._subscribers:
            cache.subscribe(partial(changed, kind))
        if kind.resource == CUSTOMRESOURCEDEFINITIONS.resource:
            cache.subscribe(lambda _old, _new: self._again.set())


def _is_kept(kind: Kind) -> bool:
    is_event = kind.plural == EVENTS.plural and kind.group in ("", "events.k8s.io")
    return not is_event and {"delete", "list", "watch"} <= set(kind.verbs)
