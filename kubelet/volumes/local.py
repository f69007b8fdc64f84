"""A pod's volumes on this node's file system: `ROOT/pods/UID/volumes/PLUGIN/NAME`, as upstream lays them out.

Composition: payload.py says what the files hold, atomic.py writes them, mounts.py makes memory, hostpath.py checks
paths; the objects come through the `Objects` door. What this node cannot mount is refused by name.
"""

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from apimachinery import quantity
from apimachinery.errors import ApiError
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.objects import Objects, Token
from kubelet.volumes import hostpath, mounts, payload
from kubelet.volumes.atomic import BadPath, write
from kubelet.volumes.protocol import MountProblem

_DAY = 86400.0


class LocalVolumes:
    """`Volumes` under one root folder."""

    def __init__(
        self,
        root: Path,
        objects: Objects,
        *,
        allocatable: Callable[[], Mapping[str, str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._objects, self._allocatable, self._clock = root, objects, allocatable, clock
        self._tokens: dict[tuple[str, str, str], tuple[Token, float]] = {}  # uid, volume, path -> token, renew at

    def _folder(self, uid: str, plugin: str, name: str) -> Path:
        return self._root / "pods" / uid / "volumes" / f"kubernetes.io~{plugin}" / name

    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        found = {}
        for volume in pod.spec.volumes:
            try:
                found[volume.name] = await self._one(pod, volume)
            except (payload.PayloadProblem, hostpath.PathProblem, BadPath, OSError, ApiError) as error:
                raise MountProblem(volume.name, str(error)) from error
        return found

    async def _one(self, pod: Pod, volume: core_v1.Volume) -> Path:
        uid, group = pod.metadata.uid, _group(pod)
        if volume.empty_dir:
            folder = self._folder(uid, "empty-dir", volume.name)
            most = _memory(pod, self._allocatable())
            await asyncio.to_thread(_empty_dir, folder, volume.empty_dir, group, most)
            return folder
        if volume.host_path:
            return await asyncio.to_thread(hostpath.prepare, volume.host_path)
        if volume.persistent_volume_claim:
            return await self._claimed(pod, volume.persistent_volume_claim.claim_name)
        if volume.ephemeral:
            return await self._claimed(pod, f"{pod.metadata.name}-{volume.name}")
        for plugin, source in _FILES.items():
            if getattr(volume, source) is not None:
                return await self._files(pod, volume, plugin, group)
        raise payload.PayloadProblem("volumes of this type are not supported by PyKube")

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

        await asyncio.to_thread(lay)
        return folder

    async def _token(self, pod: Pod, volume: str, wanted: core_v1.ServiceAccountTokenProjection) -> str:
        """The token in hand, or a new one when four fifths of its life, or a day, have passed."""
        key, now = (pod.metadata.uid, volume, wanted.path), self._clock()
        held = self._tokens.get(key)
        if held is not None and now < held[1]:
            return held[0].text
        token = await self._objects.token(pod, wanted.audience, wanted.expiration_seconds or 3600)
        renew_at = min(now + 0.8 * max(token.expires_at - now, 0), now + _DAY)
        self._tokens[key] = (token, renew_at)
        return token.text

    def refresh_at(self, uid: str) -> float | None:
        return min((renew for (owner, _, _), (_, renew) in self._tokens.items() if owner == uid), default=None)

    async def _claimed(self, pod: Pod, claim: str) -> Path:
        """A persistent volume that is a folder of this node."""
        volume = await self._objects.claimed(pod.metadata.namespace, claim)
        if volume.spec.host_path:
            return await asyncio.to_thread(hostpath.prepare, volume.spec.host_path)
        if volume.spec.local:
            return await asyncio.to_thread(hostpath.existing, volume.spec.local.path)
        raise payload.PayloadProblem(f'persistent volume "{volume.metadata.name}" is of a type PyKube cannot mount')

    async def unmount(self, uid: str) -> None:
        folder = self._root / "pods" / uid

        def clear() -> None:
            mounts.unmount_below(folder)
            if folder.exists():
                shutil.rmtree(folder)

        await asyncio.to_thread(clear)
        self._tokens = {key: held for key, held in self._tokens.items() if key[0] != uid}
        self._objects.release(uid)

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


def _group(pod: Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None


def _memory(pod: Pod, allocatable: Mapping[str, str]) -> int:
    """How much memory a volume of the pod may take, in bytes: what its containers may, or the node's pods."""
    limits = [c.resources.limits for c in pod.spec.containers if c.resources and "memory" in c.resources.limits]
    own = sum(quantity.parse(limit["memory"]).value() for limit in limits)
    node = quantity.parse(allocatable.get("memory", "0")).value()
    return min(own, node) if own and node else own or node


def _empty_dir(folder: Path, source: core_v1.EmptyDirVolumeSource, group: int | None, most: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        asked = quantity.parse(source.size_limit).value() if source.size_limit else 0
        mounts.mount_tmpfs(folder, size=min(asked, most) if asked and most else asked or most)
    elif source.medium:
        raise payload.PayloadProblem(f'unknown storage medium "{source.medium}"')
    if stat.S_IMODE(folder.stat().st_mode) & 0o777 != 0o777:
        folder.chmod(0o777)
    if group is not None:
        os.chown(folder, -1, group)
        folder.chmod(0o2777)
