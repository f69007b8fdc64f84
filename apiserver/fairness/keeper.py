"""The loop that follows FlowSchemas and PriorityLevelConfigurations, and keeps those that must be there.

Sources: apiserver/pkg/util/flowcontrol/apf_controller.go, pkg/registry/flowcontrol/rest/storage_flowcontrol.go.
"""

import asyncio
from collections.abc import Sequence

import structlog

from apimachinery import kinds as k
from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import flow_objects as objects
from apiserver.fairness.gate import Fairness
from apiserver.registry import stored_kind
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.protocol import Compacted, StorageError

log = structlog.get_logger("apiserver")

_KINDS = (k.PRIORITYLEVELCONFIGURATIONS, k.FLOWSCHEMAS)
#: Deviations from the objects that must be there are mended after this time, as upstream looks each minute.
_MEND_SECONDS = 60.0
_RETRY_SECONDS = 5.0
_DANGLING = "Dangling"
#: As whom upstream writes the objects that must be there, and the conditions.
_PRODUCER, _CONSUMER = (f"api-priority-and-fairness-config-{role}-v1" for role in ("producer", "consumer"))


class Keeper:
    """Keeps a `Fairness` as the objects say."""

    def __init__(self, api: Api, fairness: Fairness) -> None:
        self._api = api
        self._fairness = fairness
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Make the objects be there, and everything of them known. Raises StorageError, ApiError."""
        await self.ensure()
        await self._api.fresh()
        await self._sync()

    async def run(self) -> None:
        """Follow the objects, for ever; keep those that must be there."""
        async with asyncio.TaskGroup() as tasks:
            for kind in _KINDS:
                tasks.create_task(self._follow(kind))
            while True:
                self._changed.clear()
                delay = await self._sync()
                try:
                    await asyncio.wait_for(self._changed.wait(), delay)
                except TimeoutError:
                    await self._try_to_ensure()

    async def _follow(self, kind: Kind) -> None:
        prefix = stored_kind(kind).storage_prefix()
        while True:
            cursor = self._api.cache.watch(prefix, self._api.cache.revision)
            self._changed.set()
            try:
                async for _ in cursor:
                    self._changed.set()
            except Compacted:
                continue

    async def _sync(self) -> float | None:
        """Take the objects as they are; the seconds after which something must be mended, None for nothing."""
        levels = self._api.lookup.list(k.PRIORITYLEVELCONFIGURATIONS)
        schemas = self._api.lookup.list(k.FLOWSCHEMAS)
        self._fairness.digest(levels, schemas)
        try:
            await self._write_conditions(schemas, {tree["metadata"]["name"] for tree in levels})
        except (StorageError, ApiError) as error:
            log.warning("a FlowSchema's status is not written", error=str(error))
            return _RETRY_SECONDS
        rows = ((objects.LEVELS, levels), (objects.SCHEMAS, schemas))
        deviates = any(objects.missing(w, e) or objects.revised(w, e) or objects.unwanted(w, e) for w, e in rows)
        return _MEND_SECONDS if deviates else None

    async def ensure(self) -> None:
        """Make the mandatory and suggested objects be there. Raises StorageError, ApiError."""
        for kind, wanted in ((_KINDS[0], objects.LEVELS), (_KINDS[1], objects.SCHEMAS)):
            existing = self._api.lookup.list(kind)
            for tree in objects.missing(wanted, existing):
                await internal.create(self._api, kind, tree, manager=_PRODUCER)
            for tree in objects.revised(wanted, existing):
                await internal.replace(self._api, kind, tree, manager=_PRODUCER)
            for tree in objects.unwanted(wanted, existing):
                await internal.delete(self._api, kind, "", tree["metadata"]["name"], tree["metadata"]["uid"])

    async def _try_to_ensure(self) -> None:
        try:
            await self.ensure()
        except (StorageError, ApiError) as error:
            log.warning("the flow control objects are not all as they must be", error=str(error))

    async def _write_conditions(self, schemas: Sequence[Json], levels: set[str]) -> None:
        for tree in schemas:
            found = dangling(tree, levels, times.rfc3339(self._api.clock()))
            if found is not None:
                named = {"metadata": {"name": tree["metadata"]["name"]}, "status": {"conditions": [found]}}
                await internal.apply(self._api, k.FLOWSCHEMAS, named, _CONSUMER, subresource="status")


def dangling(tree: Json, levels: set[str], now: str) -> Json | None:
    """The condition that a FlowSchema should have; None where it has it already."""
    level = tree["spec"]["priorityLevelConfiguration"]["name"]
    is_found = level in levels
    text = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" '
    wanted = {
        "type": _DANGLING,
        "status": "False" if is_found else "True",
        "reason": "Found" if is_found else "NotFound",
        "message": text + ("and it exists" if is_found else "but there is no such object"),
    }
    conditions = (tree.get("status") or {}).get("conditions") or []
    before: Json = next((c for c in conditions if c.get("type") == _DANGLING), {})
    if all(before.get(name) == value for name, value in wanted.items()):
        return None
    since = before.get("lastTransitionTime") if before.get("status") == wanted["status"] else now
    return {**wanted, "lastTransitionTime": since or now}
