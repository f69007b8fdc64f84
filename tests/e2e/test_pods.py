"""What the kubelet makes of pods, on a real cluster: one pod for each promise, seen with kubectl alone."""

import json
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
        "exec 2>&1; touch /cm/x; stat -c '%n %a %u:%g' /cm /cm/..data/a /disk /memory; df -k /memory | tail -1; id -G",
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


def cgroup_files(uid, *names):
    """The values of a pod's own cgroup on this machine, whichever version and driver it has."""
    top = Path("/sys/fs/cgroup")
    folders = [
        *top.glob(f"*/*/*/pod{uid}"),
        *top.glob(f"*/*/pod{uid}"),
        *top.glob(f"**/*-pod{uid.replace('-', '_')}.slice"),
    ]
    return {n: (folder / n).read_text().strip() for folder in folders for n in names if (folder / n).exists()}


def test_a_pod_is_resized_as_it_runs(cluster, namespace):
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "32Mi"}}
    put(cluster, namespace, "grows", command=["sleep", "1000"], container={"resources": resources})
    cluster.kubectl("-n", namespace, "wait", "pod", "grows", "--for=condition=Ready", "--timeout=60s")
    before = cluster.get("-n", namespace, "pod", "grows")
    more = {"requests": {"cpu": "150m"}, "limits": {"cpu": "400m", "memory": "64Mi"}}
    change = json.dumps({"spec": {"containers": [{"name": "main", "resources": more}]}})
    cluster.kubectl("-n", namespace, "patch", "pod", "grows", "--subresource=resize", "-p", change)

    def done():
        status = cluster.get("-n", namespace, "pod", "grows")["status"]["containerStatuses"][0]
        return status if status["resources"]["limits"] == more["limits"] else None

    status = eventually(done, why="the resize")
    was = before["status"]["containerStatuses"][0]
    assert (status["containerID"], status["restartCount"]) == (was["containerID"], 0)
    found = cgroup_files(
        before["metadata"]["uid"], "cpu.cfs_quota_us", "cpu.max", "memory.limit_in_bytes", "memory.max"
    )
    assert set(found.values()) & {"40000", "40000 100000"}
    assert str(64 << 20) in found.values()
    huge = json.dumps(
        {
            "spec": {
                "containers": [{"name": "main", "resources": {"requests": {"cpu": "500"}, "limits": {"cpu": "501"}}}]
            }
        }
    )
    cluster.kubectl("-n", namespace, "patch", "pod", "grows", "--subresource=resize", "-p", huge)
    cluster.kubectl("-n", namespace, "wait", "pod", "grows", "--for=condition=PodResizePending", "--timeout=60s")


def test_sidecars_end_last_and_every_prestop_hook_runs_at_once(cluster, namespace):
    def speaks(name, wait):
        ending = f"trap 'sleep {wait}; echo {name} ends; exit 0' TERM"
        return ["sh", "-c", f"{ending}; echo {name} begins; while :; do sleep 0.1; done"]

    side = {"name": "side", "image": IMAGE, "restartPolicy": "Always", "command": speaks("side", 0)}
    side["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1"]}}}
    put(
        cluster,
        namespace,
        "ordered",
        command=speaks("main", 4),
        initContainers=[side],
        terminationGracePeriodSeconds=60,
    )
    cluster.kubectl("-n", namespace, "wait", "pod", "ordered", "--for=condition=Ready", "--timeout=60s")
    log = ("-n", namespace, "logs", "ordered", "--all-containers", "--timestamps", "--follow")
    following = subprocess.Popen(
        (cluster.kubectl_program, *log), env=cluster.environment, stdout=subprocess.PIPE, text=True
    )
    begun = sorted(following.stdout.readline().split(" ", 1)[1] for _ in range(2))  # both are followed
    assert begun == ["main begins\n", "side begins\n"]
    cluster.kubectl("-n", namespace, "delete", "pod", "ordered", "--timeout=60s")
    words = [line.split(" ", 1)[1] for line in sorted(following.communicate(timeout=60)[0].splitlines())]
    assert words == ["hook", "main ends", "side ends"]


def test_a_static_pod_runs_and_comes_back_in_the_api(cluster, namespace):
    manifests = cluster.root / "manifests"
    manifests.mkdir(exist_ok=True)
    main = {"name": "main", "image": IMAGE, "command": ["sleep", "1000"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "static", "namespace": namespace}}
    spec = {"containers": [main], "terminationGracePeriodSeconds": 1}
    (manifests / "static.json").write_text(json.dumps(pod | {"spec": spec}))
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    name = f"static-{node}"

    def running(other_than=""):
        found = cluster.kubectl("-n", namespace, "get", "pod", name, "-o", "json", check=False)
        tree = json.loads(found) if found else {}
        new = tree and tree["metadata"]["uid"] != other_than and tree["status"]["phase"] == "Running"
        return tree if new else None

    try:
        first = eventually(running, why="the mirror pod")
        cluster.kubectl("-n", namespace, "delete", "pod", name, "--timeout=60s")
        second = eventually(lambda: running(first["metadata"]["uid"]), why="the mirror pod's return")
        ids = [tree["status"]["containerStatuses"][0]["containerID"] for tree in (first, second)]
        assert ids[0] == ids[1]
    finally:
        (manifests / "static.json").unlink()
    cluster.kubectl("-n", namespace, "wait", "pod", name, "--for=delete", "--timeout=60s")
    mine = ("--filter", f"label=io.kubernetes.pod.namespace={namespace}")
    eventually(lambda: not output("docker", "ps", "-aq", *mine), why="the end of its containers, after its mirror's")


def test_a_pod_that_fills_its_volume_is_evicted(cluster, namespace):
    volume = {"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "dd if=/dev/zero of=/v/x bs=1M count=3; sleep 1000"
    put(cluster, namespace, "fills", command=["sh", "-c", script], container=mounts, volumes=[volume])
    status = ended(cluster, namespace, "fills")
    assert (status["reason"], status["message"]) == (
        "Evicted",
        'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
    )


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
