"""Affinity to pods and against them, case by case; the arrays as a whole are compared in test_scheduler_reference.py."""

import pytest

from scheduler.affinity import InterPodAffinity
from scheduler.events import Change, Event
from tests.unit.scheduler_builders import apart, cluster, decide, near, node, pod, preferring

ZONE = "zone"
NODES = [node("a", labels={ZONE: "1"}), node("b", labels={ZONE: "2"}), node("c", labels={ZONE: "2"}), node("d")]
X = {"app": "x"}
THERE = pod("x", labels=X, nodeName="b")


def test_near_is_in_the_same_domain():
    state = cluster(*NODES, pods=[THERE])
    assert decide(state, pod("p", affinity=near(ZONE, who=X))).node in ("b", "c")
    refused = decide(state, pod("p", affinity=near(ZONE, who=X), nodeSelector={ZONE: "1"}))
    assert "1 node(s) didn't match pod affinity rules" in refused.message


def test_the_first_of_its_kind_needs_nobody_but_the_label():
    state = cluster(*NODES)
    itself = pod("p", labels=X, affinity=near(ZONE, who=X))
    assert decide(state, itself).node in ("a", "b", "c")
    assert decide(state, pod("p", affinity=near(ZONE, who=X))).node is None
    state.set_pod("x", pod("x", labels=X, nodeName="d"))  # on a node without the key it is near to nobody
    assert decide(state, itself).node in ("a", "b", "c")
    state.set_pod("x", pod("x", labels=X, nodeName="b"))
    assert decide(state, itself).node in ("b", "c")


def test_one_pod_must_meet_all_terms():
    both = near(ZONE, who=X)["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    both = both + near(ZONE, who={"tier": "y"})["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    wanted = pod("p", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": both}})
    state = cluster(*NODES, pods=[THERE, pod("y", labels={"tier": "y"}, nodeName="b")])
    assert decide(state, wanted).node is None
    state.set_pod("z", pod("z", labels={**X, "tier": "y"}, nodeName="a"))
    assert decide(state, wanted).node == "a"


def test_away_from_others_and_others_from_it():
    state = cluster(*NODES[:2], pods=[THERE])
    assert decide(state, pod("p", affinity=apart(ZONE, who=X))).node == "a"
    shy = pod("shy", affinity=apart(ZONE, who=X), nodeName="a")
    refused = decide(cluster(*NODES[:2], pods=[shy, THERE]), pod("p", labels=X, affinity=apart(ZONE, who=X)))
    assert refused.message == (
        "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, "
        "1 node(s) didn't satisfy existing pods anti-affinity rules."
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, None, id="its own namespace"),
        pytest.param({"namespaces": ["other"]}, "b", id="named"),
        pytest.param({"namespaceSelector": {"matchLabels": {"team": "t"}}}, "b", id="selected"),
        pytest.param({"namespaceSelector": {"matchLabels": {"team": "u"}}}, None, id="selected in vain"),
        pytest.param({"namespaceSelector": {}}, "b", id="all"),
    ],
)
def test_namespaces(more, expected):
    state = cluster(*NODES, pods=[pod("x", labels=X, namespace="other", nodeName="b")])
    state.namespaces = {"other": {"team": "t"}, "d": {}}
    found = decide(state, pod("p", affinity=near("zone", who=X, **more), nodeSelector={ZONE: "2"})).node
    assert (found is not None) == (expected is not None)
    shy = pod("shy", namespace="other", affinity=apart(ZONE, who=X, **{**more, "namespaces": ["d"]}), nodeName="b")
    assert decide(cluster(*NODES[:2], pods=[shy]), pod("p", labels=X)).node == "a"


def test_preferences_weigh_both_ways():
    state = cluster(*NODES[:2], pods=[THERE])
    assert decide(state, pod("p", affinity=preferring(ZONE, 100, who=X))).node == "b"
    assert decide(state, pod("p", affinity=preferring(ZONE, 100, who=X, kind="podAntiAffinity"))).node == "a"
    fan = pod("fan", affinity=preferring(ZONE, 100, who=X), nodeName="b")
    assert decide(cluster(*NODES[:2], pods=[fan]), pod("p", labels=X)).node == "b"
    needy = pod("needy", affinity=near(ZONE, who=X), nodeName="b")
    assert decide(cluster(*NODES[:2], pods=[needy]), pod("p", labels=X)).node == "b"


def test_pods_that_go_are_no_longer_counted():
    state = cluster(*NODES[:2], pods=[THERE])
    wanted = pod("p", affinity=near(ZONE, who=X))
    assert decide(state, wanted).node == "b"
    state.set_pod("x", pod("x", labels={"app": "other"}, nodeName="b"))
    assert decide(state, wanted).node is None
    state.set_pod("x", pod("x", labels=X, nodeName="a"))
    assert decide(state, wanted).node == "a"
    state.set_pod("x", None)
    assert decide(state, wanted).node is None


@pytest.mark.parametrize(
    ("wanted", "event", "expected"),
    [
        pytest.param(near(ZONE, who=X), Event(Change.POD_ADDED, None, THERE), True, id="one to be near to came"),
        pytest.param(near(ZONE, who=X), Event(Change.POD_REMOVED, THERE), False, id="it went"),
        pytest.param(apart(ZONE, who=X), Event(Change.POD_REMOVED, THERE), True, id="one to be away from went"),
        pytest.param(apart(ZONE, who=X), Event(Change.POD_ADDED, None, THERE), False, id="it came"),
        pytest.param(apart(ZONE, who=X), Event(Change.POD_LABELS, THERE, pod("x", nodeName="b")), True, id="it changed"),
        pytest.param({}, Event(Change.POD_REMOVED, pod("s", affinity=apart(ZONE, who=X))), True, id="a shy one went"),
        pytest.param(near(ZONE, who=X), Event(Change.NODE_LABELS, NODES[0], NODES[1]), True, id="a node moved"),
        pytest.param(near(ZONE, who=X), Event(Change.NODE_LABELS, NODES[1], NODES[2]), False, id="not to elsewhere"),
        pytest.param(near(ZONE, who=X), Event(Change.NODE_TAINTS, NODES[1], NODES[2]), False, id="taints"),
    ],
)  # fmt: skip
def test_what_helps(wanted, event, expected):
    assert InterPodAffinity().may_help(pod("p", affinity=wanted), event) == expected
