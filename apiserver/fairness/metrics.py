"""apiserver_flowcontrol_*: what priority and fairness shows, under upstream's names; read when somebody asks.

Waiting and execution times are counted per request in plain lists, as metrics.py does for requests.
Source: apiserver/pkg/util/flowcontrol/metrics/metrics.go.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apiserver.fairness.gate import Fairness, Flow, PriorityLevel

_P = "apiserver_flowcontrol_"
_SUBSYSTEM = "API Priority and Fairness subsystem"
_SECONDS = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_FLOW = ("priority_level", "flow_schema")


class _Times:
    """A histogram by labels."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._rows: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = ([0] * (len(_SECONDS) + 1), [0.0])
        row[0][bisect_left(_SECONDS, seconds)] += 1
        row[1][0] += seconds

    def family(self, flows: Iterable[Flow] = ()) -> Metric:
        """The histogram. Requests of `flows` that are not in it did not wait."""
        for flow in flows:
            labels = (flow.level.name, flow.schema.name, "true")
            row = self._rows.setdefault(labels, ([0] * (len(_SECONDS) + 1), [0.0]))
            row[0][0] += flow.dispatched - sum(row[0])
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        limits = [*(f"{limit:g}" for limit in _SECONDS), "+Inf"]
        for key, (buckets, seconds) in self._rows.items():
            family.add_metric(key, list(zip(limits, accumulate(buckets), strict=True)), seconds[0])
        return family


class FlowControlCollector(Collector):
    """Shows a `Fairness`."""

    def __init__(self, fairness: Fairness) -> None:
        self._fairness = fairness
        self._waits = _Times(
            f"{_P}request_wait_duration_seconds",
            "Length of time a request spent waiting in its queue",
            (*_FLOW, "execute"),
        )
        self._executions = _Times(
            f"{_P}request_execution_seconds",
            "Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API "
            "Priority and Fairness subsystem",
            (*_FLOW, "type"),
        )
        fairness.waited = self._waited
        fairness.executed = self._executed

    def _waited(self, level: str, schema: str, seconds: float, executes: bool) -> None:  # noqa: FBT001
        self._waits.add((level, schema, "true" if executes else "false"), seconds)

    def _executed(self, level: str, schema: str, seconds: float) -> None:
        self._executions.add((level, schema, "regular"), seconds)

    def collect(self) -> Iterator[Metric]:
        fairness = self._fairness
        yield from _flows(fairness.flows.values())
        yield from _levels(fairness)
        yield self._waits.family(fairness.flows.values())
        yield self._executions.family()


#: Name, help and value of what is told of each flow as it is now.
_OF_FLOWS: Sequence[tuple[str, str, Callable[[Flow], float]]] = (
    (
        "current_inqueue_requests",
        f"Number of requests currently pending in queues of the {_SUBSYSTEM}",
        lambda flow: flow.waiting,
    ),
    (
        "current_inqueue_seats",
        f"Number of seats currently pending in queues of the {_SUBSYSTEM}",
        lambda flow: flow.waiting_seats,
    ),
    (
        "current_executing_requests",
        f"Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the {_SUBSYSTEM}",
        lambda flow: flow.executing,
    ),
    (
        "current_executing_seats",
        f"Concurrency (number of seats) occupied by the currently executing requests in the {_SUBSYSTEM}",
        lambda flow: flow.executing_seats,
    ),
    (
        "request_concurrency_in_use",
        f"Concurrency (number of seats) occupied by the currently executing requests in the {_SUBSYSTEM}",
        lambda flow: flow.executing_seats,
    ),
)
_NOMINAL = "Nominal number of execution seats configured for each priority level"
#: The same for each level.
_OF_LEVELS: Sequence[tuple[str, str, Callable[[Fairness, PriorityLevel], float]]] = (
    ("request_concurrency_limit", _NOMINAL, lambda _all, level: level.limits.nominal),
    ("nominal_limit_seats", _NOMINAL, lambda _all, level: level.limits.nominal),
    (
        "lower_limit_seats",
        "Configured lower bound on number of execution seats available to each priority level",
        lambda _all, level: level.limits.lower,
    ),
    (
        "upper_limit_seats",
        "Configured upper bound on number of execution seats available to each priority level",
        lambda _all, level: level.limits.upper,
    ),
    (
        "current_limit_seats",
        "current derived number of execution seats available to each priority level",
        lambda fairness, level: fairness.division.seats.get(level.name, 0),
    ),
    (
        "target_seats",
        "Seat allocation targets",
        lambda fairness, level: fairness.division.targets.get(level.name, 0),
    ),
    (
        "demand_seats_high_watermark",
        "High watermark, over last adjustment period, of demand_seats",
        lambda _all, level: level.demand.highest,
    ),
    (
        "demand_seats_average",
        "Time-weighted average, over last adjustment period, of demand_seats",
        lambda _all, level: level.demand.average,
    ),
    (
        "demand_seats_stdev",
        "Time-weighted standard deviation, over last adjustment period, of demand_seats",
        lambda _all, level: level.demand.deviation,
    ),
    ("demand_seats_smoothed", "Smoothed seat demands", lambda _all, level: level.demand.smoothed),
    ("current_r", "R(time of last change)", lambda _all, level: level.state.r),
)


def _flows(flows: Iterable[Flow]) -> Iterator[Metric]:
    rows = {flow.schema.name: flow for flow in flows}.values()
    rejected = CounterMetricFamily(
        f"{_P}rejected_requests_total",
        "Number of requests rejected by API Priority and Fairness subsystem",
        labels=(*_FLOW, "reason"),
    )
    dispatched = CounterMetricFamily(
        f"{_P}dispatched_requests_total",
        "Number of requests executed by API Priority and Fairness subsystem",
        labels=_FLOW,
    )
    for flow in rows:
        labels = (flow.level.name, flow.schema.name)
        dispatched.add_metric(labels, flow.dispatched)
        for reason, count in flow.rejected.items():
            rejected.add_metric((*labels, reason), count)
    yield rejected
    yield dispatched
    for name, text, value in _OF_FLOWS:
        family = GaugeMetricFamily(_P + name, text, labels=_FLOW)
        for flow in rows:
            family.add_metric((flow.level.name, flow.schema.name), value(flow))
        yield family


def _levels(fairness: Fairness) -> Iterator[Metric]:
    for name, text, value in _OF_LEVELS:
        family = GaugeMetricFamily(_P + name, text, labels=("priority_level",))
        for level in fairness.levels.values():
            family.add_metric((level.name,), value(fairness, level))
        yield family
    yield GaugeMetricFamily(
        f"{_P}seat_fair_frac",
        "Fair fraction of server's concurrency to allocate to each priority level that can use it",
        fairness.division.fair_fraction,
    )
