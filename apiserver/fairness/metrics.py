"""apiserver_flowcontrol_*: what priority and fairness shows, under upstream's names; read when somebody asks.

Requests that did not wait are in no row of observed.py: they are what was dispatched less those that did, and what they
waited is below every bound; so it is with seats, of which nearly every request has one. Exempt levels only count.
Left out: what upstream hides in v1.34 (request_concurrency_*), and epochs, since our virtual time never starts anew.
Source: apiserver/pkg/util/flowcontrol/metrics/metrics.go.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from apiserver.fairness.gate import Fairness, Flow, PriorityLevel
from apiserver.fairness.observed import (
    LENGTHS,
    RATIOS_OF_KINDS,
    RATIOS_OF_LEVELS,
    SEATS,
    SECONDS,
    WATCHERS,
)
from serving.series import ALPHA, BETA, COUNTER, Distribution, Family, Labels, Rows, Shown

_P = "apiserver_flowcontrol_"
_FLOW: Labels = ("priority_level", "flow_schema")
_LEVEL: Labels = ("priority_level",)
_KINDS = {True: "readOnly", False: "mutating"}


def families(fairness: Fairness) -> Iterator[Family]:
    """What is shown of one server's flow control."""
    yield from _in_flight(fairness)
    for name, text, value, stability in _OF_FLOWS:
        yield Shown(_P + name, text, _FLOW, _flows(fairness, value), stability=stability)
    for name, text, of_level in _OF_LEVELS:
        stability = BETA if name == "nominal_limit_seats" else ALPHA
        yield Shown(_P + name, text, _LEVEL, _levels(fairness, of_level), stability=stability)
    yield from _of_requests(fairness)
    yield from _of_queues(fairness)
    yield from _of_fillings(fairness)
    yield Shown(
        f"{_P}seat_fair_frac",
        "The part of their targets that levels get which are bound by nothing else.",
        (),
        lambda: [((), fairness.division.fair_fraction)],
    )


#: Name, help and value of what is told of each flow as it is now, and how stable it is.
_OF_FLOWS: Sequence[tuple[str, str, Callable[[Flow], float], str]] = (
    ("current_inqueue_requests", "Requests that wait in queues now.", lambda flow: flow.waiting, BETA),
    ("current_inqueue_seats", "Seats that they wait for.", lambda flow: flow.waiting_seats, ALPHA),
    ("current_executing_requests", "Requests that are being answered now.", lambda flow: flow.executing, BETA),
    ("current_executing_seats", "Seats that they have.", lambda flow: flow.executing_seats, BETA),
)
#: The same for each level.
_OF_LEVELS: Sequence[tuple[str, str, Callable[[Fairness, PriorityLevel], float]]] = (
    ("nominal_limit_seats", "Seats by the level's share.", lambda _all, level: level.limits.nominal),
    ("lower_limit_seats", "Seats that are never lent.", lambda _all, level: level.limits.lower),
    ("upper_limit_seats", "Seats with all that may be borrowed.", lambda _all, level: level.limits.upper),
    (
        "current_limit_seats",
        "Seats by the last division.",
        lambda fairness, level: fairness.division.seats.get(level.name, 0),
    ),
    (
        "target_seats",
        "Seats that the last division aimed at.",
        lambda fairness, level: fairness.division.targets.get(level.name, 0),
    ),
    ("demand_seats_high_watermark", "The most seats wanted before it.", lambda _all, level: level.demand.highest),
    ("demand_seats_average", "Seats wanted on average before it.", lambda _all, level: level.demand.average),
    ("demand_seats_stdev", "Their standard deviation.", lambda _all, level: level.demand.deviation),
    ("demand_seats_smoothed", "Seats wanted, smoothed over divisions.", lambda _all, level: level.demand.smoothed),
    ("current_r", "Virtual time of the last change.", lambda _all, level: level.state.r),
)


def _in_flight(fairness: Fairness) -> Iterator[Family]:
    def by_kind(values: dict[bool, int]) -> Callable[[], Rows]:
        return lambda: [((name,), values[is_read]) for is_read, name in _KINDS.items()]

    kind: Labels = ("request_kind",)
    yield Shown(
        "apiserver_current_inflight_requests",
        "Requests that are being answered now, by kind.",
        kind,
        by_kind(fairness.executing),
        stability="STABLE",
    )
    yield Shown(
        "apiserver_current_inqueue_requests", "Requests that wait now, by kind.", kind, by_kind(fairness.queued)
    )


def _distinct(fairness: Fairness) -> Iterable[tuple[Labels, Flow]]:
    return [((flow.level.name, flow.schema.name), flow) for flow in fairness.flows.values()]


def _flows(fairness: Fairness, value: Callable[[Flow], float]) -> Callable[[], Rows]:
    return lambda: [(labels, value(flow)) for labels, flow in _distinct(fairness)]


def _levels(fairness: Fairness, value: Callable[[Fairness, PriorityLevel], float]) -> Callable[[], Rows]:
    return lambda: [((level.name,), value(fairness, level)) for level in fairness.levels.values()]


def _seen(fairness: Fairness, value: Callable[[Flow], Distribution], *more: str) -> Callable[[], Rows]:
    """One distribution of each flow that has observed something."""
    return lambda: [
        ((*labels, *more), found) for labels, flow in _distinct(fairness) if any((found := value(flow)).counts)
    ]


