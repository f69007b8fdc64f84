"""The volumes' door on real mounts (root): folders, memory, files, claims, subPaths, and that nothing of it stays."""

import base64
import contextlib
import os
import stat
import subprocess
from pathlib import Path

import docker
import pytest

from apimachinery.errors import ApiError
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import ConfigMap, PersistentVolume, Pod, Secret
from kubelet.objects import Token, Unbound
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.volumes import mounts, nfs
from kubelet.volumes.fake import FakeVolumes
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.protocol import MountProblem
from tests.contract.test_runtime import busybox_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
GROUP = 1234
UNPROCESSED = (
    "Unable to attach or mount volumes: unmounted volumes=[v0], unattached volumes=[], failed to process volumes=[v0]: "
)


class Store:
    """`Objects` by hand."""

    def __init__(self):
        self.configmaps, self.secrets, self.volumes = {}, {}, {}
        self.asked, self.lifetime, self.now, self.broken = [], 3600.0, 1000.0, False

    async def configmap(self, namespace, name, uid):
        return self.configmaps.get(name)

    async def secret(self, namespace, name, uid):
        return self.secrets.get(name)

    async def token(self, pod, audience, seconds):
        if self.broken:
            raise ApiError(500, "InternalError", "no")
        self.asked.append((audience, seconds))
        return Token(f"t{len(self.asked)}", self.now + self.lifetime)

    async def claimed(self, namespace, claim, owner=None):
        if claim not in self.volumes:
            raise Unbound(f"error processing PVC {namespace}/{claim}: PVC is not bound")
        return self.volumes[claim]

    def release(self, uid): ...


class Site:
    def __init__(self, root):
        self.root, self.store = root, Store()
        self.volumes = LocalVolumes(
            root, self.store, allocatable=lambda: {"memory": "64Mi"}, clock=lambda: self.store.now
        )

    async def mount(self, *volumes, uid="u1", group=None, policy="", mounts=(), **spec):
        context = {} if group is None else {"fsGroup": group, "fsGroupChangePolicy": policy}
        tree = {
            "metadata": {"name": "p", "namespace": "ns", "uid": uid, "labels": {"a": "b"}},
            "spec": {
                "containers": [{"name": "c", "volumeMounts": list(mounts)}],
                "volumes": [{"name": f"v{i}", **v} for i, v in enumerate(volumes)],
                "securityContext": context,
            }
            | spec,
        }
        found = await self.volumes.mount(view(tree, Pod))
        return [found[f"v{i}"] for i in range(len(volumes))]

    def mounted(self):
        return mounts.below(self.root)


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path / "kubelet")
    yield made
    try:
        for uid in await made.volumes.held():
            await made.volumes.unmount(uid)
        assert made.mounted() == []
    finally:
        mounts.unmount_below(made.root)  # nothing stays on the machine, whatever has failed
    assert await made.volumes.held() == set()


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def volume(**spec):
    return view({"metadata": {"name": "pv"}, "spec": spec}, PersistentVolume)


