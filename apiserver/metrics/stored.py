"""The watch cache, the store behind it, and what was read of the two: lists and watches.

What is told by resource is counted in rows where it happens (resources/reads.py, storage/measured.py) and shown here.
We have one watch of the store for everything, so that every resource is at the same revision.
Sources: apiserver/pkg/storage/{cacher,etcd3}/metrics/metrics.go, endpoints/metrics for watches.
"""

from collections.abc import Callable, Iterator, Mapping

from apiserver.registry import Registry
from apiserver.resources.reads import EVENT_SIZES, INITIAL_SECONDS, WAIT_SECONDS, ListCount, Reads, WatchCount
from apiserver.storage.entry import UNDECODABLE
from apiserver.storage.measured import SECONDS, Measured, Operation
from apiserver.storage.ring import MOST_GROUPS
from apiserver.storage.watchcache import WatchCache
from serving.series import COUNTER, STABLE, Family, Labels, Rows, Shown

_RESOURCE: Labels = ("group", "resource")
_WATCHED: Labels = ("group", "version", "resource")
_OPERATION: Labels = ("operation", *_RESOURCE)
#: Which of several clusters of etcd is asked; there is one.
_CLUSTER = "etcd-0"


def of_cache(cache: WatchCache, served: Registry) -> Iterator[Family]:
    """What the cache holds and has taken in, by resource."""

    def sizes(place: int) -> Rows:
        return [((kind.group, kind.plural), cache.size(kind.storage_prefix())[place]) for kind in served.stored()]

    def each(value: Callable[[], float]) -> Rows:
        return [((kind.group, kind.plural), value()) for kind in served.stored()]

    def changes() -> Rows:
        found = cache.changes
        return [
            ((kind.group, kind.plural), found[kind.storage_prefix()])
            for kind in served.stored()
            if kind.storage_prefix() in found
        ]

    def undecodable() -> Rows:
        return [(_resource_of(served, folder), number) for folder, number in UNDECODABLE.items()]

    yield Shown(
        "apiserver_storage_objects",
        "Objects that are stored, by resource and group in one.",
        ("resource",),
        lambda: [((kind.resource,), cache.size(kind.storage_prefix())[0]) for kind in served.stored()],
        stability=STABLE,
    )
    yield Shown("apiserver_resource_objects", "Objects that are stored, by resource.", _RESOURCE, lambda: sizes(0))
    yield Shown(
        "apiserver_resource_size_estimate_bytes", "Roughly their bytes, by resource.", _RESOURCE, lambda: sizes(1)
    )
    yield Shown(
        "apiserver_watch_cache_resource_version",
        "The revision that the watch cache has.",
        _RESOURCE,
        lambda: each(lambda: cache.revision),
    )
    yield Shown(
        "watch_cache_capacity",
        "Changes that are kept for watchers, at most.",
        _RESOURCE,
        lambda: each(lambda: MOST_GROUPS),
    )
    yield Shown(
        "apiserver_watch_cache_initializations_total",
        "How often the watch cache was filled.",
        _RESOURCE,
        lambda: each(lambda: cache.statistics().loads),
        type=COUNTER,
    )
    for name, text in (
        ("apiserver_storage_events_received_total", "Changes that the store's watch has told."),
        ("apiserver_watch_cache_events_received_total", "Changes that the watch cache has taken in."),
        ("apiserver_watch_cache_events_dispatched_total", "Changes that the watch cache has offered to watchers."),
    ):
        yield Shown(name, text, _RESOURCE, changes, type=COUNTER)
    yield Shown(
        "apiserver_storage_decode_errors_total",
        "Stored values that cannot be read.",
        _RESOURCE,
        undecodable,
        type=COUNTER,
    )


