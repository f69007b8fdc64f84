"""A pod's volumes on this node's file system: `ROOT/pods/UID/volumes/PLUGIN/NAME`, as upstream lays them out.

Composition: payload.py says what the files hold, atomic.py writes them, emptydir.py, hostpath.py and nfs.py make
folders, ownership.py gives them to the pod's group, subpaths.py leads into them; the objects come through the `Objects`
door. Local volumes on disks of their own go through disks.py. What this node cannot mount is refused by name.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from apimachinery.errors import ApiError
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import PersistentVolume, Pod
from kubelet.objects import Objects, Token, Unbound
from kubelet.pods.images import ImageProblem
from kubelet.runtime.protocol import Image
from kubelet.threads import in_thread
from kubelet.volumes import emptydir, hostpath, image, mounts, nfs, ownership, payload, subpaths, usage
from kubelet.volumes.atomic import BadPath, write
from kubelet.volumes.disks import PLUGIN, Disks
from kubelet.volumes.protocol import Csi, CsiProblem, MountProblem, VolumeUse

Pull = Callable[[Pod, core_v1.ImageVolumeSource], Awaitable[Image]]

_DAY = 86400.0
_PROBLEMS = (payload.PayloadProblem, BadPath, OSError, ApiError)


class LocalVolumes:
    """`Volumes` under one root folder.

    `csi` mounts what is a driver's, `pull` fetches the images of image volumes; None where there are none.
    """

    def __init__(
        self,
        root: Path,
        objects: Objects,
        *,
        allocatable: Callable[[], Mapping[str, str]],
        csi: Csi | None = None,
        pull: Pull | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._objects, self._allocatable, self._clock = root, objects, allocatable, clock
        self._csi, self._pull, self._disks = csi, pull, Disks(root)
        self._images: dict[tuple[str, str], str] = {}  # uid, volume -> the image's id
        self._tokens: dict[tuple[str, str, str], tuple[Token, float]] = {}  # uid, volume, path -> token, renew at
        self._claims: dict[tuple[str, str], PersistentVolume] = {}  # uid, volume -> what its claim led to

    def _folder(self, uid: str, plugin: str, name: str) -> Path:
        return self._root / "pods" / uid / "volumes" / f"kubernetes.io~{plugin}" / name

    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        await self._warm(pod)
        found = {}
        for volume in pod.spec.volumes:
            shown = volume.name
            try:
                claim = _claim(pod, volume)
                if claim:
                    held = await self._claimed(pod, volume, claim)
                    shown = held.metadata.name
                    self._claims[pod.metadata.uid, volume.name] = held
                    found[volume.name] = await self._persistent(pod, volume, held)
                else:
                    found[volume.name] = await self._one(pod, volume)
            except Unbound as error:
                raise MountProblem(volume.name, _unprocessed(volume.name, str(error))) from error
            except ImageProblem as error:
                words = f'MountVolume.SetUp failed for volume "{shown}" : {error.failure.reason}: {error}'
                raise MountProblem(volume.name, words) from error
            except (CsiProblem, hostpath.PathProblem) as error:
                words = f'{error.step} failed for volume "{shown}" : {error}'
                reason = "FailedMapVolume" if error.step.startswith("MapVolume") else "FailedMount"
                raise MountProblem(volume.name, words, reason) from error
            except _PROBLEMS as error:
                raise MountProblem(volume.name, f'MountVolume.SetUp failed for volume "{shown}" : {error}') from error
        return found

    async def _warm(self, pod: Pod) -> None:
        """Begin to watch every object at once: one after the other, fifty config maps would take fifty round trips."""
        namespace, uid = pod.metadata.namespace, pod.metadata.uid
        wanted: list[Awaitable[object]] = []
        for volume in pod.spec.volumes:
            configmaps, secrets = payload.references(volume)
            wanted += [self._objects.configmap(namespace, name, uid) for name in configmaps]
            wanted += [self._objects.secret(namespace, name, uid) for name in secrets]
        await asyncio.gather(*wanted, return_exceptions=True)  # each volume meets its own problem again

    async def _one(self, pod: Pod, volume: core_v1.Volume) -> Path:
        uid, group = pod.metadata.uid, _group(pod)
        if volume.empty_dir:
            folder = self._folder(uid, "empty-dir", volume.name)
            ready = self._root / "pods" / uid / "plugins" / "kubernetes.io~empty-dir" / volume.name / "ready"
            most = emptydir.memory(pod, self._allocatable())
            await in_thread(emptydir.prepare, folder, ready, volume.empty_dir, group, most)
            return folder
        if volume.host_path:
            return await in_thread(hostpath.prepare, volume.host_path)
        if volume.nfs:
            folder = self._folder(uid, "nfs", volume.name)
            await in_thread(nfs.mount, volume.nfs, folder)
            return folder
        if volume.image:
            return await self._image(pod, volume.name, volume.image)
        if volume.csi:
            return await self._driver().inline(pod, volume.name, volume.csi)
        for plugin, source in _FILES.items():
            if getattr(volume, source) is not None:
                return await self._files(pod, volume, plugin, group)
        raise payload.PayloadProblem("volumes of this type are not supported by PyKube")

    async def _image(self, pod: Pod, volume: str, source: core_v1.ImageVolumeSource) -> Path:
        """Pulled once in the pod's life: a running pod goes on with the image that it has."""
        uid = pod.metadata.uid
        folder = self._folder(uid, "image", volume)
        record = self._root / "pods" / uid / "plugins" / "kubernetes.io~image" / volume / "id"
        if not await in_thread(lambda: record.exists() and mounts.is_mounted(folder)):
            if self._pull is None:
                raise payload.PayloadProblem("image volumes are not supported by this node")
            found = await self._pull(pod, source)
            await in_thread(image.mount, found, folder, record)
        self._images[uid, volume] = await in_thread(record.read_text)
        return folder

    def images(self) -> set[str]:
        """The ids of the images that pods have as volumes."""
        return set(self._images.values())

    # ---------------------------------------------------------------------------------------------- files

    async def _files(self, pod: Pod, volume: core_v1.Volume, plugin: str, group: int | None) -> Path:
        namespace, uid = pod.metadata.namespace, pod.metadata.uid
        configmaps, secrets = payload.references(volume)
        sources = payload.Sources(
            configmaps={n: o for n in configmaps if (o := await self._objects.configmap(namespace, n, uid))},
            secrets={n: s for n in secrets if (s := await self._objects.secret(namespace, n, uid))},
            tokens={t.path: await self._token(pod, volume.name, t) for t in payload.tokens(volume)},
            allocatable=self._allocatable(),
        )
        files = payload.files(pod, volume, sources)
        folder = self._folder(uid, plugin, volume.name)

        def lay() -> None:
            if plugin != "configmap":
                mounts.mount_tmpfs(folder)  # what is secret never reaches a disk
            write(folder, files, group=group)

        await in_thread(lay)
        return folder

    async def _token(self, pod: Pod, volume: str, wanted: core_v1.ServiceAccountTokenProjection) -> str:
        """The token in hand, or a new one when four fifths of its life, or a day, have passed."""
        key, now = (pod.metadata.uid, volume, wanted.path), self._clock()
        held = self._tokens.get(key)
        if held is not None and now < held[1]:
            return held[0].text
        try:
            token = await self._objects.token(pod, wanted.audience, wanted.expiration_seconds or 3600)
        except ApiError as error:
            if held is not None and now < held[0].expires_at:
                return held[0].text  # it still holds; the next refresh asks again
            raise payload.PayloadProblem(f"failed to fetch token: {error}") from error
        renew_at = min(now + 0.8 * max(token.expires_at - now, 0), now + _DAY)
        self._tokens[key] = (token, renew_at)
        return token.text

    def refresh_at(self, uid: str) -> float | None:
        times = [renew for (owner, _, _), (_, renew) in self._tokens.items() if owner == uid]
        again = self._csi.refresh_at(uid) if self._csi is not None else None
        return min((*times, *([again] if again is not None else [])), default=None)

    # ---------------------------------------------------------------------------------------------- claims

    async def _claimed(self, pod: Pod, volume: core_v1.Volume, claim: str) -> PersistentVolume:
        owner = pod if volume.ephemeral else None
        held = await self._objects.claimed(pod.metadata.namespace, claim, owner)
        mode = held.spec.volume_mode or "Filesystem"
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        if mode != "Filesystem" and any(m.name == volume.name for c in containers for m in c.volume_mounts):
            raise Unbound(f"volume {volume.name} has volumeMode {mode}, but is specified in volumeMounts")
        if mode != "Block" and any(d.name == volume.name for c in containers for d in c.volume_devices):
            raise Unbound(f"volume {volume.name} has volumeMode {mode}, but is specified in volumeDevices")
        return held

    async def _persistent(self, pod: Pod, volume: core_v1.Volume, held: PersistentVolume) -> Path:
        spec, uid, name = held.spec, pod.metadata.uid, held.metadata.name
        read_only = bool(volume.persistent_volume_claim and volume.persistent_volume_claim.read_only)
        if spec.csi:
            return await self._driver().persistent(pod, held, read_only=read_only)
        if spec.volume_mode == "Block":
            return await in_thread(hostpath.device, spec.local.path if spec.local else "")
        if spec.host_path:
            return await in_thread(hostpath.prepare, spec.host_path)
        if spec.nfs:
            folder = self._folder(uid, "nfs", name)
            await in_thread(nfs.mount, spec.nfs, folder, spec.mount_options)
            return folder
        if spec.local:
            return await in_thread(self._local, pod, held, read_only=read_only)
        raise payload.PayloadProblem(f'persistent volume "{name}" is of a type PyKube cannot mount')

    def _local(self, pod: Pod, held: PersistentVolume, *, read_only: bool) -> Path:
        """A folder or disk of the node, bound into the pod's folder; the first pod gives it to its group."""
        name, local = held.metadata.name, held.spec.local
        assert local is not None, "only local volumes come here"
        folder = self._folder(pod.metadata.uid, PLUGIN, name)
        if mounts.is_mounted(folder):
            return folder
        source = hostpath.directory_or_disk(local.path)
        others = self._root.glob(f"pods/*/volumes/{folder.parent.name}/{folder.name}")
        is_first = not any(mounts.is_mounted(other) for other in others)
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        bind = partial(mounts.bind, target=folder, read_only=read_only)
        if source.is_block_device():
            options = list(dict.fromkeys((*(("ro",) if read_only else ()), *held.spec.mount_options)))
            self._disks.bind(name, local.path, local.fs_type or "", options, lambda path: bind(str(path)))
        else:
            bind(str(source))
        context = pod.spec.security_context
        if context is not None and context.fs_group is not None and is_first and not read_only:
            ownership.own(folder, context.fs_group, policy=context.fs_group_change_policy)
        return folder

    def _driver(self) -> Csi:
        if self._csi is None:
            raise payload.PayloadProblem("CSI volumes are not supported by this node")
        return self._csi

    # ---------------------------------------------------------------------------------------------- subPaths, the end

    async def subpath(self, uid: str, container: str, index: int, volume: tuple[str, Path], wanted: str) -> Path:
        name, path = volume
        target = self._root / "pods" / uid / "volume-subpaths" / name / container / str(index)
        return await in_thread(subpaths.prepare, path, wanted, target)

    async def unmount(self, uid: str) -> None:
        folder = self._root / "pods" / uid
        if self._csi is not None:
            await in_thread(mounts.unmount_below, folder / "volume-subpaths")
            try:
                await self._csi.release(uid)
            except (CsiProblem, hostpath.PathProblem) as error:
                raise OSError(str(error)) from error
        await in_thread(self._clear, folder)
        self._tokens = {key: held for key, held in self._tokens.items() if key[0] != uid}
        self._claims = {key: held for key, held in self._claims.items() if key[0] != uid}
        self._images = {key: id for key, id in self._images.items() if key[0] != uid}
        self._objects.release(uid)

    def _clear(self, folder: Path) -> None:
        _clear(folder)
        self._disks.release()

    async def usage(self, pod: Pod) -> Mapping[str, VolumeUse]:
        found = {}
        for volume in pod.spec.volumes:
            try:
                used = await self._usage(pod, volume)
            except (CsiProblem, OSError):  # not mounted (any more), or its driver is away
                continue
            if used is not None:
                claim = _claim(pod, volume)
                found[volume.name] = replace(used, claim=claim, is_local=_is_local(volume))
        return found

    async def _usage(self, pod: Pod, volume: core_v1.Volume) -> VolumeUse | None:
        uid = pod.metadata.uid
        held = self._claims.get((uid, volume.name))
        if volume.csi or (held is not None and held.spec.csi):
            return await self._driver().usage(uid, held.metadata.name if held is not None else volume.name)
        if held is not None and held.spec.volume_mode == "Block":
            return await in_thread(usage.of_device, Path(held.spec.local.path if held.spec.local else ""))
        if volume.nfs:
            return await in_thread(usage.of_file_system, self._folder(uid, "nfs", volume.name))
        if held is not None:
            plugin = "nfs" if held.spec.nfs else PLUGIN if held.spec.local else ""
            folder = self._folder(uid, plugin, held.metadata.name)
            return await in_thread(usage.of_file_system, folder) if plugin else None
        plugin = next((p for p, source in _SMALL.items() if getattr(volume, source) is not None), "")
        return await in_thread(usage.of_files, self._folder(uid, plugin, volume.name)) if plugin else None

    async def held(self) -> set[str]:
        pods = self._root / "pods"
        return {entry.name for entry in pods.iterdir()} if pods.is_dir() else set()


#: The volumes that are files: upstream's plugin name, and the field of the spec.
_FILES = {
    "configmap": "config_map",
    "secret": "secret",
    "downward-api": "downward_api",
    "projected": "projected",
}
#: Those that are measured file by file.
_SMALL = {"empty-dir": "empty_dir", **_FILES}


def _is_local(volume: core_v1.Volume) -> bool:
    """Whether what is in it counts as the pod's local storage."""
    on_disk = volume.empty_dir is not None and volume.empty_dir.medium != "Memory"
    return on_disk or volume.config_map is not None or volume.downward_api is not None


def _clear(folder: Path) -> None:
    """Unmount first, and look again: what is removed here must never be somebody's data."""
    mounts.unmount_below(folder)
    left = mounts.below(folder)
    if left:
        raise OSError(f"{left[0]} is still mounted")
    if folder.exists():
        shutil.rmtree(folder)


def _group(pod: Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None


def _claim(pod: Pod, volume: core_v1.Volume) -> str:
    if volume.persistent_volume_claim:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral else ""


def _unprocessed(name: str, why: str) -> str:
    lists = f"unmounted volumes=[{name}], unattached volumes=[], failed to process volumes=[{name}]"
    return f"Unable to attach or mount volumes: {lists}: {why}"
