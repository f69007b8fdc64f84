"""Storage on a real cluster: claims that outlive their pods, files that follow their objects, mounts that propagate."""

import os
import signal
from pathlib import Path

from kubelet.volumes import mounts
from tests.e2e.conftest import eventually
from tests.e2e.test_pods import ended, put, said


def of_claim(name):
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


DATA = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def folders(cluster):
    return list((cluster.root / "nodes").glob("*/local-path/*"))


def test_data_outlives_its_pod_and_goes_with_its_claim(cluster, namespace):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    meta = {"name": "data", "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    context = {"securityContext": {"runAsUser": 1000, "fsGroup": 2000}}
    volumes = [of_claim("data")]
    said(cluster, namespace, "writer", "echo kept >/data/file", container=DATA, volumes=volumes, **context)
    cluster.kubectl("-n", namespace, "delete", "pod", "writer")
    output = said(
        cluster, namespace, "reader", "cat /data/file; stat -c %a:%g /data", container=DATA, volumes=volumes, **context
    )
    assert output.split() == ["kept", "2777:2000"]
    (folder,) = folders(cluster)
    cluster.kubectl("-n", namespace, "delete", "pvc", "data", "--wait=false")
    claim = cluster.get("-n", namespace, "pvc", "data")
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    cluster.kubectl("-n", namespace, "delete", "pod", "reader")
    eventually(lambda: not folder.exists(), why="the end of the folder")
    eventually(lambda: not cluster.get("pv")["items"], why="the end of the volume")


def test_files_follow_their_objects_and_a_subpath_does_not(cluster, namespace):
    kubectl = ("-n", namespace)
    cluster.kubectl(*kubectl, "create", "configmap", "cm", "--from-literal=a=one", "--from-literal=gone=x")
    volumes = [
        {"name": "cm", "configMap": {"name": "cm"}},
        {"name": "later", "secret": {"secretName": "later", "optional": True}},
        {
            "name": "both",
            "projected": {"sources": [{"configMap": {"name": "cm"}}, {"serviceAccountToken": {"path": "t"}}]},
        },
    ]
    wanted = [
        {"name": "cm", "mountPath": "/cm"},
        {"name": "cm", "mountPath": "/etc/passwd", "subPath": "a"},  # over a file that is there
        {"name": "later", "mountPath": "/later"},
        {"name": "both", "mountPath": "/both"},
    ]
    script = (
        "until grep -qs two /later/b && grep -q two /cm/a && grep -q two /both/a; do sleep 0.2; done;"
        "cat /etc/passwd; ls /cm /both"
    )
    put(
        cluster, namespace, "files",
        command=["sh", "-c", script],
        container={"volumeMounts": wanted},
        volumes=volumes,
    )  # fmt: skip
    eventually(lambda: cluster.get(*kubectl, "pod", "files")["status"]["phase"] == "Running")
    cluster.kubectl(*kubectl, "patch", "configmap", "cm", "-p", '{"data":{"a":"two","gone":null}}')
    cluster.kubectl(*kubectl, "create", "secret", "generic", "later", "--from-literal=b=two")
    assert ended(cluster, namespace, "files")["phase"] == "Succeeded"
    assert cluster.kubectl(*kubectl, "logs", "files").split() == ["one/both:", "a", "t", "/cm:", "a"]


def test_a_mount_on_the_node_reaches_the_container(cluster, namespace):
    mount = {"name": "disk", "mountPath": "/disk", "mountPropagation": "HostToContainer"}
    script = "until grep -q ' /disk/m ' /proc/mounts; do sleep 0.1; done; cat /disk/m/file"
    put(
        cluster, namespace, "slave",
        command=["sh", "-c", script],
        container={"volumeMounts": [mount]},
        volumes=[{"name": "disk", "emptyDir": {}}],
    )  # fmt: skip
    eventually(lambda: cluster.get("-n", namespace, "pod", "slave")["status"]["phase"] == "Running")
    uid = cluster.get("-n", namespace, "pod", "slave")["metadata"]["uid"]
    (disk,) = (cluster.root / "nodes").glob(f"*/pods/{uid}/volumes/kubernetes.io~empty-dir/disk")
    (disk / "m").mkdir()
    mounts.mount_tmpfs(disk / "m")
    (disk / "m" / "file").write_text("seen")
    assert ended(cluster, namespace, "slave")["phase"] == "Succeeded"
    assert cluster.kubectl("-n", namespace, "logs", "slave") == "seen"
    cluster.kubectl("-n", namespace, "delete", "pod", "slave")
    assert uid not in Path("/proc/self/mountinfo").read_text()


def test_a_mount_in_the_container_reaches_the_node_and_goes_with_the_pod(cluster, namespace):
    mount = {"name": "disk", "mountPath": "/disk", "mountPropagation": "Bidirectional"}
    script = "mkdir /disk/m && mount -t tmpfs none /disk/m && echo seen >/disk/m/file && sleep 1000"
    put(
        cluster, namespace, "shared",
        command=["sh", "-c", script],
        container={"volumeMounts": [mount], "securityContext": {"privileged": True}},
        volumes=[{"name": "disk", "emptyDir": {}}],
        terminationGracePeriodSeconds=1,
    )  # fmt: skip
    uid = cluster.get("-n", namespace, "pod", "shared")["metadata"]["uid"]
    where = f"*/pods/{uid}/volumes/kubernetes.io~empty-dir/disk/m/file"
    (file,) = eventually(lambda: list((cluster.root / "nodes").glob(where)), why="the mount")
    eventually(lambda: file.read_text() == "seen\n", why="what is written there")
    cluster.kubectl("-n", namespace, "delete", "pod", "shared")
    assert uid not in Path("/proc/self/mountinfo").read_text()


def test_a_kubelet_killed_amid_mounting_leaves_nothing_undone(cluster, namespace):
    volumes = [{"name": f"v{i}", "emptyDir": {"medium": "Memory"}} for i in range(12)]
    wanted = [{"name": v["name"], "mountPath": f"/{v['name']}", "subPath": "sub/path"} for v in volumes]
    script = "for v in /v[0-9]*; do touch $v/x || exit 1; done; ls -d /v[0-9]*/x | wc -l"
    put(cluster, namespace, "many", command=["sh", "-c", script],
        container={"volumeMounts": wanted}, volumes=volumes)  # fmt: skip
    uid = cluster.get("-n", namespace, "pod", "many")["metadata"]["uid"]
    folder = eventually(lambda: list((cluster.root / "nodes").glob(f"*/pods/{uid}")), why="the pod's folder")[0]
    os.kill(cluster.pid("kubelet"), signal.SIGKILL)
    assert ended(cluster, namespace, "many")["phase"] == "Succeeded"
    assert cluster.kubectl("-n", namespace, "logs", "many").strip() == "12"
    cluster.kubectl("-n", namespace, "delete", "pod", "many")
    eventually(lambda: not folder.exists(), why="the end of the pod's folder")
    assert uid not in Path("/proc/self/mountinfo").read_text()


def test_what_is_missing_is_told_and_then_found(cluster, namespace):
    put(cluster, namespace, "waits", command=["cat", "/data/a"], container=DATA,
        volumes=[{"name": "data", "configMap": {"name": "late", "items": [{"key": "a", "path": "a"}]}}])  # fmt: skip

    def told():
        events = cluster.get("-n", namespace, "events")["items"]
        return {event["message"] for event in events if event["reason"] == "FailedMount"}

    eventually(lambda: 'MountVolume.SetUp failed for volume "data" : configmap "late" not found' in told())
    cluster.kubectl("-n", namespace, "create", "configmap", "late", "--from-literal=b=x")
    words = 'MountVolume.SetUp failed for volume "data" : configmap references non-existent config key: a'
    eventually(lambda: words in told())
    cluster.kubectl("-n", namespace, "patch", "configmap", "late", "-p", '{"data":{"a":"here"}}')
    assert ended(cluster, namespace, "waits")["phase"] == "Succeeded"


def test_the_whole_node_can_be_looked_at(cluster, namespace):
    """Docker wants another propagation for folders over its own."""
    volumes = [{"name": "data", "hostPath": {"path": "/"}}]
    assert "etc" in said(cluster, namespace, "looks", "ls /data", container=DATA, volumes=volumes).split()
