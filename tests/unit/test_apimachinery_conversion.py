"""Conversion between versions: there and back again, and upstream's annotations in between."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import autoscalers
from apimachinery.conversion import convert
from apimachinery.kinds import BY_KIND

V1 = BY_KIND["autoscaling/v1", "HorizontalPodAutoscaler"]
V2 = BY_KIND["autoscaling/v2", "HorizontalPodAutoscaler"]
CORE_EVENT = BY_KIND["v1", "Event"]
EVENT = BY_KIND["events.k8s.io/v1", "Event"]


def hpa(version, spec, status=None, **annotations):
    metadata = {"name": "web"} | ({"annotations": annotations} if annotations else {})
    tree = {"apiVersion": version, "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}
    return tree | ({"status": status} if status else {})


def test_events_change_the_names_of_their_fields():
    core = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"name": "p"},
        "message": "m",
        "source": {"component": "c"},
        "firstTimestamp": "t1",
        "lastTimestamp": "t2",
        "count": 2,
        "reportingComponent": "r",
        "reason": "R",
    }
    events = convert(core, EVENT)
    assert events == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "regarding": {"name": "p"},
        "note": "m",
        "deprecatedSource": {"component": "c"},
        "deprecatedFirstTimestamp": "t1",
        "deprecatedLastTimestamp": "t2",
        "deprecatedCount": 2,
        "reportingController": "r",
        "reason": "R",
    }
    assert convert(events, CORE_EVENT) == core
    assert convert(core, CORE_EVENT) is core


def test_cpu_utilization_is_a_field_of_v1():
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    used = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 40, "averageValue": "1"}}}
    v2 = hpa("autoscaling/v2", {"maxReplicas": 3, "metrics": [metric]}, {"currentMetrics": [used]})
    v1 = convert(v2, V1)
    assert v1["spec"] == {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    assert v1["status"] == {"currentReplicas": 0, "currentCPUUtilizationPercentage": 40}
    assert list(v1["metadata"]["annotations"]) == [autoscalers.CURRENT]
    assert convert(v1, V2) == v2


def test_other_metrics_travel_in_v1s_own_form():
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "5"}},
    }
    v1 = convert(hpa("autoscaling/v2", {"maxReplicas": 3, "metrics": [metric]}), V1)
    assert json.loads(v1["metadata"]["annotations"][autoscalers.METRICS]) == [
        {"type": "Pods", "pods": {"metricName": "q", "targetAverageValue": "5"}}
    ]


def test_plain_v1_has_no_annotations():
    v1 = hpa("autoscaling/v1", {"maxReplicas": 3}, {"currentCPUUtilizationPercentage": 10})
    v2 = convert(v1, V2)
    assert v2["spec"] == {"maxReplicas": 3}
    assert v2["status"]["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 10}
    assert "annotations" not in convert(hpa("autoscaling/v2", {"maxReplicas": 3}), V1)["metadata"]


@pytest.mark.parametrize("text", ["{", "5", "[1]", "null"])
def test_broken_annotations_are_dropped(text):
    v2 = convert(hpa("autoscaling/v1", {"maxReplicas": 3}, **{autoscalers.METRICS: text, "a": "b"}), V2)
    assert v2 == hpa("autoscaling/v2", {"maxReplicas": 3}, a="b")


def test_unknown_metrics_are_left_alone():
    v2 = convert(hpa("autoscaling/v1", {}, **{autoscalers.METRICS: '[{"type":"New","new":{}}]'}), V2)
    assert v2["spec"]["metrics"] == [{"type": "New", "new": {}}]


VALUE = st.sampled_from(["1", "500m"])
UTILIZATION = st.builds(lambda n: {"type": "Utilization", "averageUtilization": n}, st.integers(1, 99))
AVERAGE = st.builds(lambda v: {"type": "AverageValue", "averageValue": v}, VALUE)
TOTAL = st.builds(lambda v: {"type": "Value", "value": v}, VALUE)
METRIC = st.fixed_dictionaries({"name": st.just("m")}, optional={"selector": st.just({"matchLabels": {"a": "b"}})})


def of_type(kind, field, **parts):
    return st.fixed_dictionaries({"type": st.just(kind), field: st.fixed_dictionaries(parts)})


METRICS = st.one_of(
    of_type("Resource", "resource", name=st.just("memory"), target=UTILIZATION | AVERAGE),
    of_type("Resource", "resource", name=st.just("cpu"), target=AVERAGE),
    of_type("ContainerResource", "containerResource", name=st.just("cpu"), container=st.just("c"), target=UTILIZATION),
    of_type("Pods", "pods", metric=METRIC, target=AVERAGE),
    of_type("Object", "object", describedObject=st.just({"kind": "Service"}), metric=METRIC, target=TOTAL | AVERAGE),
    of_type("External", "external", metric=METRIC, target=TOTAL | AVERAGE),
)
CPU = of_type("Resource", "resource", name=st.just("cpu"), target=UTILIZATION)


@given(st.lists(CPU, max_size=1), st.lists(METRICS, max_size=3), st.booleans())
def test_nothing_is_lost_between_the_versions(cpu, others, steady):
    spec = {"maxReplicas": 3} | ({"metrics": cpu + others} if cpu or others else {})
    spec |= {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}} if steady else {}
    v2 = hpa("autoscaling/v2", spec, {"conditions": [{"type": "AbleToScale"}]})
    assert convert(convert(v2, V1), V2) == v2