def of_reads(reads: Reads) -> Iterator[Family]:
    """Lists and watches."""

    def lists(value: Callable[[ListCount], float], *more: str) -> Callable[[], Rows]:
        return lambda: [((key[0], *more, key[1]), value(count)) for key, count in reads.lists.items()]

    def watches(value: Callable[[WatchCount], float]) -> Callable[[], Rows]:
        return lambda: [(key, value(count)) for key, count in reads.watches.items()]

    indexed: Labels = ("group", "index", "resource")
    for name, text, labels, read in (
        ("list_total", "Lists from the watch cache.", indexed, lists(lambda count: count.lists, "")),
        ("list_fetched_objects_total", "Objects they looked at.", indexed, lists(lambda count: count.fetched, "")),
        ("list_returned_objects_total", "Objects they gave.", _RESOURCE, lists(lambda count: count.returned)),
    ):
        yield Shown(f"apiserver_cache_{name}", text, labels, read, type=COUNTER)
    yield Shown(
        "apiserver_watch_cache_read_wait_seconds",
        "How long lists waited until the watch cache was as fresh as they ask.",
        _RESOURCE,
        lambda: [(key, count.waits) for key, count in reads.lists.items() if any(count.waits.counts)],
        buckets=WAIT_SECONDS,
    )
    yield Shown(
        "apiserver_watch_cache_consistent_read_total",
        "Consistent lists from the watch cache, by whether it became fresh in time. None goes to the store instead.",
        ("group", "resource", "success", "fallback"),
        lambda: _consistent(reads.lists),
        type=COUNTER,
    )
    yield Shown(
        "apiserver_watch_events_total",
        "Events sent to watchers.",
        _WATCHED,
        watches(lambda count: sum(count.sizes.counts)),
        type=COUNTER,
    )
    yield Shown(
        "apiserver_watch_events_sizes",
        "How many bytes events had that were sent to watchers.",
        _WATCHED,
        lambda: [(key, count.sizes) for key, count in reads.watches.items()],
        buckets=EVENT_SIZES,
    )
    yield Shown(
        "apiserver_init_events_total",
        "Events with which watches began.",
        _RESOURCE,
        lambda: _by_resource(reads.watches, lambda count: count.initial),
        type=COUNTER,
    )
    yield Shown(
        "apiserver_terminated_watchers_total",
        "Watches that were ended because their clients were too slow.",
        _RESOURCE,
        lambda: _by_resource(reads.watches, lambda count: count.terminated),
        type=COUNTER,
    )
    yield Shown(
        "apiserver_watch_list_duration_seconds",
        "How long watches took to send what there was, where they were asked to begin with it.",
        (*_WATCHED, "scope"),
        lambda: [
            ((*key, scope), lasted) for key, count in reads.watches.items() for scope, lasted in count.lasted.items()
        ],
        buckets=INITIAL_SECONDS,
    )


def _by_resource(counts: Mapping[tuple[str, str, str], WatchCount], value: Callable[[WatchCount], int]) -> Rows:
    found: dict[tuple[str, str], int] = {}
    for (group, _, resource), count in counts.items():
        if number := value(count):
            found[group, resource] = found.get((group, resource), 0) + number
    return found.items()


def _consistent(counts: Mapping[tuple[str, str], ListCount]) -> Rows:
    for key, count in counts.items():
        if in_time := sum(count.waits.counts):
            yield (*key, "true", "false"), in_time
        if count.late:
            yield (*key, "false", "false"), count.late


def of_store(measured: Measured, served: Registry) -> Iterator[Family]:
    """What was asked of the store, by operation and by the resource whose folder the key lies in."""

    def rows() -> dict[tuple[str, str, str], Operation]:
        merged: dict[tuple[str, str, str], Operation] = {}
        for (operation, folder), row in measured.rows.items():
            merged.setdefault((operation, *_resource_of(served, folder)), Operation()).merge(row)
        return merged

    def counted(value: Callable[[Operation], float]) -> Callable[[], Rows]:
        return lambda: [(labels, value(row)) for labels, row in rows().items()]

    def listed(value: Callable[[Operation], float]) -> Callable[[], Rows]:
        return lambda: [(labels[1:], value(row)) for labels, row in rows().items() if labels[0] == "list"]

    yield Shown(
        "etcd_request_duration_seconds",
        "How long operations of the store took.",
        _OPERATION,
        lambda: [(labels, row.seconds) for labels, row in rows().items()],
        buckets=SECONDS,
    )
    yield Shown(
        "etcd_requests_total", "Operations of the store.", _OPERATION, counted(lambda row: row.count), type=COUNTER
    )
    yield Shown(
        "etcd_request_errors_total",
        "Operations of the store that failed.",
        _OPERATION,
        lambda: [(labels, row.errors) for labels, row in rows().items() if row.errors],
        type=COUNTER,
    )
    yield Shown(
        "apiserver_storage_list_total", "Lists from the store.", _RESOURCE, listed(lambda row: row.count), type=COUNTER
    )
    for what, text in (
        ("fetched", "Objects that lists from the store have read."),
        ("evaluated", "Objects that lists from the store have looked at: all they read."),
        ("returned", "Objects that lists from the store have given: all they read, as selectors are ours."),
    ):
        name = f"apiserver_storage_list_{what}_objects_total"
        yield Shown(name, text, _RESOURCE, listed(lambda row: row.objects), type=COUNTER)
    yield Shown(
        "apiserver_storage_size_bytes",
        "How large the store's database is.",
        ("storage_cluster_id",),
        lambda: [((_CLUSTER,), measured.size)] if measured.size else [],
        stability=STABLE,
    )


def _resource_of(served: Registry, folder: str) -> tuple[str, str]:
    """The group and resource that are stored in a folder; the folder's own name where it is nobody's."""
    for kind in served.stored():
        if kind.storage_prefix() == folder:
            return kind.group, kind.plural
    return "", folder.removeprefix("/registry/").strip("/")
