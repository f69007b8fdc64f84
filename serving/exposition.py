"""What /metrics answers: families of series in Prometheus' text format 0.0.4, as upstream writes it.

A family without a series is left out, as is what upstream does not have: `_created` times, the interpreter's figures.
Beside its own families (series.py) a `Families` may show a registry of prometheus-client, which has the process's
figures and those of packages that know nothing of this one. Other formats are not spoken: upstream's answers text to
whatever a scraper asks for, too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from math import inf, isnan

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import Metric

from serving.series import BETA, COUNTER, QUANTILES, Distribution, Family, Number, Recent, Rows, Shown, Value
from serving.version import version_info

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
#: Labels of kubernetes_build_info, and what /version calls them.
_BUILD = {
    "build_date": "buildDate", "compiler": "compiler", "git_commit": "gitCommit", "git_tree_state": "gitTreeState",
    "git_version": "gitVersion", "go_version": "goVersion", "major": "major", "minor": "minor", "platform": "platform",
}  # fmt: skip
#: From where on Go writes numbers with an exponent.
_LARGE = 1_000_000
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Families:
    """What one server shows. `also` are registries of prometheus-client; `about_itself`: with how many there are."""

    def __init__(self, *also: CollectorRegistry, about_itself: bool = True) -> None:
        self._families: dict[str, Family] = {}
        self._also = also
        if about_itself:
            self.add(*_of_metrics(self._families))

    def add(self, *families: Family) -> None:
        """Show these, too. A name can be there once."""
        for family in families:
            if family.name in self._families:
                raise ValueError(f"{family.name} is shown already")
            self._families[family.name] = family

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())

    def text(self) -> bytes:
        """Everything, as it is now."""
        lines: list[str] = []
        for name in sorted(self._families):
            _add_family(lines, self._families[name])
        for registry in self._also:
            for metric in registry.collect():
                _add_metric(lines, metric)
        return ("\n".join(lines) + "\n").encode()


def _of_metrics(families: dict[str, Family]) -> Iterable[Family]:
    """What is told of the metrics themselves. Nothing of ours can be hidden or turned off."""

    def registered() -> Rows:
        found = Counter((family.stability, family.deprecated) for family in families.values())
        return [((deprecated, stability), count) for (stability, deprecated), count in found.items()]

    def none() -> Rows:
        return [((), 0)]

    def shown(name: str, text: str, labels: tuple[str, ...], read: Callable[[], Rows]) -> Family:
        return Shown(name, text, labels, read, type=COUNTER, stability=BETA)

    yield shown(
        "registered_metrics_total",
        "Metrics there are, by how stable they are and the release that deprecates them.",
        ("deprecated_version", "stability_level"),
        registered,
    )
    yield shown("hidden_metrics_total", "Metrics that are hidden because they are deprecated.", (), none)
    yield shown("disabled_metrics_total", "Metrics that were turned off.", (), none)


def number(value: float) -> str:
    """A number as Go writes it: `3`, `0.25`, `1e+06`."""
    if isinstance(value, int) and -_LARGE < value < _LARGE:
        return str(value)
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    if isnan(value):
        return "NaN"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    text = repr(float(value))
    digits, _, exponent = text.partition("e")
    if exponent:  # 1e-07 is written by both alike, 1e+16 too
        return text
    if abs(value) < 1e6:
        return text
    whole, _, part = digits.lstrip("-").partition(".")
    mantissa = (whole + part).rstrip("0")
    sign = "-" if value < 0 else ""
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{sign}{mantissa[0]}{point}e+{len(whole) - 1:02d}"


@lru_cache(maxsize=512)
def _bounds(limits: tuple[float, ...]) -> Sequence[str]:
    return [f'le="{number(limit)}"' for limit in (*limits, inf)]


@lru_cache(maxsize=16384)
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """`a="b",c="d"`, sorted and escaped; the same ones are asked for at each scrape."""
    return ",".join(
        sorted([f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)])
    )


def _add_family(lines: list[str], family: Family) -> None:
    name = family.name
    start = len(lines)
    bounds, names = _bounds(tuple(family.limits)), tuple(family.labels)
    for values, value in family.rows():
        _add_series(lines, name, _labels(names, tuple(values)), value, bounds)
    if len(lines) > start:
        lines[start:start] = [f"# HELP {name} {family.help.translate(_HELP_ESCAPES)}", f"# TYPE {name} {family.type}"]


def _add_series(lines: list[str], name: str, labels: str, value: Value, bounds: Sequence[str]) -> None:
    match value:
        case Distribution():
            before = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
            counts = list(accumulate(value.counts))
            total = counts[-1]
            texts = counts if total < _LARGE else [number(count) for count in counts]
            lines += [f"{before}{bound}}} {text}" for bound, text in zip(bounds, texts, strict=True)]
            _add_totals(lines, name, labels, value.sum, total)
        case Recent():
            before = f"{name}{{{labels}," if labels else f"{name}{{"
            lines += [f'{before}quantile="{part:g}"}} {number(value.quantile(part))}' for part in QUANTILES]
            _add_totals(lines, name, labels, value.sum, value.count)
        case Number():
            lines.append(f"{name}{_braced(labels)} {number(value.value)}")
        case _:
            lines.append(f"{name}{_braced(labels)} {number(value)}")


def _add_totals(lines: list[str], name: str, labels: str, total: float, count: float) -> None:
    shown = _braced(labels)
    lines += [f"{name}_sum{shown} {number(total)}", f"{name}_count{shown} {number(count)}"]


def _braced(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _add_metric(lines: list[str], metric: Metric) -> None:
    """One of prometheus-client's."""
    samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
    if not samples or metric.name.startswith("python_"):
        return
    name = samples[0].name if metric.type == COUNTER else metric.name
    lines += [f"# HELP {name} {metric.documentation.translate(_HELP_ESCAPES)}", f"# TYPE {name} {metric.type}"]
    for sample in samples:
        values = {key: number(float(value)) if key == "le" else value for key, value in sample.labels.items()}
        lines.append(f"{sample.name}{_braced(_labels(tuple(values), tuple(values.values())))} {number(sample.value)}")


def build_info() -> Family:
    """kubernetes_build_info, by which alerts see components of different versions."""

    def read() -> Rows:
        info = version_info()
        return [([str(info.get(field, "")) for field in _BUILD.values()], 1)]

    return Shown("kubernetes_build_info", "What this was built from and runs on; always 1.", tuple(_BUILD), read)


_STARTED = "process_start_time_seconds"


def process_start() -> float:
    """When this process began, in seconds since the epoch."""
    return REGISTRY.get_sample_value(_STARTED) or 0.0


def started() -> Family:
    """The same as a family, for what is shown without the process's other figures."""
    at = process_start()
    return Shown(_STARTED, "When the process began, in seconds since the epoch.", (), lambda: [((), at)])


#: What a process of one server shows: its packages add their families when they are loaded.
PROCESS = Families(REGISTRY)
PROCESS.add(build_info())
