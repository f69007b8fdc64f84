"""Nodes: silence, taints, eviction, ranges; and pods that nobody keeps."""

import pytest

from apimachinery.kinds import LEASES, NODES, PODS
from apimachinery.objects.core_v1 import Taint, Toleration
from apimachinery.placement import tolerates
from apimachinery.times import rfc3339, rfc3339_micro
from client.plan import Delete, Event, Key, Patch
from controllers.node_ipam import ALL, NodeIPAM
from controllers.node_lifecycle import NodeLifecycle
from controllers.node_ttl import TTL, NodeTTL
from controllers.podgc import PodGC
from controllers.taint_eviction import TaintEviction, stay
from tests.unit.controllers_view import KEY, NOW, FakeView, meta, pod

N1 = Key("", "n1")


def node(name="n1", ready="True", taints=(), **spec):
    stamps = {"lastHeartbeatTime": rfc3339(NOW), "lastTransitionTime": rfc3339(NOW)}
    conditions = [{"type": "Ready", "status": ready, **stamps}] if ready else []
    head = meta(name, "", resourceVersion="7")
    return {"metadata": head, "spec": {"taints": list(taints)} | spec, "status": {"conditions": conditions}}


def lease(renewed, name="n1"):
    return {"metadata": meta(name, "kube-node-lease"), "spec": {"renewTime": rfc3339_micro(renewed)}}


def taints_after(*nodes, now=NOW):
    controller = NodeLifecycle()
    known = FakeView({NODES: list(nodes), LEASES: []})
    known.apply(controller.plan(N1, known, now))
    return [(each["key"].split("/")[1], each["effect"]) for each in known.raw(NODES)[0]["spec"]["taints"]]


def test_a_silent_node_becomes_unknown_after_the_grace_period():
    controller = NodeLifecycle()
    known = FakeView({NODES: [node(), node("n2")], LEASES: [lease(NOW)], PODS: [pod("a")]})
    assert controller.plan(N1, known, NOW).again_in == 40
    known.trees[LEASES] = {("kube-node-lease", "n1"): lease(NOW + 10)}
    assert not controller.plan(N1, known, NOW + 10).writes
    assert not controller.plan(N1, known, NOW + 49).writes
    found = controller.plan(N1, known, NOW + 50)
    status, event, on_pod, pod_event, taints = found.writes
    assert {each["type"]: each["status"] for each in status.body["status"]["conditions"]} == dict.fromkeys(
        ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"), "Unknown"
    )
    assert status.body["status"]["conditions"][0]["message"] == "Kubelet stopped posting node status."
    assert event.message == "Node n1 status is now: NodeNotReady"
    assert on_pod.body["status"]["conditions"][0]["status"] == "False"
    assert (pod_event.type, pod_event.message) == ("Warning", "Node is not ready")
    assert (len(taints.body["spec"]["taints"]), taints.resource_version) == (2, "7")
    known.apply(found)
    assert not controller.plan(N1, known, NOW + 60).writes


def test_a_skewed_clock_does_not_condemn_a_node():
    controller = NodeLifecycle()
    known = FakeView({NODES: [node()], LEASES: [lease(NOW - 9999)], PODS: []})
    (event,) = controller.plan(N1, known, NOW).writes
    assert event.reason == "RegisteredNode"


def test_a_node_is_told_of_when_it_comes_and_when_it_goes():
    controller = NodeLifecycle()
    known = FakeView({NODES: [node()], LEASES: [lease(NOW)], PODS: []})
    (event,) = controller.plan(N1, known, NOW).writes
    assert (event.regarding["uid"], event.message) == ("uid-n1", "Node n1 event: Registered Node n1 in Controller")
    assert not controller.plan(N1, known, NOW).writes
    known.trees[NODES] = {}
    (event,) = controller.plan(N1, known, NOW).writes
    assert (event.regarding["uid"], event.message) == ("uid-n1", "Node n1 event: Removing Node n1 from Controller")
    assert not controller.plan(N1, known, NOW).writes


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([node()], [], id="ready"),
        pytest.param(
            [node(ready="False"), node("n2")], [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")], id="not ready"
        ),
        pytest.param([node(ready="False")], [("not-ready", "NoSchedule")], id="no node is ready: nobody is evicted"),
        pytest.param([node(unschedulable=True)], [("unschedulable", "NoSchedule")], id="cordoned"),
        pytest.param(
            [node(taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])], [], id="ready again"
        ),
        pytest.param(
            [node(ready="", taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])],
            [("not-ready", "NoSchedule")],
            id="just registered",
        ),
        pytest.param(
            [node(taints=[{"key": "x/mine", "effect": "NoExecute"}])], [("mine", "NoExecute")], id="others' stay"
        ),
    ],
)
def test_conditions_become_taints(nodes, expected):
    assert taints_after(*nodes) == expected


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="k", operator="Exists"), True),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(key="k", value="v"), True),
        (Toleration(key="k", value="w"), False),
        (Toleration(key="k", operator="Exists", effect="NoSchedule"), False),
    ],
)
def test_what_a_toleration_covers(toleration, expected):
    assert tolerates(toleration, Taint(key="k", value="v", effect="NoExecute")) is expected


