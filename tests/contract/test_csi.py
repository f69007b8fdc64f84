"""Storage drivers through the real protocol: registration, staging, publishing, growing, giving back, and bad moments."""

import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from apimachinery.objects.storage_v1 import CSIDriver, VolumeAttachment
from kubelet.csi.messages import MOUNT_GROUP, STAGE
from kubelet.csi.registry import Registry
from kubelet.csi.volumes import CsiVolumes, attachment_name
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.protocol import MountProblem, VolumeUse
from tests.contract.csi_driver import CsiDriver

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
NAME = "d.example.com"


@dataclass
class Api:
    """`CsiApi` by hand, and the claims."""

    drivers: list = field(default_factory=list)
    described: list = field(default_factory=list)
    in_use: list = field(default_factory=list)
    about: dict | None = None
    attached: bool = True
    pending: bool = False
    resized_to: dict | None = None
    volumes: dict = field(default_factory=dict)

    async def set_drivers(self, drivers):
        self.drivers = drivers

    async def describe(self, annotations, labels):
        self.described.append((annotations, labels))

    async def volumes_in_use(self, names):
        self.in_use.append(list(names))

    async def driver(self, name):
        return view({"spec": self.about}, CSIDriver) if self.about is not None else None

    async def attachment(self, name):
        assert name == attachment_name("h", NAME, "node")
        status = {"attached": self.attached, "attachmentMetadata": {"device": "x"}}
        return view({"status": status}, VolumeAttachment)

    async def secret(self, ref):
        return {"key": ref.name} if ref is not None else {}

    async def token(self, pod, audience, seconds):
        return {"token": f"t-{audience}", "expirationTimestamp": "later"}

    async def claim(self, namespace, name):
        conditions = [{"type": "FileSystemResizePending", "status": "True"}] if self.pending else []
        return view({"status": {"conditions": conditions}}, PersistentVolumeClaim)

    async def resized(self, claim, capacity):
        self.resized_to, self.pending = dict(capacity), False

    async def claimed(self, namespace, claim, owner=None):
        return self.volumes[claim]

    def release(self, uid): ...


class Site:
    def __init__(self, root, api=None):
        self.root, self.api = root, api or Api()
        self.registry = Registry(root / "plugins_registry", self.api)
        csi = CsiVolumes(root, "node", self.registry, self.api, clock=lambda: 0.0)
        self.volumes = LocalVolumes(root, self.api, allocatable=dict, csi=csi)

    def driver(self, **more):
        return CsiDriver(NAME, self.root / "plugins_registry", self.root.parent / "driver", **more)

    def claim(self, volume_mode="Filesystem", **csi):
        spec = {
            "volumeMode": volume_mode,
            "csi": {"driver": NAME, "volumeHandle": "h", "fsType": "ext4", "volumeAttributes": {"a": "b"}} | csi,
            "accessModes": ["ReadWriteOnce"],
            "mountOptions": ["noatime"],
            "capacity": {"storage": "2Gi"},
            "claimRef": {"namespace": "ns", "name": "c"},
        }
        self.api.volumes["c"] = view({"metadata": {"name": "pv"}, "spec": spec}, PersistentVolume)
        return {"persistentVolumeClaim": {"claimName": "c"}}

    def block(self, **more):
        return self.claim(volume_mode="Block", **more)

    def pod(self, volume, uid="u1", **spec):
        meta = {"name": "p", "namespace": "ns", "uid": uid}
        tree = {"metadata": meta, "spec": {"containers": [{"name": "c"}], "volumes": [{"name": "v"} | volume]} | spec}
        return view(tree, Pod)

    async def mount(self, volume, uid="u1", **spec):
        return (await self.volumes.mount(self.pod(volume, uid, **spec)))["v"]


