"""Static pods, their mirrors, the node's end, and runtime classes."""

import asyncio

import pytest

from apimachinery.errors import ApiError
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Node, Pod
from apimachinery.objects.node_v1 import RuntimeClass
from kubelet.configuration import Configuration, Grace
from kubelet.mirrors import Mirrors, mirror_of
from kubelet.pods.admit import is_static
from kubelet.runtime_classes import runtime
from kubelet.shutdown import MESSAGE, Shutdown, graces, groups
from kubelet.static_pods import HASH, MIRROR, BadManifest, changes, is_mirror, manifest, read
from tests.cluster import virtual_time
from tests.cluster.virtual_time import advance

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\n"
GOOD = HEAD + "spec: {containers: [{name: main, image: i}]}\n"
NODE = view({"metadata": {"name": "n1", "uid": "node-uid"}}, Node)


def made(text=GOOD, file="/m/web.yaml"):
    return manifest(text, file=file, node="N1", seen=0.0)


def test_a_manifest_becomes_a_pod_of_this_node():
    pod = made()
    assert (pod.metadata.name, pod.metadata.namespace, pod.spec.node_name) == ("web-n1", "default", "N1")
    assert pod.metadata.annotations[HASH] == pod.metadata.uid
    assert is_static(pod)
    assert [(t.operator, t.effect) for t in pod.spec.tolerations] == [("Exists", "NoExecute")]
    assert made().metadata.uid == pod.metadata.uid
    assert made(GOOD.replace("image: i", "image: j")).metadata.uid != pod.metadata.uid


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "couldn't parse as pod"),
        ("kind: Service", "the file holds no Pod of v1"),
        ("apiVersion: v1\nkind: Pod", "name is needed for the pod"),
        (HEAD + "spec: {}", "spec.containers: Required value"),
        (HEAD + "spec: {containers: 3}", "invalid pod"),
        (HEAD + "spec: {containers: [{name: a}]}", "Required value"),
        (GOOD.replace("spec: {", "spec: {serviceAccountName: x, "), "may not reference serviceaccounts"),
        (
            GOOD.replace("spec: {", "spec: {volumes: [{name: v, secret: {secretName: s}}], "),
            "may not reference secrets",
        ),
        (
            GOOD.replace("image: i", "image: i, envFrom: [{configMapRef: {name: c}}]"),
            "may not reference configmaps or secrets",
        ),
    ],
)
def test_what_is_no_static_pod(text, problem):
    with pytest.raises(BadManifest, match=problem):
        made(text)


def test_a_folder_of_manifests(tmp_path):
    for name, text in (("a.yaml", GOOD), ("b.yaml", GOOD), (".hidden", GOOD), ("bad", "x: [")):
        (tmp_path / name).write_text(text)
    found = read(tmp_path, node="n1", now=1.0, known={})
    assert [pod.metadata.name for pod in found.values()] == ["web-n1"]  # of two of one name the first
    assert read(tmp_path, node="n1", now=2.0, known=found) == found
    assert read(tmp_path / "absent", node="n1", now=2.0, known={}) == {}


def test_a_change_of_the_folder_is_seen_once(tmp_path):
    seen = []

    async def look():
        async for _ in changes(tmp_path, every=1):
            seen.append(sorted(file.name for file in tmp_path.iterdir()))  # noqa: PERF401 - read while it grows

    async def story():
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(look())
            await advance(10)
            (tmp_path / "a").write_text("1")
            await advance(10)
            looking.cancel()

    virtual_time.run(story())
    assert seen == [[], ["a"]]


class Api:
    """Pods as Mirrors write them."""

    def __init__(self):
        self.created, self.gone, self.patched = [], [], []
        self.refuse = False

    async def create(self, _kind, body, *, namespace):
        if self.refuse:
            raise ApiError(500, "InternalError", "no")
        self.created.append((namespace, body))

    async def forget(self, pod):
        self.gone.append(pod.metadata.uid)

    async def patch_status(self, pod, body):
        self.patched.append((pod.metadata.uid, body))
        return view({"metadata": {"name": pod.metadata.name, "namespace": "default", "uid": pod.metadata.uid,
                                  "annotations": dict(pod.metadata.annotations), "resourceVersion": "9"},
                     "status": body["status"]}, Pod)  # fmt: skip


def mirror(pod, uid="m-uid", **more):
    tree = mirror_of(pod, NODE)
    return view({**tree, "metadata": {**tree["metadata"], "uid": uid, "resourceVersion": "5", **more}}, Pod)


@pytest.fixture
def kept():
    api = Api()
    mirrors = Mirrors(api, api, lambda: NODE)
    return api, mirrors


async def test_a_static_pod_gets_a_mirror_once(kept):
    api, mirrors = kept
    pod = made()
    mirrors.want({pod.metadata.uid: pod})
    await mirrors._reconcile()
    ((namespace, body),) = api.created
    assert (namespace, body["metadata"]["annotations"][MIRROR]) == ("default", pod.metadata.uid)
    assert body["metadata"]["ownerReferences"][0]["uid"] == "node-uid"
    assert mirrors.see(None, mirror(pod)) == pod.metadata.uid
    await mirrors._reconcile()
    assert (len(api.created), api.gone) == (1, [])


