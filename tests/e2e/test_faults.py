"""Any process may be killed at any moment: the cluster goes on, and no pod restarts that need not."""

import os
import signal
import subprocess

import pytest

from tests.e2e.conftest import eventually

COMPONENTS = ("etcd", "apiserver", "controllers", "scheduler", "kubelet", "proxy", "dns", "supervisor")


def restarts(cluster):
    pods = cluster.get("pods", "-l", "app=web")["items"]
    return {p["metadata"]["uid"]: [s["restartCount"] for s in p["status"]["containerStatuses"]] for p in pods}


@pytest.mark.parametrize("component", COMPONENTS)
def test_kill_9_of_any_component_is_mended(cluster, component):
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    before = restarts(cluster)
    old = cluster.pid(component)
    os.kill(old, signal.SIGKILL)
    if component == "supervisor":
        cluster.up()
    eventually(lambda: cluster.pid(component) != old, why=f"a new {component}")
    name = f"after-{component}"
    eventually(
        lambda: subprocess.run(("kubectl", "run", name, "--image=pykube/web:demo", "--image-pull-policy=Never"), env=cluster.environment, capture_output=True, check=False).returncode == 0,
        why="a new pod",
    )  # fmt: skip
    cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("delete", "pod", name, "--timeout=60s")
    assert restarts(cluster) == before


def test_flushed_rules_come_back(cluster):
    """Only our own chains of this cluster are flushed: others on the machine are nobody's to touch."""
    saved = subprocess.run(("iptables-save", "-t", "nat"), capture_output=True, text=True, check=True).stdout
    prefix = next(
        line.split()[3]
        for line in saved.splitlines()
        if line.startswith("-A PREROUTING -j K") and "-SERVICES" in line and not line.split()[3].startswith("KUBE-")
    )
    subprocess.run(("iptables", "-w", "-t", "nat", "-D", "PREROUTING", "-j", prefix), check=True)
    subprocess.run(("iptables", "-w", "-t", "nat", "-F", prefix), check=True)

    def is_back():
        listed = subprocess.run(
            ("iptables", "-w", "-t", "nat", "-S", prefix), capture_output=True, text=True, check=True
        )
        return "-j K" in listed.stdout

    eventually(is_back, seconds=90, why="the rules")


def test_a_container_removed_by_hand_is_replaced(cluster):
    pod = cluster.get("pods", "-l", "app=web")["items"][0]
    identifier = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("docker://")
    subprocess.run(("docker", "rm", "-f", identifier), check=True, capture_output=True)

    def replaced():
        status = cluster.get("pod", pod["metadata"]["name"])["status"]["containerStatuses"][0]
        return status["ready"] and status["containerID"] != f"docker://{identifier}"

    eventually(replaced, why="a new container")
