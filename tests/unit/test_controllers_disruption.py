"""PodDisruptionBudgets: what counts, what may be disturbed, and that a status at rest is left alone."""

import pytest

from apimachinery.kinds import DEPLOYMENTS, PODDISRUPTIONBUDGETS, PODS, REPLICASETS
from apimachinery.times import rfc3339
from apiserver.strategies.scheduling import check_budget_status
from client.plan import Event, Patch
from controllers.disruption import DELETION_TIMEOUT, DisruptionController
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, owned_by, pod


def budget(status=None, **spec):
    tree = {"metadata": meta("web", generation=1), "spec": {"selector": {"matchLabels": {"app": "web"}}} | spec}
    return tree | ({"status": status} if status else {})


def owned(name, **more):
    return pod(name, ownerReferences=owned_by("ReplicaSet", "rs"), **more)


def world(one, pods, replicas=4):
    return FakeView(
        {
            PODDISRUPTIONBUDGETS: [one],
            PODS: pods,
            DEPLOYMENTS: [{"metadata": meta("dep"), "spec": {"replicas": replicas}}],
            REPLICASETS: [
                {"metadata": meta("rs", ownerReferences=owned_by("Deployment", "dep")), "spec": {"replicas": 1}}
            ],
        }
    )


def status_of(known):
    known.apply(DisruptionController().plan(KEY, known, NOW))
    assert not [w for w in DisruptionController().plan(KEY, known, NOW).writes if isinstance(w, Patch)]
    assert check_budget_status(known.raw(PODDISRUPTIONBUDGETS)[0], None) == []  # the API takes it
    return known.raw(PODDISRUPTIONBUDGETS)[0]["status"]


@pytest.mark.parametrize(
    ("spec", "expected", "desired", "allowed"),
    [
        pytest.param({"minAvailable": 2}, 3, 2, 1, id="a number of the pods there are"),
        pytest.param({"minAvailable": "50%"}, 4, 2, 1, id="a share of what the deployment wants"),
        pytest.param({"maxUnavailable": 1}, 4, 3, 0, id="unavailable at most"),
        pytest.param({"maxUnavailable": "30%"}, 4, 2, 1, id="a share is rounded up"),
        pytest.param({"minAvailable": 0}, 3, 0, 3, id="none needed"),
    ],
)
def test_what_a_budget_allows(spec, expected, desired, allowed):
    pods = [owned("a"), owned("b"), owned("c"), owned("d", deleting=True)][: 3 if "minAvailable" in spec else 4]
    status = status_of(world(budget(**spec), pods))
    assert (status["expectedPods"], status["desiredHealthy"], status["disruptionsAllowed"]) == (
        expected,
        desired,
        allowed,
    )
    assert status["currentHealthy"] == 3
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"]) == (
        ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    )


@pytest.mark.parametrize(("ago", "healthy"), [(10, 1), (DELETION_TIMEOUT + 1, 2)])
def test_an_evicted_pod_counts_as_gone_for_a_while(ago, healthy):
    known = world(budget({"disruptedPods": {"a": rfc3339(NOW - ago), "x": rfc3339(NOW)}}, minAvailable=1), [])
    known.trees[PODS] = {("d", name): owned(name) for name in ("a", "b")}
    plan = DisruptionController().plan(KEY, known, NOW)
    assert bool(plan.again_in) == (healthy == 1)
    assert [w.reason for w in plan.writes if isinstance(w, Event)] == ([] if healthy == 1 else ["NotDeleted"])
    status = status_of(known)
    assert status["currentHealthy"] == healthy
    assert set(status["disruptedPods"]) == ({"a"} if healthy == 1 else set())


def test_what_cannot_be_counted_allows_nothing():
    stray = pod("a", ownerReferences=owned_by("Robot", "r"))
    known = world(budget({"disruptionsAllowed": 3}, maxUnavailable=1), [stray])
    assert "CalculateExpectedPodCountFailed" in {
        w.reason for w in DisruptionController().plan(KEY, known, NOW).writes if isinstance(w, Event)
    }
    status = status_of(known)
    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["message"] == 'found no controllers for pod "a"'
