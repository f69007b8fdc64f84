"""StatefulSets and DaemonSets: names of revisions, order, owners of claims, nodes, back-off."""

import json

import pytest

from apimachinery.kinds import CONTROLLERREVISIONS, DAEMONSETS, NODES, PERSISTENTVOLUMECLAIMS, PODS, STATEFULSETS
from client.plan import Create, Delete, Event, Patch
from controllers import history
from controllers.daemonset import Backoffs, DaemonSetController
from controllers.history import REVISION_LABEL
from controllers.statefulset import StatefulSetController
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, owned_by, pod

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def test_the_hash_of_a_revision_is_upstreams():
    """Expected values come from Go's encoding/json and hash/fnv."""
    container = {"name": "c", "image": "i", "args": ["a<b>&c", "é\u2028"], "resources": {}}
    data = history.snapshot({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}})
    assert [history.data_hash(data, count) for count in (0, 1)] == ["78d8fcb67d", "78d8fcb67f"]


def test_the_data_of_a_revision_has_its_keys_in_order():
    """Kubectl and upstream's controllers compare the bytes."""
    data = history.snapshot({"spec": {"b": 1, "a": [{"d": 1, "c": []}]}, "metadata": {"labels": None}})
    template = '{"$patch": "replace", "metadata": {}, "spec": {"a": [{"d": 1}], "b": 1}}'
    assert json.dumps(data["spec"]["template"]) == template


# ----------------------------------------------------------------------------------------------- StatefulSets


def stateful_set(replicas, *, status=None, **spec):
    base = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "serviceName": "web"}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    spec = base | {"replicas": replicas, "updateStrategy": strategy} | spec
    return {"metadata": meta("web", generation=2), "spec": spec, "status": status or {}}


def member(ordinal, *args, revision="new", **more):
    tree = pod(f"web-{ordinal}", *args, ownerReferences=owned_by("StatefulSet", "web"), **more)
    tree["metadata"]["labels"] |= {REVISION_LABEL: revision, "statefulset.kubernetes.io/pod-name": f"web-{ordinal}"}
    return tree


def revision(name, number, kind="StatefulSet", image="i", **labels):
    template = {**TEMPLATE, "spec": {"containers": [{"name": "c", "image": image}]}}
    about = meta(name, labels={"app": "web", **labels}, ownerReferences=owned_by(kind, "web"))
    return {"metadata": about, "revision": number, "data": history.snapshot(template)}


def view(owner, pods, claims=()):
    revisions = [revision("old", 1, image="old"), revision("new", 2)]
    return FakeView({STATEFULSETS: [owner], PODS: pods, CONTROLLERREVISIONS: revisions, PERSISTENTVOLUMECLAIMS: claims})


def made_and_removed(known, controller=None, now=NOW):
    writes = (controller or StatefulSetController()).plan(KEY, known, now).writes
    made = [write.body["metadata"].get("name") for write in writes if isinstance(write, Create) and write.kind is PODS]
    return made, [write.key.name for write in writes if isinstance(write, Delete) and write.kind is PODS]


@pytest.mark.parametrize(
    ("replicas", "pods", "made", "removed"),
    [
        pytest.param(2, [], ["web-0"], [], id="the first first"),
        pytest.param(2, [member(0, ready=False)], [], [], id="waits for ready"),
        pytest.param(2, [member(0)], ["web-1"], [], id="then the next"),
        pytest.param(2, [member(0), member(1, deleting=True)], [], [], id="waits for one that goes"),
        pytest.param(2, [member(0, "Failed"), member(1)], [], ["web-0"], id="failed goes"),
        pytest.param(2, [member(0, "Succeeded"), member(1)], [], ["web-0"], id="succeeded goes, too"),
        pytest.param(1, [member(0), member(1), member(2)], [], ["web-2"], id="the last goes first"),
        pytest.param(1, [member(0), member(1), member(2, deleting=True)], [], [], id="one at a time"),
        pytest.param(1, [member(0), member(1, ready=False), member(2)], [], ["web-2"], id="well ones may go"),
        pytest.param(1, [member(0), member(1), member(2, ready=False)], [], ["web-2"], id="so may the only sick one"),
        pytest.param(1, [member(0, ready=False), member(1)], [], [], id="not while one that stays is sick"),
        pytest.param(
            2, [member(0, revision="old"), member(1, revision="old")], [], ["web-1"], id="the last is updated"
        ),
        pytest.param(2, [member(0, revision="old"), member(1)], [], ["web-0"], id="and then the one before"),
    ],
)
def test_in_order(replicas, pods, made, removed):
    assert made_and_removed(view(stateful_set(replicas), pods)) == (made, removed)


