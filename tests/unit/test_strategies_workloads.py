"""Statuses of workloads: counts that cannot be negative, parts that cannot be more than the whole."""

import pytest

from apimachinery import kinds as k
from apiserver.strategies.workloads import daemonsets, deployments, replicasets, statefulsets
from tests.unit.test_strategies_kinds import complaints, made

TOO_MANY = "cannot be greater than status.replicas"


def problems(check, **status):
    return [(each.path, each.detail) for each in check({"status": status}, None)]


@pytest.mark.parametrize(
    ("check", "parts"),
    [
        (deployments.check_status, ("updatedReplicas", "readyReplicas", "availableReplicas")),
        (replicasets.check_status, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")),
        (statefulsets.check_status, ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")),
    ],
    ids=["deployment", "replica set", "stateful set"],
)
def test_parts_are_of_the_replicas(check, parts):
    most = dict.fromkeys(parts, 2)
    assert problems(check, replicas=2, **most) == []
    assert problems(check, replicas=1, **most) == [(f"status.{name}", TOO_MANY) for name in parts]
    below_none = [("status.replicas", "must be greater than or equal to 0")]
    assert problems(check, replicas=-1) == [*below_none, *((f"status.{name}", TOO_MANY) for name in parts)]


@pytest.mark.parametrize("check", [deployments.check_status, replicasets.check_status])
def test_what_is_available_is_ready(check):
    found = problems(check, replicas=3, readyReplicas=1, availableReplicas=2)
    assert found == [("status.availableReplicas", "cannot be greater than readyReplicas")]


def test_how_daemons_are_renewed_has_upstreams_defaults():
    for given, there in (
        ({"type": "OnDelete"}, None),
        ({"type": "OnDelete", "rollingUpdate": {"maxSurge": 1}}, {"maxUnavailable": 0, "maxSurge": 1}),
        ({"rollingUpdate": {"maxUnavailable": ""}}, {"maxUnavailable": "", "maxSurge": 0}),
    ):
        found = daemonsets.default({"spec": {"updateStrategy": given}})
        assert found["spec"]["updateStrategy"].get("rollingUpdate") == there


def test_what_is_rolled_out_only_by_rolling():
    strategy = {"type": "OnDelete", "rollingUpdate": {}}
    tree = made(k.STATEFULSETS)
    tree["spec"]["updateStrategy"] = strategy
    (text,) = complaints(k.STATEFULSETS, tree)
    assert text == (
        'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":0,"MaxUnavailable":null}: '
        "only allowed for updateStrategy 'RollingUpdate'"
    )


def test_a_template_is_not_looked_at_behind_a_wrong_selector():
    wrong = {"matchExpressions": [{"key": "a", "operator": "Gt"}]}
    for kind in (k.DEPLOYMENTS, k.REPLICASETS):
        tree = made(kind)
        tree["spec"] |= {"selector": wrong, "template": {"spec": {"containers": []}}}
        assert [text.partition(": ")[0] for text in complaints(kind, tree)] == [
            "spec.selector.matchExpressions[0].operator",
            "spec.selector",
        ]
