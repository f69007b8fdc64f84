"""HorizontalPodAutoscalers: what may be scaled, and what is not looked at again."""

import pytest

from apiserver.strategies.autoscaling import check

NO_GROUP = "apiVersion must specify API group"


def scaler(kind, version):
    return {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": version, "kind": kind, "name": "a"}}}


@pytest.mark.parametrize(
    ("kind", "version", "said"),
    [
        ("Deployment", "apps/v1", []),
        ("Deployment", "v1", [NO_GROUP]),
        ("Deployment", "", [NO_GROUP]),
        ("Deployment", "/v1", [NO_GROUP]),
        ("ReplicationController", "v1", []),
        ("Deployment", "a/b/c", ["unexpected GroupVersion string: a/b/c"]),
    ],
)
def test_the_group_of_what_is_scaled(kind, version, said):
    assert [error.detail for error in check(scaler(kind, version), None)] == said


def test_a_wrong_version_may_stay_but_not_come():
    assert check(scaler("Deployment", "v1"), scaler("Deployment", "v1")) == []
    assert len(check(scaler("Deployment", "v1"), scaler("StatefulSet", "v1"))) == 1
    assert len(check(scaler("Deployment", "v1"), scaler("Deployment", "apps/v1"))) == 1


def test_what_an_object_metric_describes_may_be_of_the_core_group():
    source = {"describedObject": {"kind": "Service", "name": "a"}, "metric": {"name": "m"}}
    metric = {"type": "Object", "object": {**source, "target": {"type": "Value", "value": "1"}}}
    made = scaler("Deployment", "apps/v1")
    made["spec"]["metrics"] = [metric]
    assert check(made, None) == []