@pytest.fixture
async def site():
    with tempfile.TemporaryDirectory(prefix="csi") as folder:  # a socket's path may have 107 characters
        yield Site(Path(folder) / "kubelet")
        left = mounts.below(Path(folder))
        mounts.unmount_below(Path(folder))  # nothing stays on the machine, whatever has failed
        assert left == []


async def test_a_driver_registers_and_goes(site):
    await site.registry.look()
    async with site.driver() as driver:
        await site.registry.look()
        await site.registry.look()
        entry = {"name": NAME, "nodeID": "node-id", "topologyKeys": ["topology.d/zone"], "allocatable": {"count": 7}}
        assert site.api.drivers == [entry]
        annotations, labels = site.api.described[0]
        assert json.loads(annotations["csi.volume.kubernetes.io/nodeid"]) == {NAME: "node-id"}
        assert labels == {"topology.d/zone": "z1"}
        assert driver.registered == [(True, "")]
    await site.registry.look()
    assert site.api.drivers == []


async def test_a_driver_that_cannot_say_who_it_is_is_told_so(site):
    async with site.driver() as driver:
        driver.failing["NodeGetInfo"] = "no metadata service"
        await site.registry.look()
        assert driver.registered == [(False, "rpc error: code = Internal desc = no metadata service")]
        assert site.api.drivers == []


async def test_a_volume_is_staged_once_and_published_to_each_pod(site):
    async with site.driver() as driver:
        await site.registry.look()
        claim = site.claim(nodeStageSecretRef={"name": "s", "namespace": "ns"})
        first = await site.mount(claim)
        second = await site.mount(claim, uid="u2")
        (first / "x").write_text("shared")
        assert (second / "x").read_text() == "shared"
        assert site.api.in_use == [["kubernetes.io/csi/d.example.com^h"]]
        stage = driver.asked("NodeStageVolume")[0]
        assert (stage.volume_id, dict(stage.secrets), dict(stage.volume_context)) == ("h", {"key": "s"}, {"a": "b"})
        assert stage.volume_capability.mount.fs_type == "ext4"
        assert list(stage.volume_capability.mount.mount_flags) == ["noatime"]
        assert dict(stage.publish_context) == {"device": "x"}
        assert str(first) == f"{site.root}/pods/u1/volumes/kubernetes.io~csi/pv/mount"
        await site.volumes.unmount("u1")
        assert "NodeUnstageVolume" not in driver.names()
        assert (second / "x").exists()
        await site.volumes.unmount("u2")
        assert driver.names()[-3:] == ["NodeUnpublishVolume", "NodeUnpublishVolume", "NodeUnstageVolume"]
        assert site.api.in_use[-1] == []
        assert (driver.data / "h" / "x").exists()


async def test_nothing_is_published_twice_but_what_wants_to_be(site):
    async with site.driver() as driver:
        await site.registry.look()
        claim = site.claim()
        await site.mount(claim)
        await site.mount(claim)
        assert driver.names() == ["NodeStageVolume", "NodePublishVolume"]
        site.api.about = {"requiresRepublish": True}
        await site.mount(claim)
        assert driver.names()[2:] == ["NodeStageVolume", "NodePublishVolume"]
        assert site.volumes.refresh_at("u1") == 60
        await site.volumes.unmount("u1")
        assert site.volumes.refresh_at("u1") is None


async def test_a_volume_waits_until_it_is_attached(site):
    async with site.driver() as driver:
        await site.registry.look()
        site.api.attached = False
        with pytest.raises(MountProblem) as refused:
            await site.mount(site.claim())
        name = attachment_name("h", NAME, "node")
        words = f"volume h is not attached for volume attachment {name}"
        assert str(refused.value) == f'MountVolume.WaitForAttach failed for volume "pv" : {words}'
        site.api.about = {"attachRequired": False}
        await site.mount(site.claim())
        assert dict(driver.asked("NodeStageVolume")[0].publish_context) == {}
        await site.volumes.unmount("u1")