def _of_requests(fairness: Fairness) -> Iterator[Family]:
    yield Shown(
        f"{_P}rejected_requests_total",
        "Requests that were refused, and why.",
        (*_FLOW, "reason"),
        lambda: [
            ((*labels, reason), count)
            for labels, flow in _distinct(fairness)
            for reason, count in flow.rejected.items()
        ],
        type=COUNTER,
        stability=BETA,
    )
    yield Shown(
        f"{_P}dispatched_requests_total",
        "Requests that were answered.",
        _FLOW,
        _flows(fairness, lambda flow: flow.dispatched),
        type=COUNTER,
        stability=BETA,
    )
    yield Shown(
        f"{_P}request_dispatch_no_accommodation_total",
        "Requests that found no seats when they came.",
        _FLOW,
        lambda: [
            (labels, flow.counts.unaccommodated) for labels, flow in _distinct(fairness) if flow.counts.unaccommodated
        ],
        type=COUNTER,
    )
    yield Shown(
        f"{_P}request_wait_duration_seconds",
        "How long requests waited, and whether they ran in the end.",
        (*_FLOW, "execute"),
        lambda: [*_seen(fairness, _waits, "true")(), *_seen(fairness, lambda flow: flow.counts.refusals, "false")()],
        buckets=SECONDS,
        stability=BETA,
    )
    yield Shown(
        f"{_P}request_execution_seconds",
        "How long requests held their seats until they were answered; watches until they began.",
        (*_FLOW, "type"),
        lambda: [
            *_seen(fairness, lambda flow: flow.counts.executions, "regular")(),
            *_seen(fairness, lambda flow: flow.counts.watches, "watch")(),
        ],
        buckets=SECONDS,
    )
    yield Shown(
        f"{_P}work_estimated_seats", "Seats that requests were given.", _FLOW, _seen(fairness, _seats), buckets=SEATS
    )
    yield Shown(
        f"{_P}watch_count_samples",
        "How many watchers there were of what a write changed.",
        _FLOW,
        _seen(fairness, lambda flow: flow.counts.watchers),
        buckets=WATCHERS,
    )


def _with_others(flow: Flow, found: Distribution, each: float) -> Distribution:
    """The observations, and those of the other requests that were dispatched: all in the first bucket."""
    others = max(0.0, flow.dispatched - sum(found.counts))
    whole = Distribution(found.limits)
    whole.merge(found)
    whole.counts[0] += others
    whole.sum += each * others
    return whole


def _waits(flow: Flow) -> Distribution:
    return _with_others(flow, flow.counts.waits, 0.0)


def _seats(flow: Flow) -> Distribution:
    return _with_others(flow, flow.counts.seats, 1.0)


def _of_queues(fairness: Fairness) -> Iterator[Family]:
    yield Shown(
        f"{_P}request_queue_length_after_enqueue",
        "How many were in a queue after one had come.",
        _FLOW,
        _seen(fairness, lambda flow: flow.counts.lengths),
        buckets=LENGTHS,
    )

    def last(value: Callable[[PriorityLevel], float]) -> Callable[[], Rows]:
        return lambda: [
            ((level.name,), value(level)) for level in fairness.levels.values() if level.state.dispatch_r >= 0
        ]

    yield Shown(
        f"{_P}dispatch_r",
        "Virtual time when a queue was served last.",
        _LEVEL,
        last(lambda level: level.state.dispatch_r),
    )
    yield Shown(
        f"{_P}latest_s", "Virtual time at which that request was due.", _LEVEL, last(lambda level: level.state.latest_s)
    )
    for place, name, text in (
        (0, "next_s_bounds", "Least and greatest virtual time at which the heads of queues are due."),
        (1, "next_discounted_s_bounds", "The same, less the work in progress of their queues."),
    ):
        yield Shown(_P + name, text, (*_LEVEL, "bound"), _bounds(fairness, place))


def _bounds(fairness: Fairness, place: int) -> Callable[[], Rows]:
    def read() -> Rows:
        for level in fairness.levels.values():
            if level.state.dispatch_r >= 0:
                due = [row[place] for row in level.state.next_due()] or [level.state.r]
                yield (level.name, "min"), min(due)
                yield (level.name, "max"), max(due)

    return read


def _of_fillings(fairness: Fairness) -> Iterator[Family]:
    """How full, over time: each nanosecond is one observation."""

    def of_levels(*places: tuple[int, str]) -> Callable[[], Rows]:
        def read() -> Rows:
            now = asyncio.get_running_loop().time()
            for level in fairness.levels.values():
                found = level.filling.histograms(now)
                for place, phase in places:
                    yield ((level.name, phase) if phase else (level.name,)), found[place]

        return read

    def of_kinds() -> Rows:
        found = fairness.filling.histograms(asyncio.get_running_loop().time())
        pairs = [(phase, kind) for phase in ("executing", "waiting") for kind in ("readOnly", "mutating")]
        return list(zip(pairs, found, strict=True))

    phased: Labels = (*_LEVEL, "phase")
    requests, _, seats, wanted = RATIOS_OF_LEVELS
    for name, text, labels, read, buckets in (
        (
            "priority_level_request_utilization",
            "Requests that run, and that wait, as a part of those that may, observed each nanosecond.",
            phased,
            of_levels((0, "executing"), (1, "waiting")),
            requests,
        ),
        (
            "priority_level_seat_utilization",
            "Seats in use as a part of those there are, observed each nanosecond.",
            phased,
            of_levels((2, "executing")),
            seats,
        ),
        (
            "demand_seats",
            "Seats wanted as a part of the level's share, observed each nanosecond.",
            _LEVEL,
            of_levels((3, "")),
            wanted,
        ),
        (
            "read_vs_write_current_requests",
            "Requests of a kind as a part of those that may run at a time, observed each nanosecond.",
            ("phase", "request_kind"),
            of_kinds,
            RATIOS_OF_KINDS,
        ),
    ):
        yield Shown(_P + name, text, labels, read, buckets=buckets)
