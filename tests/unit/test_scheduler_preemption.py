"""Preemption as plain data: who is evicted, on which node, and what is said where it does not help."""

import pytest

from apimachinery.objects.base import view
from scheduler.placed import placed
from scheduler.preemption import Budget, Candidate, by_budget, choose
from tests.unit.scheduler_builders import apart, cluster, decide, make_room, near, node, pod


def lesser(name, on, *, cpu="1", priority=0, started="2024-01-01T00:00:00Z", **more):
    return pod(name, cpu=cpu, priority=priority, nodeName=on, status={"startTime": started}, **more)


def victims(found):
    return [one.pod.metadata.name for one in found.victims]


def budget(name="b", *, labels=None, allowed=0, disrupted=()):
    return view(
        {
            "metadata": {"name": name, "namespace": "d"},
            "spec": {"selector": {"matchLabels": labels or {}}},
            "status": {
                "disruptionsAllowed": allowed,
                "disruptedPods": dict.fromkeys(disrupted, "2024-01-01T00:00:00Z"),
            },
        },
        Budget,
    )


def test_as_few_go_as_need_to_and_the_least_important_first():
    pods = [lesser("a", "n", priority=1), lesser("b", "n", priority=3), lesser("c", "n", priority=2)]
    found = make_room(cluster(node("n", cpu="3"), pods=pods), pod("p", cpu="2", priority=10))
    assert (found.node, victims(found)) == ("n", ["c", "a"])


def test_of_equals_the_one_that_runs_longest_stays():
    pods = [lesser("old", "n", started="2023-01-01T00:00:00Z"), lesser("new", "n"), lesser("unborn", "n", started=None)]
    found = make_room(cluster(node("n", cpu="3"), pods=pods), pod("p", cpu="2", priority=10))
    assert victims(found) == ["new", "unborn"]


def test_equals_are_never_evicted():
    state = cluster(node("n", cpu="1"), pods=[lesser("a", "n", priority=10)])
    found = make_room(state, pod("p", cpu="1", priority=10))
    assert found.node == ""
    assert found.why == "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    assert found.gives_up


def test_why_it_does_not_help():
    nodes = [node("full", cpu="2"), node("small", cpu="1"), node("kept", cpu="2")]
    pods = [lesser("a", "full"), lesser("b", "full", priority=20), lesser("c", "kept", priority=20)]
    found = make_room(cluster(*nodes, pods=pods), pod("p", cpu="2", priority=10))
    assert found.why == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


def test_never_means_never():
    state = cluster(node("n", cpu="1"), pods=[lesser("a", "n")])
    found = make_room(state, pod("p", cpu="1", priority=10, preemptionPolicy="Never"))
    assert (found.node, found.why) == ("", "not eligible due to preemptionPolicy=Never.")
    assert not found.gives_up


def test_victims_that_are_still_going_are_waited_for():
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    going = pod(
        "a", cpu="1", priority=0, nodeName="n", deleted="2024-01-01T00:00:00Z", status={"conditions": [disrupted]}
    )
    nodes = [node("n", cpu="1"), node("m", cpu="1")]
    state = cluster(*nodes, pods=[going, lesser("b", "m")])
    promised = {"status": {"nominatedNodeName": "n"}}
    assert make_room(state, pod("p", cpu="1", priority=10, **promised)).why == (
        "not eligible due to a terminating pod on the nominated node."
    )
    assert make_room(state, pod("p", cpu="1", priority=10)).node != ""


def test_anti_affinity_and_host_ports_are_made_room_for():
    port = [{"ports": [{"containerPort": 80, "hostPort": 80}]}]
    state = cluster(node("n"), pods=[pod("a", containers=port, nodeName="n"), lesser("b", "n")])
    assert victims(make_room(state, pod("p", priority=10, containers=port))) == ["a"]
    hostname = {"kubernetes.io/hostname": "n"}
    lone = lesser("a", "n", labels={"app": "x"}, affinity=apart("kubernetes.io/hostname", who={"app": "x"}))
    state = cluster(node("n", labels=hostname), pods=[lone, lesser("b", "n")])
    assert victims(make_room(state, pod("p", priority=10, labels={"app": "x"}))) == ["a"]


