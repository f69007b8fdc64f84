"""Volumes that are only paths, for tests of what uses them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from apimachinery.objects.core_v1 import Pod
from kubelet.volumes.protocol import MountProblem, VolumeUse


class FakeVolumes:
    """`Volumes` without files. `failing` makes every mount of that volume fail."""

    def __init__(self) -> None:
        self.mounted: dict[str, Mapping[str, Path]] = {}
        self.failing = ""

    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        await asyncio.sleep(0)
        for volume in pod.spec.volumes:
            if volume.name == self.failing:
                raise MountProblem(volume.name, f'MountVolume.SetUp failed for volume "{volume.name}" : made to fail')
        found = {volume.name: Path("/fake") / pod.metadata.uid / volume.name for volume in pod.spec.volumes}
        self.mounted[pod.metadata.uid] = found
        return found

    async def subpath(self, uid: str, container: str, index: int, volume: tuple[str, Path], wanted: str) -> Path:  # noqa: ARG002
        await asyncio.sleep(0)
        return volume[1] / wanted

    def refresh_at(self, uid: str) -> float | None:  # noqa: ARG002 - no tokens here
        return None

    async def unmount(self, uid: str) -> None:
        await asyncio.sleep(0)
        self.mounted.pop(uid, None)

    async def usage(self, pod: Pod) -> Mapping[str, VolumeUse]:
        await asyncio.sleep(0)
        return {name: VolumeUse(used=1) for name in self.mounted.get(pod.metadata.uid, ())}

    async def held(self) -> set[str]:
        return set(self.mounted)
