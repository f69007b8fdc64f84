"""The shell around every controller: it feeds keys to `plan`, carries out what comes back, and reads its own writes.

    Caches     one cache for each kind, shared by all controllers of a process
    Runtime    a queue and workers for each controller

What it guarantees, so that no controller has to:

- Read your writes. A key whose plan wrote something is parked until the caches of the kinds written have seen it; so a
  plan is never made from a view that lacks the last plan's effects. (Upstream's "expectations" are this by counting.)
- One worker a key.
- A failed write ends the plan; the key comes back with back-off, and the next plan sees the failure in its view.
  Conflict and NotFound mean that the view was old: the key comes back at once and silently. A namespace that is going
  away takes nothing new: that ends the plan for good.
- Writes of one sort that follow each other go out together, in batches that start with one and double (a quota that
  refuses the first of 500 pods is not asked 500 times); everything else is in order.
- Patches and deletes hold for the object decided about alone (its uid), and with a resourceVersion for that version.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from prometheus_client import Counter

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from client.events import EventRecorder
from client.plan import (
    Controller,
    Create,
    Delete,
    DeleteAll,
    Event,
    Failure,
    Key,
    KeysOfAny,
    Looking,
    Patch,
    Plan,
    Replace,
    Watch,
    Write,
)
from client.queue import Queue

WORKERS = 5
BATCH_MAX = 64
PARKED_MAX = 30.0  # seconds; a watch that is that far behind will not make old views more dangerous than no work

PLANS = Counter("controller_plans", "Plans made", ["controller"])
WRITES = Counter("controller_writes", "Writes done", ["controller", "verb", "resource"])
FAILURES = Counter("controller_failures", "Writes refused", ["controller", "reason"])

_log = structlog.get_logger("client.runtime")


@dataclass(frozen=True, slots=True)
class Cached:
    """How a kind is cached: as which view, found by which indexes, and which objects of it at all."""

    kind: Kind
    view: type[Any]
    indexes: Mapping[str, Callable[[Any], Iterable[str]]] = field(default_factory=dict)
    namespace: str = ""
    labels: str = ""
    fields: str = ""


class Caches:
    """The caches of a process: one for each kind."""

    def __init__(self, client: Client, rows: Iterable[Cached], *, random: Callable[[], float] = random.random) -> None:
        rows = tuple(rows)
        self._whole = {row.kind for row in rows if not (row.namespace or row.labels or row.fields)}
        self._caches: dict[Kind, Cache[Any]] = {
            row.kind: Cache(
                client,
                row.kind,
                row.view,
                namespace=row.namespace,
                labels=row.labels,
                fields=row.fields,
                indexes=row.indexes,
                random=random,
            )
            for row in rows
        }

    def of(self, kind: Kind) -> Cache[Any]:
        return self._caches[kind]

    def find(self, kind: Kind) -> Cache[Any] | None:
        """The cache of a kind, None where nobody keeps one."""
        return self._caches.get(kind)

    def whole(self, kind: Kind) -> Cache[Any] | None:
        """The cache of a kind if it holds every object of it."""
        return self._caches[kind] if kind in self._whole else None

    def all(self) -> Iterable[Cache[Any]]:
        return self._caches.values()

    async def run(self) -> None:
        """Keep all caches fresh until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for cache in self._caches.values():
                tasks.create_task(cache.run(), name=f"cache-{cache.kind.plural}")

    async def wait_synced(self) -> None:
        for cache in self._caches.values():
            await cache.wait_synced()


@dataclass(frozen=True, slots=True)
class CachedView:
    """The caches as a controller may see them."""

    caches: Caches
    failure: Failure | None = None

    def get(self, kind: Kind, key: Key) -> Any:
        return self.caches.of(kind).get(key.namespace, key.name)

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Any]:
        return self.caches.of(kind).list(namespace)

    def by(self, kind: Kind, index: str, value: str) -> Sequence[Any]:
        return self.caches.of(kind).by_index(index, value)


@dataclass
class _Stopped(Exception):
    """A write was refused, which ends the plan."""

    failure: Failure


@dataclass
class _Attempt:
    """One plan being carried out: what it must see again before its key is free."""

    key: Key
    seen: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class Runtime:
    """Runs controllers over shared caches. `run` is for ever; the caches are run by their owner."""

    def __init__(
        self,
        client: Client,
        caches: Caches,
        controllers: Sequence[Controller | Looking],
        *,
        recorder: Callable[[str], EventRecorder],
        clock: Callable[[], float] = time.time,
        workers: int = WORKERS,
        everything: Callable[[Callable[[Kind, Any, Any], None]], None] | None = None,
    ) -> None:
        self._loops = [
            ControllerLoop(client, caches, controller, recorder(controller.name), clock, workers, everything)
            for controller in controllers
        ]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for loop in self._loops:
                tasks.create_task(loop.run(), name=f"controller-{loop.controller.name}")

    @property
    def idle(self) -> bool:
        """Whether no key waits, is worked on or is parked."""
        return all(loop.queue.idle for loop in self._loops)

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        """What each controller did so far."""
        return {loop.controller.name: dict(loop.counts) for loop in self._loops}

    def validate(self) -> None:
        for loop in self._loops:
            loop.queue.validate()