def test_in_parallel_all_come_and_go_at_once():
    parallel = {"podManagementPolicy": "Parallel"}
    assert made_and_removed(view(stateful_set(2, **parallel), [])) == (["web-0", "web-1"], [])
    pods = [member(0), member(1, ready=False), member(2)]
    assert made_and_removed(view(stateful_set(1, **parallel), pods)) == ([], ["web-2", "web-1"])


def test_below_the_partition_a_pod_is_made_from_the_revision_that_was():
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    known = view(stateful_set(2, updateStrategy=strategy, status={"currentRevision": "old"}), [member(1)])
    (create,) = [w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Create)]
    assert create.body["metadata"]["labels"][REVISION_LABEL] == "old"
    assert create.body["spec"]["containers"][0]["image"] == "old"


def test_a_pod_counts_after_min_ready_seconds():
    known = view(stateful_set(2, minReadySeconds=30), [member(0, since=NOW - 10)])
    assert made_and_removed(known) == ([], [])
    assert StatefulSetController().plan(KEY, known, NOW).again_in == 20
    assert made_and_removed(known, now=NOW + 20) == (["web-1"], [])


CLAIMS = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]


@pytest.mark.parametrize(
    ("scaled", "deleted", "owners"),
    [
        ("Retain", "Retain", {0: [], 1: []}),
        ("Retain", "Delete", {0: ["web"], 1: ["web"]}),
        ("Delete", "Retain", {0: [], 1: ["web-1"]}),
        ("Delete", "Delete", {0: ["web"], 1: ["web-1"]}),
    ],
)
def test_the_owners_of_claims_follow_the_policy(scaled, deleted, owners):
    policy = {"whenScaled": scaled, "whenDeleted": deleted}
    owner = stateful_set(1, persistentVolumeClaimRetentionPolicy=policy, volumeClaimTemplates=CLAIMS)
    known = view(owner, [member(0), member(1)], [{"metadata": meta(f"data-web-{n}")} for n in (0, 1)])
    patches = [w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Patch)]
    found = {
        int(patch.key.name[-1]): [each["name"] for each in patch.body["metadata"]["ownerReferences"]]
        for patch in patches
        if patch.kind is PERSISTENTVOLUMECLAIMS
    }
    assert found == {ordinal: names for ordinal, names in owners.items() if names}


def test_a_claim_that_goes_away_holds_its_pod_up():
    claim = {"metadata": meta("data-web-0", deletionTimestamp="2023-11-14T00:00:00Z")}
    known = view(stateful_set(1, volumeClaimTemplates=CLAIMS), [], [claim])
    assert made_and_removed(known) == ([], [])
    (event,) = [w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Event)]
    expected = "create Pod web-0 in StatefulSet web failed error: pvc data-web-0 is being deleted"
    assert (event.reason, event.message) == ("FailedCreate", expected)


def test_a_name_that_another_template_has_is_not_taken():
    known = FakeView({STATEFULSETS: [stateful_set(0)]})
    name = next(w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Create)).body
    squatter = {"metadata": meta(name["metadata"]["name"]), "revision": 1, "data": {}}
    known = FakeView({STATEFULSETS: [stateful_set(0)], CONTROLLERREVISIONS: [squatter]})
    create, status = (w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Create | Patch))
    assert create.body["metadata"]["name"] != name["metadata"]["name"]
    assert status.body["status"]["collisionCount"] == 1


def test_revisions_beyond_the_limit_go_but_not_those_in_use():
    known = view(stateful_set(1, revisionHistoryLimit=0), [member(0)])
    assert [w.key.name for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Delete)] == [
        "old"
    ]
    known = view(stateful_set(1, revisionHistoryLimit=0), [member(0, revision="old", ready=False)])
    assert not [w for w in StatefulSetController().plan(KEY, known, NOW).writes if isinstance(w, Delete)]


# ------------------------------------------------------------------------------------------------- DaemonSets


