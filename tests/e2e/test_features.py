"""One pod for each thing that a pod's spec can ask of the node: all at once, then what each of them says of itself."""

from pathlib import Path

import pytest

from tests.e2e.conftest import KUBECTLS, eventually
from tests.e2e.test_pods import IMAGE, ended, put

VERSIONS = ("1.27", "1.30", "1.33")
STATUS = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status"


def of_host(kind):
    return str(Path(f"/proc/self/ns/{kind}").readlink())


#: name -> (script, spec, container, lines that its log must have)
SAYING = {
    "sysctls": (
        "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start",
        {
            "securityContext": {
                "sysctls": [
                    {"name": "kernel.shm_rmid_forced", "value": "1"},
                    {"name": "net.ipv4.ip_unprivileged_port_start", "value": "77"},
                ]
            }
        },
        {},
        ["1", "77"],
    ),
    "names": (
        "hostname; cat /etc/hosts; cat /etc/resolv.conf",
        {
            "hostname": "h",
            "subdomain": "sub",
            "setHostnameAsFQDN": True,
            "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["seven", "sieben"]}],
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["192.0.2.53"], "searches": ["a.test"], "options": [{"name": "ndots", "value": "3"}]},
        },
        {},
        ["h.sub.NAMESPACE.svc.cluster.local", "192.0.2.7\tseven\tsieben", "nameserver 192.0.2.53", "search a.test", "options ndots:3"],
    ),
    "expr": (
        "ls /data; touch /part/x; ls /data/expr-1",
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {
            "env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "volumeMounts": [
                {"name": "v", "mountPath": "/data"},
                {"name": "v", "mountPath": "/part", "subPathExpr": "$(WHO)-1"},
            ],
        },
        ["expr-1", "x"],
    ),
    "nothing": (
        STATUS,
        {},
        {"securityContext": {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False, "seccompProfile": {"type": "RuntimeDefault"}}},
        ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"],
    ),
    "usual": (STATUS, {}, {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, ["NoNewPrivs:\t0", "Seccomp:\t0"]),
    "who": (
        "id -u; id -g; id -G",
        {"securityContext": {"runAsUser": 1001, "runAsGroup": 3003, "supplementalGroups": [4004], "fsGroup": 2002}},
        {},
        ["1001", "3003", "3003 2002 4004"],
    ),
    "fixed": ("touch /x; echo $?", {}, {"securityContext": {"readOnlyRootFilesystem": True}}, ["1"]),
    "hosts": (
        "for kind in net ipc pid; do readlink /proc/self/ns/$kind; done",
        {"hostNetwork": True, "hostIPC": True, "hostPID": True},
        {},
        [of_host("net"), of_host("ipc"), of_host("pid")],
    ),
    "shared": ("tr '\\0' '\\n' </proc/1/cmdline", {"shareProcessNamespace": True}, {}, ["/pause"]),
    "image": (
        "ls /image/bin/busybox; touch /image/x || echo refused",
        {"volumes": [{"name": "v", "image": {"reference": IMAGE, "pullPolicy": "Never"}}]},
        {"volumeMounts": [{"name": "v", "mountPath": "/image"}]},
        ["/image/bin/busybox", "refused"],
    ),
    "class": ("echo ran", {"runtimeClassName": "features"}, {}, ["ran"]),
    "whole": (
        "cat /limits/cpu",
        {
            "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m", "memory": "64Mi"}},
            "volumes": [{"name": "v", "downwardAPI": {"items": [{"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"}}]}}],
        },
        {"volumeMounts": [{"name": "v", "mountPath": "/limits"}]},
        ["300"],
    ),
}  # fmt: skip


@pytest.fixture
def runtime_classes(cluster):
    for name, handler in (("features", "runc"), ("missing", "no-such-runtime")):
        meta = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}}
        cluster.apply(meta | {"handler": handler})
    yield
    cluster.kubectl("delete", "runtimeclass", "features", "missing")


def test_what_pods_ask_of_the_node_they_have(cluster, namespace, runtime_classes):
    for name, (script, spec, container, _) in SAYING.items():
        put(cluster, namespace, name, command=["sh", "-c", script], container=container, **spec)
    wrong = {}
    for name, (_, _, _, expected) in SAYING.items():
        ended(cluster, namespace, name)
        said = cluster.kubectl("-n", namespace, "logs", name).replace(namespace, "NAMESPACE").splitlines()
        if any(line not in said for line in expected):
            wrong[name] = (expected, said)
    assert wrong == {}


