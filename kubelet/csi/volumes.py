"""A driver's volumes in pods: staged once on the node, published to each pod, and given back in the other order.

    ROOT/plugins/kubernetes.io/csi/DRIVER/SHA256(HANDLE)/globalmount     where a volume is staged
    ROOT/pods/UID/volumes/kubernetes.io~csi/VOLUME/mount                 where it is published
    vol_data.json beside each                                            what a kubelet needs to take it back

The files are all the memory there is: a kubelet that was killed goes on from them. Calls are repeated as CSI allows.
Block volumes of drivers are not supported. Sources: pkg/volume/csi/csi_mounter.go, csi_attacher.go.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from apimachinery import quantity
from apimachinery.errors import ApiError
from apimachinery.objects.core_v1 import (
    CSIPersistentVolumeSource,
    CSIVolumeSource,
    PersistentVolume,
    Pod,
    SecretReference,
)
from apimachinery.objects.storage_v1 import CSIDriver
from apimachinery.types import Json
from kubelet.csi.api import CsiApi
from kubelet.csi.messages import EXPAND, MOUNT_GROUP, MULTI_WRITER, STAGE
from kubelet.csi.registry import Driver, Registry
from kubelet.threads import in_thread
from kubelet.volumes import mounts, ownership
from kubelet.volumes.protocol import CsiProblem

_DATA = "vol_data.json"
_PLUGIN = "kubernetes.io/csi"
_PERIOD = 60.0
_RESIZE_PENDING = "FileSystemResizePending"
_MODES = {"ReadWriteOnce": 1, "ReadOnlyMany": 3, "ReadWriteMany": 5, "ReadWriteOncePod": 1}
_MODES_OF_NEWER = {**_MODES, "ReadWriteOnce": 7, "ReadWriteOncePod": 6}


def attachment_name(handle: str, driver: str, node: str) -> str:
    return "csi-" + hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Published:
    path: Path
    staged: str
    capability: Mapping[str, Json]


class CsiVolumes:
    """`Csi` by the drivers that have registered."""

    def __init__(
        self, root: Path, node: str, registry: Registry, api: CsiApi, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._root, self._node, self._registry, self._api, self._clock = root, node, registry, api, clock
        self._locks: dict[str, asyncio.Lock] = {}  # by the volume: staging and unstaging take turns
        self._told: list[str] | None = None
        self._published: dict[tuple[str, str], _Published] = {}  # in this kubelet's life, by pod and volume
        self._again: dict[str, float] = {}

    # ---------------------------------------------------------------------------------------------- mounting

    async def inline(self, pod: Pod, volume: str, source: CSIVolumeSource) -> Path:
        driver = self._driver(source.driver)
        about = await self._api.driver(driver.name)
        _check_mode(about, driver.name, "Ephemeral")
        self._look_again(pod, driver, about)
        done = self._published.get((pod.metadata.uid, volume))
        if done is not None and not (about is not None and about.spec.requires_republish):
            return done.path
        handle = "csi-" + hashlib.sha256(f"{pod.metadata.uid}{volume}".encode()).hexdigest()
        reference = source.node_publish_secret_ref
        secret = SecretReference(name=reference.name, namespace=pod.metadata.namespace) if reference else None
        capability = _capability(driver, source.fs_type, ("ReadWriteOnce",), (), _delegated(driver, pod))
        request = {
            "volume_id": handle,
            "volume_capability": capability,
            "readonly": bool(source.read_only),
            "secrets": await self._secret(secret, "NodePublishSecretRef"),
            "volume_context": dict(source.volume_attributes) | await self._context(pod, about, ephemeral=True),
        }
        path = await self._publish(pod, volume, driver, request, {"volumeLifecycleMode": "Ephemeral"})
        self._published[pod.metadata.uid, volume] = _Published(path, "", capability)
        return path

    async def persistent(self, pod: Pod, held: PersistentVolume, *, read_only: bool) -> Path:
        source = held.spec.csi
        assert source is not None, "only CSI volumes come here"
        if held.spec.volume_mode == "Block":
            raise CsiProblem("block volumes of CSI drivers are not supported by PyKube")
        driver = self._driver(
            source.driver, "MountVolume.MountDevice", "attacher.MountDevice failed to create newCsiDriverClient"
        )
        about = await self._api.driver(driver.name)
        _check_mode(about, driver.name, "Persistent")
        self._look_again(pod, driver, about)
        done = self._published.get((pod.metadata.uid, held.metadata.name))
        if done is not None and not (about is not None and about.spec.requires_republish):
            await self._expand(driver, held, done)
            return done.path
        await self._use(f"{_PLUGIN}/{driver.name}^{source.volume_handle}")
        context = await self._attached(source, about)
        capability = _capability(
            driver, source.fs_type, held.spec.access_modes, held.spec.mount_options, _delegated(driver, pod)
        )
        async with self._lock(driver.name, source.volume_handle):
            staged = await self._stage(driver, held, capability, context)
            request = {
                "volume_id": source.volume_handle,
                "publish_context": context,
                "staging_target_path": staged,
                "volume_capability": capability,
                "readonly": read_only or bool(source.read_only),
                "secrets": await self._secret(source.node_publish_secret_ref, "NodePublishSecretRef"),
                "volume_context": dict(source.volume_attributes) | await self._context(pod, about, ephemeral=False),
            }
            data = {"volumeLifecycleMode": "Persistent"}
            path = await self._publish(pod, held.metadata.name, driver, request, data)
        done = self._published[pod.metadata.uid, held.metadata.name] = _Published(path, staged, capability)
        await self._expand(driver, held, done)
        await self._give(driver, about, pod, held, path, read_only=bool(request["readonly"]))
        return path

    def _driver(
        self, name: str, step: str = "MountVolume.SetUp", doing: str = "mounter.SetUpAt failed to get CSI client"
    ) -> Driver:
        try:
            return self._registry.find(name)
        except CsiProblem as error:
            raise CsiProblem(f"kubernetes.io/csi: {doing}: {error}", step) from error

    def _look_again(self, pod: Pod, driver: Driver, about: CSIDriver | None) -> None:
        """Volumes may have grown, and some drivers want to be asked for fresh content."""
        if EXPAND in driver.capabilities or (about is not None and about.spec.requires_republish):
            self._again[pod.metadata.uid] = self._clock() + _PERIOD

    def refresh_at(self, uid: str) -> float | None:
        return self._again.get(uid)

    def _lock(self, driver: str, handle: str) -> asyncio.Lock:
        return self._locks.setdefault(f"{driver}^{handle}", asyncio.Lock())

    async def _attached(self, source: CSIPersistentVolumeSource, about: CSIDriver | None) -> dict[str, str]:
        """What the attacher left for the node; raises CsiProblem until it has attached."""
        if about is not None and about.spec.attach_required is False:
            return {}
        name = attachment_name(source.volume_handle, source.driver, self._node)
        found = await self._api.attachment(name)
        if found is None or not found.status.attached:
            words = f"volume {source.volume_handle} is not attached for volume attachment {name}"
            raise CsiProblem(words, "MountVolume.WaitForAttach")
        return dict(found.status.attachment_metadata)

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
        await in_thread(_prepare, target, folder / _DATA, data)
        try:
            await driver.socket.call(
                "NodeStageVolume",
                volume_id=source.volume_handle,
                publish_context=context,
                staging_target_path=str(target),
                volume_capability=capability,
                secrets=await self._secret(source.node_stage_secret_ref, "NodeStageSecretRef"),
                volume_context=dict(source.volume_attributes),
            )
        except CsiProblem as error:
            raise CsiProblem(str(error), "MountVolume.MountDevice") from error
        return str(target)

    def _staging(self, driver: str, handle: str) -> Path:
        return self._root / "plugins" / _PLUGIN / driver / hashlib.sha256(handle.encode()).hexdigest()

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
        await in_thread(_prepare, folder, folder / _DATA, data)  # the driver makes the last folder itself
        await driver.socket.call("NodePublishVolume", target_path=str(target), **request)
        return target

    async def _secret(self, ref: SecretReference | None, what: str) -> dict[str, str]:
        try:
            return await self._api.secret(ref)
        except ApiError as error:
            assert ref is not None, "without a reference nothing is fetched"
            raise CsiProblem(f"fetching {what} {ref.namespace}/{ref.name} failed: {error}") from error

    async def _context(self, pod: Pod, about: CSIDriver | None, *, ephemeral: bool) -> dict[str, str]:
        """What a driver that asks for it is told of the pod."""
        if about is None:
            return {}
        found, meta = {}, pod.metadata
        if about.spec.pod_info_on_mount:
            found = {
                "csi.storage.k8s.io/pod.name": meta.name,
                "csi.storage.k8s.io/pod.namespace": meta.namespace,
                "csi.storage.k8s.io/pod.uid": meta.uid,
                "csi.storage.k8s.io/serviceAccount.name": pod.spec.service_account_name,
                "csi.storage.k8s.io/ephemeral": str(ephemeral).lower(),
            }
        if about.spec.token_requests:
            statuses = {
                asked.audience: await self._api.token(pod, asked.audience, asked.expiration_seconds)
                for asked in about.spec.token_requests
            }
            tokens = {
                audience: {"token": status["token"], "expirationTimestamp": status["expirationTimestamp"]}
                for audience, status in statuses.items()
            }
            found["csi.storage.k8s.io/serviceAccount.tokens"] = json.dumps(tokens)
        return found

    async def _expand(self, driver: Driver, held: PersistentVolume, done: "_Published") -> None:
        """The node's half of growing, where the controller's half is done and the claim waits for it."""
        ref, source = held.spec.claim_ref, held.spec.csi
        if EXPAND not in driver.capabilities or ref is None or source is None:
            return
        claim = await self._api.claim(ref.namespace, ref.name)
        if not any(each.type == _RESIZE_PENDING and each.status == "True" for each in claim.status.conditions):
            return
        size = quantity.parse(held.spec.capacity.get("storage", "0")).value()
        await driver.socket.call(
            "NodeExpandVolume",
            volume_id=source.volume_handle,
            volume_path=str(done.path),
            capacity_range={"required_bytes": size},
            staging_target_path=done.staged,
            volume_capability=done.capability,
            secrets=await self._secret(source.node_expand_secret_ref, "NodeExpandSecretRef"),
        )
        await self._api.resized(claim, held.spec.capacity)

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
        names = await in_thread(self._on_disk)
        wanted = sorted(names | {name} if name else names)
        if wanted != self._told:
            await self._api.volumes_in_use(wanted)
            self._told = wanted

    def _on_disk(self) -> set[str]:
        """The volumes that any pod of the node has, as the node's status names them."""
        found = [_read(file) for file in self._root.glob(f"pods/*/volumes/kubernetes.io~csi/*/{_DATA}")]
        lasting = [data for data in found if data.get("volumeLifecycleMode") == "Persistent"]
        return {f"{_PLUGIN}/{data['driverName']}^{data['volumeHandle']}" for data in lasting}

    # ---------------------------------------------------------------------------------------------- giving back

    async def release(self, uid: str) -> None:
        self._again.pop(uid, None)
        self._published = {key: done for key, done in self._published.items() if key[0] != uid}
        folder = self._root / "pods" / uid / "volumes" / "kubernetes.io~csi"
        for place in await in_thread(_folders, folder):
            data = await in_thread(_read, place / _DATA)
            name, handle = data.get("driverName", ""), data.get("volumeHandle", "")
            if not name:
                continue
            async with self._lock(name, handle):
                await self._unpublish(name, handle, place)
                if data.get("volumeLifecycleMode") != "Ephemeral":
                    await self._unstage(name, handle)

    async def _unpublish(self, name: str, handle: str, place: Path) -> None:
        driver = self._registry.find(name)
        target = place / "mount"
        await driver.socket.call("NodeUnpublishVolume", volume_id=handle, target_path=str(target))
        await in_thread(_forget, target, place)

    async def _unstage(self, name: str, handle: str) -> None:
        """Unless another pod of the node still has it."""
        if await in_thread(self._is_published, name, handle):
            return
        folder = self._staging(name, handle)
        if (await in_thread(_read, folder / _DATA)).get("volumeHandle") == handle:
            driver, target = self._registry.find(name), folder / "globalmount"
            if STAGE in driver.capabilities:
                await driver.socket.call("NodeUnstageVolume", volume_id=handle, staging_target_path=str(target))
            await in_thread(_forget, target, folder)
        await self._use()

    def _is_published(self, name: str, handle: str) -> bool:
        return f"{_PLUGIN}/{name}^{handle}" in self._on_disk()


