"""Placement as plain data: filters, scores, reasons; vectors against a scalar loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.objects.base import view
from apimachinery.placement import meets
from scheduler.requests import requests
from scheduler.views import Pod
from tests.unit.scheduler_builders import cluster, decide, node, pod

TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
TERM = {"key": "zone", "operator": "In", "values": ["a"]}
REQUIRED = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [TERM]}]}
    }
}
FIELD = {"key": "metadata.name", "operator": "In", "values": ["gone"]}
NAMED = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [FIELD]}]}
    }
}
PREFERRED = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference": {"matchExpressions": [TERM]}}]
    }
}


@pytest.mark.parametrize(
    ("nodes", "wanted", "expected"),
    [
        pytest.param([node("a"), node("b", cpu="8", memory="16Gi")], pod("p", cpu="1"), "b", id="most free wins"),
        pytest.param([node("a", labels={"zone": "b"}), node("b", labels={"zone": "a"})], pod("p", nodeSelector={"zone": "a"}), "b", id="node selector"),
        pytest.param([node("a"), node("b", labels={"zone": "a"})], pod("p", affinity=REQUIRED), "b", id="required affinity"),
        pytest.param([node("a"), node("b", labels={"zone": "a"})], pod("p", affinity=PREFERRED), "b", id="preferred affinity"),
        pytest.param([node("a", taints=[TAINT]), node("b")], pod("p"), "b", id="taint keeps away"),
        pytest.param([node("a", taints=[TAINT])], pod("p", tolerations=[{"key": "dedicated", "operator": "Exists"}]), "a", id="tolerated"),
        pytest.param([node("a", taints=[TAINT | {"effect": "PreferNoSchedule"}]), node("b")], pod("p"), "b", id="soft taint is avoided"),
        pytest.param([node("a", unschedulable=True), node("b")], pod("p"), "b", id="cordoned"),
        pytest.param([node("a", unschedulable=True)], pod("p", tolerations=[{"operator": "Exists"}]), "a", id="a daemon goes to cordoned nodes"),
    ],
)  # fmt: skip
def test_where_a_pod_goes(nodes, wanted, expected):
    assert decide(cluster(*nodes), wanted).node == expected


@pytest.mark.parametrize(
    ("nodes", "wanted", "message"),
    [
        pytest.param([], pod("p"), "no nodes available to schedule pods", id="no nodes"),
        pytest.param([node("a", cpu="1")], pod("p", cpu="2"), "0/1 nodes are available: 1 Insufficient cpu.", id="cpu"),
        pytest.param([node("a", cpu="1", memory="1Mi")], pod("p", cpu="2", memory="1Gi"), "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.", id="every lack is named"),
        pytest.param([node("a", taints=[TAINT]), node("b", unschedulable=True)], pod("p"), "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable.", id="taint and cordon"),
        pytest.param([node("a")], pod("p", nodeSelector={"x": "y"}), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", id="selector"),
        pytest.param([node("a")], pod("p", containers=[{"resources": {"requests": {"example.com/gpu": "1"}}}]), "0/1 nodes are available: 1 Insufficient example.com/gpu.", id="unknown resource"),
        pytest.param([node("a"), node("b")], pod("p", affinity=NAMED), "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].", id="named node"),
        pytest.param([node("a", pods="0")], pod("p"), "0/1 nodes are available: 1 Too many pods.", id="pods"),
    ],
)  # fmt: skip
def test_why_a_pod_waits(nodes, wanted, message):
    decision = decide(cluster(*nodes), wanted)
    assert decision.node is None
    assert decision.message == message


def test_host_ports_clash_on_one_node_only():
    def web(name, **more):
        return pod(name, containers=[{"ports": [{"containerPort": 80, "hostPort": 80}]}], **more)

    state = cluster(node("a"), node("b"), pods=[web("one", nodeName="a")])
    assert decide(state, web("two")).node == "b"
    state.assume(web("two"), "b")
    assert "didn't have free ports" in decide(state, web("three")).message
    state.forget("two")
    assert decide(state, web("three")).node == "b"


def test_an_assumed_pod_holds_its_room_until_it_is_gone():
    state = cluster(node("a", cpu="1"))
    state.assume(pod("one", cpu="1"), "a")
    assert decide(state, pod("two", cpu="1")).node is None
    state.set_pod("one", pod("one", cpu="1", nodeName="a"))
    assert decide(state, pod("two", cpu="1")).node is None
    state.set_pod("one", None)
    assert decide(state, pod("two", cpu="1")).node == "a"


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=8), st.integers(0, 8))
def test_resource_filter_equals_the_loop(nodes, wanted):
    """The sentence it vectorises: a node fits when what is free is at least what is asked, or nothing is asked."""
    rows = [node(f"n{i}", cpu=str(cpu)) for i, (cpu, _) in enumerate(nodes)]
    used = [pod(f"u{i}", cpu=str(used), nodeName=f"n{i}") for i, (_, used) in enumerate(nodes)]
    fits = any(wanted == 0 or wanted <= cpu - used for cpu, used in nodes)
    assert (decide(cluster(*rows, pods=used), pod("p", cpu=str(wanted) if wanted else None)).node is not None) == fits


def test_requests_count_init_containers_and_sidecars():
    def asks(cpu, **more):
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    wanted = view(
        {"spec": {"containers": [asks("1")], "initContainers": [asks("500m", restartPolicy="Always"), asks("2")]}}, Pod
    )
    assert requests(wanted)["cpu"] == 2500


@pytest.mark.parametrize(
    ("value", "operator", "values", "expected"),
    [
        ("5", "Gt", ("4",), True),
        ("x", "Gt", ("4",), False),
        (None, "NotIn", ("a",), True),
        (None, "In", ("a",), False),
        (None, "DoesNotExist", (), True),
        ("a", "Exists", (), True),
        ("3", "Lt", ("4",), True),
    ],
)
def test_requirements(value, operator, values, expected):
    assert meets(value, operator, values) == expected


def resized(asked, has, *, allocated=None, infeasible=False):
    status = {"name": "c", "resources": {"requests": {"cpu": has}}}
    if allocated:
        status["allocatedResources"] = {"cpu": allocated}
    pending = {"type": "PodResizePending", "status": "True", "reason": "Infeasible" if infeasible else "Deferred"}
    container = {"name": "c", "resources": {"requests": {"cpu": asked}}}
    return pod("p", containers=[container], status={"containerStatuses": [status], "conditions": [pending]})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(resized("1", "1"), 1000, id="as asked"),
        pytest.param(resized("1", "2"), 2000, id="not yet smaller"),
        pytest.param(resized("2", "1"), 2000, id="not yet larger"),
        pytest.param(resized("1", "1", allocated="3"), 3000, id="promised"),
        pytest.param(resized("2", "1", infeasible=True), 1000, id="never to be larger"),
    ],
)
def test_requests_while_a_container_is_resized(wanted, expected):
    assert requests(wanted)["cpu"] == expected


def test_a_pod_that_has_what_it_asks_for_holds_no_statuses():
    assert resized("1", "1").status.container_statuses == ()
    assert len(resized("1", "2").status.container_statuses) == 1
