"""Families of series as text: what Prometheus reads is what was counted, written as Go writes it."""

import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as ClientCounter
from prometheus_client.parser import text_string_to_metric_families

from serving.exposition import Families, number
from serving.series import STABLE, Counter, Gauge, Histogram, Shown, Summary, exponential


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (3, "3"), (2.0, "2"), (0.25, "0.25"), (1e6, "1e+06"), (1_048_571, "1.048571e+06"), (5e-07, "5e-07"),
        (999_999, "999999"), (-2.5e7, "-2.5e+07"), (1.5e20, "1.5e+20"), (math.inf, "+Inf"), (math.nan, "NaN"),
        (4.194304e6, "4.194304e+06"), (123456.5, "123456.5"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(value, text):
    assert number(value) == text


def shown(*families):
    found = Families()
    found.add(*families)
    text = found.text().decode()
    return text, {
        (s.name, *sorted(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }


def test_a_counter_needs_no_total_in_its_name():
    counter = Counter("apiserver_x_count", 'What it "counts"\nis this.', ("a", "b"), stability=STABLE)
    counter.of("x", 'q"\\\n').value += 2
    assert counter.of("x", 'q"\\\n').value == 2
    text, _ = shown(counter)
    assert '# HELP apiserver_x_count [STABLE] What it "counts"\\nis this.\n# TYPE apiserver_x_count counter\n' in text
    assert 'apiserver_x_count{a="x",b="q\\"\\\\\\n"} 2\n' in text


def test_a_histogram_counts_up_to_each_bound():
    histogram = Histogram("h", "h", ("a",), buckets=(1, 2))
    row = histogram.of("x")
    for value in (0.5, 1, 1.5, 2, 7):
        row.add(value)
    row.weigh(1.5, 10)
    _, found = shown(histogram)
    buckets = [found["h_bucket", ("a", "x"), ("le", le)] for le in ("1", "2", "+Inf")]
    assert buckets == [2, 14, 15]
    assert found["h_count", ("a", "x")] == 15
    assert found["h_sum", ("a", "x")] == 27


def test_a_summary_has_the_quantiles_of_the_last():
    summary = Summary("s", "s")
    for value in range(1000):
        summary.of().add(value)
    _, found = shown(summary)
    assert found["s", ("quantile", "0.5")] == 750
    assert found["s_count",] == 1000


def test_what_has_no_series_is_left_out_and_what_has_no_labels_is_there_from_the_start():
    text, found = shown(
        Counter("nobody", "n", ("a",)), Gauge("zero", "z"), Shown("read", "r", ("a",), lambda: [(("b",), 4)])
    )
    assert "nobody" not in text
    assert found["zero",] == 0
    assert found["read", ("a", "b")] == 4
    assert found["registered_metrics_total", ("deprecated_version", ""), ("stability_level", "ALPHA")] == 3


def test_a_registry_of_prometheus_client_is_shown_without_its_creation_times():
    registry = CollectorRegistry()
    ClientCounter("of_client", "c", ["a"], registry=registry).labels("x").inc()
    text = Families(registry).text().decode()
    assert '# TYPE of_client_total counter\nof_client_total{a="x"} 1\n' in text
    assert "_created" not in text


def test_a_name_is_shown_once():
    families = Families()
    families.add(Gauge("a", ""))
    with pytest.raises(ValueError, match="a is shown already"):
        families.add(Gauge("a", ""))


def test_exponential_bounds_are_multiplied_out():
    assert exponential(1e-8, 10, 4)[3] == 1e-8 * 10 * 10 * 10