def _delegated(driver: Driver, pod: Pod) -> str:
    """The pod's group, for a driver that gives volumes to groups itself."""
    context = pod.spec.security_context
    if MOUNT_GROUP not in driver.capabilities or context is None or context.fs_group is None:
        return ""
    return str(context.fs_group)


def _capability(
    driver: Driver, fs_type: str, modes: tuple[str, ...], options: tuple[str, ...], group: str
) -> Mapping[str, Json]:
    words = _MODES_OF_NEWER if MULTI_WRITER in driver.capabilities else _MODES
    mode = next(
        (words[m] for m in ("ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce", "ReadWriteOncePod") if m in modes), 0
    )
    mount = {"fs_type": fs_type, "mount_flags": list(options), "volume_mount_group": group}
    return {"mount": mount, "access_mode": {"mode": mode}}


def _check_mode(about: CSIDriver | None, name: str, mode: str) -> None:
    prefix = "kubernetes.io/csi: mounter.SetupAt failed to check volume lifecycle mode:"
    if about is None:
        if mode == "Ephemeral":
            raise CsiProblem(f'{prefix} volume mode "{mode}" not supported by driver {name} (no CSIDriver object)')
        return
    modes = about.spec.volume_lifecycle_modes or ("Persistent",)
    if mode not in modes:
        only = "[" + " ".join(f'"{each}"' for each in modes) + "]"
        raise CsiProblem(f'{prefix} volume mode "{mode}" not supported by driver {name} (only supports {only})')


def _prepare(folder: Path, file: Path, data: Json) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(data))
    draft.rename(file)


def _folders(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read(file: Path) -> Json:
    try:
        found: Json = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _forget(target: Path, folder: Path) -> None:
    """What a driver may have left of a folder, never its content: rmdir refuses that."""
    mounts.unmount_below(target)
    if target.is_dir():
        target.rmdir()
    target.unlink(missing_ok=True)
    (folder / _DATA).unlink(missing_ok=True)
    folder.rmdir()
