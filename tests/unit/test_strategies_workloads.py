"""Statuses of workloads: counts that cannot be negative, parts that cannot be more than the whole."""

import pytest

from apiserver.strategies.workloads import deployments, replicasets, statefulsets

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