def tolerating(*limits):
    tree = pod("web")
    tree["spec"]["tolerations"] = [
        {"key": "k", "operator": "Exists", "effect": "NoExecute"}
        | ({"tolerationSeconds": limit} if limit is not None else {})
        for limit in limits
    ]
    return tree


@pytest.mark.parametrize(
    ("limits", "waited", "evicted", "again"),
    [
        pytest.param([], 0, True, None, id="intolerant"),
        pytest.param([None], 9999, False, None, id="tolerant for ever"),
        pytest.param([300], 100, False, 200, id="tolerant for a while"),
        pytest.param([300, 60], 60, True, None, id="the shortest counts"),
        pytest.param([-5], 0, True, None, id="negative means at once"),
    ],
)
def test_eviction_honours_toleration_seconds(limits, waited, evicted, again):
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": rfc3339(NOW)}
    known = FakeView({NODES: [node(taints=[taint])], PODS: [tolerating(*limits)]})
    found = TaintEviction().plan(KEY, known, NOW + waited)
    assert ([type(write) for write in found.writes] == [Event, Patch, Delete], found.again_in) == (evicted, again)


def test_a_taint_that_does_not_say_since_when_counts_from_when_it_was_seen():
    known = FakeView({NODES: [node(taints=[{"key": "k", "effect": "NoExecute"}])], PODS: [tolerating(60)]})
    controller = TaintEviction()
    assert controller.plan(KEY, known, NOW).again_in == 60
    assert controller.plan(KEY, known, NOW + 60).writes


def test_without_taints_everybody_stays():
    assert stay(FakeView({PODS: [pod("web")]}).get(PODS, KEY), []) is None


def test_ranges_are_the_lowest_free_and_never_twice():
    nodes = [node("a", podCIDR="10.244.1.0/24"), node("b"), node("c")]
    plan = NodeIPAM("10.244.0.0/16").plan(ALL, FakeView({NODES: nodes}), NOW)
    assert [(write.key.name, write.body["spec"]["podCIDR"]) for write in plan.writes] == [
        ("b", "10.244.0.0/24"),
        ("c", "10.244.2.0/24"),
    ]


def test_when_ranges_run_out_it_is_said():
    (first, event) = NodeIPAM("10.0.0.0/24").plan(ALL, FakeView({NODES: [node("a"), node("b")]}), NOW).writes
    assert (first.key.name, event.reason) == ("a", "CIDRNotAvailable")


def test_the_ttl_follows_the_size_without_wavering():
    def ttl(count, now):
        found = NodeTTL().plan(ALL, FakeView({NODES: [node(f"n{n}") for n in range(count)]}), now).writes
        return found[0].body["metadata"]["annotations"][TTL]

    assert [ttl(count, NOW) for count in (1, 100, 101, 600)] == ["0", "0", "15", "30"]
    annotated = [node(f"n{n}") for n in range(95)]
    for each in annotated:
        each["metadata"]["annotations"] = {TTL: "15"}
    assert not NodeTTL().plan(ALL, FakeView({NODES: annotated}), NOW).writes


def test_pods_of_a_node_that_is_gone_are_failed_then_deleted_after_a_while():
    controller, known = PodGC(), FakeView({NODES: [], PODS: [pod("a", node="gone")]})
    assert not controller.plan(ALL, known, NOW).writes
    mark, delete = controller.plan(ALL, known, NOW + 40).writes
    assert (mark.body["status"]["phase"], delete.grace_period) == ("Failed", 0)


def test_the_oldest_finished_pods_beyond_the_limit_go():
    pods = [pod(f"p{n}", "Succeeded", creationTimestamp=rfc3339(NOW - n)) for n in range(5)]
    plan = PodGC(threshold=3).plan(ALL, FakeView({NODES: [node()], PODS: pods}), NOW)
    assert sorted(write.key.name for write in plan.writes) == ["p3", "p4"]
    assert plan.again_in == 20


def test_pods_without_a_node_and_pods_out_of_service_are_confirmed_dead():
    out = node("n2", taints=[{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}])
    pods = [pod("a", "Pending", node="", deleting=True), pod("b", node="n2", deleting=True), pod("c", deleting=True)]
    plan = PodGC().plan(ALL, FakeView({NODES: [node(), out], PODS: pods}), NOW)
    assert sorted(write.key.name for write in plan.writes if isinstance(write, Delete)) == ["a", "b"]
