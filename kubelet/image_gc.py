"""Removes images when the disk fills up: the longest unused first, until there is room again.

Only images that this kubelet pulled (it keeps a list on disk): the Docker Engine is the machine's, and what others put
there is theirs. Nothing that a container uses, or that came a moment ago.
Source: pkg/kubelet/images/image_gc_manager.go.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from kubelet.runtime.protocol import ContainerRuntime, Disk, Image, RuntimeError_

log = structlog.get_logger("kubelet.images")

PERIOD, YOUNGEST = 300.0, 120.0
HIGH, LOW = 85, 80

Tell = Callable[[str, str, str], None]  # type, reason, message: an event of the node


def to_free(disk: Disk, high: int, low: int) -> int:
    """How many bytes have to go; 0 while there is room."""
    if not disk.capacity or disk.used_percent < high:
        return 0
    return disk.capacity * (100 - low) // 100 - disk.available


def plan(
    images: Sequence[Image],
    pulled: Mapping[str, float],
    last_used: Mapping[str, float],
    used: Collection[str],
    now: float,
) -> list[Image]:
    """The images that may go, in the order in which they should."""
    may = [i for i in images if i.id in pulled and i.id not in used and now - pulled[i.id] >= YOUNGEST]
    return sorted(may, key=lambda i: (last_used.get(i.id, pulled[i.id]), pulled[i.id], i.id))


@dataclass
class ImageKeeper:
    """Knows what was pulled, and makes room."""

    runtime: ContainerRuntime
    file: Path
    tell: Tell
    high: int = HIGH
    low: int = LOW
    clock: Callable[[], float] = time.time
    mounted: Callable[[], Collection[str]] = tuple  # the ids of images that pods have as volumes
    _last_used: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pulled: dict[str, float] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):
            self._pulled = {str(id): float(at) for id, at in json.loads(self.file.read_text()).items()}

    def pulled(self, image: Image) -> None:
        """Remember an image as ours."""
        if image.id not in self._pulled:
            self._pulled[image.id] = self.clock()
            try:
                self._save()
            except OSError as error:  # it is written down with the next one
                log.warning("cannot note a pulled image", image=image.id, error=str(error))

    def _save(self) -> None:
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps(self._pulled))
        draft.rename(self.file)

    async def run(self) -> None:
        """Forever."""
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self.collect()
            except (RuntimeError_, OSError) as error:
                log.warning("cannot collect images", error=str(error))

    async def clear(self) -> None:
        """The node is short of disk: every image that nothing uses goes."""
        now, images = self.clock(), await self.runtime.images()
        used = {container.image_id for container in await self.runtime.list()} | set(self.mounted())
        await self._free(plan(images, self._pulled, self._last_used, used, now), 0, every=True)

    async def collect(self) -> int:
        """One look; the bytes that were freed."""
        now, images = self.clock(), await self.runtime.images()
        used = {container.image_id for container in await self.runtime.list()} | set(self.mounted())
        self._last_used |= dict.fromkeys(used, now)
        gone = self._pulled.keys() - {image.id for image in images}
        if gone:
            self._pulled = {id: at for id, at in self._pulled.items() if id not in gone}
            self._save()
        wanted = to_free(await self.runtime.image_disk(), self.high, self.low)
        return await self._free(plan(images, self._pulled, self._last_used, used, now), wanted) if wanted > 0 else 0

    async def _free(self, may: Sequence[Image], wanted: int, *, every: bool = False) -> int:
        freed = 0
        for image in may:
            if freed >= wanted and not every:
                break
            try:
                await self.runtime.remove_image(image.id)
            except RuntimeError_ as error:  # a container that is not ours uses it
                log.info("an image stays", image=image.id, error=str(error))
                continue
            log.info("removed an image to free bytes", image=image.id, size=image.size)
            freed += image.size
        if freed < wanted:
            words = f"Attempted to free {wanted} bytes, but only found {freed} bytes eligible to free."
            self.tell("Warning", "FreeDiskSpaceFailed", f"Failed to garbage collect required amount of images. {words}")
        return freed
