"""Which pod of a workload kubectl's commands take."""

import pytest

from cli.pods_of import usefulness


def pod(name, *, phase="Running", ready="2026-01-01T00:00:09Z", restarts=0, made="2026-01-01T00:00:00Z", node="n"):
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ready or "2026"}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}
    return {"metadata": {"name": name, "creationTimestamp": made}, "spec": {"nodeName": node}, "status": status}


@pytest.mark.parametrize(
    ("pods", "best"),
    [
        ([pod("a"), pod("b")], "a"),
        ([pod("a", node=""), pod("b")], "b"),
        ([pod("a", phase="Pending"), pod("b")], "b"),
        ([pod("a", ready=""), pod("b")], "b"),
        ([pod("a", ready="2026-01-01T00:00:11Z"), pod("b")], "b"),
        ([pod("a", made="2026-01-01T00:00:01Z"), pod("b")], "b"),
        ([pod("a", restarts=1), pod("b")], "b"),
    ],
)
def test_the_pod_that_is_taken(pods, best):
    assert min(pods, key=usefulness)["metadata"]["name"] == best


def test_logs_are_of_the_pod_that_restarted_most():
    pods = [pod("a"), pod("b", restarts=2), pod("c", restarts=1)]
    assert min(pods, key=lambda each: usefulness(each, troubled_first=True))["metadata"]["name"] == "b"