async def test_an_empty_dir_is_for_everybody_and_made_once(site):
    disk, memory = await site.mount({"emptyDir": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    assert (mode(disk), stat.S_IMODE(memory.stat().st_mode) & 0o777) == (0o777, 0o777)
    assert os.statvfs(memory).f_blocks * os.statvfs(memory).f_frsize == 2**20
    line = next(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(memory) in line)
    assert (line.split()[5], line.split(" - ")[1].split()[0]) == ("rw,relatime", "tmpfs")
    disk.chmod(0o700)
    (memory / "x").write_text("kept")
    await site.mount({"emptyDir": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    assert mode(disk) == 0o700
    assert (memory / "x").read_text() == "kept"


async def test_volumes_belong_to_the_pods_group(site):
    site.store.secrets["s"] = view({"data": {"pw": base64.b64encode(b"x").decode()}}, Secret)
    disk, memory, secret = await site.mount(
        {"emptyDir": {}},
        {"emptyDir": {"medium": "Memory"}},
        {"secret": {"secretName": "s", "defaultMode": 0o400}},
        group=GROUP,
    )
    for folder in (disk, memory):
        assert folder.stat().st_gid == GROUP
        assert mode(folder) & 0o2777 == 0o2777
    file = secret / "pw"
    assert (file.stat().st_gid, stat.S_IMODE(file.stat().st_mode)) == (GROUP, 0o440)
    assert stat.S_IMODE((secret / "..data").stat().st_mode) & 0o2070 == 0o2050


async def test_secrets_never_touch_a_disk_and_change_all_at_once(site):
    site.store.secrets["s"] = view({"data": {"a": base64.b64encode(b"1").decode()}}, Secret)
    (folder,) = await site.mount({"projected": {"sources": [{"secret": {"name": "s"}}]}})
    assert folder.is_mount()
    held = (folder / "a").open()
    site.store.secrets["s"] = view({"data": {"b": base64.b64encode(b"2").decode()}}, Secret)
    await site.mount({"projected": {"sources": [{"secret": {"name": "s"}}]}})
    assert [p.name for p in folder.iterdir() if not p.name.startswith("..")] == ["b"]
    assert held.read() == "1"
    held.close()


async def test_config_maps_of_any_size_and_bytes(site):
    big = "x" * 900_000
    data = {"data": {"big": big}, "binaryData": {"bin": base64.b64encode(bytes(range(256))).decode()}}
    site.store.configmaps["c"] = view(data, ConfigMap)
    (folder,) = await site.mount({"configMap": {"name": "c", "items": [
        {"key": "big", "path": "deep/er/big"}, {"key": "bin", "path": "bin", "mode": 0o777}]}})  # fmt: skip
    assert (folder / "deep/er/big").read_text() == big
    assert (folder / "bin").read_bytes() == bytes(range(256))
    assert stat.S_IMODE((folder / "bin").stat().st_mode) == 0o777


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "no"}}, 'MountVolume.SetUp failed for volume "v0" : configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'MountVolume.SetUp failed for volume "v0" : secret "no" not found'),
        (
            {"hostPath": {"path": "/dev/null", "type": "Directory"}},
            'MountVolume.SetUp failed for volume "v0" : hostPath type check failed: /dev/null is not a directory',
        ),
        (
            {"persistentVolumeClaim": {"claimName": "no"}},
            f"{UNPROCESSED}error processing PVC ns/no: PVC is not bound",
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {}}},
            f"{UNPROCESSED}error processing PVC ns/p-v0: PVC is not bound",
        ),
    ],
)
async def test_what_cannot_be_mounted_is_told_as_upstream_does(site, source, message):
    with pytest.raises(MountProblem) as refused:
        await site.mount(source)
    assert str(refused.value) == message


async def test_a_token_is_renewed_in_time_and_kept_while_there_is_no_other(site):
    source = {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "a"}}]}}
    (folder,) = await site.mount(source)
    assert site.volumes.refresh_at("u1") == 1000 + 0.8 * 3600
    await site.mount(source)
    assert site.store.asked == [("a", 3600)]
    site.store.now, site.store.broken = 1000 + 0.9 * 3600, True
    await site.mount(source)
    assert (folder / "token").read_text() == "t1"
    site.store.now = 5000
    with pytest.raises(MountProblem, match="failed to fetch token"):
        await site.mount(source)
    site.store.broken = False
    await site.mount(source)
    assert (folder / "token").read_text() == "t2"