def test_affinity_to_a_pod_that_is_not_there_is_no_reason_to_evict():
    state = cluster(node("n", labels={"zone": "a"}), pods=[lesser("a", "n")])
    found = make_room(state, pod("p", priority=10, affinity=near("zone", who={"app": "x"})))
    assert found.why == "0/1 nodes are available: 1 Preemption is not helpful for scheduling."


def test_a_budget_protects_where_another_pod_will_do():
    pods = [lesser("a", "n", priority=1, labels={"app": "x"}), lesser("b", "n", priority=2)]
    state = cluster(node("n", cpu="2"), pods=pods)
    assert victims(make_room(state, pod("p", cpu="1", priority=10))) == ["a"]
    assert victims(make_room(state, pod("p", cpu="1", priority=10), budgets=[budget(labels={"app": "x"})])) == ["b"]


def test_where_no_other_pod_will_do_a_budget_gives_way():
    state = cluster(node("n", cpu="1"), pods=[lesser("a", "n", labels={"app": "x"})])
    assert victims(make_room(state, pod("p", cpu="1", priority=10), budgets=[budget(labels={"app": "x"})])) == ["a"]


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([budget(labels={"app": "x"}, allowed=1)], ["b"], id="the second goes against it"),
        pytest.param([budget(labels={"app": "x"}, disrupted=["a", "b"])], [], id="already counted"),
        pytest.param([budget()], [], id="an empty selector protects nothing"),
    ],
)
def test_what_a_budget_protects(budgets, expected):
    pods = [placed(pod(name, labels={"app": "x"}), "n") for name in "ab"]
    protected, others = by_budget(pods, budgets)
    assert [one.pod.metadata.name for one in protected] == expected
    assert len(protected) + len(others) == 2


def candidate(name, *priorities, violations=0, started="2024-01-01T00:00:00Z"):
    pods = [lesser(f"{name}{number}", name, priority=each, started=started) for number, each in enumerate(priorities)]
    return Candidate(name, [placed(one, name) for one in pods], violations)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        pytest.param([candidate("a", 1, violations=1), candidate("b", 9, 9)], "b", id="budgets before all"),
        pytest.param([candidate("a", 5), candidate("b", 4, 4, 4)], "b", id="lowest of the highest priorities"),
        pytest.param([candidate("a", 5, 4), candidate("b", 5, 3)], "b", id="lowest sum"),
        pytest.param([candidate("a", -5, -5), candidate("b", -5)], "b", id="fewest, also below zero"),
        pytest.param([candidate("a", 5), candidate("b", 5, started="2024-02-01T00:00:00Z")], "b", id="latest start"),
        pytest.param([candidate("a", 5), candidate("b", 5)], "a", id="the first"),
    ],
)
def test_where_the_least_harm_is_done(candidates, expected):
    assert choose(candidates).node == expected


def test_a_promised_node_is_full_for_what_is_no_more_important():
    state = cluster(node("n", cpu="1"), node("m", cpu="1", unschedulable=True))
    state.nominate(pod("promised", cpu="1", priority=5), "n")
    assert decide(state, pod("p", cpu="1", priority=5)).node is None
    assert decide(state, pod("p", cpu="1", priority=6)).node == "n"
    assert decide(state, pod("promised", cpu="1", priority=5, status={"nominatedNodeName": "n"})).node == "n"


def test_a_promised_pod_that_is_not_there_yet_is_nobody_to_be_near_to():
    state = cluster(node("n", labels={"zone": "a"}))
    state.nominate(pod("promised", priority=5, labels={"app": "x"}), "n")
    assert decide(state, pod("p", affinity=near("zone", who={"app": "x"}))).node is None


def test_the_node_that_was_promised_is_tried_first():
    state = cluster(node("a"), node("b", cpu="1"))
    assert decide(state, pod("p", cpu="1")).node == "a"
    assert decide(state, pod("p", cpu="1", status={"nominatedNodeName": "b"})).node == "b"
