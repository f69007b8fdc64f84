"""/debug/api_priority_and_fairness/*: levels, queues and requests as tables of text.

Source: apiserver/pkg/util/flowcontrol/apf_controller_debug.go (columns; cells are padded as Go's tabwriter pads them).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from apimachinery import times
from apiserver.call import Call
from apiserver.fairness.gate import Fairness
from apiserver.fairness.queueing import Ticket

ROOT = "/debug/api_priority_and_fairness/"
_LEVEL_COLUMNS = (
    "PriorityLevelName",
    "ActiveQueues",
    "IsIdle",
    "IsQuiescing",
    "WaitingRequests",
    "ExecutingRequests",
    "DispatchedRequests",
    "RejectedRequests",
    "TimedoutRequests",
    "CancelledRequests",
)
_QUEUE_COLUMNS = (
    "PriorityLevelName",
    "Index",
    "PendingRequests",
    "ExecutingRequests",
    "SeatsInUse",
    "NextDispatchR",
    "InitialSeatsSum",
    "MaxSeatsSum",
    "TotalWorkSum",
)
_REQUEST_COLUMNS = (
    "PriorityLevelName",
    "FlowSchemaName",
    "QueueIndex",
    "RequestIndexInQueue",
    "FlowDistingsher",
    "ArriveTime",
    "InitialSeats",
    "FinalSeats",
    "AdditionalLatency",
    "StartTime",
)
_DETAIL_COLUMNS = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
_NEVER = "0001-01-01T00:00:00Z"


def table(rows: Iterable[Sequence[object]]) -> str:
    """Cells ended by a comma, in columns at least eight wide."""
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [[*(f"{cell}," for cell in row[:-1]), row[-1]] for row in cells]
    widths = [max(8, *(len(row[i]) + 1 for row in texts)) for i in range(len(texts[0]) - 1)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in texts]
    return "".join(f"{line}\n" for line in lines)


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def levels(fairness: Fairness) -> str:
    """A row a priority level."""
    rows: list[Sequence[object]] = [_LEVEL_COLUMNS]
    for name, level in sorted(fairness.levels.items()):
        state = level.state
        active = sum(bool(queue.waiting) for queue in state.queues)
        counts = (state.waiting, state.executing, state.dispatched, state.rejected, state.timed_out, 0)
        rows.append((name, active, state.is_idle, not level.is_wanted, *counts))
    return table(rows)


def queues(fairness: Fairness) -> str:
    """A row a queue."""
    rows: list[Sequence[object]] = [_QUEUE_COLUMNS]
    for name, level in sorted(fairness.levels.items()):
        for queue in level.state.queues:
            narrow = sum(ticket.width.seats for ticket in queue.waiting)
            work = f"{queue.work:.8f}ss"
            counts = (len(queue.waiting), queue.executing, queue.seats, f"{queue.next_r:.8f}ss")
            rows.append((name, queue.index, *counts, narrow, queue.seats_waiting, work))
    return table(rows)


def requests(fairness: Fairness, now: float, clock: float, *, details: bool) -> str:
    """A row a request that waits or runs at a level with a limit. `now` is the loop's time, `clock` the epoch's."""
    rows: list[Sequence[object]] = [(*_REQUEST_COLUMNS, *(_DETAIL_COLUMNS if details else ()))]
    for ticket in sorted(fairness.tickets, key=lambda ticket: (ticket.schema, ticket.arrived)):
        flow = fairness.flows.get(ticket.schema)
        place = ticket.queue.index if ticket.queue is not None else -1
        order = ticket.queue.waiting.index(ticket) if ticket.queue is not None and ticket.started < 0 else -1
        arrived = times.rfc3339(clock - (now - ticket.arrived))
        started = times.rfc3339(clock - (now - ticket.started)) if ticket.started >= 0 else _NEVER
        width = (ticket.width.seats, ticket.width.final, f"{ticket.width.seconds:g}s")
        level = flow.level.name if flow is not None else ""
        shown = (level, ticket.schema, place, order, ticket.flow, arrived, *width, started)
        rows.append((*shown, *(_details(ticket) if details else ())))
    return table(rows)


def _details(ticket: Ticket) -> Sequence[object]:
    call = ticket.note[0] if isinstance(ticket.note, tuple) else ticket.note
    assert isinstance(call, Call), ticket
    info = call.target
    version = f"{info.group}/{info.version}" if info.group else info.version
    return (call.asker.name, info.verb, info.path, info.namespace, info.name, version, info.plural, info.subresource)


def dump(fairness: Fairness, name: str, query: Mapping[str, str], now: float, clock: float) -> str | None:
    """The text at ROOT + name, None where there is none."""
    details = bool(query.get("includeRequestDetails"))
    pages: dict[str, Callable[[], str]] = {
        "dump_priority_levels": lambda: levels(fairness),
        "dump_queues": lambda: queues(fairness),
        "dump_requests": lambda: requests(fairness, now, clock, details=details),
    }
    return pages[name]() if name in pages else None