async def test_what_a_driver_refuses_is_told_in_grpcs_words(site):
    with pytest.raises(MountProblem) as refused:
        await site.mount(site.claim())
    missing = f"driver name {NAME} not found in the list of registered CSI drivers"
    assert str(refused.value) == (
        'MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create '
        f"newCsiDriverClient: {missing}"
    )
    async with site.driver() as driver:
        await site.registry.look()
        driver.failing["NodePublishVolume"] = "disk on fire"
        with pytest.raises(MountProblem) as refused:
            await site.mount(site.claim())
        words = "rpc error: code = Internal desc = disk on fire"
        assert str(refused.value) == f'MountVolume.SetUp failed for volume "pv" : {words}'
        driver.failing.clear()
        await site.mount(site.claim())
        await site.volumes.unmount("u1")


async def test_a_volume_grows_on_the_node_when_its_claim_waits_for_that(site):
    async with site.driver() as driver:
        await site.registry.look()
        claim = site.claim()
        path = await site.mount(claim)
        assert driver.asked("NodeExpandVolume") == []
        site.api.pending = True
        await site.mount(claim)
        (asked,) = driver.asked("NodeExpandVolume")
        assert (asked.volume_path, asked.capacity_range.required_bytes) == (str(path), 2 * 2**30)
        assert site.api.resized_to == {"storage": "2Gi"}
        await site.volumes.unmount("u1")


async def test_an_inline_volume_knows_its_pod(site):
    source = {"csi": {"driver": NAME, "volumeAttributes": {"a": "b"}, "readOnly": True}}
    async with site.driver() as driver:
        await site.registry.look()
        with pytest.raises(MountProblem, match=r'volume mode "Ephemeral" not supported by driver d\.example\.com \(no'):
            await site.mount(source)
        site.api.about = {
            "podInfoOnMount": True,
            "volumeLifecycleModes": ["Ephemeral"],
            "tokenRequests": [{"audience": "vault"}],
        }
        path = await site.mount(source, serviceAccountName="sa")
        (asked,) = driver.asked("NodePublishVolume")
        context = dict(asked.volume_context)
        assert json.loads(context.pop("csi.storage.k8s.io/serviceAccount.tokens"))["vault"]["token"] == "t-vault"
        assert context == {
            "a": "b",
            "csi.storage.k8s.io/pod.name": "p",
            "csi.storage.k8s.io/pod.namespace": "ns",
            "csi.storage.k8s.io/pod.uid": "u1",
            "csi.storage.k8s.io/serviceAccount.name": "sa",
            "csi.storage.k8s.io/ephemeral": "true",
        }
        with pytest.raises(OSError, match="Read-only"):
            (path / "x").touch()
        with pytest.raises(MountProblem, match=r'"Persistent" not supported .* \(only supports \["Ephemeral"\]\)'):
            await site.mount(site.claim(), uid="u2")
        await site.volumes.unmount("u2")
        await site.volumes.unmount("u1")
        assert driver.names() == ["NodePublishVolume", "NodeUnpublishVolume"]


@pytest.mark.parametrize(
    ("capabilities", "policy", "expected"),
    [((STAGE,), None, 1234), ((STAGE,), "None", 0), ((STAGE,), "File", 1234), ((STAGE, MOUNT_GROUP), "File", 0)],
)
async def test_whose_group_a_volume_gets(site, capabilities, policy, expected):
    async with site.driver(capabilities=capabilities) as driver:
        await site.registry.look()
        site.api.about = {"fsGroupPolicy": policy} if policy else None
        path = await site.mount(site.claim(), securityContext={"fsGroup": 1234})
        assert path.stat().st_gid == expected
        group = driver.asked("NodePublishVolume")[0].volume_capability.mount.volume_mount_group
        assert group == ("1234" if MOUNT_GROUP in capabilities else "")
        await site.volumes.unmount("u1")


@pytest.fixture
def device(tmp_path):
    """A block device of the kernel's; nobody reads it."""
    path = tmp_path / "device"
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(1, 15))
    return path


