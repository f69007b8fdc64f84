"""Events of components: what happened to an object, told to whoever asks with kubectl, without drowning the server.

`EventRecorder.event` never raises and never waits; `run` sends what was recorded. As upstream's correlator does it:
an event that equals an earlier one raises that one's `count`; more than ten that differ only in their message within
ten minutes become one "(combined from similar events)"; and one source has a budget of 25 events an object, refilled
every five minutes. Source: client-go/tools/record/events_cache.go.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import EVENTS
from apimachinery.types import Json
from client.client import Client, Unreachable
from client.queue import TokenBucket

NORMAL, WARNING = "Normal", "Warning"
SIMILAR_MAX, SIMILAR_WINDOW = 10, 600.0
SPAM_BURST, SPAM_RATE = 25, 1 / 300
REMEMBERED = 4096
WAITING_MAX = 1000
ATTEMPTS, PAUSE = 12, 10.0
COMBINED = "(combined from similar events): "

_log = structlog.get_logger("client.events")


@dataclass
class _Known:
    """An event the server has: which one, and how often it happened."""

    name: str
    first: float
    count: int


@dataclass
class _Similar:
    last: float
    messages: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Recorded:
    """One event to send: a new one, or (where `patch` is set) a higher count of the one of that name."""

    body: Json
    patch: Json | None


class Correlator:
    """Decides what to send for each event. Pure but for its memory; `now` is wall time in seconds."""

    def __init__(self, component: str, host: str = "") -> None:
        self._component, self._host = component, host
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._budgets: OrderedDict[tuple[str, ...], TokenBucket] = OrderedDict()
        self._last_nanosecond = 0

    def correlate(
        self, regarding: Mapping[str, Any], type: str, reason: str, message: str, now: float
    ) -> Recorded | None:
        """What to send for an event, None where its source has told enough about the object."""
        about = tuple(str(regarding.get(part, "")) for part in ("kind", "namespace", "name", "uid", "apiVersion"))
        group = (*about, str(regarding.get("fieldPath", "")), type, reason)
        key, message = self._aggregated(group, message, now)
        known = _remember(self._known, key, lambda: _Known(self._name(regarding, now), now, 0))
        known.count += 1
        budget = _remember(self._budgets, about, lambda: TokenBucket(SPAM_RATE, SPAM_BURST))
        if not budget.try_take(now):
            return None
        body = self._body(regarding, type, reason, message, known=known, now=now)
        patch = {name: body[name] for name in ("count", "lastTimestamp", "message")} if known.count > 1 else None
        return Recorded(body, patch)

    def _name(self, regarding: Mapping[str, Any], now: float) -> str:
        """The object's name and the time, which is never the same twice."""
        self._last_nanosecond = max(self._last_nanosecond + 1, int(now * 1e9))
        return f"{regarding.get('name', '')}.{self._last_nanosecond:x}"

    def _aggregated(self, group: tuple[str, ...], message: str, now: float) -> tuple[tuple[str, ...], str]:
        similar = _remember(self._similar, group, lambda: _Similar(now))
        if now - similar.last > SIMILAR_WINDOW:
            similar.messages.clear()
        similar.last = now
        similar.messages.add(message)
        if len(similar.messages) < SIMILAR_MAX:
            return (*group, message), message
        similar.messages.pop()  # keep it bounded; it stays at the threshold
        return group, COMBINED + message

    def _body(
        self, regarding: Mapping[str, Any], type: str, reason: str, message: str, *, known: _Known, now: float
    ) -> Json:
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": known.name, "namespace": regarding.get("namespace") or "default"},
            "involvedObject": {k: v for k, v in regarding.items() if v},
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": _rfc3339(known.first),
            "lastTimestamp": _rfc3339(now),
            "count": known.count,
            "type": type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }


class EventRecorder:
    """Records events of one component."""

    def __init__(self, client: Client, component: str, host: str = "", clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._correlator = Correlator(component, host)
        self._waiting: deque[Recorded] = deque(maxlen=WAITING_MAX)
        self._some = asyncio.Event()

    def event(self, regarding: Mapping[str, Any], type: str, reason: str, message: str) -> None:
        """Record one event. `regarding` is an ObjectReference (see `reference`)."""
        recorded = self._correlator.correlate(regarding, type, reason, message, self._clock())
        if recorded is not None:
            self._waiting.append(recorded)
            self._some.set()

    @property
    def idle(self) -> bool:
        """Whether everything recorded has been sent."""
        return not self._some.is_set()

    async def run(self) -> None:
        """Send what was recorded, until cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                await self._deliver(self._waiting.popleft())
            self._some.clear()

    async def _deliver(self, recorded: Recorded) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._send(recorded)
            except Unreachable:
                await asyncio.sleep(PAUSE)
            except ApiError as error:
                # Events are best effort: a namespace that is going away, say, takes no more of them.
                _log.debug("event refused", error=error.message, reason=recorded.body["reason"])
                return
            else:
                return

    async def _send(self, recorded: Recorded) -> None:
        meta = recorded.body["metadata"]
        if recorded.patch is not None:
            try:
                await self._client.patch(EVENTS, meta["namespace"], meta["name"], recorded.patch, type="strategic")
            except ApiError as error:
                if error.code != 404:  # the earlier event has expired
                    raise
            else:
                return
        await self._client.create(EVENTS, recorded.body)


def reference(tree: Any, *, kind: str = "", api_version: str = "", field_path: str = "") -> Json:
    """An ObjectReference to an object, given as a raw tree or as a view (views need `kind` and `api_version`)."""
    if isinstance(tree, dict):
        meta = tree.get("metadata", {})
        found = {"kind": kind or tree.get("kind", ""), "apiVersion": api_version or tree.get("apiVersion", "")}
        found |= {name: meta.get(name, "") for name in ("namespace", "name", "uid", "resourceVersion")}
    else:
        meta = tree.metadata
        found = {"kind": kind, "apiVersion": api_version, "namespace": meta.namespace, "name": meta.name}
        found |= {"uid": meta.uid, "resourceVersion": meta.resource_version}
    found["fieldPath"] = field_path
    return {name: value for name, value in found.items() if value}


def _rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _remember(memory: "OrderedDict[tuple[str, ...], Any]", key: tuple[str, ...], make: Callable[[], Any]) -> Any:
    """What is remembered under `key`, made anew where nothing is; the least used is forgotten."""
    if key not in memory:
        memory[key] = make()
        if len(memory) > REMEMBERED:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return memory[key]
