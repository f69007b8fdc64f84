"""Metrics as plain numbers: a family of series, each a row that is found by its labels once and then counted in.

    REQUESTS = Counter("apiserver_request_total", "How many ...", ("verb", "code"))
    row = REQUESTS.of("GET", "200")     # once, where the labels become known
    row.value += 1                      # per request: no lock, no look-up

prometheus-client's own take a lock and walk their buckets for each observation, which was a tenth of a GET, and name a
counter only with `_total`. Here everything runs on one event loop, so plain numbers do. A family that shows what others
know is `Shown`: it reads when somebody asks. exposition.py writes them down.
Stability levels, and what a help begins with because of them: component-base/metrics/opts.go.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

ALPHA, BETA, STABLE = "ALPHA", "BETA", "STABLE"
COUNTER, GAUGE, HISTOGRAM, SUMMARY = "counter", "gauge", "histogram", "summary"
#: The buckets that a family has which names none (prometheus' DefBuckets).
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: How many of the last observations the quantiles of a summary are of.
_REMEMBERED = 500
QUANTILES = (0.5, 0.9, 0.99)


def exponential(first: float, factor: float, count: int) -> tuple[float, ...]:
    """Bounds that grow by a factor, as prometheus.ExponentialBuckets multiplies them out, rounding and all."""
    found = []
    for _ in range(count):
        found.append(first)
        first *= factor
    return tuple(found)


class Number:
    """One series of a counter or gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Distribution:
    """One series of a histogram: how many observations there were up to each bound (not counting those of the last)."""

    __slots__ = ("_first", "counts", "limits", "sum")

    def __init__(self, limits: Sequence[float]) -> None:
        self.limits = limits
        self.counts: list[float] = [0] * (len(limits) + 1)
        self.sum = 0.0
        self._first = limits[0]

    def add(self, value: float) -> None:
        """One more observation; most are below the first bound."""
        if value <= self._first:
            self.counts[0] += 1
        else:
            self.counts[bisect_left(self.limits, value)] += 1
        self.sum += value

    def weigh(self, value: float, weight: float) -> None:
        """As many observations of a value as `weight` says, which need not be whole."""
        self.counts[bisect_left(self.limits, value)] += weight
        self.sum += value * weight

    def merge(self, other: "Distribution") -> None:
        """Take in what another with these bounds has seen."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


class Recent:
    """One series of a summary: all there was in number and sum, and the last ones for the quantiles."""

    __slots__ = ("count", "last", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.last: deque[float] = deque(maxlen=_REMEMBERED)

    def add(self, value: float) -> None:
        """One more observation."""
        self.count += 1
        self.sum += value
        self.last.append(value)

    def quantile(self, part: float) -> float:
        """The value that `part` of the last observations were not above; NaN of none."""
        ordered = sorted(self.last)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


Value = float | Number | Distribution | Recent
Labels = tuple[str, ...]
Rows = Iterable[tuple[Sequence[str], Value]]
R = TypeVar("R", Number, Distribution, Recent)


class Family(ABC):
    """What is one name on /metrics. `deprecated` is the release since which it is."""

    type = GAUGE

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, stability: str = ALPHA, deprecated: str = ""
    ) -> None:
        self.name = name
        self.labels = labels
        self.stability = stability
        self.deprecated = deprecated
        since = f"(Deprecated since {deprecated}) " if deprecated else ""
        self.help = f"[{stability}] {since}{text}"
        self.limits: Sequence[float] = ()

    @abstractmethod
    def rows(self) -> Rows:
        """Every series, with the values of its labels."""


class _Bound(Family, Generic[R]):
    """A family whose rows are bound by `of`. One without labels has its row from the start."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, stability: str = ALPHA, deprecated: str = ""
    ) -> None:
        super().__init__(name, text, labels, stability=stability, deprecated=deprecated)
        self._rows: dict[Labels, R] = {}

    def of(self, *values: str) -> R:
        """The series of these values, one for each label. Keep it, where it is wanted often."""
        row = self._rows.get(values)
        if row is None:
            assert len(values) == len(self.labels), (self.name, values)
            row = self._rows[values] = self._made()
        return row

    def rows(self) -> Rows:
        if not self.labels:
            self.of()
        return list(self._rows.items())

    @abstractmethod
    def _made(self) -> R:
        """A row that has counted nothing yet."""


class Counter(_Bound[Number]):
    """Only grows."""

    type = COUNTER

    def _made(self) -> Number:
        return Number()


class Gauge(_Bound[Number]):
    """Goes up and down."""

    def _made(self) -> Number:
        return Number()


class Histogram(_Bound[Distribution]):
    """How observations are distributed."""

    type = HISTOGRAM

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        *,
        buckets: Sequence[float] = DEFAULT_BUCKETS,
        stability: str = ALPHA,
        deprecated: str = "",
    ) -> None:
        super().__init__(name, text, labels, stability=stability, deprecated=deprecated)
        self.limits = tuple(buckets)

    def _made(self) -> Distribution:
        return Distribution(self.limits)


class Summary(_Bound[Recent]):
    """The quantiles of the last observations."""

    type = SUMMARY

    def _made(self) -> Recent:
        return Recent()


class Shown(Family):
    """A family that is read when somebody asks. `buckets` are those of the distributions that `read` gives."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels,
        read: Callable[[], Rows],
        *,
        type: str = GAUGE,
        buckets: Sequence[float] = (),
        stability: str = ALPHA,
        deprecated: str = "",
    ) -> None:
        super().__init__(name, text, labels, stability=stability, deprecated=deprecated)
        self.type = HISTOGRAM if buckets else type
        self.limits = tuple(buckets)
        self._read = read

    def rows(self) -> Rows:
        return self._read()
