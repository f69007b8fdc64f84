"""What the kubelet makes of pods, on a real cluster: one pod for each promise, seen with kubectl alone."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually

IMAGE = "pykube/web:demo"


def put(cluster, namespace, name, *, command=(), container=None, **spec):
    main = {"name": "main", "image": IMAGE, "command": list(command), **(container or {})}
    body = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [main], **spec}
    meta = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body})


def ended(cluster, namespace, name):
    """The pod's status once it is over."""

    def over():
        found = cluster.get("-n", namespace, "pod", name)["status"]
        return found if found["phase"] in ("Succeeded", "Failed") else None

    return eventually(over, why=f"the end of {name}")


def said(cluster, namespace, name, script, **more):
    """What a script says in a pod of its own."""
    put(cluster, namespace, name, command=["sh", "-c", script], **more)
    ended(cluster, namespace, name)
    return cluster.kubectl("-n", namespace, "logs", name)


def test_volumes_have_upstreams_modes_and_owners(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "configmap", "cm", "--from-literal=a=1")
    volumes = [
        {"name": "cm", "configMap": {"name": "cm", "defaultMode": 0o400}},
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes]
    output = said(
        cluster,
        namespace,
        "modes",
        "touch /cm/x; stat -c '%n %a %u:%g' /cm /cm/..data/a /disk /memory; df -k /memory | tail -1; id -G",
        container={"volumeMounts": mounts, "resources": {"limits": {"memory": "32Mi"}}},
        volumes=volumes,
        securityContext={"runAsUser": 1000, "fsGroup": 2000},
    )
    assert "/cm/x: Read-only file system" in output
    for line in ("/cm 2777 0:2000", "/cm/..data/a 440 0:2000", "/disk 2777 0:2000", "/memory 3777 0:2000", " 32768 "):
        assert line in output
    assert output.splitlines()[-1] == "0 2000"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, "NodeAffinity"),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, "SysctlForbidden"),
    ],
)
def test_a_node_refuses_what_it_cannot_have(cluster, namespace, spec, reason):
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    put(cluster, namespace, "refused", nodeName=node, **spec)
    status = ended(cluster, namespace, "refused")
    assert status["reason"] == reason
    assert status["message"].startswith("Pod was rejected: ")
    assert reason in cluster.kubectl("-n", namespace, "get", "pod", "refused")


@pytest.mark.parametrize(
    ("command", "reason", "code"),
    [
        (["sh", "-c", "x=a; while true; do x=$x$x; done"], "OOMKilled", 137),
        (["no-such-program"], "StartError", 128),
        (["sh", "-c", "exit 3"], "Error", 3),
    ],
)
def test_how_a_container_ended(cluster, namespace, command, reason, code):
    put(cluster, namespace, "ends", command=command, container={"resources": {"limits": {"memory": "16Mi"}}})
    status = ended(cluster, namespace, "ends")
    found = status["containerStatuses"][0]["state"]["terminated"]
    assert (status["phase"], found["reason"], found["exitCode"]) == ("Failed", reason, code)
    cluster.kubectl("-n", namespace, "logs", "ends")


def test_a_deadline_ends_a_running_pod(cluster, namespace):
    put(cluster, namespace, "late", command=["sleep", "1000"], activeDeadlineSeconds=6)
    status = ended(cluster, namespace, "late")
    assert (status["reason"], status["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == (
        "DeadlineExceeded",
        137,
    )


def test_a_debugger_sees_its_targets_processes(cluster, namespace):
    put(cluster, namespace, "target", command=["sleep", "1234"])
    cluster.kubectl("-n", namespace, "wait", "pod", "target", "--for=condition=Ready", "--timeout=60s")
    debug = ("debug", "target", f"--image={IMAGE}", "--target=main", "--container=eye", "--", "ps")
    cluster.kubectl("-n", namespace, *debug)
    eventually(
        lambda: "sleep 1234" in cluster.kubectl("-n", namespace, "logs", "target", "-c", "eye", check=False), why="ps"
    )


def leftovers(cluster):
    """Everything of pods on this machine, counted."""
    mine = f"label=io.pykube.cluster={cluster.name}"
    docker = subprocess.run(["docker", "ps", "-aq", "--filter", mine], capture_output=True, text=True, check=True)
    (node,) = (cluster.root / "nodes").iterdir()
    return {
        "containers": len(docker.stdout.split()),
        "mounts": Path("/proc/self/mountinfo").read_text().count(f"{node}/pods/"),
        "folders": len(list((node / "pods").iterdir())),
        "addresses": len([p for p in (node / "network/addresses").iterdir() if p.name != "last"]),
    }


def test_kill_9_while_pods_come_and_go_leaves_nothing(cluster, namespace):
    cluster.kubectl("-n", "default", "rollout", "status", "deployment/web", "--timeout=90s")
    before = leftovers(cluster)
    for number in range(6):
        put(cluster, namespace, f"p{number}", command=["sleep", str(1000 * (number % 2))])
        if number % 2:
            with contextlib.suppress(ProcessLookupError):  # the one before has not come back yet
                os.kill(cluster.pid("kubelet"), signal.SIGKILL)
            cluster.kubectl("-n", namespace, "delete", "pod", f"p{number - 1}", "--wait=false")
    cluster.kubectl("-n", namespace, "delete", "pods", "--all", "--timeout=100s")
    eventually(lambda: leftovers(cluster) == before, why=f"as before ({before})")
