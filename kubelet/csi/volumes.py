"""A driver's volumes in pods: staged once on the node, published to each pod, and given back in the other order.

    ROOT/plugins/kubernetes.io/csi/DRIVER/SHA256(HANDLE)/globalmount     where a volume is staged
    ROOT/pods/UID/volumes/kubernetes.io~csi/VOLUME/mount                 where it is published
    vol_data.json beside each                                            what a kubelet needs to take it back

The files are all the memory there is: a kubelet that was killed goes on from them. Calls are repeated as CSI allows.
Block devices are in blocks.py. Sources: pkg/volume/csi/csi_mounter.go, csi_attacher.go, csi_metrics.go.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from apimachinery.objects.core_v1 import CSIVolumeSource, PersistentVolume, Pod, SecretReference
from apimachinery.objects.storage_v1 import CSIDriver
from apimachinery.types import Json
from kubelet.csi.api import CsiApi
from kubelet.csi.blocks import SET_UP, Blocks
from kubelet.csi.messages import BYTES, EXPAND, GET_STATS, INODES, MOUNT_GROUP, STAGE
from kubelet.csi.registry import Driver, Registry
from kubelet.csi.requests import (
    DATA,
    PLUGIN,
    Requests,
    attachment_name,
    check_mode,
    clear,
    device_name,
    listed,
    mounted,
    prepare,
    read,
)
from kubelet.threads import in_thread
from kubelet.volumes import ownership
from kubelet.volumes.protocol import CsiProblem, VolumeUse

_PERIOD = 60.0
_CLIENT = "mounter.SetUpAt failed to get CSI client"
_MOUNT_CLIENT = "attacher.MountDevice failed to create newCsiDriverClient"
_BLOCK_CLIENT = "blockMapper.SetUpDevice failed to get CSI client"


@dataclass(frozen=True, slots=True)
class _Published:
    driver: str
    handle: str
    path: Path
    staged: str
    capability: Mapping[str, Json]


class CsiVolumes:
    """`Csi` by the drivers that have registered."""

    def __init__(
        self, root: Path, node: str, registry: Registry, api: CsiApi, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._root, self._node, self._api, self._clock = root, node, api, clock
        self._requests = Requests(node, registry, api)
        self._blocks = Blocks(root, self._requests)
        self._locks: dict[str, asyncio.Lock] = {}  # by the volume: staging and unstaging take turns
        self._told: list[str] | None = None
        self._published: dict[tuple[str, str], _Published] = {}  # in this kubelet's life, by pod and volume
        self._again: dict[str, float] = {}

    # ---------------------------------------------------------------------------------------------- mounting

    async def inline(self, pod: Pod, volume: str, source: CSIVolumeSource) -> Path:
        driver = self._requests.driver(source.driver, "MountVolume.SetUp", _CLIENT)
        about = await self._api.driver(driver.name)
        check_mode(about, driver.name, "Ephemeral")
        self._look_again(pod, driver, about)
        done = self._published.get((pod.metadata.uid, volume))
        if done is not None and not (about is not None and about.spec.requires_republish):
            return done.path
        handle = "csi-" + hashlib.sha256(f"{pod.metadata.uid}{volume}".encode()).hexdigest()
        reference = source.node_publish_secret_ref
        secret = SecretReference(name=reference.name, namespace=pod.metadata.namespace) if reference else None
        capability = mounted(driver, source.fs_type, (), (), _delegated(driver, pod))
        request = {
            "volume_id": handle,
            "volume_capability": capability,
            "readonly": bool(source.read_only),
            "secrets": await self._requests.secret(secret, "NodePublishSecretRef"),
            "volume_context": dict(source.volume_attributes) | await self._requests.context(pod, about, ephemeral=True),
        }
        path = await self._publish(pod, volume, driver, request, {"volumeLifecycleMode": "Ephemeral"})
        self._published[pod.metadata.uid, volume] = _Published(driver.name, handle, path, "", capability)
        return path

    async def persistent(self, pod: Pod, held: PersistentVolume, *, read_only: bool) -> Path:
        source = held.spec.csi
        assert source is not None, "only CSI volumes come here"
        is_block = held.spec.volume_mode == "Block"
        step = (SET_UP, _BLOCK_CLIENT) if is_block else ("MountVolume.MountDevice", _MOUNT_CLIENT)
        driver = self._requests.driver(source.driver, *step)
        about = await self._api.driver(driver.name)
        check_mode(about, driver.name, "Persistent")
        self._look_again(pod, driver, about)
        done = self._published.get((pod.metadata.uid, held.metadata.name))
        if done is None or (about is not None and about.spec.requires_republish and not is_block):
            await self._use(device_name(driver.name, source.volume_handle))
            async with self._lock(driver.name, source.volume_handle):
                make = self._device if is_block else self._mounted
                done = await make(pod, held, driver, about, read_only=read_only)
            self._published[pod.metadata.uid, held.metadata.name] = done
        await self._requests.expand(driver, held, path=done.path, staged=done.staged, capability=done.capability)
        return done.path

    async def _device(
        self, pod: Pod, held: PersistentVolume, driver: Driver, about: CSIDriver | None, *, read_only: bool
    ) -> _Published:
        made = await self._blocks.publish(pod, held, driver, about, read_only=read_only)
        assert held.spec.csi is not None, "only CSI volumes come here"
        return _Published(driver.name, held.spec.csi.volume_handle, made.path, made.staged, made.capability)

    async def _mounted(
        self, pod: Pod, held: PersistentVolume, driver: Driver, about: CSIDriver | None, *, read_only: bool
    ) -> _Published:
        source, name = held.spec.csi, held.metadata.name
        assert source is not None, "only CSI volumes come here"
        context = await self._requests.attached(source, about, "MountVolume.WaitForAttach")
        capability = mounted(
            driver, source.fs_type, held.spec.access_modes, held.spec.mount_options, _delegated(driver, pod)
        )
        staged = await self._stage(driver, held, capability, context)
        request = {
            "volume_id": source.volume_handle,
            "publish_context": context,
            "staging_target_path": staged,
            "volume_capability": capability,
            "readonly": read_only or bool(source.read_only),
            "secrets": await self._requests.secret(source.node_publish_secret_ref, "NodePublishSecretRef"),
            "volume_context": dict(source.volume_attributes)
            | await self._requests.context(pod, about, ephemeral=False),
        }
        path = await self._publish(pod, name, driver, request, {"volumeLifecycleMode": "Persistent"})
        await self._give(driver, about, pod, held, path, read_only=bool(request["readonly"]))
        return _Published(driver.name, source.volume_handle, path, staged, capability)

    def _look_again(self, pod: Pod, driver: Driver, about: CSIDriver | None) -> None:
        """Volumes may have grown, and some drivers want to be asked for fresh content."""
        if EXPAND in driver.capabilities or (about is not None and about.spec.requires_republish):
            self._again[pod.metadata.uid] = self._clock() + _PERIOD

    def refresh_at(self, uid: str) -> float | None:
        return self._again.get(uid)

    def _lock(self, driver: str, handle: str) -> asyncio.Lock:
        return self._locks.setdefault(f"{driver}^{handle}", asyncio.Lock())

    async def _stage(
        self, driver: Driver, held: PersistentVolume, capability: Mapping[str, Json], context: Mapping[str, str]
    ) -> str:
        """Where the volume is staged; "" for a driver that does not stage."""
        source = held.spec.csi
        if STAGE not in driver.capabilities or source is None:
            return ""
        folder = self._staging(driver.name, source.volume_handle)
        target = folder / "globalmount"
        data = {"driverName": driver.name, "volumeHandle": source.volume_handle}
        await in_thread(prepare, target, folder / DATA, data)
        try:
            await self._requests.stage(driver, source, target, capability, context)
        except CsiProblem as error:
            raise CsiProblem(str(error), "MountVolume.MountDevice") from error
        return str(target)

    def _staging(self, driver: str, handle: str) -> Path:
        return self._root / "plugins" / PLUGIN / driver / hashlib.sha256(handle.encode()).hexdigest()

    async def _publish(self, pod: Pod, name: str, driver: Driver, request: Json, data: Json) -> Path:
        folder = self._root / "pods" / pod.metadata.uid / "volumes" / "kubernetes.io~csi" / name
        target, handle = folder / "mount", request["volume_id"]
        data = data | {
            "driverName": driver.name,
            "nodeName": self._node,
            "specVolID": name,
            "volumeHandle": handle,
            "attachmentID": attachment_name(handle, driver.name, self._node),
        }
        await in_thread(prepare, folder, folder / DATA, data)  # the driver makes the last folder itself
        await driver.socket.call("NodePublishVolume", target_path=str(target), **request)
        return target

    async def _give(
        self, driver: Driver, about: CSIDriver | None, pod: Pod, held: PersistentVolume, path: Path, *, read_only: bool
    ) -> None:
        """The volume to the pod's group, where the driver leaves that to the kubelet."""
        context = pod.spec.security_context
        if context is None or context.fs_group is None or MOUNT_GROUP in driver.capabilities:
            return
        policy = (about.spec.fs_group_policy if about is not None else "") or "ReadWriteOnceWithFSType"
        source = held.spec.csi
        is_plain = source is not None and bool(source.fs_type) and "ReadWriteOnce" in held.spec.access_modes
        if policy == "File" or (policy == "ReadWriteOnceWithFSType" and is_plain):
            await in_thread(
                ownership.own,
                path,
                context.fs_group,
                read_only=read_only,
                policy=context.fs_group_change_policy,
            )

    async def _use(self, name: str = "") -> None:
        """Before anything is mounted, and after it is given back: what is in use is not detached."""
        names = await in_thread(self._on_disk) | await in_thread(self._blocks.in_use)
        wanted = sorted(names | {name} if name else names)
        if wanted != self._told:
            await self._api.volumes_in_use(wanted)
            self._told = wanted

    def _on_disk(self) -> set[str]:
        """The volumes with a file system that any pod of the node has, as the node's status names them."""
        found = [read(file) for file in self._root.glob(f"pods/*/volumes/kubernetes.io~csi/*/{DATA}")]
        lasting = [data for data in found if data.get("volumeLifecycleMode") == "Persistent"]
        return {device_name(data["driverName"], data["volumeHandle"]) for data in lasting}

    # ---------------------------------------------------------------------------------------------- measuring

    async def usage(self, uid: str, name: str) -> VolumeUse | None:
        """As the driver tells it. Raises CsiProblem."""
        done = self._published.get((uid, name))
        driver = self._requests.registered(done.driver) if done is not None else None
        if done is None or driver is None or GET_STATS not in driver.capabilities:
            return None
        answer = await driver.socket.call("NodeGetVolumeStats", volume_id=done.handle, volume_path=str(done.path))
        if not answer.usage:
            raise CsiProblem("failed to get usage from response. usage is nil")
        rows = {each.unit: (each.total, each.available, each.used) for each in answer.usage}
        capacity, available, used = rows.get(BYTES, (0, 0, 0))
        inodes, inodes_free, inodes_used = rows.get(INODES, (0, 0, 0))
        return VolumeUse(capacity, available, used, inodes, inodes_free, inodes_used)

    # ---------------------------------------------------------------------------------------------- giving back

    async def release(self, uid: str) -> None:
        self._again.pop(uid, None)
        self._published = {key: done for key, done in self._published.items() if key[0] != uid}
        folder = self._root / "pods" / uid / "volumes" / "kubernetes.io~csi"
        for place in await in_thread(listed, folder):
            data = await in_thread(read, place / DATA)
            name, handle = data.get("driverName", ""), data.get("volumeHandle", "")
            if not name:
                continue
            async with self._lock(name, handle):
                await self._unpublish(name, handle, place)
                if data.get("volumeLifecycleMode") != "Ephemeral":
                    await self._unstage(name, handle)
        for link in await in_thread(self._blocks.links, uid):
            data = await in_thread(self._blocks.data, link.name)
            async with self._lock(data.get("driverName", ""), data.get("volumeHandle", "")):
                await self._blocks.release(link)
            await self._use()

    async def _unpublish(self, name: str, handle: str, place: Path) -> None:
        driver = self._requests.registered(name)
        target = place / "mount"
        await driver.socket.call("NodeUnpublishVolume", volume_id=handle, target_path=str(target))
        await in_thread(_forget, target, place)

    async def _unstage(self, name: str, handle: str) -> None:
        """Unless another pod of the node still has it."""
        if device_name(name, handle) in await in_thread(self._on_disk):
            return
        folder = self._staging(name, handle)
        if (await in_thread(read, folder / DATA)).get("volumeHandle") == handle:
            driver, target = self._requests.registered(name), folder / "globalmount"
            if STAGE in driver.capabilities:
                await driver.socket.call("NodeUnstageVolume", volume_id=handle, staging_target_path=str(target))
            await in_thread(_forget, target, folder)
        await self._use()


def _delegated(driver: Driver, pod: Pod) -> str:
    """The pod's group, for a driver that gives volumes to groups itself."""
    context = pod.spec.security_context
    if MOUNT_GROUP not in driver.capabilities or context is None or context.fs_group is None:
        return ""
    return str(context.fs_group)


def _forget(target: Path, folder: Path) -> None:
    clear(target)
    (folder / DATA).unlink(missing_ok=True)
    folder.rmdir()
