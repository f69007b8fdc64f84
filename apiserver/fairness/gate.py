"""The stage around every request, and the change from one configuration to the next.

A request is classified, given seats at its priority level or made to wait, and gives them back when its answer is made:
for a watch that is when it begins, for a list that is sent in chunks when the last one has gone. Requests that hold
their connection for something else (exec, logs, proxies) pass without. Writes that many watchers see keep seats a
moment longer. Exempt levels only count.

The division of seats among levels is made anew when somebody would have to wait and the last one is ten seconds old:
while nobody waits it makes no difference, and a timer would wake an idle server for nothing.
Source: apiserver/pkg/server/filters/priority-and-fairness.go, apiserver/pkg/util/flowcontrol/apf_controller.go.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from apimachinery.types import Json
from apiserver import flow_objects as objects
from apiserver.call import Call, Response
from apiserver.fairness import concurrency, seats
from apiserver.fairness.concurrency import Demand, Division, Limits
from apiserver.fairness.matching import Matcher, Schema, schema_of
from apiserver.fairness.observed import RATIOS_OF_KINDS, RATIOS_OF_LEVELS, Filling, FlowCounts
from apiserver.fairness.queueing import RUN, WAIT, Level, Ticket
from apiserver.fairness.seats import Width
from apiserver.metrics.stages import FILTER_SECONDS
from apiserver.resources.api import Api
from serving.series import Distribution

log = structlog.get_logger("apiserver")

Proceed = Callable[[Call], Awaitable[Response]]
#: How long a request may wait: a quarter of the time that one may take (60 s).
WAIT_SECONDS = 15.0
#: Seconds that the size of a resource is remembered for the width of its lists.
_SIZE_SECONDS = 5.0
_TOO_MANY = b"Too many requests, please try again later.\n"


@dataclass(slots=True)
class PriorityLevel:
    """A PriorityLevelConfiguration at work."""

    name: str
    uid: str
    spec: Json
    limits: Limits
    state: Level
    filling: Filling
    demand: Demand = field(default_factory=Demand)
    is_wanted: bool = True  # else its object is gone, and those who are in it still are let out

    def changed(self, now: float) -> None:
        """Somebody came or went."""
        state = self.state
        wanted = state.seats + state.seats_waiting
        self.demand.set(wanted, now)
        self.filling.set((state.executing, state.waiting, state.seats, wanted), now)

    def resize(self, now: float) -> None:
        """Its limits are others: ratios are of them."""
        seats = self.state.limit or self.limits.nominal
        self.filling.resize((seats, self.state.capacity, seats, self.limits.nominal), now)


@dataclass(slots=True)
class Flow:
    """A FlowSchema at work: its level, the headers that tell a client of it, and what has come of its requests."""

    schema: Schema
    level: PriorityLevel
    marks: Sequence[tuple[bytes, bytes]]
    executing: int = 0
    executing_seats: int = 0
    waiting: int = 0
    waiting_seats: int = 0
    dispatched: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    counts: FlowCounts = field(default_factory=FlowCounts)


class Fairness:
    """Called with each request and what answers it."""

    def __init__(self, api: Api, *, reads: int, writes: int) -> None:
        self.levels: dict[str, PriorityLevel] = {}
        self.flows: dict[str, Flow] = {}
        self.server_limit = reads + writes
        self.watchers: Counter[tuple[str, str]] = Counter()  # by group and plural
        self.division = Division({}, {}, 0.0)
        self.executing = {True: 0, False: 0}  # reads and writes with a seat
        self.queued = {True: 0, False: 0}
        self.queue_seconds = Distribution(FILTER_SECONDS)  # that requests waited
        self.filling = Filling((reads, writes, reads, writes), (RATIOS_OF_KINDS,) * 4, _loop_time())
        self.tickets: set[Ticket] = set()  # those that wait or run at a level with a limit
        self._api = api
        self._matcher = Matcher(())
        self._divided = 0.0
        self._sizes: dict[str, tuple[float, int, int]] = {}
        self.digest([], [])

    # -- requests

    async def __call__(self, call: Call, proceed: Proceed) -> Response:
        """Answer, wait and answer, or refuse with 429."""
        assert call.user is not None
        info = call.target
        schema = self._matcher.schema(call.user, info)
        flow = self.flows[schema.name]
        call.marks = flow.marks
        is_read = info.verb in _READS
        if not is_read:
            flow.counts.watchers.add(self.watchers[info.group, info.plural])
        if flow.level.limits.exempt:
            return await self._exempt(call, proceed, flow, is_read=is_read)
        return await self._limited(call, proceed, flow, is_read=is_read)

    async def _exempt(self, call: Call, proceed: Proceed, flow: Flow, *, is_read: bool) -> Response:
        state, executing = flow.level.state, self.executing
        state.seats += 1
        state.executing += 1
        state.dispatched += 1
        flow.dispatched += 1
        flow.executing += 1
        executing[is_read] += 1
        try:
            return await proceed(call)
        finally:
            state.seats -= 1
            state.executing -= 1
            flow.executing -= 1
            executing[is_read] -= 1

    async def _limited(self, call: Call, proceed: Proceed, flow: Flow, *, is_read: bool) -> Response:
        loop = asyncio.get_running_loop()
        level, now = flow.level, loop.time()
        state, schema = level.state, flow.schema
        ticket = Ticket(schema.name, schema.flow(call.asker, call.target), self._width(call, level, now), now, call)
        if state.seats + ticket.seats > (state.limit or 0) and now - self._divided >= concurrency.ADJUSTMENT:
            self._divide(now)
        outcome, started = state.arrive(ticket, now)
        if started:
            _wake(started)
        if ticket.queue is not None:
            flow.counts.lengths.add(len(ticket.queue.waiting))
        if outcome == WAIT:
            flow.counts.unaccommodated += 1
            outcome = await self._wait(ticket, flow, loop, is_read=is_read)
            now = self._waited(call, flow, loop.time() - now, is_run=outcome == RUN)
        if outcome != RUN:
            return self._refused(call, flow, outcome)
        level.changed(now)
        if ticket.seats > 1:
            flow.counts.seats.add(ticket.seats)
        self.tickets.add(ticket)
        flow.dispatched += 1
        flow.executing += 1
        flow.executing_seats += ticket.seats
        self.executing[is_read] += 1
        self._kinds_changed(now)
        times = flow.counts.watches if call.target.verb == "watch" else flow.counts.executions
        try:
            response = await proceed(call)
        except BaseException:
            self._answered(ticket, flow, level, loop, times, is_read=is_read)
            raise
        if response.chunks is None:
            self._answered(ticket, flow, level, loop, times, is_read=is_read)
        else:
            call.ending = partial(self._answered, ticket, flow, level, loop, times, is_read=is_read)
        return response

    def _waited(self, call: Call, flow: Flow, seconds: float, *, is_run: bool) -> float:
        """A request has waited, and may run or not. Gives the time."""
        (flow.counts.waits if is_run else flow.counts.refusals).add(seconds)
        call.elsewhere += seconds
        self.queue_seconds.add(seconds)
        return _loop_time()

    def _kinds_changed(self, now: float) -> None:
        """A request came or went."""
        self.filling.set((*self.executing.values(), *self.queued.values()), now)

    def _answered(
        self,
        ticket: Ticket,
        flow: Flow,
        level: PriorityLevel,
        loop: asyncio.AbstractEventLoop,
        times: Distribution,
        *,
        is_read: bool,
    ) -> None:
        """The answer is made. `level` is that of its beginning: the flow may have another one by now."""
        now = loop.time()
        served = now - ticket.started  # with the time until its task came to run, which it held seats for
        self.executing[is_read] -= 1
        self._kinds_changed(now)
        flow.executing -= 1
        times.add(served)
        if ticket.width.seconds:
            loop.call_later(ticket.width.seconds, self._end, ticket, flow, level, served)
        else:
            self._end(ticket, flow, level, served, now)

    def _end(self, ticket: Ticket, flow: Flow, level: PriorityLevel, served: float, now: float | None = None) -> None:
        """The ticket's seats are free: those that can start now are woken."""
        now = _loop_time() if now is None else now
        state = level.state
        started = state.end(ticket, now, served)
        flow.executing_seats -= ticket.seats
        self.tickets.discard(ticket)
        level.changed(now)
        if started:
            _wake(started)

    async def _wait(self, ticket: Ticket, flow: Flow, loop: asyncio.AbstractEventLoop, *, is_read: bool) -> str:
        """Until the ticket may run: RUN, or why it never may."""
        call, level = ticket.note, flow.level
        future: asyncio.Future[None] = loop.create_future()
        ticket.note = (call, future)
        flow.waiting += 1
        flow.waiting_seats += ticket.seats
        self.queued[is_read] += 1
        self.tickets.add(ticket)
        state = level.state
        level.changed(ticket.arrived)
        self._kinds_changed(ticket.arrived)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await future
        except TimeoutError:
            if ticket.started < 0:
                _wake(state.give_up(ticket, loop.time()))
                return "time-out"
        except asyncio.CancelledError:
            if ticket.started < 0:
                _wake(state.give_up(ticket, loop.time()))
            else:
                _wake(state.end(ticket, loop.time(), 0.0))
            raise
        finally:
            level.changed(loop.time())
            ticket.note = call
            flow.waiting -= 1
            flow.waiting_seats -= ticket.seats
            self.queued[is_read] -= 1
            self._kinds_changed(loop.time())
            self.tickets.discard(ticket)
        return RUN

    def _refused(self, call: Call, flow: Flow, why: str) -> Response:
        flow.rejected[why] += 1
        call.broken_off_by = "apiserver"
        headers = [("retry-after", "1"), ("x-content-type-options", "nosniff")]
        return Response(status=429, content_type="text/plain; charset=utf-8", headers=headers, body=_TOO_MANY)

    def _width(self, call: Call, level: PriorityLevel, now: float) -> Width:
        info = call.target
        widest = level.limits.widest
        if seats.lists(call, info.verb):
            objects, size = self._size(info.group, info.version, info.plural, now)
            return seats.of_list(call, is_single=bool(info.name), objects=objects, size=size, widest=widest)
        if (
            info.verb in _READS
            or not info.is_resource
            or (info.plural, info.subresource) == ("serviceaccounts", "token")
        ):
            return seats.ONE
        return seats.of_write(info.verb, self.watchers[info.group, info.plural], widest)

    def _size(self, group: str, version: str, plural: str, now: float) -> tuple[int, int]:
        """Objects and bytes of a resource, as of a moment ago; nothing of what others serve."""
        resource = self._api.registry.find(group, version, plural)
        if resource is None or not resource.kind.is_stored:
            return (0, 0)
        prefix = resource.stored.storage_prefix()
        known = self._sizes.get(prefix)
        if known is None or now - known[0] > _SIZE_SECONDS:
            known = self._sizes[prefix] = (now, *self._api.cache.size(prefix))
        return known[1:]

    # -- configuration

    def digest(self, level_trees: Sequence[Json], schema_trees: Sequence[Json]) -> None:
        """Change over to this configuration; those who wait keep their places."""
        wanted = _with_mandatory(level_trees, objects.MANDATORY_LEVELS)
        lingering = {
            name: level for name, level in self.levels.items() if name not in wanted and not level.state.is_idle
        }
        specs = {name: tree["spec"] for name, tree in wanted.items()}
        specs |= {name: level.spec for name, level in lingering.items()}
        bounds = concurrency.limits(specs, self.server_limit)
        self.levels = {name: self._level(name, wanted.get(name), spec, bounds[name]) for name, spec in specs.items()}
        self._divide(_loop_time())
        usable = [tree for tree in schema_trees if tree["spec"]["priorityLevelConfiguration"]["name"] in wanted]
        schemas = [schema_of(tree) for tree in _with_mandatory(usable, objects.MANDATORY_SCHEMAS).values()]
        self.flows = {schema.name: self._flow(schema) for schema in schemas}
        self._matcher = Matcher(schemas)

    def _level(self, name: str, tree: Json | None, spec: Json, bounds: Limits) -> PriorityLevel:
        queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing") or {}
        shape = (queuing.get("queues", 0), queuing.get("handSize", 0), queuing.get("queueLengthLimit", 0))
        level = self.levels.get(name)
        if level is None or level.limits.exempt != bounds.exempt:
            limit = None if bounds.exempt else bounds.nominal - (bounds.nominal - bounds.lower) // 2
            state = Level(limit=limit, queues=shape[0], hand=shape[1], length=shape[2])
            level = PriorityLevel(name, "", spec, bounds, state, Filling((1,) * 4, RATIOS_OF_LEVELS, _loop_time()))
        elif level.spec != spec:
            level.state.requeue(*shape)
        level.uid = tree["metadata"].get("uid", "") if tree is not None else level.uid
        level.spec, level.limits, level.is_wanted = spec, bounds, tree is not None
        return level

    def _flow(self, schema: Schema) -> Flow:
        level = self.levels[schema.level]
        marks = (
            (b"x-kubernetes-pf-flowschema-uid", schema.uid.encode()),
            (b"x-kubernetes-pf-prioritylevel-uid", level.uid.encode()),
        )
        flow = self.flows.get(schema.name)
        if flow is None:
            return Flow(schema, level, marks)
        flow.schema, flow.marks = schema, marks
        flow.level = level
        return flow

    def _divide(self, now: float) -> None:
        """Divide the seats anew by what was needed since the last time."""
        self._divided = now
        for level in self.levels.values():
            level.demand.close(now)
        bounds = {name: level.limits for name, level in self.levels.items()}
        self.division = concurrency.divide(bounds, {name: level.demand for name, level in self.levels.items()})
        for name, level in self.levels.items():
            if not level.limits.exempt:
                _wake(level.state.resize(self.division.seats[name], now))
            level.resize(now)


_READS = ("get", "list", "watch")


def _wake(tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        assert isinstance(ticket.note, tuple), ticket
        future = ticket.note[1]
        if not future.done():
            future.set_result(None)


def _with_mandatory(trees: Sequence[Json], mandatory: Sequence[Json]) -> dict[str, Json]:
    """By name; the mandatory ones even where their objects are not there."""
    found = {tree["metadata"]["name"]: tree for tree in trees}
    return {**{tree["metadata"]["name"]: tree for tree in mandatory}, **found}


def _loop_time() -> float:
    """The running loop's time; 0 before there is one."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
