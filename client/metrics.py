"""rest_client_*, workqueue_*, leader_election_*: what a client of the API tells, under upstream's names and buckets.

In prometheus-client's registry of the process, which every component shows (this package knows nothing of serving).
Rows are bound once, by a connection pool for its server, by a queue for its name.
Source: component-base/metrics/prometheus/{restclient,workqueue,clientgo/leaderelection}.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_SIZES = (64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216)
#: As Go multiplies them out, each by ten: the fourth is a hair below 1e-5.
_QUEUED = (1e-8, 1e-7, 1e-6, 9.999999999999999e-06, 9.999999999999999e-05, 0.001, 0.01, 0.1, 1.0, 10.0)
_TO_SERVER = ["verb", "host"]
#: The code of a request that nobody answered.
_NOBODY = "<error>"

_REQUESTS = Counter(
    "rest_client_requests_total", "[ALPHA] Requests sent, by what was answered.", ["code", "method", "host"]
)
_DURATION = Histogram(
    "rest_client_request_duration_seconds", "[ALPHA] How long answers took to begin.", _TO_SERVER, buckets=_SECONDS
)
_REQUEST_SIZE = Histogram(
    "rest_client_request_size_bytes", "[ALPHA] How large the bodies of requests were.", _TO_SERVER, buckets=_SIZES
)
_RESPONSE_SIZE = Histogram(
    "rest_client_response_size_bytes", "[ALPHA] How large the bodies of answers were.", _TO_SERVER, buckets=_SIZES
)
RETRIES = Counter(
    "rest_client_request_retries_total", "[ALPHA] Requests that were sent again.", ["code", "verb", "host"]
)
POOLS = Gauge("rest_client_transport_cache_entries", "[ALPHA] Pools of connections that are kept.")
POOL_CALLS = Counter(
    "rest_client_transport_create_calls_total",
    "[ALPHA] How often a pool was wanted, and whether there was one.",
    ["result"],
)
IS_LEADER = Gauge("leader_election_master_status", "[ALPHA] Whether this process leads.", ["name"])

DEPTH = Gauge("workqueue_depth", "[ALPHA] Keys that wait for a worker.", ["name"])
ADDS = Counter("workqueue_adds", "[ALPHA] Keys added.", ["name"])
REPEATS = Counter("workqueue_retries", "[ALPHA] Keys that came back after a failure.", ["name"])
WAITED = Histogram(
    "workqueue_queue_duration_seconds", "[ALPHA] How long keys waited for a worker.", ["name"], buckets=_QUEUED
)
WORKED = Histogram("workqueue_work_duration_seconds", "[ALPHA] How long a key took.", ["name"], buckets=_QUEUED)


class Exchanges:
    """Requests of one method to one server."""

    __slots__ = ("_by_code", "_duration", "_labels", "_request_size", "_response_size")

    def __init__(self, method: str, host: str) -> None:
        self._labels = (method, host)
        self._by_code: dict[int, Counter] = {}
        self._duration = _DURATION.labels(*self._labels)
        self._request_size = _REQUEST_SIZE.labels(*self._labels)
        self._response_size = _RESPONSE_SIZE.labels(*self._labels)

    def answered(self, code: int, seconds: float, size: int) -> None:
        """One was answered; `size` is that of its own body."""
        row = self._by_code.get(code)
        if row is None:
            row = self._by_code[code] = _REQUESTS.labels(str(code), *self._labels)
        row.inc()
        self._duration.observe(seconds)
        self._request_size.observe(size)

    def failed(self, seconds: float) -> None:
        """Nobody answered one."""
        _REQUESTS.labels(_NOBODY, *self._labels).inc()
        self._duration.observe(seconds)

    def received(self, size: int) -> None:
        """The body of an answer is in."""
        self._response_size.observe(size)


class Works(Protocol):
    """A queue whose keys are worked on."""

    name: str

    def running(self) -> Sequence[float]:
        """For how long each key that is worked on has been."""
        ...


class _Unfinished(Collector):
    """What queues' workers are at, looked at when somebody asks."""

    def __init__(self) -> None:
        self.queues: WeakSet[Works] = WeakSet()

    def collect(self) -> Iterator[Metric]:
        """Both families."""
        rows: dict[str, list[float]] = {}
        for queue in self.queues:
            rows.setdefault(queue.name, []).extend(queue.running())
        families: tuple[tuple[str, str, Callable[[Sequence[float]], float]], ...] = (
            ("workqueue_unfinished_work_seconds", "[ALPHA] Seconds that keys have been worked on, in all.", sum),
            (
                "workqueue_longest_running_processor_seconds",
                "[ALPHA] Seconds that the one has been which takes longest.",
                lambda found: max(found, default=0.0),
            ),
        )
        for name, text, value in families:
            family = GaugeMetricFamily(name, text, labels=["name"])
            for queue_name, found in rows.items():
                family.add_metric([queue_name], value(found))
            yield family


_UNFINISHED = _Unfinished()
REGISTRY.register(_UNFINISHED)


def watch_queue(queue: Works) -> None:
    """Tell of this queue as long as it is there."""
    _UNFINISHED.queues.add(queue)
