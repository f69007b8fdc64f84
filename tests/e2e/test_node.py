"""A node by the user's KubeletConfiguration: what `pykubeadm up --kubelet-config` takes, refuses and changes, and the
node's end, announced by SIGPWR."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from bootstrap import images
from bootstrap.spec import load
from kubelet import node_status
from tests import needs
from tests.contract.test_registry import PASSWORD, USER, registry
from tests.e2e.conftest import eventually, make
from tests.e2e.test_pods import cgroup_files, ended, put
from tests.e2e.test_pulls import only_in_registry

PROVIDER = {"apiVersion": "credentialprovider.kubelet.k8s.io/v1"}
PRESSURE = ("node.kubernetes.io/memory-pressure", "NoSchedule")
TAINT = {"key": "e2e", "value": "yes", "effect": "NoSchedule"}
CAPACITY = node_status.machine(Path("/")).memory
HEAD = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
CONFIGURATION = HEAD | {
    "registerWithTaints": [TAINT],
    "podPidsLimit": 77,
    "maxPods": 50,
    "systemReserved": {"memory": f"{CAPACITY - (600 << 20)}"},
    "evictionHard": {"memory.available": "300Mi"},  # of the 600 that pods may use, whatever else the machine does
    "evictionPressureTransitionPeriod": "8s",
    "containerLogMaxSize": "16Ki",
    "containerLogMaxFiles": 2,
    "shutdownGracePeriod": "20s",
    "shutdownGracePeriodCriticalPods": "8s",
}
ANYWHERE = {"tolerations": [{"operator": "Exists"}]}


@pytest.fixture(scope="module")
def one(docker_socket, tmp_path_factory, where):
    needs.program("kubectl")
    cluster = make("node", tmp_path_factory.mktemp("node"), 22000, 77)
    bad = configured(cluster, HEAD | {"maxPods": "many"})
    refused = cluster.up(bad, check=False)
    assert (refused.returncode, cluster.root.exists()) == (1, False)
    assert "kubelet configuration: maxPods: 'many' is no integer" in refused.stderr
    config, folder = provided(cluster, where)
    words = "credential provider knows: there is no program /usr/bin/knows"
    assert words in cluster.up(config, "--image-credential-provider-bin-dir=/usr/bin", check=False).stderr
    assert not cluster.root.exists()
    try:
        cluster.up(configured(cluster, CONFIGURATION), config, folder)
        images.build_web(load(cluster.name, str(cluster.home)))
        yield cluster
    finally:
        cluster.down()


def configured(cluster, tree):
    """The flag for a file that says this."""
    file = cluster.home / "kubelet.yaml"
    file.write_text(json.dumps(tree))
    return f"--kubelet-config={file}"


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """A registry that wants a password."""
    with registry(tmp_path_factory.mktemp("registry"), private=True) as address:
        yield address


def provided(cluster, where):
    """The flags for a credential provider that knows the registry's password; it notes what it is asked."""
    auth = {"auth": {where: {"username": USER, "password": PASSWORD}}}
    answer = {"kind": "CredentialProviderResponse", "cacheKeyType": "Registry", "cacheDuration": "1h"}
    program, file = cluster.home / "knows", cluster.home / "providers.yaml"
    program.write_text(f"#!/bin/sh\ncat >>{cluster.home}/asked\necho '{json.dumps(answer | PROVIDER | auth)}'\n")
    program.chmod(0o755)
    one = PROVIDER | {"name": program.name, "matchImages": [where], "defaultCacheDuration": "1m"}
    file.write_text(json.dumps({"kind": "CredentialProviderConfig", "providers": [one]}))
    return f"--image-credential-provider-config={file}", f"--image-credential-provider-bin-dir={cluster.home}"


def test_a_program_of_the_nodes_knows_a_registrys_password(one, where, docker_socket):
    with only_in_registry(docker_socket, where) as image:
        for name in ("first", "second"):
            put(one, "default", name, command=["true"], container={"image": image, "imagePullPolicy": "Always"}, **ANYWHERE)  # fmt: skip
        assert {ended(one, "default", name)["phase"] for name in ("first", "second")} == {"Succeeded"}
        request = PROVIDER | {"kind": "CredentialProviderRequest", "image": image}
        assert json.loads((one.home / "asked").read_text()) == request, "once: then it was remembered"
        one.kubectl("delete", "pod", "first", "second")


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
    assert capacity["memory"] == f"{CAPACITY >> 10}Ki"
    assert allocatable["memory"] == "300Mi"  # without what is reserved, and the threshold of eviction
    asked = one.kubectl("get", "--raw", f"/api/v1/nodes/{tree['metadata']['name']}/proxy/configz")
    assert json.loads(asked)["kubeletconfig"]["maxPods"] == 50
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


def test_memory_runs_short_and_comes_back(one):
    """What pods may use together is near its end: one has to go, the node says so and is tainted, and then no more."""
    volumes = [{"name": "m", "emptyDir": {"medium": "Memory"}}]
    mounted = {"volumeMounts": [{"name": "m", "mountPath": "/m"}]}
    script = "dd if=/dev/zero of=/m/x bs=1M count=400; exec sleep 1000"
    put(one, "default", "small", command=["sleep", "1000"], **ANYWHERE)
    waits_ready(one, "small")
    put(one, "default", "large", command=["sh", "-c", script], container=mounted, volumes=volumes, **ANYWHERE)
    status = ended(one, "default", "large")
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    words = (
        r"The node was low on resource: memory\. Threshold quantity: 300Mi, available: \d+Ki\. "
        r"Container main was using \d{6}Ki, request is 0, has larger consumption of memory\. "
    )
    assert re.fullmatch(words, status["message"]), status["message"]
    rows = {row["type"]: row for row in status["conditions"]}
    assert (rows["DisruptionTarget"]["reason"], rows["DisruptionTarget"]["message"]) == ("TerminationByKubelet", status["message"])  # fmt: skip
    told = ("True", "kubelet has insufficient memory available")
    tainted = lambda: PRESSURE in [(t["key"], t["effect"]) for t in node(one)["spec"]["taints"]]  # noqa: E731
    eventually(lambda: condition(one, "MemoryPressure") == told, why="the condition")
    eventually(tainted, why="the taint")
    told = ("False", "kubelet has sufficient memory available")
    eventually(lambda: condition(one, "MemoryPressure") == told, why="the end of the condition")
    eventually(lambda: not tainted(), why="the end of the taint")
    assert one.get("pod", "small")["status"]["phase"] == "Running"
    one.kubectl("delete", "pod", "small", "large")


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
