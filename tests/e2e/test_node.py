"""A node by the user's KubeletConfiguration: what `pykubeadm up --kubelet-config` takes, refuses and changes, and the
node's end, announced by SIGPWR."""

import json
import os
import signal

import pytest

from bootstrap import images
from bootstrap.spec import load
from tests import needs
from tests.e2e.conftest import eventually, make
from tests.e2e.test_pods import cgroup_files, ended, put

TAINT = {"key": "e2e", "value": "yes", "effect": "NoSchedule"}
HEAD = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
CONFIGURATION = HEAD | {
    "registerWithTaints": [TAINT],
    "podPidsLimit": 77,
    "maxPods": 50,
    "systemReserved": {"memory": "128Mi"},
    "containerLogMaxSize": "16Ki",
    "containerLogMaxFiles": 2,
    "shutdownGracePeriod": "20s",
    "shutdownGracePeriodCriticalPods": "8s",
}
ANYWHERE = {"tolerations": [{"operator": "Exists"}]}


@pytest.fixture(scope="module")
def one(docker_socket, tmp_path_factory):
    needs.program("kubectl")
    cluster = make("node", tmp_path_factory.mktemp("node"), 26000, 77)
    bad = configured(cluster, HEAD | {"maxPods": "many"})
    refused = cluster.up(bad, check=False)
    assert (refused.returncode, cluster.root.exists()) == (1, False)
    assert "kubelet configuration: maxPods: 'many' is no integer" in refused.stderr
    try:
        cluster.up(configured(cluster, CONFIGURATION))
        images.build_web(load(cluster.name, str(cluster.home)))
        yield cluster
    finally:
        cluster.down()


def configured(cluster, tree):
    """The flag for a file that says this."""
    file = cluster.home / "kubelet.yaml"
    file.write_text(json.dumps(tree))
    return f"--kubelet-config={file}"


def node(one):
    return one.get("nodes")["items"][0]


def condition(one, name):
    found = {row["type"]: row for row in node(one)["status"]["conditions"]}
    return found[name]["status"], found[name]["message"]


def waits_ready(one, *names):
    one.kubectl("wait", "pod", *names, "--for=condition=Ready", "--timeout=60s")


def test_a_node_is_what_its_configuration_says(one):
    tree = node(one)
    assert TAINT in tree["spec"]["taints"]
    capacity, allocatable = tree["status"]["capacity"], tree["status"]["allocatable"]
    assert allocatable["pods"] == "50"
    kept = [int(amounts["memory"].removesuffix("Ki")) for amounts in (capacity, allocatable)]
    assert kept[0] - kept[1] == (128 + 100) * 1024  # what is reserved, and the threshold of eviction
    given = json.dumps([{"op": "add", "path": "/status/capacity/example.com~1dongle", "value": "1"}])
    one.kubectl("patch", "node", tree["metadata"]["name"], "--subresource=status", "--type=json", "-p", given)
    dongle = {"resources": {"limits": {"example.com/dongle": "1"}}}
    talk = "for i in $(seq 9999); do echo line $i; done; exec sleep 1000"
    put(one, "default", "has", command=["sh", "-c", talk], container=dongle, **ANYWHERE)
    waits_ready(one, "has")
    put(one, "default", "lacks", command=["sleep", "1000"], container=dongle, **ANYWHERE)
    put(one, "default", "shy", command=["sleep", "1000"])

    def told():
        rows = one.get("events", "--field-selector=reason=FailedScheduling")["items"]
        return " ".join(row["message"] for row in rows)

    eventually(lambda: "1 Insufficient example.com/dongle" in told(), why="no second dongle")
    eventually(lambda: "1 node(s) had untolerated taint {e2e: yes}" in told(), why="the taint")
    uid = one.get("pod", "has")["metadata"]["uid"]
    assert cgroup_files(uid, "pids.max") == {"pids.max": "77"}
    eventually(lambda: one.kubectl("logs", "has", "--tail=1") == "line 9999\n", why="the last line")
    assert len(one.kubectl("logs", "has")) < 2 * (16 << 10), "older files are gone"
    one.kubectl("delete", "pod", "has", "lacks", "shy")


def test_another_configuration_reaches_a_running_cluster_and_no_container_notices(one):
    put(one, "default", "vital", command=["sleep", "1000"], priorityClassName="system-node-critical", **ANYWHERE)
    put(one, "default", "usual", command=["sleep", "1000"], **ANYWHERE)
    waits_ready(one, "vital", "usual")
    before = one.get("pod", "vital")["status"]["containerStatuses"][0]
    full = {"evictionHard": {"nodefs.available": "99.9%"}}  # some of every disk is used
    assert "new configuration" in one.up(configured(one, CONFIGURATION | full)).stdout
    status = ended(one, "default", "usual")
    assert status["reason"] == "Evicted"
    assert status["message"].startswith("The node was low on resource: ephemeral-storage. Threshold quantity: ")
    eventually(lambda: condition(one, "DiskPressure") == ("True", "kubelet has disk pressure"), why="the condition")
    one.up(configured(one, CONFIGURATION))
    assert "new configuration" not in one.up().stdout
    eventually(lambda: condition(one, "DiskPressure")[0] == "False", why="the end of the pressure")
    after = one.get("pod", "vital")["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    one.kubectl("delete", "pod", "vital", "usual")


def test_a_node_that_shuts_down_ends_its_pods_in_order(one, tmp_path):
    volumes = [{"name": "said", "hostPath": {"path": str(tmp_path)}}]
    mounted = {"volumeMounts": [{"name": "said", "mountPath": "/said"}]}

    def put_one(name, wait, **more):
        ending = f"trap 'sleep {wait}; echo {name} >>/said/order; exit 0' TERM; while :; do sleep 0.1; done"
        put(one, "default", name, command=["sh", "-c", ending], container=mounted, volumes=volumes,
            terminationGracePeriodSeconds=30, **ANYWHERE, **more)  # fmt: skip

    put_one("critical", 0, priorityClassName="system-node-critical")
    put_one("slow", 2)
    put_one("quick", 0)
    waits_ready(one, "critical", "slow", "quick")
    os.kill(one.pid("kubelet"), signal.SIGPWR)
    eventually(lambda: condition(one, "Ready") == ("False", "node is shutting down"), why="the node's own word")
    put(one, "default", "late", nodeName=node(one)["metadata"]["name"], **ANYWHERE)
    found = {name: ended(one, "default", name) for name in ("quick", "slow", "critical", "late")}
    assert (tmp_path / "order").read_text().split() == ["quick", "slow", "critical"]
    late = found.pop("late")
    assert (late["reason"], late["message"]) == (
        "NodeShutdown",
        "Pod was rejected: Pod was rejected as the node is shutting down.",
    )
    message = "Pod was terminated in response to imminent node shutdown."
    for status in found.values():
        assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Terminated", message)
        rows = {row["type"]: row for row in status["conditions"]}
        assert rows["DisruptionTarget"]["reason"] == "TerminationByKubelet"
    old = one.pid("kubelet")
    os.kill(old, signal.SIGTERM)  # as the end of the machine does; its start brings another one
    eventually(lambda: one.pid("kubelet") != old and condition(one, "Ready")[0] == "True", why="the node's return")
    put(one, "default", "again", command=["sleep", "1000"], **ANYWHERE)
    waits_ready(one, "again")