def daemons(nodes, pods, *, template=TEMPLATE, **rolling):
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling or {"maxUnavailable": 1}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, "updateStrategy": strategy}
    owner = {"metadata": meta("web", generation=2), "spec": spec}
    revisions = [revision("web-new", 1, "DaemonSet", **{REVISION_LABEL: "new"})]
    return FakeView({DAEMONSETS: [owner], NODES: nodes, PODS: pods, CONTROLLERREVISIONS: revisions})


def node(name, taints=(), **labels):
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}}


def daemon(name, *args, revision="new", **more):
    tree = pod(name, *args, ownerReferences=owned_by("DaemonSet", "web"), **more)
    tree["metadata"]["labels"][REVISION_LABEL] = revision
    return tree


NO_EXECUTE, NO_SCHEDULE = {"key": "k", "effect": "NoExecute"}, {"key": "k", "effect": "NoSchedule"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("taints", "pods", "counts"),
    [
        pytest.param([], [], (1, 0), id="made"),
        pytest.param([], [daemon("a")], (0, 0), id="at rest"),
        pytest.param([], [daemon("a", deleting=True)], (0, 0), id="waits for the last one"),
        pytest.param([], [daemon("a"), daemon("b")], (0, 1), id="one is enough"),
        pytest.param([], [daemon("a", "Failed")], (0, 1), id="failed goes"),
        pytest.param([NO_SCHEDULE], [], (0, 0), id="not made under a taint"),
        pytest.param([NO_SCHEDULE], [daemon("a")], (0, 0), id="but may stay there"),
        pytest.param([NO_EXECUTE], [daemon("a")], (0, 1), id="or not even that"),
        pytest.param([UNREACHABLE], [], (1, 0), id="a daemon lives with trouble"),
    ],
)
def test_what_a_node_gets(taints, pods, counts):
    made, removed = made_and_removed(daemons([node("n1", taints)], pods), DaemonSetController())
    assert (len(made), len(removed)) == counts


def test_a_node_is_chosen_by_its_labels():
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "nodeSelector": {"disk": "ssd"}}}
    known = daemons([node("n1"), node("n2", disk="ssd")], [], template=template)
    (create,) = [
        w for w in DaemonSetController().plan(KEY, known, NOW).writes if isinstance(w, Create) and w.kind is PODS
    ]
    required = create.body["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    wanted = {"key": "metadata.name", "operator": "In", "values": ["n2"]}
    assert required == {"nodeSelectorTerms": [{"matchFields": [wanted]}]}


THREE = [node(f"n{number}") for number in range(3)]


@pytest.mark.parametrize(
    ("rolling", "pods", "counts"),
    [
        pytest.param({"maxUnavailable": 1}, "ooo", (0, 1), id="one at a time"),
        pytest.param({"maxUnavailable": "50%"}, "ooo", (0, 2), id="a share is rounded up"),
        pytest.param({"maxUnavailable": 1}, "Noo", (0, 0), id="waits for the new one"),
        pytest.param({"maxUnavailable": 1}, "Ooo", (0, 1), id="what is of no use goes first"),
        pytest.param({"maxUnavailable": 0, "maxSurge": 1}, "ooo", (1, 0), id="surge comes first"),
        pytest.param({"maxUnavailable": 0, "maxSurge": 1}, "Ooo", (2, 0), id="beside one of no use it is free"),
    ],
)
def test_an_update_keeps_its_bounds(rolling, pods, counts):
    """In `pods` each node has an old (o) or new (n) pod; capitals are not ready."""
    trees = [
        daemon(f"p{i}", ready=sort.islower(), revision={"o": "old", "n": "new"}[sort.lower()], node=f"n{i}")
        for i, sort in enumerate(pods)
    ]
    made, removed = made_and_removed(daemons(THREE, trees, **rolling), DaemonSetController())
    assert (len(made), len(removed)) == counts


def test_failed_pods_are_replaced_ever_more_slowly():
    backoffs = Backoffs()
    assert [backoffs.left("n", NOW + moment) for moment in (0, 0.5, 1, 2, 3)] == [0, 0.5, 0, 1, 0]
    assert backoffs.left("n", NOW + 9999) == 0
    assert backoffs.known["n"] == (NOW + 9999, 1)