@pytest.mark.parametrize("change", ["deleted by hand", "of an older manifest", "its static pod is gone"])
async def test_a_mirror_that_is_wrong_goes(kept, change):
    api, mirrors = kept
    pod, older = made(), made(GOOD.replace("image: i", "image: old"))
    mirrors.want({} if change == "its static pod is gone" else {pod.metadata.uid: pod})
    deleting = {"deletionTimestamp": "2024-01-01T00:00:00Z"} if change == "deleted by hand" else {}
    mirrors.see(None, mirror(older if change == "of an older manifest" else pod, **deleting))
    await mirrors._reconcile()
    assert api.gone == ["m-uid"]
    assert len(api.created) == (1 if change == "of an older manifest" else 0)


@pytest.mark.parametrize("grace", [0, 30])
def test_one_that_was_deleted_stays_away_for_a_second(grace):
    """Whoever deleted it and looks for it in two questions must not find another one by the second."""
    api, pod = Api(), made()

    async def story():
        mirrors = Mirrors(api, api, lambda: NODE, asyncio.get_running_loop().time)
        mirrors.want({pod.metadata.uid: pod})
        first = mirror(pod)
        mirrors.see(None, first)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(mirrors.run())
            await advance(5)
            if grace:
                deleting = mirror(pod, deletionTimestamp="2024-01-01T00:00:00Z")
                mirrors.see(first, deleting)
                await advance(0)
                first = deleting
            mirrors.see(first, None)
            await advance(0.9)
            assert (api.gone, api.created) == (["m-uid"] if grace else [], [])
            await advance(0.2)
            assert len(api.created) == 1
            running.cancel()

    virtual_time.run(story())


async def test_a_static_pods_status_is_told_in_its_mirrors_name(kept):
    api, mirrors = kept
    pod = made()
    mirrors.want({pod.metadata.uid: pod})
    assert await mirrors.patch_status(pod, {"status": {}}) is None  # there is no mirror yet
    mirrors.see(None, mirror(pod))
    answer = await mirrors.patch_status(pod, {"metadata": {"uid": pod.metadata.uid}, "status": {"phase": "Running"}})
    assert api.patched == [("m-uid", {"metadata": {"uid": "m-uid"}, "status": {"phase": "Running"}})]
    assert (answer.metadata.uid, answer.status.phase) == (pod.metadata.uid, "Running")
    assert not is_mirror(answer)


async def test_an_answer_older_than_what_the_watch_told_is_not_believed(kept):
    """A status is being patched while somebody deletes the mirror: the answer, of before, comes last."""
    api, mirrors = kept
    pod = made()
    mirrors.want({pod.metadata.uid: pod})
    first = mirror(pod)
    mirrors.see(None, first)
    patch = api.patch_status

    async def late(target, body):
        answer = await patch(target, body)
        mirrors.see(first, mirror(pod, deletionTimestamp="2024-01-01T00:00:00Z", resourceVersion="10"))
        return answer

    api.patch_status = late
    await mirrors.patch_status(pod, {"status": {"phase": "Running"}})
    await mirrors._reconcile()
    assert api.gone == ["m-uid"]


def test_who_ends_when_the_node_does():
    def pod(name, priority):
        return view({"metadata": {"name": name, "uid": name}, "spec": {"priority": priority}}, Pod)

    wanted = graces(Configuration(shutdown_grace_period=30, shutdown_grace_period_critical_pods=10))
    assert wanted == [Grace(0, 20), Grace(2_000_000_000, 10)]
    found = groups([pod("vital", 2_000_001_000), pod("a", 0), pod("low", -5)], wanted)
    assert [(seconds, [p.metadata.name for p in pods]) for seconds, pods in found] == [
        (20, ["a", "low"]),
        (10, ["vital"]),
    ]
    assert graces(Configuration()) == []


async def test_the_node_ends_its_pods_in_order():
    def pod(name, priority):
        spec = {"priority": priority, "terminationGracePeriodSeconds": 5}
        return view({"metadata": {"name": name, "uid": name}, "spec": spec}, Pod)

    here, order, told = {"vital": pod("vital", 2_000_000_000), "a": pod("a", 0)}, [], []

    def evict(uid, verdict):
        order.append((uid, verdict.reason, verdict.grace))
        assert verdict.message == MESSAGE
        del here[uid]

    shutdown = Shutdown(
        graces=[Grace(0, 20), Grace(2_000_000_000, 3)], pods=lambda: here, evict=evict, changed=lambda: told.append(1)
    )
    shutdown.begun.set()
    await shutdown.run()
    assert (order, told) == ([("a", "Terminated", 5), ("vital", "Terminated", 3)], [1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", ""), ("fast", "runc"), ("plain", ""), ("odd", LookupError), ("absent", LookupError)],
)
def test_the_runtime_of_a_class(name, expected):
    classes = {n: view({"metadata": {"name": n}, "handler": h}, RuntimeClass) for n, h in
               (("fast", "runc"), ("plain", ""), ("odd", "kata"))}  # fmt: skip
    if expected is LookupError:
        with pytest.raises(LookupError):
            runtime(name, classes.get, ["runc"])
    else:
        assert runtime(name, classes.get, ["runc"]) == expected
