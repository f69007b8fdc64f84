"""A driver's volumes as block devices in pods.

    ROOT/plugins/kubernetes.io/csi/volumeDevices/staging/VOLUME         where a volume is staged
    ROOT/plugins/kubernetes.io/csi/volumeDevices/publish/VOLUME/UID     the device, as the driver publishes it to a pod
    ROOT/plugins/kubernetes.io/csi/volumeDevices/VOLUME/data/vol_data.json
    ROOT/pods/UID/volumeDevices/kubernetes.io~csi/VOLUME                a link to the device

The link is made first and goes last, so that a kubelet that was killed in between finds what it has to take back.
Upstream's loop device over each (a lock on its descriptor) is left out. Source: pkg/volume/csi/csi_block.go.
"""

from dataclasses import dataclass
from pathlib import Path

from apimachinery.objects.core_v1 import PersistentVolume, Pod
from apimachinery.objects.storage_v1 import CSIDriver
from apimachinery.types import Json
from kubelet.csi.messages import STAGE
from kubelet.csi.registry import Driver
from kubelet.csi.requests import DATA, PLUGIN, Requests, attachment_name, clear, device_name, listed, prepare, raw, read
from kubelet.threads import in_thread
from kubelet.volumes.protocol import CsiProblem

SET_UP, MAP = "MapVolume.SetUpDevice", "MapVolume.MapPodDevice"


@dataclass(frozen=True, slots=True)
class Device:
    path: Path
    staged: str
    capability: Json


class Blocks:
    """Stages, publishes and gives back; the caller sees to it that one volume is in one call at a time."""

    def __init__(self, root: Path, requests: Requests) -> None:
        self._root, self._requests = root, requests
        self._folder = root / "plugins" / PLUGIN / "volumeDevices"

    def links(self, uid: str) -> list[Path]:
        """The pod's devices."""
        return listed(self._root / "pods" / uid / "volumeDevices" / "kubernetes.io~csi")

    def data(self, name: str) -> Json:
        return read(self._folder / name / "data" / DATA)

    def in_use(self) -> set[str]:
        """The volumes that any pod of the node has."""
        names = {link.name for link in self._root.glob("pods/*/volumeDevices/kubernetes.io~csi/*")}
        found = [data for name in names if (data := self.data(name))]
        return {device_name(data["driverName"], data["volumeHandle"]) for data in found}

    async def publish(
        self, pod: Pod, held: PersistentVolume, driver: Driver, about: CSIDriver | None, *, read_only: bool
    ) -> Device:
        source, name = held.spec.csi, held.metadata.name
        assert source is not None, "only CSI volumes come here"
        context = await self._requests.attached(source, about, "MapVolume.WaitForAttach")
        capability = raw(driver, held.spec.access_modes)
        staging, target = self._folder / "staging" / name, self._folder / "publish" / name / pod.metadata.uid
        await in_thread(self._prepare, pod.metadata.uid, held, driver.name, target)
        try:
            if STAGE in driver.capabilities:
                await in_thread(staging.mkdir, parents=True, exist_ok=True, mode=0o750)
                await self._requests.stage(driver, source, staging, capability, context)
        except CsiProblem as error:
            raise CsiProblem(str(error), SET_UP) from error
        try:
            attributes = dict(source.volume_attributes) | await self._requests.context(pod, about, ephemeral=False)
            await driver.socket.call(
                "NodePublishVolume",
                volume_id=source.volume_handle,
                publish_context=context,
                staging_target_path=str(staging),
                target_path=str(target),
                volume_capability=capability,
                readonly=read_only or bool(source.read_only),
                secrets=await self._requests.secret(source.node_publish_secret_ref, "NodePublishSecretRef"),
                volume_context=attributes,
            )
        except CsiProblem as error:
            raise CsiProblem(str(error), MAP) from error
        return Device(target, str(staging) if STAGE in driver.capabilities else "", capability)

    def _prepare(self, uid: str, held: PersistentVolume, driver: str, target: Path) -> None:
        """Everything but the device itself, which the driver makes."""
        source, name = held.spec.csi, held.metadata.name
        assert source is not None, "only CSI volumes come here"
        data = {
            "driverName": driver,
            "nodeName": self._requests.node,
            "specVolID": name,
            "volumeHandle": source.volume_handle,
            "attachmentID": attachment_name(source.volume_handle, driver, self._requests.node),
        }
        prepare(target.parent, self._folder / name / "data" / DATA, data)
        link = self._root / "pods" / uid / "volumeDevices" / "kubernetes.io~csi" / name
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not link.is_symlink():
            link.symlink_to(target)

    async def release(self, link: Path) -> None:
        """Take a device away from a pod, and from the node when it was the last that had it."""
        name, data = link.name, await in_thread(self.data, link.name)
        if not data:  # all but the link was taken away already
            await in_thread(link.unlink)
            return
        driver, handle = self._requests.registered(data["driverName"]), data["volumeHandle"]
        target = self._folder / "publish" / name / link.parent.parent.parent.name
        await driver.socket.call("NodeUnpublishVolume", volume_id=handle, target_path=str(target))
        await in_thread(clear, target)
        if not await in_thread(self._others, link):
            staging = self._folder / "staging" / name
            if STAGE in driver.capabilities and staging.exists():
                await driver.socket.call("NodeUnstageVolume", volume_id=handle, staging_target_path=str(staging))
            await in_thread(self._forget, name)
        await in_thread(link.unlink)

    def _others(self, link: Path) -> bool:
        return any(other != link for other in self._root.glob(f"pods/*/volumeDevices/kubernetes.io~csi/{link.name}"))

    def _forget(self, name: str) -> None:
        clear(self._folder / "staging" / name)
        for folder in (self._folder / "publish" / name, self._folder / name / "data", self._folder / name):
            for file in (folder / DATA, folder):
                clear(file)
