"""What was asked and how it was answered: a row for each sort of request, which trace finds by one look into a dict.

Rows are made of what is served only, so that nobody can make series at will. One row feeds every family of requests;
they are put together when somebody asks. Source: apiserver/pkg/endpoints/metrics/metrics.go.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from apiserver.call import Call
from apiserver.registry import Registry
from apiserver.request import CONNECTS, RequestInfo
from serving.series import COUNTER, STABLE, Distribution, Family, Histogram, Labels, Rows, Shown

SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip
SLI_SECONDS = SECONDS[2:]
_SIZES = (1000.0, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
_BODY_SIZES = (50_000.0, *(50_000.0 + 100_000.0 * step for step in range(1, 31)))
_COMPONENT = "apiserver"
_OF_RESOURCE = ("group", "version", "resource", "subresource", "scope")
_LABELS = ("verb", *_OF_RESOURCE, "component")
_DRY_LABELS = ("verb", "dry_run", *_LABELS[1:])
_VERBS = {"create": "POST", "update": "PUT"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_APPLY = "application/apply-patch"
_NEVER_ENDING = ("WATCH", "CONNECT")
#: Verbs as the sizes of bodies call them; others have no body.
_WITH_BODY = {verb: verb for verb in ("create", "update", "patch", "delete")} | {
    "deletecollection": "delete_collection"
}
#: What can be done with resources; other methods of HTTP are none of it.
_OF_RESOURCES = frozenset({*_WITH_BODY, "get", "list", "watch"})
_VALIDATED = frozenset({"create", "update", "patch"})
_VALIDATIONS = frozenset({"Strict", "Warn", "Ignore"})
#: Paths that are no resources and are counted under their own name.
_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/metrics", "/version", "/openapi/v2", "/openapi/v3"})

BODY_SIZES = Histogram(
    "apiserver_request_body_size_bytes",
    "How large the bodies of requests were, by resource and verb.",
    ("group", "resource", "verb"),
    buckets=_BODY_SIZES,
)
FIELD_VALIDATION = Histogram(
    "field_validation_request_duration_seconds",
    "What writes took, by what was asked about unknown fields.",
    ("field_validation",),
    buckets=SLI_SECONDS,
)

COMPARISONS = Histogram(
    "apiserver_request_timestamp_comparison_time",
    "How long it took to see whether an update changes anything but times.",
    ("code_path",),
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0),
)

_Key = tuple[str, str, str, str, str, str, bool, bool, str]


class Row:
    """The requests of one sort, as their labels tell them."""

    __slots__ = (
        "aborted",
        "bodies",
        "codes",
        "dry_run",
        "is_deprecated",
        "is_validated",
        "labels",
        "running",
        "seconds",
        "sizes",
        "sooner",
        "terminated",
    )

    def __init__(self, labels: Labels, dry_run: str) -> None:
        self.labels = labels
        self.dry_run = dry_run
        self.codes: dict[int, int] = {}
        self.seconds = Distribution(SECONDS)
        self.sooner: Distribution | None = None  # what `seconds` is to be mended by, for the time that is not ours
        self.sizes: Distribution | None = None
        self.bodies: Distribution | None = None  # where requests of this sort have some
        self.is_validated = False
        self.running = 0  # of those that take their time
        self.aborted = 0
        self.terminated: dict[tuple[str, int], int] = {}
        self.is_deprecated = False  # the version of the resource

    def add(self, call: Call, code: int, seconds: float) -> None:
        """One more that is answered."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.seconds.add(seconds)
        if self.bodies is not None:
            self._add_body(call, seconds)
        if call.elsewhere:
            self._mend(seconds, call.elsewhere)

    def sent(self, size: int) -> None:
        """The bytes of one answer's body."""
        if self.sizes is None:
            self.sizes = Distribution(_SIZES)
        self.sizes.add(size)

    def terminate(self, component: str, code: int) -> None:
        """One was broken off by the server: too many requests, an extension server that is not there."""
        self.terminated[component, code] = self.terminated.get((component, code), 0) + 1

    def _add_body(self, call: Call, seconds: float) -> None:
        assert self.bodies is not None
        self.bodies.add(len(call.received))
        if self.is_validated:
            asked = call.first("fieldValidation")
            FIELD_VALIDATION.of(asked if asked in _VALIDATIONS else "invalid" if asked else "").add(seconds)

    def _mend(self, seconds: float, elsewhere: float) -> None:
        """The time in queues and at webhooks is not the server's."""
        if self.sooner is None:
            self.sooner = Distribution(SECONDS)
        self.sooner.counts[bisect_left(SECONDS, seconds)] -= 1
        self.sooner.counts[bisect_left(SECONDS, max(0.0, seconds - elsewhere))] += 1
        self.sooner.sum -= min(seconds, elsewhere)

    def of_sli(self) -> Distribution:
        """How long the server itself took."""
        counts = self.seconds.counts
        if self.sooner is not None:
            counts = [a + b for a, b in zip(counts, self.sooner.counts, strict=True)]
        found = Distribution(SLI_SECONDS)
        found.counts = [sum(counts[:3]), *counts[3:]]
        found.sum = self.seconds.sum + (self.sooner.sum if self.sooner is not None else 0.0)
        return found


