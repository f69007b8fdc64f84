"""The API server's metrics, under upstream's names, in a registry of their own so that several servers fit a process.

Every request is counted in plain numbers, shown when somebody asks: counters and histograms of prometheus-client take
their locks and walk their buckets for each, which was a tenth of a GET. A request finds its row by one look into a
dict; rows are made of what is served only, so that nobody can make series at will.
Source: apiserver/pkg/endpoints/metrics/metrics.go.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apiserver.call import Call
from apiserver.discovery.version import version_info
from apiserver.fairness import Fairness
from apiserver.fairness.metrics import FlowControlCollector
from apiserver.registry import Registry
from apiserver.request import RequestInfo
from apiserver.resources.api import WatchCount
from apiserver.storage.watchcache import WatchCache

_SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip
_SLI_SECONDS = _SECONDS[2:]
_SIZES = (1000.0, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
_COMPONENT = "apiserver"
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_DRY_LABELS = ("verb", "dry_run", *_LABELS[1:])
_VERBS = {"create": "POST", "update": "PUT"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_CONNECTS = frozenset({"exec", "attach", "portforward", "proxy"})
_APPLY = "application/apply-patch"
_NEVER_ENDING = ("WATCH", "CONNECT")
#: Paths that are no resources and are counted under their own name.
_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/metrics", "/version", "/openapi/v2", "/openapi/v3"})


class Row:
    """The requests of one kind, as their labels tell them."""

    __slots__ = (
        "buckets",
        "codes",
        "dry_run",
        "is_deprecated",
        "labels",
        "running",
        "seconds",
        "size_buckets",
        "sizes",
    )

    def __init__(self, labels: tuple[str, ...], dry_run: str) -> None:
        self.labels = labels
        self.dry_run = dry_run
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(_SECONDS) + 1)
        self.seconds = 0.0
        self.size_buckets: list[int] | None = None
        self.sizes = 0.0
        self.running = 0  # of those that take their time
        self.is_deprecated = False  # the version of the resource

    def add(self, code: int, seconds: float) -> None:
        """One more that is answered."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.buckets[bisect_left(_SECONDS, seconds)] += 1
        self.seconds += seconds

    def sent(self, size: int) -> None:
        """The bytes of one answer's body."""
        if self.size_buckets is None:
            self.size_buckets = [0] * (len(_SIZES) + 1)
        self.size_buckets[bisect_left(_SIZES, size)] += 1
        self.sizes += size


_Key = tuple[str, str, str, str, str, str, bool, bool, str]


class Metrics:
    """Counts and times requests for what `served` knows."""

    def __init__(self, served: Registry) -> None:
        self.registry = CollectorRegistry()
        self._served = served
        self._rows: dict[_Key, Row] = {}
        self.registry.register(_Requests(self._rows))
        self.registry.register(_Build())
        ProcessCollector(registry=self.registry)

    def row(self, call: Call) -> Row:
        """Where a request is counted."""
        info = call.info
        if info is None:
            return self._found(("OTHER", "", "", "", "", "", False, False, ""))
        key = (
            call.method if not info.is_resource else info.verb,
            info.group,
            info.version,
            info.plural if info.is_resource else "/",
            info.subresource if info.is_resource else info.path,
            "All" if "dryRun" in call.query else "",
            bool(info.name),
            bool(info.namespace),
            "APPLY" if info.verb == "patch" and call.headers.get("content-type", "").startswith(_APPLY) else "",
        )
        row = self._rows.get(key)
        return row if row is not None else self._made(key, info)

    def _made(self, key: _Key, info: RequestInfo) -> Row:
        """A new row; what is not served shares one."""
        if not info.is_resource:
            path = info.path.rstrip("/")
            method = key[0] if key[0] in _METHODS else "OTHER"
            return self._found((method, "", "", "/", path if path in _PATHS else "", "", False, False, ""))
        resource = self._served.find(info.group, info.version, info.plural)
        if resource is None:
            return self._found(("OTHER", "", "", "", "", "", False, False, ""))
        if info.subresource and info.subresource not in resource.subresources:
            return self._found(("OTHER", info.group, info.version, info.plural, "", "", False, False, ""))
        row = self._found(key)
        row.is_deprecated = bool(resource.warnings)
        return row

    def _found(self, key: _Key) -> Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(_labels(key), key[5])
        return row

    def observe_fairness(self, fairness: Fairness) -> None:
        """Show what is being answered, and flow control; read when somebody asks."""
        self.registry.register(_InFlight(fairness))
        self.registry.register(FlowControlCollector(fairness))

    def observe_cache(self, cache: WatchCache) -> None:
        """Show what the watch cache holds, read when somebody asks."""
        self.registry.register(_CacheCollector(cache, self._served))

    def observe_aggregation(self, is_available: Callable[[], Mapping[str, bool]]) -> None:
        """Show which extension servers' APIServices are not available, read when somebody asks."""
        self.registry.register(_Aggregation(is_available))

    def observe_watches(self, counts: Mapping[tuple[str, str, str], WatchCount]) -> None:
        """Show how many events watchers were sent, read when somebody asks."""
        self.registry.register(_WatchCollector(counts))