async def test_a_local_volume_is_bound_and_given_to_the_first_pods_group(site, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").touch(mode=0o600)
    site.store.volumes["c"] = volume(local={"path": str(data)})
    source = {"persistentVolumeClaim": {"claimName": "c"}}
    (first,) = await site.mount(source, group=GROUP)
    assert mounts.is_mounted(first)
    assert ((data / "file").stat().st_gid, mode(data / "file"), mode(data) & 0o2070) == (GROUP, 0o660, 0o2070)
    (data / "file").chmod(0o600)
    (second,) = await site.mount(source, group=GROUP, uid="u2")
    assert mode(data / "file") == 0o600
    (second / "more").write_text("seen")
    await site.volumes.unmount("u1")
    await site.volumes.unmount("u2")
    assert (data / "more").read_text() == "seen"
    (held,) = await site.mount({"persistentVolumeClaim": {"claimName": "c", "readOnly": True}})
    with pytest.raises(OSError, match="Read-only"):
        (held / "x").touch()


async def test_a_local_volume_on_a_disk_is_formatted_once_and_given_back_by_the_last_pod(site, disk):
    site.store.volumes["c"] = volume(local={"path": disk})
    source = {"persistentVolumeClaim": {"claimName": "c"}}
    (first,) = await site.mount(source, group=GROUP)
    (first / "file").write_text("kept")
    assert first.stat().st_gid == GROUP
    (second,) = await site.mount(source, uid="u2")
    assert (second / "file").read_text() == "kept"
    kind = [line.split()[2] for line in Path("/proc/mounts").read_text().splitlines() if str(first) in line]
    assert kind == ["ext4"]
    await site.volumes.unmount("u1")
    assert disk in Path("/proc/mounts").read_text()
    await site.volumes.unmount("u2")
    assert disk not in Path("/proc/mounts").read_text()
    (again,) = await site.mount(source)
    assert (again / "file").read_text() == "kept"


async def test_a_disk_with_something_else_on_it_is_left_alone(site, disk):
    output_of("mkfs.ext3", "-q", "-F", disk)
    site.store.volumes["c"] = volume(local={"path": disk, "fsType": "xfs"})
    with pytest.raises(
        MountProblem, match=r"^MountVolume.MountDevice failed for volume .* : local: failed to mount device"
    ):
        await site.mount({"persistentVolumeClaim": {"claimName": "c"}})
    assert output_of("blkid", "-p", "-s", "TYPE", "-o", "value", disk) == "ext3"


async def test_an_empty_disk_cannot_be_read_only(site, disk):
    site.store.volumes["c"] = volume(local={"path": disk})
    why = "cannot mount unformatted disk .* as we are manipulating it in read-only mode"
    with pytest.raises(MountProblem, match=why):
        await site.mount({"persistentVolumeClaim": {"claimName": "c", "readOnly": True}})


@pytest.fixture
def disk(tmp_path):
    """A small block device that nobody else has, with nothing on it."""
    file = tmp_path / "disk.img"
    with file.open("wb") as empty:
        empty.truncate(16 << 20)
    device = output_of("losetup", "--find", "--show", str(file))
    yield device
    mounts.unmount_below(tmp_path)
    output_of("losetup", "--detach", device)


def output_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


async def test_a_local_volume_must_be_there_and_of_its_mode(site, tmp_path):
    source = {"persistentVolumeClaim": {"claimName": "c"}}
    site.store.volumes["c"] = volume(local={"path": "/no/where"})
    with pytest.raises(
        MountProblem,
        match=r'^MountVolume\.NewMounter initialization failed for volume "pv" : path "/no/where" does not exist',
    ):
        await site.mount(source)
    site.store.volumes["c"] = volume(local={"path": str(tmp_path)}, volumeMode="Block")
    with pytest.raises(MountProblem, match="only directory and block device are supported"):
        await site.mount(source)
    (tmp_path / "file").touch()
    site.store.volumes["c"] = volume(local={"path": str(tmp_path / "file")})
    with pytest.raises(MountProblem, match="only directory and block device are supported"):
        await site.mount(source)
    site.store.volumes["c"] = volume(local={"path": str(tmp_path)}, volumeMode="Block")
    with pytest.raises(MountProblem, match="volume v0 has volumeMode Block, but is specified in volumeMounts"):
        await site.mount(source, mounts=[{"name": "v0", "mountPath": "/x"}])


async def test_without_the_program_nfs_is_refused_clearly(site, monkeypatch):
    monkeypatch.setattr(nfs, "WHERE", "/nowhere")
    with pytest.raises(MountProblem, match=r"mount\.nfs is not installed"):
        await site.mount({"nfs": {"server": "s", "path": "/x"}})


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        ({"server": "10.0.0.1", "path": "/x"}, [], "-t nfs 10.0.0.1:/x"),
        (
            {"server": "fd00::1", "path": "/x", "readOnly": True},
            ["vers=4.1", "ro"],
            "-t nfs -o ro,vers=4.1 [fd00::1]:/x",
        ),
    ],
)
async def test_how_nfs_is_mounted(site, tmp_path, monkeypatch, source, options, expected):
    """No NFS in this kernel: what is looked at is the command that would mount it."""
    for name, script in (("mount", f'echo "$@" >{tmp_path}/asked'), ("mount.nfs", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(nfs, "WHERE", str(tmp_path))
    spec = {"nfs": source, "mountOptions": options, "capacity": {"storage": "1Gi"}}
    site.store.volumes["claim"] = volume(**spec)
    (path,) = await site.mount({"persistentVolumeClaim": {"claimName": "claim"}})
    assert path == site.root / "pods/u1/volumes/kubernetes.io~nfs/pv"
    assert (tmp_path / "asked").read_text() == f"{expected} {path}\n"


async def test_what_mount_refuses_is_told_in_upstreams_words(site, tmp_path, monkeypatch):
    for name, script in (("mount", "echo no route to host >&2; exit 32"), ("mount.nfs", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(nfs, "WHERE", str(tmp_path))
    with pytest.raises(MountProblem) as refused:
        await site.mount({"nfs": {"server": "s", "path": "/x"}})
    told = str(refused.value)
    assert told.startswith(
        'MountVolume.SetUp failed for volume "v0" : mount failed: exit status 32\nMounting command: mount'
    )
    assert told.endswith("Output: no route to host\n")


async def test_how_full_volumes_are(site, tmp_path):
    (tmp_path / "disk").mkdir()
    site.store.configmaps["c"] = view({"data": {"a": "x"}}, ConfigMap)
    site.store.volumes["claim"] = volume(local={"path": str(tmp_path / "disk")})
    sources = [
        {"emptyDir": {}},
        {"configMap": {"name": "c"}},
        {"hostPath": {"path": "/"}},
        {"persistentVolumeClaim": {"claimName": "claim"}},
    ]
    (disk, *_) = await site.mount(*sources)
    (disk / "x").write_bytes(b"x" * 8192)
    pod = {"metadata": {"name": "p", "namespace": "ns", "uid": "u1"}}
    spec = {"volumes": [{"name": f"v{i}", **source} for i, source in enumerate(sources)]}
    found = await site.volumes.usage(view(pod | {"spec": spec}, Pod))
    assert sorted(found) == ["v0", "v1", "v3"]  # upstream does not measure what lies on the host either
    assert (found["v0"].used, found["v0"].inodes_used, found["v0"].is_local) == (8192, 2, True)
    system = os.statvfs(tmp_path)
    assert (found["v3"].claim, found["v3"].capacity) == ("claim", system.f_blocks * system.f_frsize)
    assert not found["v3"].is_local


async def test_an_image_volume_shows_what_is_in_the_image(docker_socket, tmp_path):
    client, name = docker.APIClient(version="auto"), f"pykube-test/volume:{os.getpid()}"
    runtime, asked = DockerRuntime(Owner("volumes-test", "n")), []
    client.import_image_from_data(busybox_image(), repository=name.split(":", maxsplit=1)[0], tag=name.split(":")[1])

    async def pull(_pod, source):
        asked.append(source.reference)
        return await runtime.image(source.reference)

    def site():
        return LocalVolumes(tmp_path / "kubelet", Store(), allocatable=dict, pull=pull)

    try:
        made = client.create_container(name, ["/bin/sh", "-c", "echo upper >/file"])
        client.start(made)
        client.wait(made)
        client.commit(made, *name.replace("volume", "two").split(":"))  # an image of two layers
        client.remove_container(made)
        for reference, has_file in ((name, False), (name.replace("volume", "two"), True)):
            tree = {"metadata": {"uid": "u1"}, "spec": {"volumes": [{"name": "v", "image": {"reference": reference}}]}}
            path = (await site().mount(view(tree, Pod)))["v"]
            assert (path / "bin/busybox").exists()
            assert (path / "file").exists() == has_file
            with pytest.raises(OSError, match="Read-only"):
                (path / "x").touch()
            assert not os.access(path / "bin/busybox", os.X_OK)
            again = site()
            assert (await again.mount(view(tree, Pod)))["v"] == path  # a new kubelet
            assert again.images() == {(await runtime.image(reference)).id}
            await again.unmount("u1")
            assert not path.exists()
        assert asked == [name, name.replace("volume", "two")]
    finally:
        for each in (name.replace("volume", "two"), name):
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(each, force=True)
        client.close()
        runtime.close()


async def test_a_subpath_is_what_was_looked_at_even_when_it_is_swapped(site, tmp_path):
    site.store.configmaps["c"] = view({"data": {"a": "old"}}, ConfigMap)
    disk, files = await site.mount({"emptyDir": {}}, {"configMap": {"name": "c"}})
    folder = await site.volumes.subpath("u1", "c", 0, ("v0", disk), "in/side")
    file = await site.volumes.subpath("u1", "c", 1, ("v1", files), "a")
    assert folder == site.root / "pods/u1/volume-subpaths/v0/c/0"
    (disk / "in/side/x").touch()
    assert (folder / "x").exists()
    (disk / "in").rename(disk / "was")
    (disk / "in").symlink_to("/")
    assert (folder / "x").exists()
    site.store.configmaps["c"] = view({"data": {"a": "new"}}, ConfigMap)
    await site.mount({"emptyDir": {}}, {"configMap": {"name": "c"}})
    assert file.read_text() == "old"
    assert (await site.volumes.subpath("u1", "c", 1, ("v1", files), "a")).read_text() == "new"
    assert len([m for m in site.mounted() if "subpaths" in m]) == 2


async def test_what_a_killed_kubelet_left_is_mended(site):
    source = {"emptyDir": {"medium": "Memory"}}
    (folder,) = await site.mount(source)
    mounts.unmount(folder)  # as if it had died between the folder and the mount
    (again,) = await Site(site.root).mount(source)
    assert again.is_mount()
    target = site.root / "pods/u1/volume-subpaths/v0/c/0"
    target.parent.mkdir(parents=True)
    target.touch()
    assert (await site.volumes.subpath("u1", "c", 0, ("v0", again), "dir")) in map(Path, site.mounted())


async def test_what_others_mounted_below_a_volume_is_not_removed(site, tmp_path):
    (disk,) = await site.mount({"emptyDir": {}})
    data = tmp_path / "data"
    data.mkdir()
    (data / "precious").touch()
    (disk / "m").mkdir()
    mounts.bind(str(data), disk / "m")
    await site.volumes.unmount("u1")
    assert (data / "precious").exists()


async def test_mounts_below_the_kubelets_folder_propagate(tmp_path):
    root = tmp_path / "kubelet"
    (root / "sub").mkdir(parents=True)
    assert mounts.share(root)
    assert mounts.share(root)
    assert mounts.is_shared(root / "sub")
    assert len(mounts.below(root)) <= 1
    mounts.unmount_below(root)
    assert mounts.below(root) == []


async def test_the_fake_keeps_the_same_contract(tmp_path):
    fake = FakeVolumes()
    tree = {"metadata": {"uid": "u1", "name": "p"}, "spec": {"volumes": [{"name": "v0", "emptyDir": {}}]}}
    found = await fake.mount(view(tree, Pod))
    assert list(found) == ["v0"]
    assert await fake.held() == {"u1"}
    fake.failing = "v0"
    with pytest.raises(MountProblem, match=r'^MountVolume\.SetUp failed for volume "v0" : '):
        await fake.mount(view(tree, Pod))
    await fake.unmount("u1")
    assert await fake.held() == set()
