"""The API server's metrics, under upstream's names, in a registry of their own so that several servers fit a process.

Every request is counted in plain numbers, shown when somebody asks: a counter and a histogram of prometheus-client take
their locks and walk their buckets for each, which was a tenth of a GET.
"""

from bisect import bisect_left
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from apiserver.fairness import Fairness
from apiserver.fairness.metrics import FlowControlCollector
from apiserver.registry import Registry
from apiserver.request import RequestInfo
from apiserver.storage.watchcache import WatchCache

_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0)
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")


RequestKey = tuple[str, str, str, str, str, str]
_NO_RESOURCE: RequestKey = ("OTHER", "", "", "", "", "")


class Metrics:
    """Counts and times requests for what `served` knows."""

    def __init__(self, served: Registry) -> None:
        self.registry = CollectorRegistry()
        self._served = served
        self._requests = _Requests()
        self.registry.register(self._requests)
        self._inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Requests being answered now, by kind.",
            ("request_kind",),
            registry=self.registry,
        )
        self._longrunning = Gauge(
            "apiserver_longrunning_requests", "Watches and streams open now.", ("verb",), registry=self.registry
        )

    def answered(self, info: RequestInfo | None, code: int, seconds: float) -> None:
        """Count one request and its time."""
        self._requests.add(self._key(info), code, seconds)

    def _key(self, info: RequestInfo | None) -> RequestKey:
        """The labels of a request; what is not served shares one set, so that nobody can make series at will."""
        if info is None or not info.is_resource:
            return _NO_RESOURCE
        resource = self._served.find(info.group, info.version, info.plural)
        if resource is None:
            return _NO_RESOURCE
        scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
        subresource = info.subresource if info.subresource in resource.subresources else ""
        return (info.verb.upper(), info.group, info.version, info.plural, subresource, scope)

    def observe_fairness(self, fairness: Fairness) -> None:
        """Show how many reads (True) and writes are being answered, and flow control; read when somebody asks."""
        executing = fairness.executing
        self._inflight.labels("readOnly").set_function(lambda: executing[True])
        self._inflight.labels("mutating").set_function(lambda: executing[False])
        self.registry.register(FlowControlCollector(fairness))

    def longrunning(self, verb: str) -> Gauge:
        """The gauge of open watches and streams."""
        return self._longrunning.labels(verb)

    def observe_cache(self, cache: WatchCache) -> None:
        """Show what the watch cache holds, read when somebody asks."""
        self.registry.register(_CacheCollector(cache))


class _Requests(Collector):
    """How many requests there were, and how long they took."""

    def __init__(self) -> None:
        self._counts: dict[tuple[RequestKey, int], int] = {}
        self._times: dict[RequestKey, tuple[list[int], list[float]]] = {}  # requests by bucket; seconds in all

    def add(self, key: RequestKey, code: int, seconds: float) -> None:
        """One more; the time of a watch says nothing."""
        self._counts[key, code] = self._counts.get((key, code), 0) + 1
        if key[0] == "WATCH":
            return
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = ([0] * (len(_SECONDS) + 1), [0.0])
        times[0][bisect_left(_SECONDS, seconds)] += 1
        times[1][0] += seconds

    def collect(self) -> list[CounterMetricFamily | HistogramMetricFamily]:
        total = CounterMetricFamily(
            "apiserver_request_total", "Counter of apiserver requests.", None, (*_LABELS, "code")
        )
        for (key, code), count in self._counts.items():
            total.add_metric((*key, str(code)), count)
        latency = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "Response latency distribution in seconds.", labels=_LABELS
        )
        limits = [*map(str, _SECONDS), "+Inf"]
        for key, (buckets, seconds) in self._times.items():
            latency.add_metric(key, list(zip(limits, accumulate(buckets), strict=True)), seconds[0])
        return [total, latency]


class _CacheCollector(Collector):
    """The watch cache's statistics as gauges."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def collect(self) -> list[GaugeMetricFamily]:
        found = self._cache.statistics()
        return [
            GaugeMetricFamily("apiserver_watch_cache_resource_version", "Newest revision seen.", found.revision),
            GaugeMetricFamily("apiserver_storage_objects", "Objects stored.", found.objects),
            GaugeMetricFamily("apiserver_storage_size_bytes", "Bytes of the objects stored.", found.bytes),
            GaugeMetricFamily("apiserver_watch_cache_ring_events", "Changes kept for watchers.", found.ring_groups),
            GaugeMetricFamily("apiserver_watch_cache_ring_bytes", "Bytes of those changes.", found.ring_bytes),
        ]
