"""At the edges: objects that are too large, a full etcd, everything killed in the middle of a rollout."""

import json
import os
import signal
import subprocess

import pytest

from tests import needs
from tests.e2e.conftest import eventually, make, run
from tests.e2e.test_faults import COMPONENTS

MB = 1_000_000


def deployment(name, *, replicas=0, value="", version="1"):
    """A Deployment of the demo's image; `value` makes it as large as wanted (a ConfigMap has a limit of its own)."""
    env = [{"name": "VERSION", "value": version}, {"name": "FILLER", "value": value}]
    container = {"name": "web", "image": "pykube/web:demo", "imagePullPolicy": "Never", "env": env}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        pytest.param(2 * MB, "etcdserver: request is too large", id="over etcd's 1.5 MiB"),
        pytest.param(4 * MB, "Request entity too large: limit is 3145728", id="over the server's 3 MiB"),
    ],
)
def test_what_is_too_large_is_refused_and_not_stored(cluster, namespace, size, words):
    body = json.dumps(deployment("large", value="x" * size))
    said = cluster.refused("create", "-n", namespace, "-f", "-", stdin=body)
    assert "(RequestEntityTooLarge)" in said
    assert words in said
    assert "(NotFound)" in cluster.refused("get", "deployment", "large", "-n", namespace)


def test_an_update_that_is_too_large_changes_nothing(cluster, namespace):
    cluster.apply(deployment("grows"), "-n", namespace)
    before = eventually(lambda: settled(cluster, "grows", namespace), why="the status")
    body = json.dumps(before | {"spec": deployment("grows", value="x" * 2 * MB)["spec"]})
    assert "(RequestEntityTooLarge)" in cluster.refused("replace", "-n", namespace, "-f", "-", stdin=body)
    assert cluster.get("deployment", "grows", "-n", namespace) == before


def settled(cluster, name, namespace):
    """The Deployment, once its controller has nothing more to say about it."""
    found = cluster.get("deployment", name, "-n", namespace)
    status = found.get("status", {})
    return found if status.get("observedGeneration") and len(status.get("conditions", ())) == 2 else None


def test_a_full_etcd_says_so_and_can_be_read(tmp_path):
    needs.program("kubectl")
    one = make("full", tmp_path, 18000, 83)
    try:
        one.up("--etcd-quota-bytes=12000000")
        said = eventually(lambda: refused_config_map(one), why="a full etcd")
        assert "etcdserver: mvcc: database space exceeded" in said
        names = one.kubectl("get", "configmaps", "-o", "name").split()
        assert "deleted" in one.kubectl("delete", next(name for name in names if "big-" in name))
        assert "Ready" in one.kubectl("get", "nodes")
        assert "database space exceeded" in one.refused("create", "namespace", "more")
    finally:
        one.down()


def refused_config_map(one):
    """Stores a megabyte; what the server says when it cannot any more."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "big-"}, "data": {"x": "x" * MB}}
    argv = (one.kubectl_program, "create", "-f", "-")
    return run(argv, one.environment, check=False, stdin=json.dumps(body)).stderr


def test_everything_killed_during_a_rollout_ends_well(cluster, namespace):
    cluster.apply(deployment("many", replicas=10), "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/many", "-n", namespace, "--timeout=90s")
    cluster.apply(deployment("many", replicas=10, version="2"), "-n", namespace)
    for component in COMPONENTS:
        old = cluster.pid(component)
        os.kill(old, signal.SIGKILL)
        if component == "supervisor":
            cluster.up()
        eventually(lambda old=old, component=component: cluster.pid(component) != old, why=f"a new {component}")
    cluster.kubectl("rollout", "status", "deployment/many", "-n", namespace, "--timeout=150s")
    eventually(lambda: containers_of(namespace) == told(cluster, namespace), why="Docker and the API of one mind")
    pods = cluster.get("pods", "-n", namespace)["items"]
    assert [p["spec"]["containers"][0]["env"][0]["value"] for p in pods] == ["2"] * 10


def told(cluster, namespace):
    """The containers that the API tells of, of pods that are to stay; None while a pod is going or unready."""
    pods = cluster.get("pods", "-n", namespace)["items"]
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", ())]
    if any("deletionTimestamp" in pod["metadata"] for pod in pods) or not all(s["ready"] for s in statuses):
        return None
    return {status["containerID"].removeprefix("docker://") for status in statuses}


def containers_of(namespace):
    """The containers of a namespace that run in Docker, without the sandboxes."""
    argv = ("docker", "ps", "-q", "--no-trunc", f"--filter=label=io.kubernetes.pod.namespace={namespace}")
    argv = (*argv, "--filter=label=io.kubernetes.docker.type=container")
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())
