"""Spreading over domains, case by case; the arrays as a whole are compared in test_scheduler_reference.py."""

import pytest

from apimachinery.objects.base import view
from scheduler.events import Change, Event
from scheduler.owners import Labelled, Selecting, default_selector
from scheduler.spreading import Defaults, PodTopologySpread
from tests.unit.scheduler_builders import cluster, decide, node, pod

ZONE = "zone"
X = {"app": "x"}
TAINT = {"key": "t", "effect": "NoSchedule"}
NODES = [node("a", labels={ZONE: "1"}), node("b", labels={ZONE: "2"})]


def spread(*, key=ZONE, who=X, action="DoNotSchedule", skew=1, **more):
    selector = {"matchLabels": who}
    one = {"topologyKey": key, "labelSelector": selector, "whenUnsatisfiable": action, "maxSkew": skew, **more}
    return [one]


def like(name, on=None, **more):
    where = {"nodeName": on} if on else {}
    return pod(name, labels=X, **where, **more)


def test_the_domain_with_the_fewest_is_next():
    state = cluster(*NODES, pods=[like("one", "a")])
    assert decide(state, like("p", topologySpreadConstraints=spread())).node == "b"
    assert decide(state, like("p", topologySpreadConstraints=spread(skew=2), nodeSelector={})).node is not None
    one_zone = [node("a", labels={ZONE: "1"}), node("b", labels={ZONE: "2"}, unschedulable=True), node("c")]
    refused = decide(cluster(*one_zone, pods=[like("one", "a")]), like("p", topologySpreadConstraints=spread()))
    assert refused.message == (
        "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod "
        "topology spread constraints (missing required label), 1 node(s) were unschedulable."
    )


def test_too_few_domains_count_as_empty_ones():
    state = cluster(*NODES, pods=[like("one", "a"), like("two", "b")])
    assert decide(state, like("p", topologySpreadConstraints=spread())).node is not None
    assert decide(state, like("p", topologySpreadConstraints=spread(minDomains=3))).node is None
    assert decide(state, like("p", topologySpreadConstraints=spread(minDomains=2))).node is not None


def test_which_nodes_count():
    nodes = [NODES[0], node("b", labels={ZONE: "2"}, taints=[TAINT])]
    state = cluster(*nodes, pods=[like("one", "a")])
    assert decide(state, like("p", topologySpreadConstraints=spread())).node is None
    assert decide(state, like("p", topologySpreadConstraints=spread(nodeTaintsPolicy="Honor"))).node == "a"
    state = cluster(*NODES, pods=[like("one", "a")])
    here = {"nodeSelector": {ZONE: "1"}}
    assert decide(state, like("p", topologySpreadConstraints=spread(), **here)).node == "a"
    assert decide(state, like("p", topologySpreadConstraints=spread(nodeAffinityPolicy="Ignore"), **here)).node is None


def test_what_goes_does_not_count_and_nor_do_strangers():
    going = like("going", "a", deleted="2024-01-01T00:00:00Z")
    elsewhere = pod("elsewhere", labels=X, namespace="other", nodeName="a")
    state = cluster(*NODES, pods=[going, elsewhere, like("one", "b")])
    assert decide(state, like("p", topologySpreadConstraints=spread())).node == "a"


def test_label_keys_tell_revisions_apart():
    old = [pod(f"old{i}", labels={**X, "hash": "1"}, nodeName="a") for i in range(3)]
    state = cluster(*NODES, pods=[*old, pod("new", labels={**X, "hash": "2"}, nodeName="b")])
    wanted = pod("p", labels={**X, "hash": "2"}, topologySpreadConstraints=spread(matchLabelKeys=["hash"]))
    assert decide(state, wanted).node == "a"
    unselected = [{**spread()[0], "labelSelector": None, "matchLabelKeys": ["hash"]}]
    assert decide(state, pod("p", labels={"hash": "2"}, topologySpreadConstraints=unselected)).node is not None


def test_soft_constraints_only_prefer():
    soft = spread(action="ScheduleAnyway")
    state = cluster(*NODES, pods=[like("one", "a")])
    assert decide(state, like("p", topologySpreadConstraints=soft)).node == "b"
    assert decide(state, like("p", topologySpreadConstraints=soft, nodeSelector={ZONE: "1"})).node == "a"


def owner(kind, selector):
    return view({"metadata": {"name": "o"}, "spec": {"selector": selector}}, kind)


@pytest.mark.parametrize(
    ("services", "controller", "expected"),
    [
        pytest.param([], None, "", id="nobody's"),
        pytest.param([owner(Labelled, X)], None, "app=x", id="a service's"),
        pytest.param([owner(Labelled, {"app": "y"}), owner(Labelled, None)], None, "", id="of another service"),
        pytest.param([], owner(Selecting, {"matchLabels": {"a": "b"}}), "a=b", id="a replica set's"),
        pytest.param(
            [owner(Labelled, X)], owner(Labelled, {"c": "d"}), "app=x,c=d", id="a controller's and a service's"
        ),
    ],
)
def test_owners_say_what_is_spread(services, controller, expected):
    assert str(default_selector(like("p"), services, controller)) == expected


def test_what_owners_select_is_spread_over_hosts_and_zones():
    selector = default_selector(like("p"), [owner(Labelled, X)], None)
    assert [(one.key, one.max_skew) for one in Defaults().constraints(like("p"), selector, "ScheduleAnyway")] == [
        ("kubernetes.io/hostname", 3),
        ("topology.kubernetes.io/zone", 5),
    ]
    assert Defaults().constraints(like("p"), selector, "DoNotSchedule") == ()
    assert Defaults().constraints(like("p"), default_selector(like("p"), [], None), "ScheduleAnyway") == ()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(Event(Change.POD_REMOVED, like("one", "a")), True, id="one of them went"),
        pytest.param(Event(Change.POD_REMOVED, pod("one", nodeName="a")), False, id="a stranger went"),
        pytest.param(
            Event(Change.POD_ADDED, None, pod("o", labels=X, namespace="o")), False, id="of another namespace"
        ),
        pytest.param(Event(Change.NODE_ADDED, None, NODES[0]), True, id="a node came"),
        pytest.param(Event(Change.VOLUMES), False, id="volumes"),
    ],
)
def test_what_helps(event, expected):
    assert PodTopologySpread().may_help(like("p", topologySpreadConstraints=spread()), event) == expected