class RequestRows:
    """Finds the row of a request; `families` shows them all."""

    def __init__(self, served: Registry) -> None:
        self._served = served
        self._rows: dict[_Key, Row] = {}

    def row(self, call: Call) -> Row:
        """Where a request is counted."""
        info = call.info
        if info is None:
            return self._found(("OTHER", "", "", "", "", "", False, False, ""))
        if not info.is_resource:
            return self._rows.get(key := (call.method, "", "", "/", info.path, "", False, False, "")) or self._made(
                key, info
            )
        is_apply = info.verb == "patch" and call.headers.get("content-type", "").startswith(_APPLY)
        key = (
            info.verb,
            info.group,
            info.version,
            info.plural,
            info.subresource,
            "All" if "dryRun" in call.query else "",
            bool(info.name),
            bool(info.namespace),
            "APPLY" if is_apply else "",
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
        if resource is None or info.verb not in _OF_RESOURCES:
            return self._found(("OTHER", "", "", "", "", "", False, False, ""))
        if info.subresource and info.subresource not in resource.subresources:
            return self._found(("OTHER", info.group, info.version, info.plural, "", "", False, False, ""))
        row = self._found(key)
        row.is_deprecated = bool(resource.warnings)
        if info.verb in _WITH_BODY:
            row.bodies = BODY_SIZES.of(info.group, info.plural, _WITH_BODY[info.verb])
            row.is_validated = info.verb in _VALIDATED
        return row

    def _found(self, key: _Key) -> Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(_labels(key), key[5])
        return row

    def families(self) -> Iterator[Family]:
        """What is shown of the rows."""
        yield Shown(
            "apiserver_request_total",
            "How many requests were answered, by what they asked for and the code of the answer.",
            (*_DRY_LABELS, "code"),
            self._reading(_totals),
            type=COUNTER,
            stability=STABLE,
        )
        yield Shown(
            "apiserver_request_duration_seconds",
            "How long answers took, by what was asked for. Watches and connections are not among them.",
            _DRY_LABELS,
            self._reading(_latencies),
            buckets=SECONDS,
            stability=STABLE,
        )
        yield Shown(
            "apiserver_request_sli_duration_seconds",
            "How long answers took without the time in queues of flow control and at webhooks.",
            _LABELS,
            self._reading(_latencies_of_sli),
            buckets=SLI_SECONDS,
        )
        yield Shown(
            "apiserver_response_sizes",
            "How many bytes answers to reads had.",
            _LABELS,
            self._reading(_sizes),
            buckets=_SIZES,
            stability=STABLE,
        )
        yield Shown(
            "apiserver_longrunning_requests",
            "Watches and connections that are open.",
            _LABELS,
            self._reading(_running),
            stability=STABLE,
        )
        yield Shown(
            "apiserver_requested_deprecated_apis",
            "Deprecated versions that somebody has asked for.",
            ("group", "version", "resource", "subresource", "removed_release"),
            self._reading(_deprecated),
            stability=STABLE,
        )
        yield Shown(
            "apiserver_request_aborts_total",
            "Requests whose clients were gone before there was an answer.",
            ("verb", *_OF_RESOURCE),
            self._reading(_aborted),
            type=COUNTER,
        )
        yield Shown(
            "apiserver_request_terminations_total",
            "Requests that the server broke off to protect itself, or because who should answer is not there.",
            (*_LABELS, "code"),
            self._reading(_terminated),
            type=COUNTER,
        )
        yield BODY_SIZES
        yield FIELD_VALIDATION
        yield COMPARISONS

    def _reading(self, read: Callable[[Iterable[Row]], Rows]) -> Callable[[], Rows]:
        return lambda: read({(row.dry_run, row.labels): row for row in self._rows.values()}.values())


def _labels(key: _Key) -> Labels:
    verb, group, version, plural, subresource, _, named, in_namespace, apply = key
    is_resource = bool(plural) and plural != "/"
    if apply:
        shown = "APPLY"
    elif subresource in CONNECTS and is_resource:
        shown = "CONNECT"
    else:
        shown = _VERBS.get(verb, verb.upper())
    scope = "resource" if named or verb == "create" else "namespace" if in_namespace else "cluster"
    of_resource = (group, version, plural if is_resource else "", subresource, scope if is_resource else "")
    return (shown, *of_resource, _COMPONENT)


def _dry_labels(row: Row) -> Labels:
    return (row.labels[0], row.dry_run, *row.labels[1:])


def _totals(rows: Iterable[Row]) -> Rows:
    for row in rows:
        for code, count in row.codes.items():
            yield (*_dry_labels(row), str(code)), count


def _latencies(rows: Iterable[Row]) -> Rows:
    return ((_dry_labels(row), row.seconds) for row in rows if row.labels[0] not in _NEVER_ENDING)


def _latencies_of_sli(rows: Iterable[Row]) -> Rows:
    return ((row.labels, row.of_sli()) for row in rows if row.labels[0] not in _NEVER_ENDING and not row.dry_run)


def _sizes(rows: Iterable[Row]) -> Rows:
    return ((row.labels, row.sizes) for row in rows if row.sizes is not None and not row.dry_run)


def _running(rows: Iterable[Row]) -> Rows:
    return (
        (row.labels, row.running) for row in rows if not row.dry_run and (row.labels[0] in _NEVER_ENDING or row.running)
    )


def _deprecated(rows: Iterable[Row]) -> Rows:
    return ((labels, 1) for labels in {(*row.labels[1:5], ""): None for row in rows if row.is_deprecated})


def _aborted(rows: Iterable[Row]) -> Rows:
    found: dict[Labels, int] = {}
    for row in rows:
        if row.aborted:
            found[row.labels[:-1]] = found.get(row.labels[:-1], 0) + row.aborted
    return found.items()


def _terminated(rows: Iterable[Row]) -> Rows:
    found: dict[Labels, int] = {}
    for row in rows:
        for (component, code), count in row.terminated.items():
            labels = (*row.labels[:-1], component, str(code))
            found[labels] = found.get(labels, 0) + count
    return found.items()