def events(cluster, namespace, pod):
    found = cluster.get("-n", namespace, "events", f"--field-selector=involvedObject.name={pod}")["items"]
    return {(event["reason"], event["message"]) for event in found}


def test_what_a_node_cannot_give_it_refuses_clearly(cluster, namespace, runtime_classes):
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    put(cluster, namespace, "users", hostUsers=False)
    put(cluster, namespace, "kind", runtimeClassName="missing")
    pages = {"requests": {"hugepages-2Mi": "2Mi", "memory": "1Mi"}, "limits": {"hugepages-2Mi": "2Mi", "memory": "1Mi"}}
    put(cluster, namespace, "pages", nodeName=node, container={"resources": pages})
    put(cluster, namespace, "strict", securityContext={"supplementalGroupsPolicy": "Strict"})
    words = "Failed to create pod sandbox: "
    for pod, message in (
        ("users", "can't set `spec.hostUsers: false`, runtime does not support user namespaces"),
        ("kind", 'failed to get sandbox runtime: no runtime for "no-such-runtime" is configured'),
    ):
        eventually(
            lambda pod=pod, message=message: ("FailedCreatePodSandBox", words + message) in events(cluster, namespace, pod),
            why=f"{message}; there is {events(cluster, namespace, pod)}",
        )  # fmt: skip
    assert ended(cluster, namespace, "pages")["reason"] == "OutOfhugepages-2Mi"
    assert ended(cluster, namespace, "strict")["reason"] == "SupplementalGroupsPolicyNotSupported"
    if not Path("/sys/module/apparmor/parameters/enabled").exists():
        put(cluster, namespace, "armour", securityContext={"appArmorProfile": {"type": "RuntimeDefault"}})
        assert ended(cluster, namespace, "armour")["reason"] == "AppArmor"


def test_a_critical_pod_takes_the_place_of_another(cluster, namespace):
    """Critical pods pass the scheduler by where they name their node, as static pods do."""
    node = cluster.get("nodes")["items"][0]
    room = int(float(node["status"]["allocatable"]["cpu"]) * 1000) - 300
    large = {"resources": {"requests": {"cpu": f"{room}m"}}}
    put(cluster, namespace, "usual", command=["sleep", "1000"], container=large, nodeName=node["metadata"]["name"])
    cluster.kubectl("-n", namespace, "wait", "pod", "usual", "--for=condition=Ready", "--timeout=60s")
    put(cluster, namespace, "vital", command=["sleep", "1000"], container=large, nodeName=node["metadata"]["name"],
        priorityClassName="system-node-critical")  # fmt: skip
    cluster.kubectl("-n", namespace, "wait", "pod", "vital", "--for=condition=Ready", "--timeout=60s")
    status = cluster.get("-n", namespace, "pod", "usual")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Preempting")


@pytest.mark.parametrize("version", VERSIONS)
def test_logs_and_debug_with_every_kubectl(cluster, namespace, version):
    program = str(KUBECTLS / f"kubectl.{version}")
    kubectl = ("-n", namespace)
    put(cluster, namespace, "talks", command=["sh", "-c", "for i in 1 2 3; do echo line $i; done; exec sleep 1000"])
    cluster.kubectl(*kubectl, "wait", "pod", "talks", "--for=condition=Ready", "--timeout=60s", program=program)
    last = ("logs", "talks", "--tail=2", "--timestamps")
    eventually(lambda: cluster.kubectl(*kubectl, *last, program=program).count("line") == 2, why="two lines")
    assert cluster.kubectl(*kubectl, "logs", "talks", "--limit-bytes=4", program=program) == "line"
    look = ("debug", "talks", f"--image={IMAGE}", "--image-pull-policy=Never", "--target=main", "--container=eye")
    cluster.kubectl(*kubectl, *look, "--", "ps", program=program)
    seen = lambda: cluster.kubectl(*kubectl, "logs", "talks", "-c", "eye", check=False, program=program)  # noqa: E731
    eventually(lambda: "sleep 1000" in seen(), why="the debugger's words")