class ControllerLoop:
    """One controller with its queue and workers."""

    def __init__(
        self,
        client: Client,
        caches: Caches,
        controller: Controller | Looking,
        recorder: EventRecorder,
        clock: Callable[[], float],
        workers: int,
        everything: Callable[[Callable[[Kind, Any, Any], None]], None] | None = None,
    ) -> None:
        self.controller = controller
        self.queue: Queue[Key] = Queue(controller.name)
        self.counts = {"plans": 0, "writes": 0, "failures": 0}
        self._client, self._caches, self._recorder = client, caches, recorder
        self._clock, self._workers = clock, workers
        self._everything = everything
        self._view = CachedView(caches)
        self._failures: dict[Key, Failure] = {}

    async def run(self) -> None:
        """Subscribe, wait for the caches, work until cancelled."""
        for watch in self.controller.watches:
            self._caches.of(watch.kind).subscribe(self._notifier(watch))
        for watch in self.controller.watches:
            await self._caches.of(watch.kind).wait_synced()
        keys_of_any = getattr(self.controller, "keys_of_any", None)
        if keys_of_any is not None and self._everything is not None:
            self._everything(self._notifier_of_any(keys_of_any))
        for key in getattr(self.controller, "at_start", ()):
            self.queue.add(key)
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._workers):
                    tasks.create_task(self._work(tasks), name=f"{self.controller.name}-{number}")
        finally:
            self.queue.close()

    def _notifier(self, watch: Watch) -> Callable[[Any, Any], None]:
        def notify(old: Any, new: Any) -> None:
            if watch.matters(old, new):
                for item in (old, new):
                    for key in watch.keys(item, self._view) if item is not None else ():
                        self.queue.add(key)

        return notify

    def _notifier_of_any(self, keys_of_any: KeysOfAny) -> Callable[[Kind, Any, Any], None]:
        def notify(kind: Kind, old: Any, new: Any) -> None:
            for key in keys_of_any(kind, old, new, self._view):
                self.queue.add(key)

        return notify

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            attempt = _Attempt(await self.queue.get())
            await self._reconcile(attempt)
            if attempt.seen:
                tasks.create_task(self._park(attempt))
            else:
                self.queue.done(attempt.key)

    async def _park(self, attempt: _Attempt) -> None:
        try:
            async with asyncio.timeout(PARKED_MAX):
                for seen in attempt.seen:
                    await seen()
        except TimeoutError:
            _log.warning("own writes not seen", controller=self.controller.name, key=str(attempt.key))
        self.queue.done(attempt.key)

    async def _reconcile(self, attempt: _Attempt) -> None:
        key = attempt.key
        try:
            plan = await self._plan(key)
            await self._carry_out(plan, attempt)
        except _Stopped as stop:
            self._failed(key, stop.failure)
        except ApiError as error:  # looking failed
            _log.warning("cannot look", controller=self.controller.name, key=str(key), error=str(error))
            self.queue.retry(key)
        except Exception:  # noqa: BLE001 - the top of the loop: one odd object must not stop the others
            _log.exception("plan failed", controller=self.controller.name, key=str(key))
            self.queue.retry(key)
        else:
            self._failures.pop(key, None)
            self.queue.forget(key)
            self.queue.again(key, plan.again_in)

    async def _plan(self, key: Key) -> Plan:
        self.counts["plans"] += 1
        PLANS.labels(self.controller.name).inc()
        view = replace(self._view, failure=self._failures.get(key))
        if isinstance(self.controller, Looking):
            seen = await self.controller.look(self._client, key, view)
            return self.controller.plan(key, view, self._clock(), seen)
        return self.controller.plan(key, view, self._clock())

    def _failed(self, key: Key, failure: Failure) -> None:
        self.counts["failures"] += 1
        FAILURES.labels(self.controller.name, failure.error.reason).inc()
        if is_terminating(failure.error):
            self.queue.forget(key)
            return
        if not is_stale(failure.error):
            name, error = self.controller.name, str(failure.error)
            _log.warning("write refused", controller=name, key=str(key), error=error)
        self._failures[key] = failure
        self.queue.retry(key)

    # ------------------------------------------------------------------------------------------------ writing

    async def _carry_out(self, plan: Plan, attempt: _Attempt) -> None:
        for sort, group in itertools.groupby(plan.writes, key=_sort):
            if sort is Event:
                for event in group:
                    self._tell(event)  # type: ignore[arg-type]
                continue
            rest, size = list(group), 1
            while rest:
                batch, rest = rest[:size], rest[size:]
                await self._together(batch, attempt)  # type: ignore[arg-type]
                size = min(size * 2, BATCH_MAX)

    async def _together(self, batch: Sequence[Write], attempt: _Attempt) -> None:
        """All at once; the first failure counts, but only when all have come back."""
        if len(batch) == 1:
            await self._write(batch[0], attempt)
            return
        results = await asyncio.gather(*(self._write(write, attempt) for write in batch), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write(self, write: Write, attempt: _Attempt) -> None:
        try:
            answer = await self._send(write)
        except ApiError as error:
            if isinstance(write, Delete) and error.reason in ("NotFound", "Conflict"):
                self._expect(write, {}, attempt)  # gone already, or a namesake is there: that is what was wanted
                return
            if not is_terminating(error) and not is_stale(error):
                self._tell_about(write, "failed", _name_of(write), str(error))
            raise _Stopped(Failure(write, error)) from error
        self.counts["writes"] += 1
        WRITES.labels(self.controller.name, type(write).__name__.lower(), write.kind.resource).inc()
        self._expect(write, answer, attempt)
        self._tell_about(write, "done", answer.get("metadata", {}).get("name") or _name_of(write), "")

    async def _send(self, write: Write) -> Json:
        match write:
            case Create():
                return await self._client.create(write.kind, write.body, namespace=write.namespace)
            case Patch():
                return await self._client.patch(
                    write.kind,
                    write.key.namespace,
                    write.key.name,
                    _preconditioned(write),
                    type=write.type,
                    subresource=write.subresource,
                )
            case Delete():
                return await self._client.delete(
                    write.kind,
                    write.key.namespace,
                    write.key.name,
                    uid=write.uid,
                    grace_period=write.grace_period,
                    propagation=write.propagation,
                )
            case DeleteAll():
                await self._client.delete_collection(write.kind, write.namespace, propagation=write.propagation)
                return {}
            case Replace():
                return await self._client.replace(write.kind, write.body, subresource=write.subresource)

    def _expect(self, write: Write, answer: Json, attempt: _Attempt) -> None:
        """Note what the cache must show before the key may be planned again."""
        cache = self._caches.find(write.kind)
        if cache is None:
            return
        if isinstance(write, Delete):
            key, uid = write.key, write.uid
            attempt.seen.append(lambda: cache.wait_deleted(key.namespace, key.name, uid))
        elif revision := answer.get("metadata", {}).get("resourceVersion", ""):
            attempt.seen.append(lambda: cache.wait_for(int(revision)))

    def _tell(self, event: Event) -> None:
        self._recorder.event(event.regarding, event.type, event.reason, event.message)

    def _tell_about(self, write: Write, outcome: str, name: str, error: str) -> None:
        event: Event | None = getattr(write, outcome, None)
        if event is not None:
            message = event.message.replace("{name}", name).replace("{error}", error)
            self._tell(replace(event, message=message))


def is_stale(error: ApiError) -> bool:
    """Whether a refusal says that the decision was made from an old view (or lost a race)."""
    if error.code == 422:  # a patch whose uid is not the object's: a namesake has taken its place
        causes = error.details.get("causes") or ()
        return bool(causes) and all(cause.get("field") == "metadata.uid" for cause in causes)
    return error.reason in ("Conflict", "NotFound", "AlreadyExists")


def is_terminating(error: ApiError) -> bool:
    """Whether a create was refused because its namespace is going away."""
    return any(cause.get("reason") == "NamespaceTerminating" for cause in error.details.get("causes") or ())


def _preconditioned(write: Patch) -> Json:
    meta: Json = {"uid": write.uid} | ({"resourceVersion": write.resource_version} if write.resource_version else {})
    return {**write.body, "metadata": {**write.body.get("metadata", {}), **meta}}


def _sort(item: Write | Event) -> Any:
    """Writes of one sort may go out together."""
    if isinstance(item, Event):
        return Event
    return type(item), item.kind, getattr(item, "subresource", "")


def _name_of(write: Write) -> str:
    if isinstance(write, Patch | Delete):
        return write.key.name
    if isinstance(write, DeleteAll):
        return ""
    meta = write.body.get("metadata", {})
    return str(meta.get("name") or meta.get("generateName", ""))
