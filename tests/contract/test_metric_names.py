"""The names of metrics, their types, labels and buckets, held to what upstream has (tests/golden/metric_names.json)."""

from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from apiserver.storage.measured import Measured
from apiserver.storage.memory import MemoryStorage
from serving.series import HISTOGRAM
from tests.contract.api_server import running
from tests.contract.metric_gaps import MISSING

GOLDEN = msgspec.json.decode((Path(__file__).parents[1] / "golden" / "metric_names.json").read_bytes())
#: In upstream's source (policy/mutating/metrics), behind a gate that is off by default; its list forgets them.
UNLISTED = {
    "apiserver_mutating_admission_policy_check_total",
    "apiserver_mutating_admission_policy_check_duration_seconds",
}
#: In this process where other tests have loaded controllers; in an API server's never.
OF_CONTROLLERS = {"controller_plans_total", "controller_failures_total", "controller_writes_total"}
UPSTREAM = {**GOLDEN["documented"], **GOLDEN["/metrics"]}


@pytest.fixture
async def families():
    """Every family of an API server by its name, as upstream's list describes one."""
    async with running(Measured(MemoryStorage())) as api:
        own = {
            family.name: described(family.type, family.labels, family.limits, family.stability)
            for family in api.app.metrics.families
        }
    return own | {name_of(metric): None for metric in REGISTRY.collect() if not metric.name.startswith("python_")}


def name_of(metric):
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def described(type_, labels, limits, stability):
    row = {"type": type_, "labels": sorted(labels), "stability": stability}
    if type_ == HISTOGRAM:
        row["buckets"] = list(limits)
    return {key: value for key, value in row.items() if value}


async def test_every_metric_of_upstream_is_there_or_has_a_reason(families):
    recorded = set(GOLDEN["/metrics"])
    assert recorded - set(families) == set(MISSING)


async def test_no_metric_is_our_own(families):
    assert set(families) - set(UPSTREAM) - OF_CONTROLLERS == UNLISTED


async def test_types_labels_and_buckets_are_upstreams(families):
    differ = {
        name: (row, UPSTREAM[name])
        for name, row in families.items()
        if row is not None and name in GOLDEN["/metrics"] and not same(row, UPSTREAM[name])
    }
    assert differ == {}


def same(ours, theirs):
    """Experimental histograms of ratios have no stability in upstream's help."""
    return all(ours.get(key) == theirs.get(key) for key in ("type", "labels", "buckets")) and (
        ours["stability"] == theirs.get("stability", ours["stability"])
    )
