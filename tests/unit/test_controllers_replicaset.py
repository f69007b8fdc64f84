"""ReplicaSets: how many pods, which go first, and what the status says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS, REPLICASETS, REPLICATIONCONTROLLERS
from client.plan import Create, Delete, Failure, Patch
from controllers.replicaset import REPLICASET, REPLICATIONCONTROLLER
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, owned_by, pod

OWNED = owned_by("ReplicaSet", "web")


def replica_set(replicas, **spec):
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec
    return {"metadata": meta("web", generation=2), "spec": spec, "status": {"replicas": 0}}


def mine(name, *args, **more):
    return pod(name, *args, ownerReferences=OWNED, **more)


def view(replicas, pods, failure=None, **spec):
    return FakeView({REPLICASETS: [replica_set(replicas, **spec)], PODS: pods}, failure)


def planned(known):
    plan = REPLICASET.plan(KEY, known, NOW)
    creates = sum(isinstance(write, Create) and write.kind is PODS for write in plan.writes)
    return creates, [write.key.name for write in plan.writes if isinstance(write, Delete)]


@pytest.mark.parametrize(
    ("replicas", "pods", "creates", "deletes"),
    [
        pytest.param(2, [], 2, [], id="from nothing"),
        pytest.param(2, [mine("a"), mine("b")], 0, [], id="at rest"),
        pytest.param(2, [mine("a"), mine("b", deleting=True)], 1, [], id="terminating does not count"),
        pytest.param(2, [mine("a"), mine("b", "Failed")], 1, [], id="finished does not count"),
        pytest.param(1, [mine("a"), mine("b", node="")], 0, ["b"], id="unassigned goes first"),
        pytest.param(1, [mine("a"), mine("b", "Pending")], 0, ["b"], id="pending goes first"),
        pytest.param(1, [mine("a", ready=False), mine("b")], 0, ["a"], id="unready goes first"),
        pytest.param(
            1,
            [mine("a", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}), mine("b")],
            0,
            ["a"],
            id="cheap goes first",
        ),
        pytest.param(
            2, [mine("a", node="n2"), mine("b"), mine("c", since=NOW - 9999)], 0, ["b"], id="from the crowded node"
        ),
        pytest.param(
            1,
            [mine("a", since=NOW - 9999), mine("b", node="n2", since=NOW - 5)],
            0,
            ["b"],
            id="ready shorter goes first",
        ),
        pytest.param(1, [mine("a", restarts=3), mine("b", node="n2")], 0, ["a"], id="often restarted goes first"),
        pytest.param(0, [mine("a", "Failed")], 0, [], id="finished is left alone"),
        pytest.param(1, [pod("a", ownerReferences=owned_by("ReplicaSet", "other"))], 1, [], id="another's is not ours"),
    ],
)
def test_which_pods_are_made_and_removed(replicas, pods, creates, deletes):
    assert planned(view(replicas, pods)) == (creates, deletes)


def test_orphans_that_match_are_adopted_and_count():
    known = view(1, [pod("a")])
    (adopt, *_), creates = REPLICASET.plan(KEY, known, NOW).writes, planned(known)[0]
    assert (adopt.body["metadata"]["ownerReferences"][0]["uid"], creates) == ("uid-web", 0)


def test_pods_that_match_no_more_are_released():
    strayed = mine("a")
    strayed["metadata"]["labels"] = {}
    release, *_ = REPLICASET.plan(KEY, view(1, [strayed]), NOW).writes
    assert release.body["metadata"]["ownerReferences"] == [{"$patch": "delete", "uid": "uid-web"}]


def test_a_replica_set_that_goes_away_makes_adopts_and_releases_nothing():
    known = view(3, [pod("a")])
    known.raw(REPLICASETS)[0]["metadata"]["deletionTimestamp"] = "2023-11-14T00:00:00Z"
    assert planned(known) == (0, [])
    assert not [write for write in REPLICASET.plan(KEY, known, NOW).writes if write.kind is PODS]


def test_a_pod_carries_the_template_and_its_owner():
    create = next(write for write in REPLICASET.plan(KEY, view(1, []), NOW).writes if isinstance(write, Create))
    assert create.body["metadata"]["generateName"] == "web-"
    assert create.body["metadata"]["labels"] == {"app": "web"}
    assert create.body["spec"] == {"containers": [{"name": "c", "image": "i"}]}
    assert create.body["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is True


def status(known, now=NOW):
    plan = REPLICASET.plan(KEY, known, now)
    patch = next(write for write in plan.writes if isinstance(write, Patch) and write.subresource == "status")
    return patch.body["status"], plan.again_in


def test_the_status_counts():
    pods = [mine("a"), mine("b", ready=False), mine("c", deleting=True), mine("d", "Failed")]
    found, _ = status(view(2, pods))
    names = ("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas")
    assert [found[name] for name in names] == [2, 1, 1, 2]
    assert "terminatingReplicas" not in found  # a feature that v1.34 has off
    assert found["observedGeneration"] == 2


def test_a_pod_is_available_after_min_ready_seconds_and_not_before():
    known = view(1, [mine("a", since=NOW - 10)], minReadySeconds=30)
    found, again = status(known)
    assert (found["availableReplicas"], again) == (None, 20)
    assert status(known, NOW + 20)[0]["availableReplicas"] == 1


def test_a_refused_create_is_reported_and_tried_again():
    refused = Failure(Create(PODS, "d", {}), ApiError(403, "Forbidden", "exceeded quota"))
    known = view(1, [], refused)
    (condition,) = status(known)[0]["conditions"]
    assert (condition["type"], condition["reason"], condition["message"]) == (
        "ReplicaFailure",
        "FailedCreate",
        "exceeded quota",
    )
    assert planned(known)[0] == 1


def test_a_replication_controller_has_a_bare_selector():
    owner = replica_set(2, selector={"app": "web"})
    known = FakeView({REPLICATIONCONTROLLERS: [owner], PODS: [pod("a")]})
    writes = REPLICATIONCONTROLLER.plan(KEY, known, NOW).writes
    assert writes[0].body["metadata"]["ownerReferences"][0]["kind"] == "ReplicationController"
    assert sum(isinstance(write, Create) for write in writes) == 1


PODS_IN_ANY_STATE = st.lists(
    st.builds(
        lambda n, phase, ready, deleting, is_mine: (pod, mine)[is_mine](f"p{n}", phase, ready=ready, deleting=deleting),
        st.integers(0, 10**6),
        st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=15,
    unique_by=lambda tree: tree["metadata"]["name"],
)


@given(st.integers(0, 15), PODS_IN_ANY_STATE)
def test_any_state_converges_and_then_rests(replicas, pods):
    known = view(replicas, pods)
    for _ in range(3):
        known.apply(REPLICASET.plan(KEY, known, NOW))
    assert not REPLICASET.plan(KEY, known, NOW).writes
    live = [p for p in known.raw(PODS) if p["status"]["phase"] not in ("Succeeded", "Failed")]
    assert len([p for p in live if "deletionTimestamp" not in p["metadata"]]) == replicas