def _labels(key: _Key) -> tuple[str, ...]:
    verb, group, version, plural, subresource, _, named, in_namespace, apply = key
    is_resource = bool(plural) and plural != "/"
    if apply:
        shown = "APPLY"
    elif subresource in _CONNECTS and is_resource:
        shown = "CONNECT"
    else:
        shown = _VERBS.get(verb, verb.upper())
    scope = "resource" if named or verb == "create" else "namespace" if in_namespace else "cluster"
    return (
        shown,
        group,
        version,
        plural if is_resource else "",
        subresource,
        scope if is_resource else "",
        _COMPONENT,
    )


def _buckets(limits: Sequence[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    return list(zip([*(f"{limit:g}" for limit in limits), "+Inf"], accumulate(counts), strict=True))


class _Requests(Collector):
    """How many requests there were, how long they took, how much was sent."""

    def __init__(self, rows: Mapping[_Key, Row]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        merged: dict[tuple[str, tuple[str, ...]], Row] = {(row.dry_run, row.labels): row for row in self._rows.values()}
        rows = merged.values()
        for family in (_totals, _latencies, _latencies_of_sli, _sizes, _running, _deprecated):
            yield family(rows)


def _dry_labels(row: Row) -> Sequence[str]:
    return (row.labels[0], row.dry_run, *row.labels[1:])


def _totals(rows: Iterable[Row]) -> Metric:
    family = CounterMetricFamily(
        "apiserver_request_total", "Counter of apiserver requests broken out for each verb, dry run value, group, "
        "version, resource, scope, component, and HTTP response code.", labels=(*_DRY_LABELS, "code"),
    )  # fmt: skip
    for row in rows:
        for code, count in row.codes.items():
            family.add_metric((*_dry_labels(row), str(code)), count)
    return family


def _latencies(rows: Iterable[Row]) -> Metric:
    family = HistogramMetricFamily(
        "apiserver_request_duration_seconds", "Response latency distribution in seconds for each verb, dry run "
        "value, group, version, resource, subresource, scope and component.", labels=_DRY_LABELS,
    )  # fmt: skip
    for row in rows:
        if row.labels[0] not in _NEVER_ENDING:
            family.add_metric(_dry_labels(row), _buckets(_SECONDS, row.buckets), row.seconds)
    return family


def _latencies_of_sli(rows: Iterable[Row]) -> Metric:
    family = HistogramMetricFamily(
        "apiserver_request_sli_duration_seconds", "Response latency distribution (not counting webhook duration "
        "and priority & fairness queue wait times) in seconds for each verb, group, version, resource, "
        "subresource, scope and component.", labels=_LABELS,
    )  # fmt: skip
    for row in rows:
        if row.labels[0] not in _NEVER_ENDING and not row.dry_run:
            fewer = [sum(row.buckets[:3]), *row.buckets[3:]]
            family.add_metric(row.labels, _buckets(_SLI_SECONDS, fewer), row.seconds)
    return family


def _sizes(rows: Iterable[Row]) -> Metric:
    family = HistogramMetricFamily(
        "apiserver_response_sizes", "Response size distribution in bytes for each group, version, verb, resource, "
        "subresource, scope and component.", labels=_LABELS,
    )  # fmt: skip
    for row in rows:
        if row.size_buckets is not None and not row.dry_run:
            family.add_metric(row.labels, _buckets(_SIZES, row.size_buckets), row.sizes)
    return family


def _running(rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(
        "apiserver_longrunning_requests", "Gauge of all active long-running apiserver requests broken out by verb, "
        "group, version, resource, scope and component. Not all requests are tracked this way.", labels=_LABELS,
    )  # fmt: skip
    for row in rows:
        if row.labels[0] in _NEVER_ENDING or row.running:
            family.add_metric(row.labels, row.running)
    return family


def _deprecated(rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(
        "apiserver_requested_deprecated_apis", "Gauge of deprecated APIs that have been requested, broken out by "
        "API group, version, resource, subresource, and removed_release.",
        labels=("group", "version", "resource", "subresource", "removed_release"),
    )  # fmt: skip
    for labels in {(*row.labels[1:5], ""): None for row in rows if row.is_deprecated}:
        family.add_metric(labels, 1)
    return family


class _Build(Collector):
    """Which version this is."""

    def collect(self) -> Iterator[Metric]:
        info = version_info()
        names = {
            "major": "major", "minor": "minor", "git_version": "gitVersion", "git_commit": "gitCommit",
            "git_tree_state": "gitTreeState", "build_date": "buildDate", "go_version": "goVersion",
            "compiler": "compiler", "platform": "platform",
        }  # fmt: skip
        family = GaugeMetricFamily(
            "kubernetes_build_info", "A metric with a constant '1' value labeled by major, minor, git version, git "
            "commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and "
            "platform on which it is running.", labels=tuple(names),
        )  # fmt: skip
        family.add_metric([str(info.get(field, "")) for field in names.values()], 1)
        yield family


class _InFlight(Collector):
    """How many requests are answered and wait now."""

    def __init__(self, fairness: Fairness) -> None:
        self._fairness = fairness

    def collect(self) -> Iterator[Metric]:
        for name, text, values in (
            ("apiserver_current_inflight_requests", "being answered now", self._fairness.executing),
            ("apiserver_current_inqueue_requests", "waiting in queues now", self._fairness.queued),
        ):
            family = GaugeMetricFamily(name, f"Requests {text}, by kind.", labels=("request_kind",))
            family.add_metric(["readOnly"], values[True])
            family.add_metric(["mutating"], values[False])
            yield family


class _Aggregation(Collector):
    """Which APIServices are not available."""

    def __init__(self, is_available: Callable[[], Mapping[str, bool]]) -> None:
        self._is_available = is_available

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "aggregator_unavailable_apiservice",
            "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
            labels=("name",),
        )
        for name, available in self._is_available().items():
            family.add_metric([name], not available)
        yield family


class _WatchCollector(Collector):
    """What watchers were sent."""

    def __init__(self, counts: Mapping[tuple[str, str, str], WatchCount]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        labels = ("group", "version", "resource")
        events = CounterMetricFamily(
            "apiserver_watch_events_total", "Number of events sent in watch clients", labels=labels
        )
        size = CounterMetricFamily(
            "apiserver_watch_events_bytes_total", "Bytes of the events sent in watch clients", labels=labels
        )
        initial = CounterMetricFamily(
            "apiserver_init_events_total", "Counter of init events processed in watch cache broken by resource type.",
            labels=("group", "resource"),
        )  # fmt: skip
        for key, count in self._counts.items():
            events.add_metric(key, count.events)
            size.add_metric(key, count.bytes)
            initial.add_metric((key[0], key[2]), count.initial)
        yield from (events, size, initial)


class _CacheCollector(Collector):
    """The watch cache's statistics, and how many objects of each resource there are."""

    def __init__(self, cache: WatchCache, served: Registry) -> None:
        self._cache = cache
        self._served = served

    def collect(self) -> Iterator[Metric]:
        found = self._cache.statistics()
        objects = GaugeMetricFamily(
            "apiserver_storage_objects",
            "Number of stored objects at the time of last check split by kind.",
            labels=("resource",),
        )
        by_group = GaugeMetricFamily(
            "apiserver_resource_objects",
            "Number of stored objects at the time of last check split by kind.",
            labels=("group", "resource"),
        )
        size = GaugeMetricFamily(
            "apiserver_resource_size_estimate_bytes",
            "Estimated size of stored objects in database.",
            labels=("group", "resource"),
        )
        for kind in dict.fromkeys(self._served.of(kind).stored for kind in self._served.kinds() if kind.is_stored):
            count, bytes_ = self._cache.size(kind.storage_prefix())
            objects.add_metric([kind.resource], count)
            by_group.add_metric([kind.group, kind.plural], count)
            size.add_metric([kind.group, kind.plural], bytes_)
        yield from (objects, by_group, size)
        yield GaugeMetricFamily("apiserver_watch_cache_resource_version", "Newest revision seen.", found.revision)
        yield GaugeMetricFamily("apiserver_watch_cache_bytes", "Bytes of the objects stored.", found.bytes)
        yield GaugeMetricFamily("apiserver_watch_cache_ring_events", "Changes kept for watchers.", found.ring_groups)
        yield GaugeMetricFamily("apiserver_watch_cache_ring_bytes", "Bytes of those changes.", found.ring_bytes)
