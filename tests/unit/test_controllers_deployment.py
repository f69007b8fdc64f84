"""Deployments: the arithmetic of rollouts, revisions, conditions, and that any state converges within its bounds."""

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.kinds import DEPLOYMENTS, REPLICASETS
from apimachinery.times import rfc3339
from client.plan import Create, Failure
from controllers import revisions, rollout
from controllers.deployment import DeploymentController
from controllers.workload_views import (
    Deployment,
    ReplicaSet,
)
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, owned_by

CONTROLLER = DeploymentController()
SELECTOR = {"matchLabels": {"app": "web"}}


def template(image):
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def rolling(surge="25%", unavailable="25%"):
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def deployment(replicas=3, image="new", strategy=None, **spec):
    spec = {
        "replicas": replicas,
        "selector": SELECTOR,
        "template": template(image),
        "strategy": strategy or rolling(),
    } | spec
    return {"metadata": meta("web", generation=1), "spec": spec, "status": {}}


def replica_set(image, size, available=None, revision=1, age=0, desired=None, maximum=None):
    available = size if available is None else available
    annotations = {revisions.REVISION: str(revision)}
    if desired is not None:
        annotations |= {revisions.DESIRED: str(desired), revisions.MAXIMUM: str(maximum)}
    labels = {"app": "web", "pod-template-hash": image}
    made = rfc3339(NOW - 1000 - age)
    head = meta(
        f"web-{image}",
        labels=labels,
        annotations=annotations,
        ownerReferences=owned_by("Deployment", "web"),
        creationTimestamp=made,
    )
    tree = template(image)
    tree["metadata"]["labels"] = labels
    counts = {"replicas": size, "availableReplicas": available, "readyReplicas": available}
    return {
        "metadata": head,
        "spec": {"replicas": size, "selector": {"matchLabels": labels}, "template": tree},
        "status": counts,
    }


def as_deployment(**spec):
    return msgspec.convert(deployment(**spec), Deployment)


def as_set(*args, **more):
    return msgspec.convert(replica_set(*args, **more), ReplicaSet)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (3, 0, "10%", (0, 1)),
        (3, 0, 0, (0, 1)),
        (0, "25%", "25%", (0, 1)),
        (4, "100%", "100%", (4, 4)),
        (2, 5, 7, (5, 7)),
    ],
)
def test_surge_rounds_up_and_unavailable_down_and_never_both_zero(replicas, surge, unavailable, expected):
    assert rollout.fenceposts(as_deployment(replicas=replicas, strategy=rolling(surge, unavailable))) == expected


@pytest.mark.parametrize(
    ("surge", "unavailable", "new", "old", "expected"),
    [
        # Upstream's own cases (rolling_test.go): maxScaledDown = allPods - minAvailable - newUnavailable.
        pytest.param(3, 2, None, [(10, 10)], {"old0": 8}, id="10 old, none new: 2 may go"),
        pytest.param(0, 2, None, [(10, 8)], {"old0": 8}, id="the unhealthy go first"),
        pytest.param(0, 2, (2, 0), [(8, 8)], {}, id="new ones that do not come up stop it"),
        pytest.param(0, 2, (2, 2), [(8, 8)], {"old0": 6}, id="new ones that did let it go on"),
        pytest.param(0, 2, (0, 0), [(5, 5), (5, 3)], {"old1": 3}, id="unhealthy of any old set"),
    ],
)
def test_old_pods_go_as_availability_allows(surge, unavailable, new, old, expected):
    owner = as_deployment(replicas=10, strategy=rolling(surge, unavailable))
    olds = [as_set(f"old{n}", size, available, age=-n) for n, (size, available) in enumerate(old)]
    fresh = as_set("new", *new) if new else None
    found = rollout.shrink_old(owner, fresh, olds, [*olds, *([fresh] if fresh else [])])
    assert {name.removeprefix("web-"): size for name, size in found.items()} == expected


@pytest.mark.parametrize(
    ("replicas", "before", "sizes", "expected"),
    [
        # Upstream's TestScale: the last set is the new one.
        pytest.param(12, 10, [10], [12], id="only the new one"),
        pytest.param(6, 10, [10], [6], id="down"),
        pytest.param(12, 10, [5, 5], [6, 6], id="evenly"),
        pytest.param(20, 10, [2, 3, 5], [4, 6, 10], id="double"),
        pytest.param(5, 10, [2, 3, 5], [1, 2, 2], id="half, the biggest bears the rest"),
        pytest.param(0, 10, [5, 5], [0, 0], id="to nothing"),
        pytest.param(12, 10, [0, 10], [0, 12], id="empty ones stay empty"),
    ],
)
def test_scaling_in_the_middle_of_a_rollout_is_proportional(replicas, before, sizes, expected):
    owner = as_deployment(replicas=replicas, strategy=rolling(0, 1))
    made = [as_set(f"s{n}", size, 0, age=-n, desired=before, maximum=before) for n, size in enumerate(sizes)]
    found = rollout.scale(owner, made[-1], made[:-1])
    assert [found.get(each.metadata.name, each.spec.replicas) for each in made] == expected


def test_the_same_template_is_recognised_whatever_its_label_and_empty_lists():
    one, other = template("a"), template("a")
    other["metadata"] |= {
        "labels": {"app": "web", "pod-template-hash": "x"},
        "creationTimestamp": None,
        "annotations": {},
    }
    other["spec"]["volumes"] = []
    assert revisions.same_template(one, other)
    assert not revisions.same_template(one, template("b"))
    assert revisions.template_hash(one, None) == revisions.template_hash(other, None)
    assert revisions.template_hash(one, None) != revisions.template_hash(one, 1)


