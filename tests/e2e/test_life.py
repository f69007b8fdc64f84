"""The rest of what a pod can ask for, on real containers: whatever goes together is asked for in one go."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tests.contract.csi_driver import CsiDriver
from tests.e2e.conftest import eventually
from tests.e2e.test_features import events
from tests.e2e.test_pods import IMAGE, ended, output, put, said

SLEEP = ["sleep", "1000"]
AT_V = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


def container(name, *command, **more):
    return {"name": name, "image": IMAGE, "command": list(command) or SLEEP, **more}


def status_of(cluster, namespace, pod):
    return cluster.get("-n", namespace, "pod", pod)["status"]


def of_containers(status, name="containerStatuses"):
    return {row["name"]: row for row in status.get(name, ())}


def waits_ready(cluster, namespace, *names, seconds=60):
    cluster.kubectl("-n", namespace, "wait", "pod", *names, "--for=condition=Ready", f"--timeout={seconds}s")


def test_what_a_container_says_as_it_ends(cluster, namespace):
    others = [
        container("logs", "sh", "-c", "echo the last words; exit 4", terminationMessagePolicy="FallbackToLogsOnError"),
        container("own", "sh", "-c", "echo elsewhere >/tmp/said", terminationMessagePath="/tmp/said"),
    ]
    script = "echo here >/dev/termination-log; exit 3"
    put(cluster, namespace, "ends", containers=[container("file", "sh", "-c", script), *others])
    status = ended(cluster, namespace, "ends")
    found = {name: row["state"]["terminated"] for name, row in of_containers(status).items()}
    told = {name: (row["exitCode"], row["reason"], row["message"]) for name, row in found.items()}
    assert told == {
        "file": (3, "Error", "here\n"),
        "logs": (4, "Error", "the last words\n"),
        "own": (0, "Completed", "elsewhere\n"),
    }
    assert status["observedGeneration"] == 1


def test_hooks_and_gates(cluster, namespace):
    """postStart before the container counts as started, preStop by HTTP and by sleep, readiness as somebody else says."""
    page = {"httpGet": {"path": "/hook", "port": 8080}}
    web = container("web", "serve", "-vv", "-h", "/www", lifecycle={"preStop": page})
    hook = {"exec": {"command": ["sh", "-c", "sleep 1; touch /tmp/started"]}}
    main = container("main", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    main["lifecycle"] = {"postStart": hook, "preStop": {"sleep": {"seconds": 4}}}
    gate = {"readinessGates": [{"conditionType": "example.com/open"}], "terminationGracePeriodSeconds": 70}
    put(cluster, namespace, "gated", containers=[main, web], **gate)
    kubectl = ("-n", namespace)
    cluster.kubectl(*kubectl, "wait", "pod", "gated", "--for=condition=ContainersReady", "--timeout=60s")
    assert cluster.kubectl(*kubectl, "exec", "gated", "-c", "main", "--", "ls", "/tmp/started")
    rows = {row["type"]: row for row in status_of(cluster, namespace, "gated")["conditions"]}
    assert (rows["Ready"]["status"], rows["Ready"]["reason"]) == ("False", "ReadinessGatesNotReady")
    opened = {"status": {"conditions": [{"type": "example.com/open", "status": "True"}]}}
    cluster.kubectl(*kubectl, "patch", "pod", "gated", "--subresource=status", "-p", json.dumps(opened))
    waits_ready(cluster, namespace, "gated")
    log = (cluster.kubectl_program, *kubectl, "logs", "gated", "-c", "web", "--follow")
    following = subprocess.Popen(log, env=cluster.environment, stdout=subprocess.PIPE, text=True)
    cluster.kubectl(*kubectl, "exec", "gated", "-c", "web", "--", "wget", "-qO-", "http://127.0.0.1:8080/")
    assert following.stdout.readline(), "it follows, before there is anything to miss"
    cluster.kubectl(*kubectl, "delete", "pod", "gated", "--wait=false")
    before = cluster.get(*kubectl, "pod", "gated")
    assert (before["metadata"]["generation"], before["metadata"]["deletionGracePeriodSeconds"]) == (2, 70)
    cluster.kubectl(*kubectl, "wait", "pod", "gated", "--for=delete", "--timeout=60s")
    assert "url:/hook" in following.communicate(timeout=60)[0]


@contextmanager
def health_server():
    """A gRPC server that says SERVING; its port."""

    def check(request, _):
        return b"\x08\x01" if request in (b"", b"\x0a\x01x") else b"\x08\x02"

    server = grpc.server(ThreadPoolExecutor(2))
    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)])
    port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    yield port
    server.stop(None)


def test_every_kind_of_probe(cluster, namespace):
    """Startup by TCP, readiness by HTTP and gRPC; one whose liveness fails ends as the probe says, not as the pod does."""
    web = container("web", "serve", "-h", "/www")
    web["startupProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 30}
    web["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080, "httpHeaders": [{"name": "Host", "value": "x"}]}}
    never = container("never", readinessProbe={"tcpSocket": {"port": 9}, "periodSeconds": 1})
    stubborn = container("stubborn", "sh", "-c", "trap '' TERM; echo began; while :; do sleep 0.1; done")
    stubborn["livenessProbe"] = {
        "exec": {"command": ["test", "!", "-e", "/tmp/dead"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1,
    }
    put(cluster, namespace, "probed", containers=[web, never])
    put(cluster, namespace, "stubborn", containers=[stubborn], restartPolicy="Always", terminationGracePeriodSeconds=60)
    with health_server() as port:
        grpcs = {"readinessProbe": {"grpc": {"port": port, "service": "x"}, "periodSeconds": 1}}
        other = {"readinessProbe": {"grpc": {"port": port, "service": "y"}, "periodSeconds": 1}}
        put(cluster, namespace, "grpc", containers=[container("x", **grpcs), container("y", **other)], hostNetwork=True)
        waits_ready(cluster, namespace, "stubborn")
        cluster.kubectl("-n", namespace, "exec", "stubborn", "--", "touch", "/tmp/dead")

        def readiness(pod):
            return {
                name: (row["started"], row["ready"])
                for name, row in of_containers(status_of(cluster, namespace, pod)).items()
            }

        eventually(lambda: readiness("grpc") == {"x": (True, True), "y": (True, False)}, why="what gRPC says")
        eventually(lambda: readiness("probed") == {"web": (True, True), "never": (True, False)}, why="what TCP says")
        words = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
        eventually(lambda: ("Unhealthy", words) in events(cluster, namespace, "grpc"), why=words)
    count = lambda: of_containers(status_of(cluster, namespace, "stubborn"))["stubborn"]["restartCount"]  # noqa: E731
    eventually(lambda: count() == 1, seconds=55, why="a restart after a second of grace")
    old = cluster.pid("kubelet")
    os.kill(old, signal.SIGKILL)
    eventually(lambda: cluster.pid("kubelet") != old, why="another kubelet")
    waits_ready(cluster, namespace, "stubborn")
    assert count() == 1
    previous = ("-n", namespace, "logs", "stubborn", "--previous")
    eventually(lambda: cluster.kubectl(*previous, check=False) == "began\n", why="the log of the one before")
    cluster.kubectl("-n", namespace, "delete", "pod", "stubborn", "--grace-period=1")


def test_images_that_cannot_be_had(cluster, namespace):
    wanted = {"bad": "Not:A:Name", "never": "pykube/no-such-image:1", "refused": "127.0.0.1:9/none:1"}
    policies = {"never": {"imagePullPolicy": "Never"}}
    rows = [container(name, **policies.get(name, {})) | {"image": image} for name, image in wanted.items()]
    put(cluster, namespace, "none", containers=rows)

    def reasons():
        rows = of_containers(status_of(cluster, namespace, "none"))
        return {name: row["state"].get("waiting", {}).get("reason") for name, row in rows.items()}

    expected = {"bad": "InvalidImageName", "never": "ErrImageNeverPull", "refused": "ImagePullBackOff"}
    eventually(lambda: reasons() == expected, why=f"{expected}")
    cluster.kubectl("-n", namespace, "delete", "pod", "none", "--timeout=60s")


def test_an_image_is_loaded_from_an_archive(cluster, namespace, tmp_path):
    name, archive = f"example.test/loaded:{uuid.uuid4().hex[:8]}", tmp_path / "image.tar"
    output("docker", "tag", IMAGE, name)
    output("docker", "save", name, "-o", str(archive))
    output("docker", "rmi", name)
    try:
        told = cluster.pykubeadm("image", "load", str(archive), f"--name={cluster.name}").stdout
        assert told == f"loaded {name}\n"
        main = {"image": name, "imagePullPolicy": "Never"}
        assert said(cluster, namespace, "loaded", "echo runs", container=main) == "runs\n"
        cluster.kubectl("-n", namespace, "delete", "pod", "loaded")
    finally:
        output("docker", "rmi", name)


def test_attach(cluster, namespace):
    put(cluster, namespace, "listens", container={"stdin": True, "stdinOnce": True}, command=["tr", "a-z", "A-Z"])
    waits_ready(cluster, namespace, "listens")
    assert "HELLO" in cluster.kubectl("-n", namespace, "attach", "-i", "listens", stdin="hello\n")
    assert ended(cluster, namespace, "listens")["phase"] == "Succeeded"


def test_what_containers_may_see_and_do(cluster, namespace):
    """procMount, seccomp profiles of the node's own, privilege; and QoS classes in the cgroups' names."""
    folder = next((cluster.root / "nodes").glob("*")) / "seccomp"
    folder.mkdir(exist_ok=True)
    forbidden = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
    (folder / "no-mkdir.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": forbidden}))
    masks = "grep -c -E ' /proc/(kcore|timer_list|acpi|keys) ' /proc/mounts; cat /proc/self/cgroup"
    guaranteed = {"resources": {"limits": {"cpu": "50m", "memory": "32Mi"}}}
    local = {"seccompProfile": {"type": "Localhost", "localhostProfile": "no-mkdir.json"}}
    everything = {"securityContext": {"privileged": True}}
    put(cluster, namespace, "usual", command=["sh", "-c", masks], container=guaranteed)
    put(cluster, namespace, "all", command=["sh", "-c", masks], container=everything)
    put(
        cluster,
        namespace,
        "profile",
        command=["sh", "-c", "mkdir /x 2>&1; id -u"],
        container={"securityContext": local},
    )
    told = {}
    for name in ("usual", "all", "profile"):
        status = ended(cluster, namespace, name)
        told[name] = (status["qosClass"], cluster.kubectl("-n", namespace, "logs", name).splitlines())
    assert int(told["usual"][1][0]) >= 2, "masked"
    assert told["all"][1][0] == "0", "nothing is masked from the privileged"
    assert told["profile"] == ("BestEffort", ["mkdir: can't create directory '/x': Function not implemented", "0"])
    assert (told["usual"][0], told["all"][0]) == ("Guaranteed", "BestEffort")


def test_an_unmasked_proc_needs_users_of_its_own_which_this_node_cannot_give(cluster, namespace):
    unmasked = container("main", securityContext={"procMount": "Unmasked"})
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open", "namespace": namespace}}
    text = json.dumps(body | {"spec": {"containers": [unmasked]}})
    words = 'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`'
    assert words in cluster.refused("create", "-f", "-", stdin=text)
    put(cluster, namespace, "open", containers=[unmasked], hostUsers=False)
    words = "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces"
    eventually(lambda: ("FailedCreatePodSandBox", words) in events(cluster, namespace, "open"), why=words)
    assert "state" not in of_containers(status_of(cluster, namespace, "open"))["main"] or not output(
        "docker", "ps", "-aq", "--filter", f"label=io.kubernetes.pod.namespace={namespace}"
    )


def test_paths_of_the_host(cluster, namespace, tmp_path):
    """Every type of hostPath that can be had in one pod; one that is not what it should be in another."""
    (tmp_path / "file").write_text("from the host\n")
    (tmp_path / "folder").mkdir()
    kinds = {
        "any": ("", str(tmp_path)),
        "folder": ("Directory", f"{tmp_path}/folder"),
        "made": ("DirectoryOrCreate", f"{tmp_path}/made/deep"),
        "file": ("File", f"{tmp_path}/file"),
        "touched": ("FileOrCreate", f"{tmp_path}/touched"),
        "socket": ("Socket", "/var/run/docker.sock"),
        "null": ("CharDevice", "/dev/null"),
    }
    volumes = [{"name": name, "hostPath": {"type": kind, "path": path}} for name, (kind, path) in kinds.items()]
    mounts = {"volumeMounts": [{"name": name, "mountPath": f"/host/{name}"} for name in kinds]}
    wrong = [{"name": "v", "hostPath": {"type": "Socket", "path": f"{tmp_path}/file"}}]
    put(cluster, namespace, "wrong", container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=wrong)
    script = "cat /host/file; stat -c '%n %F %a' /host/*"
    told = said(cluster, namespace, "right", script, container=mounts, volumes=volumes).splitlines()
    assert told[0] == "from the host"
    assert {"/host/made directory 755", "/host/touched regular empty file 644"} <= set(told)
    assert "/host/socket socket" in " ".join(told)
    assert "/host/null character special file" in " ".join(told)
    words = (
        f'MountVolume.SetUp failed for volume "v" : hostPath type check failed: {tmp_path}/file is not a socket file'
    )
    eventually(lambda: ("FailedMount", words) in events(cluster, namespace, "wrong"), why=words)


def test_volumes_of_several_sources(cluster, namespace, tmp_path):
    """A projected volume of all there is, and a claim on a volume that the administrator made of a folder."""
    kubectl = ("-n", namespace)
    cluster.kubectl(*kubectl, "create", "configmap", "cm", "--from-literal=a=map")
    cluster.kubectl(*kubectl, "create", "secret", "generic", "s", "--from-literal=b=secret")
    (tmp_path / "kept").write_text("of the folder\n")
    volume = f"by-hand-{namespace}"
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(tmp_path)}}
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec | {"storageClassName": "", "persistentVolumeReclaimPolicy": "Retain"}})  # fmt: skip
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "", "volumeName": volume}  # fmt: skip
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": namespace}, "spec": claim})  # fmt: skip
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "in/map", "mode": 0o400}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
    ]
    volumes = [
        {"name": "all", "projected": {"defaultMode": 0o444, "sources": sources}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
    ]
    mounts = {"volumeMounts": [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes]}
    script = "cat /claim/kept; cd /all; cat in/map b name; echo; stat -Lc %a in/map b; cut -d. -f2 token"
    told = said(cluster, namespace, "p", script, container=mounts, volumes=volumes).splitlines()
    assert told[:-1] == ["of the folder", "mapsecretp", "400", "444"]
    payload = json.loads(base64_url(told[-1]))
    assert (payload["aud"], payload["exp"] - payload["iat"]) == (["vault"], 600)
    assert payload["kubernetes.io"]["pod"]["name"] == "p"
    cluster.kubectl(*kubectl, "delete", "pod", "p")
    cluster.kubectl(*kubectl, "delete", "pvc", "c")
    cluster.kubectl("delete", "pv", volume)
    assert (tmp_path / "kept").exists()


def base64_url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def driver(cluster, tmp_path):
    """A storage driver that has registered with the node's kubelet."""
    name = f"{uuid.uuid4().hex[:6]}.test"  # short: a socket's path may have 107 characters
    registry = next((cluster.root / "nodes").glob("*")) / "plugins_registry"
    one, loop = CsiDriver(name, registry, tmp_path), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(one.__aenter__(), loop).result()
    spec = {
        "attachRequired": False,
        "podInfoOnMount": True,
        "fsGroupPolicy": "File",
        "volumeLifecycleModes": ["Ephemeral", "Persistent"],
    }
    cluster.apply({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": name}, "spec": spec})
    yield one
    cluster.kubectl("delete", "csidriver", name)
    asyncio.run_coroutine_threadsafe(one.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def is_registered(cluster, driver):
    names = lambda: [row["name"] for row in cluster.get("csinodes")["items"][0]["spec"]["drivers"] or ()]  # noqa: E731
    eventually(lambda: driver.name in names(), why="the driver's registration")


def test_a_volume_of_a_storage_driver(cluster, namespace, driver):
    is_registered(cluster, driver)
    volumes = [{"name": "v", "csi": {"driver": driver.name, "volumeAttributes": {"size": "1"}}}]
    told = said(cluster, namespace, "csi", "echo data >/v/x; cat /v/x; grep -c ' /v ' /proc/mounts", container=AT_V, volumes=volumes)  # fmt: skip
    assert told.split() == ["data", "1"]
    cluster.kubectl("-n", namespace, "delete", "pod", "csi")
    eventually(lambda: not driver.published, why="the volume given back")


@pytest.fixture
def claimed(cluster, namespace, driver):
    """A claim that is bound to a volume of the driver's, by a StorageClass; the volume's name."""
    is_registered(cluster, driver)
    volume, storage, one_by_one = f"csi-{namespace}"[:60], {"storage": "1Gi"}, {"accessModes": ["ReadWriteOnce"]}
    by_hand = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": volume}}
    cluster.apply(by_hand | {"provisioner": driver.name, "volumeBindingMode": "WaitForFirstConsumer"})
    source = {"driver": driver.name, "volumeHandle": "disk-1", "fsType": "ext4", "volumeAttributes": {"of": "hand"}}
    spec = one_by_one | {"storageClassName": volume, "persistentVolumeReclaimPolicy": "Retain"}
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec | {"capacity": storage, "csi": source}})  # fmt: skip
    claim = one_by_one | {"storageClassName": volume, "resources": {"requests": storage}}
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": namespace}, "spec": claim})  # fmt: skip
    yield volume
    cluster.kubectl("-n", namespace, "delete", "pod", "--all")
    cluster.kubectl("-n", namespace, "delete", "pvc", "c")
    cluster.kubectl("delete", f"pv/{volume}", f"sc/{volume}")


def test_a_claim_on_a_volume_of_a_storage_driver(cluster, namespace, driver, claimed, tmp_path):
    """Staged, published, given back; and whose group its files get: all at first, then none whose root has it already."""
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    stranger, script = tmp_path / "disk-1" / "stranger", "echo $0 >>/v/x; cat /v/x; stat -c %g /v /v/stranger"

    def told(pod, policy):
        context = {"fsGroup": 2000, "fsGroupChangePolicy": policy}
        said_there = said(cluster, namespace, pod, script, container=AT_V, volumes=volumes, securityContext=context)
        cluster.kubectl("-n", namespace, "delete", "pod", pod)
        eventually(lambda: not driver.published and not driver.staged, why="the volume given back")
        assert claimed not in Path("/proc/self/mountinfo").read_text()
        return said_there.split()

    stranger.parent.mkdir()
    stranger.touch()
    assert told("first", "OnRootMismatch") == ["sh", "2000", "2000"]
    os.chown(stranger, 0, 77)
    assert told("second", "OnRootMismatch") == ["sh", "sh", "2000", "77"]
    assert told("third", "Always") == ["sh", "sh", "sh", "2000", "2000"]
    assert driver.names()[:4] == ["NodeStageVolume", "NodePublishVolume", "NodeUnpublishVolume", "NodeUnstageVolume"]
    published = driver.asked("NodePublishVolume")[0]
    assert (published.volume_id, published.volume_context["of"]) == ("disk-1", "hand")
    assert published.volume_context["csi.storage.k8s.io/pod.name"] == "first"
    assert cluster.get("-n", namespace, "pvc", "c")["spec"]["volumeName"] == claimed


def test_what_a_node_says_of_its_pods_use(cluster, namespace):
    put(cluster, namespace, "busy", command=["sh", "-c", "while :; do :; done"], container={"resources": {"limits": {"cpu": "100m"}}})  # fmt: skip
    waits_ready(cluster, namespace, "busy")
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    raw = lambda path: cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/{path}")  # noqa: E731

    def measured():
        pods = json.loads(raw("stats/summary"))["pods"]
        (mine,) = [pod for pod in pods if pod["podRef"]["namespace"] == namespace] or [{}]
        return (
            mine
            if mine.get("cpu", {}).get("usageNanoCores") and mine.get("network", {}).get("rxBytes") is not None
            else None
        )

    found = eventually(measured, why="the pod's use")
    assert found["memory"]["workingSetBytes"] > 0
    assert [row["name"] for row in found["containers"]] == ["main"]
    label = f'namespace="{namespace}",pod="busy"'
    for path, name in (
        ("metrics/cadvisor", "container_cpu_usage_seconds_total"),
        ("metrics/resource", "pod_cpu_usage_seconds_total"),
        ("metrics", "kubelet_running_pods"),
    ):
        lines = [line for line in raw(path).splitlines() if line.startswith(name)]
        assert [line for line in lines if label in line or path == "metrics"], (path, lines[:3])
