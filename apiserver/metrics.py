"""The API server's metrics, under upstream's names, in a registry of their own so that several servers fit a process.

Children are looked up once per label set: prometheus-client's own lookup costs more than the count.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apiserver.request import RequestInfo
from apiserver.storage.watchcache import WatchCache

_SECONDS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0)
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")


class Metrics:
    """Counts and times requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._total = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests.",
            (*_LABELS, "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds.",
            _LABELS,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Requests being answered now, by kind.",
            ("request_kind",),
            registry=self.registry,
        )
        self._longrunning = Gauge(
            "apiserver_longrunning_requests", "Watches and streams open now.", ("verb",), registry=self.registry
        )
        self._rejected = Counter(
            "apiserver_dropped_requests", "Requests answered with 429.", ("request_kind",), registry=self.registry
        )
        self._totals: dict[tuple[RequestKey, int], Counter] = {}
        self._times: dict[RequestKey, Histogram] = {}

    def answered(self, info: RequestInfo | None, code: int, seconds: float) -> None:
        """Count one request and its time."""
        key = _key(info)
        total = self._totals.get((key, code))
        if total is None:
            total = self._totals[key, code] = self._total.labels(*key, str(code))
            self._times.setdefault(key, self._seconds.labels(*key))
        total.inc()
        if key[0] != "WATCH":
            self._times[key].observe(seconds)

    def observe_limits(self, answering: Mapping[bool, int]) -> None:
        """Show how many reads (True) and writes are being answered, read when somebody asks."""
        self._inflight.labels("readOnly").set_function(lambda: answering[True])
        self._inflight.labels("mutating").set_function(lambda: answering[False])

    def rejected(self, kind: str) -> None:
        """Count a 429."""
        self._rejected.labels(kind).inc()

    def longrunning(self, verb: str) -> Gauge:
        """The gauge of open watches and streams."""
        return self._longrunning.labels(verb)

    def observe_cache(self, cache: WatchCache) -> None:
        """Show what the watch cache holds, read when somebody asks."""
        self.registry.register(_CacheCollector(cache))


RequestKey = tuple[str, str, str, str, str, str]
_NO_RESOURCE: RequestKey = ("OTHER", "", "", "", "", "")


def _key(info: RequestInfo | None) -> RequestKey:
    """The labels of a request; paths that are no resources share one, so that nobody can make series at will."""
    if info is None or not info.is_resource:
        return _NO_RESOURCE
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    return (info.verb.upper(), info.group, info.version, info.plural, info.subresource, scope)


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