def test_a_revision_that_returns_keeps_its_history():
    owner = as_deployment()
    found = revisions.annotations_for(
        owner, {revisions.REVISION: "2", revisions.REVISION_HISTORY: "1"}, 4, maximum=None
    )
    assert found == {revisions.REVISION: "4", revisions.REVISION_HISTORY: "1,2"}


def plan(owner, *sets, failure=None, now=NOW):
    return CONTROLLER.plan(KEY, FakeView({DEPLOYMENTS: [owner], REPLICASETS: list(sets)}, failure), now)


def conditions(plan):
    status = plan.writes[-1].body["status"]
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_the_first_replica_set():
    create, status = plan(deployment(progressDeadlineSeconds=600)).writes
    assert create.body["spec"]["replicas"] == 3
    assert create.body["metadata"]["annotations"] == {
        revisions.REVISION: "1",
        revisions.DESIRED: "3",
        revisions.MAXIMUM: "4",
    }
    suffix = create.body["metadata"]["name"].removeprefix("web-")
    assert create.body["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": suffix}
    assert create.body["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == suffix
    assert status.body["metadata"]["annotations"] == {revisions.REVISION: "1"}
    assert status.subresource == "status"


def test_a_name_that_another_template_has_raises_the_collision_count():
    owner = deployment()
    taken = replica_set("other", 0)
    taken["metadata"]["name"] = f"web-{revisions.template_hash(owner['spec']['template'], None)}"
    taken["metadata"]["ownerReferences"] = []
    taken["metadata"]["labels"] = {}
    (status,) = plan(owner, taken).writes
    assert status.body["status"]["collisionCount"] == 1


def test_a_refused_replica_set_shows_in_progressing():
    refused = Failure(Create(REPLICASETS, "d", {}), ApiError(403, "Forbidden", "exceeded quota"))
    status, create = plan(deployment(progressDeadlineSeconds=60), failure=refused).writes
    progressing = next(each for each in status.body["status"]["conditions"] if each["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ReplicaSetCreateError")
    assert isinstance(create, Create)


@pytest.mark.parametrize(
    ("waited", "expected", "again"),
    [(599, ("True", "ReplicaSetUpdated"), 2.0), (601, ("False", "ProgressDeadlineExceeded"), 1.0)],
)
def test_the_deadline_counts_from_the_last_progress(waited, expected, again):
    owner = deployment(progressDeadlineSeconds=600)
    moment = rfc3339(NOW)
    progressing = {
        "type": "Progressing",
        "status": "True",
        "reason": "ReplicaSetUpdated",
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }
    owner["status"] = {"conditions": [progressing], "replicas": 3, "updatedReplicas": 3, "unavailableReplicas": 3}
    found = plan(owner, replica_set("new", 3, 0, desired=3, maximum=4), now=NOW + waited)
    assert conditions(found)["Progressing"] == expected
    assert found.again_in == again


@pytest.mark.parametrize(("limit", "gone"), [(0, ["b", "c"]), (1, ["b"]), (2, []), (None, [])])
def test_old_replica_sets_beyond_the_limit_go_lowest_revision_first(limit, gone):
    owner = deployment(revisionHistoryLimit=limit)
    owner["status"] = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "observedGeneration": 1}
    sets = [
        replica_set("new", 3, revision=9, desired=3, maximum=4),
        replica_set("b", 0, revision=1),
        replica_set("c", 0, revision=2),
    ]
    deleted = [write.key.name for write in plan(owner, *sets).writes if type(write).__name__ == "Delete"]
    assert deleted == [f"web-{name}" for name in gone]


def follow(known, available):
    """What ReplicaSets and kubelets do between two plans: sizes come true, and so much of each becomes available."""
    for tree in known.raw(REPLICASETS):
        size = tree["spec"]["replicas"]
        old = tree.setdefault("status", {}).get("availableReplicas", 0)
        up = min(size, old + available)
        tree["status"] = {"replicas": size, "readyReplicas": up, "availableReplicas": up}


SIZES = st.lists(st.integers(0, 8), max_size=4)
BOUND = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 8), SIZES, BOUND, BOUND, st.integers(1, 3), st.booleans())
def test_any_state_converges_within_the_bounds_and_then_rests(
    replicas, sizes, surge, unavailable, speed, known_template
):
    owner = deployment(replicas=replicas, strategy=rolling(surge, unavailable))
    names = [f"old{n}" for n in range(len(sizes))]
    if known_template and names:
        names[0] = "new"
    sets = [
        replica_set(name, size, revision=n + 1, age=-n) for n, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    known = FakeView({DEPLOYMENTS: [owner], REPLICASETS: sets})
    spec = msgspec.convert(copy.deepcopy(owner), Deployment)
    most, least = rollout.max_size(spec), replicas - rollout.max_unavailable(spec)
    for _ in range(80):
        before = sum(tree["spec"]["replicas"] for tree in known.raw(REPLICASETS))
        ready = sum(tree.get("status", {}).get("availableReplicas", 0) for tree in known.raw(REPLICASETS))
        step = CONTROLLER.plan(KEY, known, NOW)
        if not step.writes:
            break
        known.apply(step)
        after = sum(tree["spec"]["replicas"] for tree in known.raw(REPLICASETS))
        assert after <= max(most, before)
        left = sum(
            min(tree["spec"]["replicas"], tree.get("status", {}).get("availableReplicas", 0))
            for tree in known.raw(REPLICASETS)
        )
        assert left >= min(least, ready)
        follow(known, speed)
    assert not CONTROLLER.plan(KEY, known, NOW).writes
    live = {
        tree["spec"]["template"]["spec"]["containers"][0]["image"]: tree["spec"]["replicas"]
        for tree in known.raw(REPLICASETS)
        if tree["spec"]["replicas"]
    }
    assert live == ({"new": replicas} if replicas else {})
