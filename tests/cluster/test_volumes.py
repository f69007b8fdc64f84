"""Claims and volumes on a whole cluster: binding, releasing, protection, ephemeral volumes, waiting for a first pod."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import (
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    STORAGECLASSES,
    VOLUMEATTACHMENTS,
)
from client.events import EventRecorder
from kubelet.volumes.provisioner import PROVISIONER, Provisioner
from tests.cluster.simulation import Cluster


def volume(name, size="1Gi", klass="", policy="Retain", node="", **spec):
    tree = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"name": name}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": klass,
            "hostPath": {"path": f"/srv/{name}"},
        }
        | spec,
    }
    if node:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        tree["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return tree


def claim(name, size="1Gi", klass="", **spec):
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "storageClassName": klass}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {n: v for n, v in (wanted | spec).items() if v is not None},
    }


def storage_class(name, provisioner=PROVISIONER, mode="WaitForFirstConsumer", **more):
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, **more.pop("metadata", {})},
        "provisioner": provisioner,
        "volumeBindingMode": mode,
    } | more


def pod(name, *volumes):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": list(volumes)},
    }


def of_claim(name):
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


async def phase(c, kind, name):
    found = await c.get(kind, name)
    return found and found["status"]["phase"]


async def bound(c, name):
    found = await c.get(PERSISTENTVOLUMECLAIMS, name)
    return found["status"]["phase"], found["spec"].get("volumeName", "")


async def at_once(function, *args):
    function(*args)


@asynccontextmanager
async def provisioners(c, root, *nodes):
    recorder = EventRecorder(c.client, PROVISIONER, clock=c.clock)
    tasks = [asyncio.create_task(recorder.run())]
    made = [Provisioner(c.client, recorder, node, root / node, aside=at_once) for node in nodes]
    tasks += [asyncio.create_task(each.run()) for each in made]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_claim_gets_the_smallest_volume_that_fits():
    async with Cluster() as c:
        await c.apply(volume("big", "5Gi"), volume("small", "500Mi"), volume("fit", "2Gi"), volume("other", klass="x"))
        await c.apply(claim("a"))
        await c.settle()
        assert await bound(c, "a") == ("Bound", "fit")
        got = await c.get(PERSISTENTVOLUMECLAIMS, "a")
        assert got["status"]["capacity"] == {"storage": "2Gi"}
        assert got["status"]["accessModes"] == ["ReadWriteOnce"]
        assert got["metadata"]["annotations"] == {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
        }
        held = await c.get(PERSISTENTVOLUMES, "fit")
        assert held["status"]["phase"] == "Bound"
        assert held["spec"]["claimRef"]["uid"] == got["metadata"]["uid"]
        assert await phase(c, PERSISTENTVOLUMES, "big") == "Available"


async def test_a_bound_claim_says_which_attributes_its_volume_has():
    """Once, at the binding: what changes them later says so itself. Quotas count by it."""
    async with Cluster() as c:
        csi = {"hostPath": None, "csi": {"driver": "d.example.com", "volumeHandle": "h"}}
        await c.apply(volume("v", volumeAttributesClassName="gold", **csi))
        await c.apply(claim("a", volumeAttributesClassName="gold"))
        await c.settle()
        assert await bound(c, "a") == ("Bound", "v")
        assert (await c.get(PERSISTENTVOLUMECLAIMS, "a"))["status"]["currentVolumeAttributesClassName"] == "gold"


async def test_two_claims_never_share_a_volume():
    async with Cluster() as c:
        await c.apply(*[claim(f"c{i}") for i in range(6)])
        await c.apply(*[volume(f"v{i}") for i in range(5)])
        await c.settle()
        found = [await bound(c, f"c{i}") for i in range(6)]
        assert sorted(found) == [("Bound", f"v{i}") for i in range(5)] + [("Pending", "")]
        assert await c.messages("FailedBinding")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"selector": {"matchLabels": {"name": "b"}}}, "b", id="selector"),
        pytest.param({"volumeName": "b"}, "b", id="by name"),
        pytest.param({"accessModes": ["ReadWriteMany"]}, "", id="access mode nobody has"),
        pytest.param({"volumeMode": "Block"}, "", id="volume mode nobody has"),
        pytest.param({"resources": {"requests": {"storage": "3Gi"}}}, "", id="too big"),
        pytest.param({"storageClassName": "x"}, "", id="class nobody has"),
    ],
)
async def test_what_a_claim_asks_for(spec, expected):
    async with Cluster() as c:
        await c.apply(volume("a"), volume("b"))
        await c.apply(claim("c", **spec))
        await c.settle()
        assert await bound(c, "c") == ("Bound" if expected else "Pending", expected)


async def test_a_volume_that_a_claim_names_must_fit():
    async with Cluster() as c:
        await c.apply(volume("a"))
        await c.apply(claim("c", "2Gi", volumeName="a"))
        await c.settle()
        assert await bound(c, "c") == ("Pending", "a")
        assert await c.messages("VolumeMismatch") == ['Cannot bind to requested volume "a": requested PV is too small']


async def test_a_reserved_volume_waits_for_its_claim():
    async with Cluster() as c:
        await c.apply(volume("a", claimRef={"namespace": "default", "name": "mine"}))
        await c.apply(claim("other"))
        await c.settle()
        assert await phase(c, PERSISTENTVOLUMES, "a") == "Available"
        await c.apply(claim("mine"))
        await c.settle()
        assert await bound(c, "mine") == ("Bound", "a")
        assert "bound-by-controller" not in str((await c.get(PERSISTENTVOLUMES, "a"))["metadata"].get("annotations"))


async def test_a_retained_volume_is_released_and_a_lost_one_is_told():
    async with Cluster() as c:
        await c.apply(volume("a"), claim("one"))
        await c.settle()
        await c.client.delete(PERSISTENTVOLUMECLAIMS, "default", "one")
        await c.settle()
        assert await c.get(PERSISTENTVOLUMECLAIMS, "one") is None
        assert await phase(c, PERSISTENTVOLUMES, "a") == "Released"
        await c.apply(volume("b"), claim("two"))
        await c.settle()
        body = {"metadata": {"finalizers": None}}
        await c.client.delete(PERSISTENTVOLUMES, "", "b")
        await c.client.patch(PERSISTENTVOLUMES, "", "b", body)
        await c.settle()
        assert await bound(c, "two") == ("Lost", "b")
        assert len(await c.messages("ClaimLost")) == 1


async def test_nobody_deletes_a_host_path():
    async with Cluster() as c:
        await c.apply(volume("a", policy="Delete"), claim("one"))
        await c.settle()
        await c.client.delete(PERSISTENTVOLUMECLAIMS, "default", "one")
        await c.settle()
        found = await c.get(PERSISTENTVOLUMES, "a")
        assert found["status"]["phase"] == "Failed"
        assert "host_path deleter only supports /tmp/.+ but received provided /srv/a" in found["status"]["message"]


async def test_what_is_in_use_is_protected():
    async with Cluster() as c:
        await c.apply(volume("a"), claim("one"))
        await c.apply(pod("user", of_claim("one")))
        await c.settle()
        assert await phase(c, PODS, "user") == "Running"
        await c.client.delete(PERSISTENTVOLUMECLAIMS, "default", "one")
        await c.client.delete(PERSISTENTVOLUMES, "", "a")
        await c.settle()
        assert (await c.get(PERSISTENTVOLUMECLAIMS, "one"))["metadata"]["finalizers"] == [
            "kubernetes.io/pvc-protection"
        ]
        assert await c.get(PERSISTENTVOLUMES, "a") is not None
        await c.client.delete(PODS, "default", "user")
        await c.settle()
        assert await c.get(PERSISTENTVOLUMECLAIMS, "one") is None
        assert await c.get(PERSISTENTVOLUMES, "a") is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, '0/3 nodes are available: persistentvolumeclaim "c" not found. not found'),
        (
            {"storageClassName": ""},
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
        ),
    ],
)
async def test_a_pod_waits_for_its_claim(spec, message):
    async with Cluster() as c:
        if spec:
            await c.apply(claim("c", **spec))
        await c.apply(pod("p", of_claim("c")))
        await c.settle()
        assert message in await c.messages("FailedScheduling")
        (waiting,) = (await c.get(PODS, "p"))["status"]["conditions"]
        assert (waiting["type"], waiting["observedGeneration"]) == ("PodScheduled", 1)
        await c.apply(volume("v"), claim("c"))
        await c.settle()
        await c.advance(15)
        await c.settle()
        assert await phase(c, PODS, "p") == "Running"


async def test_a_pod_goes_where_its_volume_is():
    async with Cluster() as c:
        await c.apply(volume("v", node="node-1"), claim("c"))
        await c.apply(*[pod(f"p{i}", of_claim("c")) for i in range(4)])
        await c.settle()
        assert {p["spec"]["nodeName"] for p in await c.items(PODS)} == {"node-1"}


async def test_a_claim_that_waits_is_bound_where_its_first_pod_goes():
    async with Cluster() as c:
        await c.apply(storage_class("local", "kubernetes.io/no-provisioner"))
        await c.apply(*[volume(f"v{i}", klass="local", node=f"node-{i}") for i in (1, 2)], claim("c", klass="local"))
        await c.settle()
        assert await bound(c, "c") == ("Pending", "")
        assert "waiting for first consumer to be created before binding" in await c.messages("WaitForFirstConsumer")
        await c.apply(*[pod(f"p{i}", of_claim("c")) for i in range(3)])
        await c.settle()
        await c.advance(15)
        await c.settle()
        _, chosen = await bound(c, "c")
        assert {p["spec"]["nodeName"] for p in await c.items(PODS)} == {f"node-{chosen[1:]}"}


async def test_a_folder_is_made_and_removed_on_the_node_of_the_pod(tmp_path):
    async with Cluster() as c, provisioners(c, tmp_path, "node-0", "node-1", "node-2"):
        is_default = {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
        await c.apply(storage_class("standard", allowVolumeExpansion=True, **is_default))
        await c.apply(claim("c", klass=None), pod("p", of_claim("c")))
        await c.settle()
        place = (await c.get(PODS, "p"))["spec"]["nodeName"]
        (folder,) = (tmp_path / place).iterdir()
        found = await c.get(PERSISTENTVOLUMECLAIMS, "c")
        assert found["spec"]["storageClassName"] == "standard"
        assert folder.name == f"pvc-{found['metadata']['uid']}_default_c"
        assert found["status"] == {
            "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}
        }  # fmt: skip
        await c.client.patch(
            PERSISTENTVOLUMECLAIMS, "default", "c", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        )
        await c.settle()
        assert (await c.get(PERSISTENTVOLUMECLAIMS, "c"))["status"]["capacity"] == {"storage": "2Gi"}
        await c.client.delete(PODS, "default", "p")
        await c.client.delete(PERSISTENTVOLUMECLAIMS, "default", "c")
        await c.settle()
        assert await c.items(PERSISTENTVOLUMES, "") == []
        assert not folder.exists()


async def test_a_controller_that_dies_amid_a_binding_goes_on_after_it():
    async with Cluster() as c:
        await c.apply(*[claim(f"c{i}") for i in range(5)])
        await c.settle()
        for i in range(5):
            await c.apply(volume(f"v{i}"))
            for _ in range(3 * i):  # each time it dies some steps further into a binding
                await asyncio.sleep(0)
            await c.restart_controllers()
        await c.settle()
        assert sorted([await bound(c, f"c{i}") for i in range(5)]) == [("Bound", f"v{i}") for i in range(5)]


async def test_an_ephemeral_volume_lives_as_long_as_its_pod():
    async with Cluster() as c:
        await c.apply(volume("v"))
        template = {"metadata": {"labels": {"a": "b"}}, "spec": claim("x")["spec"]}
        await c.apply(pod("p", {"name": "data", "ephemeral": {"volumeClaimTemplate": template}}))
        await c.settle()
        assert await phase(c, PODS, "p") == "Running"
        found = await c.get(PERSISTENTVOLUMECLAIMS, "p-data")
        assert found["metadata"]["labels"] == {"a": "b"}
        assert found["metadata"]["ownerReferences"][0]["kind"] == "Pod"
        await c.client.delete(PODS, "default", "p")
        await c.settle()
        assert await c.get(PERSISTENTVOLUMECLAIMS, "p-data") is None


async def test_a_claim_of_another_is_not_taken_for_an_ephemeral_volume():
    async with Cluster() as c:
        await c.apply(claim("p-data"), volume("v"))
        await c.apply(pod("p", {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": claim("x")["spec"]}}}))
        await c.settle()
        await c.advance(15)
        why = "PVC default/p-data was not created for pod default/p (pod is not owner)"
        assert f"ephemeral volume data: {why}" in await c.messages("FailedBinding")
        assert await phase(c, PODS, "p") == "Pending"


async def test_csi_volumes_are_attached_and_detached():
    async with Cluster() as c:
        source = {"driver": "d.example.com", "volumeHandle": "h"}
        tree = volume("v", csi=source)
        del tree["spec"]["hostPath"]
        await c.apply(tree, claim("c"))
        await c.settle()
        await c.apply(pod("p", of_claim("c")))
        await c.settle()
        (found,) = await c.items(VOLUMEATTACHMENTS, "")
        place = (await c.get(PODS, "p"))["spec"]["nodeName"]
        assert found["spec"] == {
            "attacher": "d.example.com", "nodeName": place, "source": {"persistentVolumeName": "v"}
        }  # fmt: skip
        name = found["metadata"]["name"]
        await c.client.patch(VOLUMEATTACHMENTS, "", name, {"status": {"attached": True}}, subresource="status")
        await c.settle()
        status = (await c.get(NODES, place))["status"]
        assert status["volumesAttached"] == [{"name": "kubernetes.io/csi/d.example.com^h", "devicePath": ""}]
        await c.client.delete(PODS, "default", "p")
        await c.settle()
        assert await c.items(VOLUMEATTACHMENTS, "") == []
        assert "volumesAttached" not in (await c.get(NODES, place))["status"]


async def test_a_claim_may_not_shrink_or_grow_unasked():
    async with Cluster() as c:
        await c.apply(volume("v"), claim("c"))
        await c.settle()
        body = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        with pytest.raises(ApiError, match="only dynamically provisioned pvc can be resized"):
            await c.client.patch(PERSISTENTVOLUMECLAIMS, "default", "c", body)
        assert await c.items(STORAGECLASSES, "") == []


async def test_what_others_write_into_a_status_stays():
    async with Cluster() as c:
        await c.apply(volume("v"), claim("c"))
        await c.settle()
        condition = {"type": "StatusPatched", "status": "True", "reason": "r", "message": "m"}
        await c.client.patch(
            PERSISTENTVOLUMECLAIMS, "default", "c", {"status": {"conditions": [condition]}}, subresource="status"
        )
        words = {"message": "StatusPatched", "reason": "E2E"}
        await c.client.patch(PERSISTENTVOLUMES, "", "v", {"status": words}, subresource="status")
        await c.settle()
        status = (await c.get(PERSISTENTVOLUMES, "v"))["status"]
        assert words.items() <= status.items()
        assert status["phase"] == "Bound"
        assert status["lastPhaseTransitionTime"]
        assert [each["type"] for each in (await c.get(PERSISTENTVOLUMECLAIMS, "c"))["status"]["conditions"]] == [
            "StatusPatched"
        ]


async def test_a_claim_for_one_pod_alone():
    async with Cluster() as c:
        await c.apply(volume("v", accessModes=["ReadWriteOncePod"]), claim("c", accessModes=["ReadWriteOncePod"]))
        await c.settle()
        await c.apply(pod("first", of_claim("c")), pod("second", of_claim("c")))
        await c.settle()
        phases = sorted([await phase(c, PODS, name) for name in ("first", "second")])
        assert phases == ["Pending", "Running"]
        words = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
        [told] = await c.messages("FailedScheduling")
        assert told.startswith(f"0/3 nodes are available: 3 {words}. no new claims to deallocate, preemption: ")
        (running,) = [p["metadata"]["name"] for p in await c.items(PODS) if p["status"]["phase"] == "Running"]
        await c.client.delete(PODS, "default", running)
        await c.settle()
        await c.advance(15)
        await c.settle()
        assert [p["status"]["phase"] for p in await c.items(PODS)] == ["Running"]


async def test_a_node_takes_no_more_volumes_than_its_driver_says():
    source = {"hostPath": None, "csi": {"driver": "csi.example.com", "volumeHandle": "handle"}}
    driver = {"name": "csi.example.com", "nodeID": "n", "allocatable": {"count": 1}}
    limit = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "node-0"}}
    async with Cluster(nodes=1) as c:
        await c.apply({**limit, "spec": {"drivers": [driver]}})
        for name in ("a", "b"):
            csi = {**source["csi"], "volumeHandle": name}
            await c.apply(volume(name, **{**source, "csi": csi}), claim(name, volumeName=name))
        await c.settle()
        await c.apply(pod("one", of_claim("a")), pod("again", of_claim("a")))
        await c.settle()
        await c.apply(pod("two", of_claim("b")))
        await c.settle()
        assert [await phase(c, PODS, name) for name in ("one", "again", "two")] == ["Running", "Running", "Pending"]
        [told] = await c.messages("FailedScheduling")
        assert told.startswith("0/1 nodes are available: 1 node(s) exceed max volume count.")
        for name in ("one", "again"):
            await c.client.delete(PODS, "default", name)
        await c.settle()
        assert await phase(c, PODS, "two") == "Running"