async def test_a_block_device_is_published_to_each_pod_and_given_back(site, device):
    async with site.driver(device=device) as driver:
        await site.registry.look()
        claim = site.block()
        first, second = await site.mount(claim), await site.mount(claim, uid="u2")
        await site.mount(claim)
        folder = site.root / "plugins/kubernetes.io/csi/volumeDevices"
        assert first == folder / "publish/pv/u1"
        assert first.is_block_device()
        assert (site.root / "pods/u1/volumeDevices/kubernetes.io~csi/pv").resolve() == first
        stage, publish = driver.asked("NodeStageVolume")[0], driver.asked("NodePublishVolume")[0]
        asked = stage.volume_capability
        assert (asked.HasField("block"), asked.HasField("mount"), asked.access_mode.mode) == (True, False, 1)
        assert stage.staging_target_path == publish.staging_target_path == f"{folder}/staging/pv"
        assert dict(publish.publish_context) == {"device": "x"}
        assert site.api.in_use == [["kubernetes.io/csi/d.example.com^h"]]
        site.api.pending = True
        await site.mount(claim)
        assert driver.asked("NodeExpandVolume")[0].volume_path == str(first)
        await site.volumes.unmount("u1")
        assert "NodeUnstageVolume" not in driver.names()
        assert second.is_block_device()
        await site.volumes.unmount("u2")
        assert (driver.staged, driver.published) == ({}, {})
        assert site.api.in_use[-1] == []
        assert [path for path in folder.rglob("*") if path.name not in ("staging", "publish")] == []


async def test_a_block_device_that_a_killed_kubelet_published_goes_with_its_pod(site, device):
    async with site.driver(device=device) as driver:
        await site.registry.look()
        driver.failing["NodePublishVolume"] = "no"
        with pytest.raises(MountProblem) as refused:
            await site.mount(site.block())
        words = "rpc error: code = Internal desc = no"
        assert (refused.value.reason, str(refused.value)) == (
            "FailedMapVolume",
            f'MapVolume.MapPodDevice failed for volume "pv" : {words}',
        )
        driver.failing.clear()
        await site.mount(site.block())
        after = Site(site.root, site.api)
        await after.registry.look()
        await after.volumes.unmount("u1")
        assert (driver.staged, driver.published) == ({}, {})
        assert await after.volumes.held() == set()


async def test_how_full_a_volume_is_the_driver_tells(site, device):
    async with site.driver(device=device) as driver:
        await site.registry.look()
        for claim in (site.claim(), site.block()):
            pod = site.pod(claim)
            path = (await site.volumes.mount(pod))["v"]
            (use,) = (await site.volumes.usage(pod)).values()
            assert use == VolumeUse(300, 200, 100, 30, 20, 10, claim="c")
            assert driver.asked("NodeGetVolumeStats")[-1].volume_path == str(path)
            driver.failing["NodeGetVolumeStats"] = "no"
            assert await site.volumes.usage(pod) == {}
            driver.failing.clear()
            await site.volumes.unmount("u1")
    async with site.driver(capabilities=(STAGE,)):  # it has come back as another between two looks
        await site.registry.look()
        pod = site.pod(site.claim())
        await site.volumes.mount(pod)
        assert await site.volumes.usage(pod) == {}
        await site.volumes.unmount("u1")


async def test_a_kubelet_that_was_killed_gives_back_what_the_one_before_had(site):
    async with site.driver() as driver:
        await site.registry.look()
        await site.mount(site.claim())
        after = Site(site.root, site.api)
        with pytest.raises(OSError, match="not found in the list of registered CSI drivers"):
            await after.volumes.unmount("u1")
        assert (driver.data / "h").exists()
        await after.registry.look()
        await after.volumes.unmount("u1")
        assert (driver.staged, driver.published) == ({}, {})
        assert await after.volumes.held() == set()
