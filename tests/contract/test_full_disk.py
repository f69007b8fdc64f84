"""A full disk, for real: nothing of the kubelet ends, pods wait and say why, and all comes true when there is room."""

import asyncio
import contextlib
import os

import pytest

from kubelet.network.ipam import Addresses
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes
from tests.cluster.node_on_fakes import Site, is_ready
from tests.contract.test_volumes import Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


async def eventually(holds, seconds=30):
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


class FullDisk:
    """A small file system with the kubelet's folder, and a file that fills it."""

    def __init__(self, folder):
        self.folder, self.ballast = folder, folder / "ballast"

    def fill(self):
        with self.ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self):
        self.ballast.unlink()


@pytest.fixture
def disk(tmp_path):
    mounts.mount_tmpfs(tmp_path / "disk", size=256 * 1024)
    yield FullDisk(tmp_path / "disk")
    mounts.unmount_below(tmp_path / "disk")


@pytest.fixture
def site(disk):
    made = Site(disk.folder)
    made.volumes = LocalVolumes(disk.folder, Store(), allocatable=dict)
    return made


VOLUMES = [{"name": "v", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}]


async def test_a_new_pod_waits_and_says_why(site, disk):
    disk.fill()
    async with site.kubelet() as agent:
        site.api.put("web", volumes=VOLUMES)
        await eventually(lambda: any("No space left on device" in message for _, message in site.events))
        assert site.api.status("web")["phase"] == "Pending"
        disk.free()
        agent.refresh("uid-web")
        await eventually(lambda: is_ready(site, "web"))


async def test_a_pod_that_runs_goes_on_and_ends(site, disk):
    async with site.kubelet():
        site.api.put("web", volumes=VOLUMES)
        await eventually(lambda: is_ready(site, "web"))
        disk.fill()
    async with site.kubelet() as agent:  # a new one, which lays the files anew
        await eventually(lambda: agent.workers)
        site.api.delete("web")
        await eventually(lambda: not agent.workers)
    assert site.runtime._lives == {}


async def test_a_resize_comes_true_when_there_is_room_to_note_it(site, disk):
    async with site.kubelet() as agent:
        site.api.put("web", container={"resources": {"requests": {"cpu": "1"}}})
        await eventually(lambda: is_ready(site, "web"))
        disk.fill()
        tree = site.api.pods["uid-web"]
        (container,) = tree["spec"]["containers"]
        more = {**container, "resources": {"requests": {"cpu": "2"}}}
        site.api._set({**tree, "spec": {**tree["spec"], "containers": [more]}})
        await eventually(lambda: any(c["type"] == "PodResizePending" for c in site.api.status("web")["conditions"]))
        assert site.runtime.updates == []
        disk.free()
        agent.wake_all()
        await eventually(lambda: site.runtime.updates)
    assert [resources.cpu_shares for _, resources in site.runtime.updates] == [2048]


def test_no_address_is_half_given(disk):
    addresses = Addresses(disk.folder / "addresses")
    addresses.reserve("10.0.0.0/24", "first")
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        addresses.reserve("10.0.0.0/24", "second")
    assert sorted(path.name for path in (disk.folder / "addresses").iterdir()) == ["10.0.0.2", "last"]
    assert [held.sandbox for held in addresses.all()] == ["first"]
    disk.free()
    assert addresses.reserve("10.0.0.0/24", "second") == "10.0.0.3"
    assert sorted(path.name for path in (disk.folder / "addresses").iterdir()) == ["10.0.0.2", "10.0.0.3", "last"]
