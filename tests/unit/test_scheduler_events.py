"""What happens to nodes and pods, as events for those that wait."""

import pytest

from scheduler.events import Change, node_events, pod_events
from tests.unit.scheduler_builders import node, pod

HERE, NOWHERE, DONE = pod("p", nodeName="n"), pod("p"), pod("p", nodeName="n", status={"phase": "Succeeded"})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(None, NOWHERE, [], id="a pod without a node"),
        pytest.param(NOWHERE, HERE, [(Change.POD_ADDED, None, HERE)], id="it is bound"),
        pytest.param(None, HERE, [(Change.POD_ADDED, None, HERE)], id="it comes bound"),
        pytest.param(HERE, DONE, [(Change.POD_REMOVED, HERE, None)], id="it ends"),
        pytest.param(HERE, None, [(Change.POD_REMOVED, HERE, None)], id="it goes"),
        pytest.param(DONE, None, [], id="it goes after its end"),
        pytest.param(HERE, pod("p", nodeName="n", status={"phase": "Running"}), [], id="it runs"),
    ],
)
def test_pods(old, new, expected):
    assert [(event.change, event.old, event.new) for event in pod_events(old, new)] == expected


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(pod("p", nodeName="n", cpu="1"), [], id="the same"),
        pytest.param(pod("p", nodeName="n", cpu="500m"), [Change.POD_SHRUNK], id="less"),
        pytest.param(pod("p", nodeName="n", cpu="2"), [], id="more"),
        pytest.param(pod("p", nodeName="n", cpu="1", labels={"a": "b"}), [Change.POD_LABELS], id="labels"),
    ],
)
def test_changes_of_a_pod(new, expected):
    assert [event.change for event in pod_events(pod("p", nodeName="n", cpu="1"), new)] == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(None, node("n"), [Change.NODE_ADDED], id="comes"),
        pytest.param(node("n"), None, [Change.NODE_REMOVED], id="goes"),
        pytest.param(node("n"), node("n"), [], id="a heartbeat"),
        pytest.param(node("n"), node("n", labels={"a": "b"}), [Change.NODE_LABELS], id="labels"),
        pytest.param(node("n"), node("n", cpu="8"), [Change.NODE_ALLOCATABLE], id="size"),
        pytest.param(node("n", unschedulable=True), node("n"), [Change.NODE_TAINTS], id="cordon"),
    ],
)
def test_nodes(old, new, expected):
    assert [event.change for event in node_events(old, new)] == expected
