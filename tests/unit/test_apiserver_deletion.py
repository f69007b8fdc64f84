"""What a delete does, decided purely."""

import copy

import pytest

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import CONFIGMAPS, NAMESPACES, PODS
from apiserver.registry import Deletion, Resource
from apiserver.resources.deletion import check_preconditions, decide, with_propagation
from apiserver.resources.options import DeleteOptions
from apiserver.strategies import strategy_of

NOW = times.parse("2024-01-01T00:00:00Z")
MAPS = Resource(kind=CONFIGMAPS, stored=CONFIGMAPS, strategy=strategy_of(CONFIGMAPS))
POD = Resource(kind=PODS, stored=PODS, strategy=strategy_of(PODS))


def tree(*, finalizers=(), node="n1", phase="Running", marked=None, left=None, generation=1):
    meta = {"name": "a", "uid": "u", "resourceVersion": "5", "generation": generation}
    if finalizers:
        meta["finalizers"] = list(finalizers)
    if marked:
        meta |= {"deletionTimestamp": marked, "deletionGracePeriodSeconds": left}
    return {
        "metadata": meta,
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("resource", "old", "options", "removes", "changes"),
    [
        pytest.param(MAPS, tree(), DeleteOptions(), True, False, id="at once"),
        pytest.param(MAPS, tree(finalizers=["x/y"]), DeleteOptions(), False, True, id="finalizers keep"),
        pytest.param(MAPS, tree(finalizers=["x/y"], marked="2023-01-01T00:00:00Z", left=0), DeleteOptions(), False, False, id="marked already"),
        pytest.param(MAPS, tree(marked="2023-01-01T00:00:00Z", left=0), DeleteOptions(), True, False, id="nothing left"),
        pytest.param(MAPS, tree(), DeleteOptions(propagation="Foreground"), False, True, id="foreground"),
        pytest.param(POD, tree(), DeleteOptions(), False, True, id="pods get time"),
        pytest.param(POD, tree(), DeleteOptions(grace=0), True, False, id="grace 0"),
        pytest.param(POD, tree(node=""), DeleteOptions(), True, False, id="unscheduled"),
        pytest.param(POD, tree(phase="Failed"), DeleteOptions(), True, False, id="finished"),
        pytest.param(POD, tree(marked="2024-01-01T00:00:30Z", left=30), DeleteOptions(), False, False, id="pending"),
        pytest.param(POD, tree(marked="2024-01-01T00:00:30Z", left=30), DeleteOptions(grace=60), False, False, id="longer"),
        pytest.param(POD, tree(marked="2024-01-01T00:00:30Z", left=30), DeleteOptions(grace=5), False, True, id="shorter"),
        pytest.param(POD, tree(marked="2024-01-01T00:00:30Z", left=30), DeleteOptions(grace=0), True, False, id="the end"),
        pytest.param(POD, tree(finalizers=["x/y"], marked="2024-01-01T00:00:00Z", left=0), DeleteOptions(), False, False, id="held"),
    ],
)  # fmt: skip
def test_outcomes(resource, old, options, removes, changes):
    outcome = decide(resource, copy.deepcopy(old), options, NOW)
    assert (outcome.removes, outcome.changes) == (removes, changes)


def test_the_marks():
    meta = decide(POD, tree(), DeleteOptions(), NOW).tree["metadata"]
    assert meta["deletionTimestamp"] == "2024-01-01T00:00:30Z"
    assert (meta["deletionGracePeriodSeconds"], meta["generation"]) == (30, 2)
    meta = decide(POD, tree(marked="2024-01-01T00:00:30Z", left=30), DeleteOptions(grace=5), NOW + 20).tree["metadata"]
    assert meta["deletionTimestamp"] == "2024-01-01T00:00:05Z"  # counted from the first delete


def test_a_kind_can_hold_its_objects():
    deletion = Deletion(holds=lambda t: bool(t["spec"].get("finalizers")), mark=lambda t: {**t, "marked": True})
    resource = Resource(kind=NAMESPACES, stored=NAMESPACES, strategy=strategy_of(NAMESPACES), deletion=deletion)
    held = decide(resource, {**tree(), "spec": {"finalizers": ["kubernetes"]}}, DeleteOptions(), NOW)
    assert held.changes
    assert held.tree["marked"]
    assert decide(resource, {**tree(), "spec": {}}, DeleteOptions(), NOW).removes


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (["x"], DeleteOptions(), ["x"]),
        (["orphan"], DeleteOptions(), ["orphan"]),
        (["x", "orphan"], DeleteOptions(propagation="Foreground"), ["x", "foregroundDeletion"]),
        (["foregroundDeletion"], DeleteOptions(propagation="Background"), []),
        (["foregroundDeletion", "x"], DeleteOptions(orphan=True), ["x", "orphan"]),
        (["orphan"], DeleteOptions(orphan=False), []),
        (["foregroundDeletion", "orphan"], DeleteOptions(), ["orphan"]),
    ],
)
def test_propagation(before, options, after):
    assert with_propagation(before, options) == after


@pytest.mark.parametrize("options", [DeleteOptions(uid="other"), DeleteOptions(resource_version="4")])
def test_preconditions(options):
    with pytest.raises(ApiError) as refused:
        check_preconditions(MAPS, tree(), options)
    assert refused.value.code == 409
