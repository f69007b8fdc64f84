"""Follows the definitions in the watch cache: serves them, writes their conditions, cleans up after them.

Serving is synchronous: between two awaits the registry, and discovery, are those of the definitions as the cache has
them. So whoever has waited for the cache can `catch_up`, which is how a request for a resource that was established a
moment ago, by another server perhaps, is not told 404. Conditions are decided purely (naming.py) and written by
compare-and-swap; servers that decide at the same time decide the same, and all but one find nothing left to change.
A row in use that changes is replaced whole: requests in flight end with the old one, its watches end, and come again.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import CUSTOMRESOURCEDEFINITIONS, KNOWN, Kind
from apimachinery.types import Json
from apiserver.customresources import cleanup, naming
from apiserver.customresources.definition import ESTABLISHED, is_true
from apiserver.customresources.serving import Served, mark_of, serve
from apiserver.customresources.transforms import Converts
from apiserver.discovery.state import Discovery
from apiserver.metrics import custom as metrics
from apiserver.resources import committing, internal, managing, metadata, presenting, raw
from apiserver.resources.api import Api
from apiserver.storage.entry import Entry
from apiserver.storage.protocol import Compacted, Conflict, StorageError
from apiserver.storage.ring import Cursor

log = structlog.get_logger("apiserver")

_RETRY_SECONDS = 1.0
#: How often objects that finalizers hold are looked at again, while their definition waits.
_HELD_SECONDS = 1.0


class CustomResources:
    """The definitions of one API server."""

    def __init__(self, api: Api, discovery: Discovery, converter_of: Callable[[Json], Converts]) -> None:
        self._api = api
        self._discovery = discovery
        self._built_in = tuple(discovery.kinds)
        self._converter_of = converter_of
        self._prefix = CUSTOMRESOURCEDEFINITIONS.storage_prefix()
        self._served: dict[str, Served] = {}  # by the name of the definition
        self._seen: dict[str, int] = {}  # the revision of each definition that was looked at
        self._cleaning: set[str] = set()

    async def run(self) -> None:
        """Follow, for ever. Ends by being cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                cursor = self._api.cache.watch(self._prefix, self._api.cache.revision)
                self.catch_up()
                is_settled = await self._settle(tasks)
                await self._changes(cursor, None if is_settled else _RETRY_SECONDS)

    async def _changes(self, cursor: Cursor, timeout: float | None) -> None:  # noqa: ASYNC109 - a quiet end
        """Until something changes, or it is time to try again."""
        try:
            await cursor.next(timeout)
        except Compacted:
            return

    def catch_up(self) -> None:
        """Serve the definitions as the cache has them now."""
        entries = {entry.name: entry for entry in self._api.cache.list(self._prefix)}
        changed = False
        for name in [name for name in self._seen if name not in entries]:
            del self._seen[name]
            changed |= self._stop(name)
        for name, entry in entries.items():
            if self._seen.get(name) != entry.revision:
                self._seen[name] = entry.revision
                changed |= self._look_at(name, entry)
        if changed:
            self._publish()

    def _look_at(self, name: str, entry: Entry) -> bool:
        """Serve one definition as it now is. Whether that changed anything."""
        before = self._served.get(name)
        try:
            tree = entry.tree
            if (before is not None and before.mark == mark_of(tree)) or _is_built_in(tree):
                return False
            served = serve(self._api, tree, self._converter_of(tree), before)
        except Exception as error:  # the top of a definition's life: one that is broken must not take the others along
            log.exception("a definition cannot be served", name=name, error=repr(error))
            return self._stop(name)
        self._served[name] = served
        _count(name, served, "update" if before is not None else "add")
        kept = {_coordinates(row.kind) for row in served.resources}
        for old in before.resources if before is not None else ():
            if _coordinates(old.kind) not in kept:
                self._api.registry.remove(old.kind)
        for row in served.resources:
            self._api.registry.add(row)
        if before is not None and before.ending is not served.ending:
            before.ending.end()
        return True

    def _stop(self, name: str) -> bool:
        """Serve a definition no more. Whether it was served."""
        served = self._served.pop(name, None)
        if served is None:
            return False
        _count(name, served, "remove")
        for row in served.resources:
            self._api.registry.remove(row.kind)
        served.ending.end()
        return True

    def _publish(self) -> None:
        """Tell discovery."""
        rows = list(self._served.values())
        listed = [kind for served in rows for kind in served.listed]
        schemas = {gvk: schema for served in rows for gvk, schema in served.schemas.items()}
        self._discovery.serve([*self._built_in, *listed], schemas)

    async def _settle(self, tasks: asyncio.TaskGroup) -> bool:
        """Write the conditions that are due, and begin cleaning up where that is due. Whether all of it worked."""
        for entry in self._api.cache.list(self._prefix):
            if cleanup.needs(entry.tree) and entry.name not in self._cleaning:
                self._cleaning.add(entry.name)
                tasks.create_task(self._clean(entry.name))
        while due := self._due():
            for name in due:
                try:
                    await self._write(name, lambda tree: self._decided(tree, self._groups()))
                    await self._api.fresh()
                except (ApiError, StorageError) as error:
                    log.warning("a definition's conditions were not written, trying again", name=name, error=str(error))
                    return False
                self.catch_up()
        return True

    def _due(self) -> list[str]:
        """The definitions that lack a condition."""
        groups = self._groups()
        return [
            name for trees in groups.values() for name, tree in trees.items() if self._decided(tree, groups) is not tree
        ]

    def _groups(self) -> dict[str, dict[str, Json]]:
        """The definitions by group and name: only those of one group can want the same names."""
        found: dict[str, dict[str, Json]] = {}
        for entry in self._api.cache.list(self._prefix):
            found.setdefault(entry.tree["spec"]["group"], {})[entry.name] = entry.tree
        return found

    def _decided(self, tree: Json, groups: dict[str, dict[str, Json]]) -> Json:
        """A definition with the conditions it should have: one step at a time, as upstream writes them."""
        now = self._api.clock()
        name, group = tree["metadata"]["name"], tree["spec"]["group"]
        if _is_built_in(tree):
            return tree
        others = [other for key, other in groups.get(group, {}).items() if key != name]
        new = naming.named(tree, others, now)
        served = self._served.get(name)
        if new is tree and served is not None and served.definition.is_served:
            new = naming.established(tree, now)
        return naming.approved(new, now) if new is tree else new

    async def _write(self, name: str, decide: Callable[[Json], Json]) -> None:
        """Change a definition by a decision about it as it is stored. Raises ApiError, StorageError."""
        resource, now = self._api.registry.of(CUSTOMRESOURCEDEFINITIONS), times.rfc3339(self._api.clock())
        rules = managing.ownership(resource, "status")

        def change(tree: Json) -> Json:
            new = decide(tree)
            return new if new is tree else managing.with_entries(new, rules.update(tree, new, internal.MANAGER, now))

        try:
            await raw.modify(self._api, resource, self._prefix + name, change)
        except ApiError as error:
            if error.code != 404:  # gone meanwhile: nothing is due any more
                raise

    async def _clean(self, name: str) -> None:
        """Delete what a definition defines, then let it go."""
        try:
            while (entry := self._api.cache.get(self._prefix + name)) is not None and cleanup.needs(entry.tree):
                try:
                    if await self._clean_once(name, entry.tree):
                        return
                except (ApiError, StorageError) as error:
                    log.warning("a definition's objects were not deleted, trying again", name=name, error=str(error))
                await asyncio.sleep(_HELD_SECONDS)
        finally:
            self._cleaning.discard(name)

    async def _clean_once(self, name: str, tree: Json) -> bool:
        """One round; whether the definition went. Raises ApiError, StorageError."""
        if not is_true(tree, ESTABLISHED):
            await self._finish(name, "NeverEstablished", "resource was never established")
            return True
        running = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        await self._write(name, lambda found: cleanup.terminating(found, *running, self._api.clock()))
        await self._api.fresh()
        self.catch_up()
        served = self._served.get(name)
        if served is not None and served.stored is not None:
            try:
                left = await cleanup.delete_objects(self._api, served.stored)
            except ApiError as error:
                failed = ("True", "InstanceDeletionFailed", f"could not issue all deletes: {error}")
                await self._write(name, lambda found: cleanup.terminating(found, *failed, self._api.clock()))
                raise
            if left:
                return False
        await self._finish(name, "InstanceDeletionCompleted", "removed all instances")
        return True

    async def _finish(self, name: str, reason: str, message: str) -> None:
        """Take our finalizer from a definition, and the definition itself where that was the last one."""
        api, key = self._api, self._prefix + name
        current = await committing.read(api, key)
        while current is not None:
            new = cleanup.terminating(presenting.private(current), "False", reason, message, api.clock())
            new = metadata.stored_order(cleanup.finished(new))
            try:
                if new["metadata"].get("finalizers"):
                    await api.storage.put(key, msgspec.json.encode(new), expect=current.revision)
                else:
                    await api.storage.delete(key, expect=current.revision)
                break
            except Conflict as conflict:
                current = committing.as_entry(api, conflict.current) if conflict.current is not None else None
        await api.fresh()
        self.catch_up()


def _count(name: str, served: Served, reason: str) -> None:
    rows = [row.kind for row in served.resources]
    metrics.regenerated(name, rows[0].group if rows else "", dict.fromkeys(kind.version for kind in rows), reason)


def _is_built_in(tree: Json) -> bool:
    """Whether a definition names a resource that the server has anyway: that one stays what it is."""
    spec = tree["spec"]
    return (spec["group"], spec["names"]["plural"]) in _BUILT_IN


_BUILT_IN = frozenset((kind.group, kind.plural) for kind in KNOWN)


def _coordinates(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.plural
