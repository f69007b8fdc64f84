"""The volumes' door: every volume of a pod as a path on the node, and everything given back afterwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from apimachinery.objects.core_v1 import CSIVolumeSource, PersistentVolume, Pod


class MountProblem(Exception):
    """A volume cannot be made ready; the message is the event's (FailedMount). `volume` is its name in the pod."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(message)
        self.volume = volume


class Volumes(Protocol):
    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        """Every volume's path, by name. Again at any time: files of config maps and their like are brought up to date.

        Raises MountProblem.
        """
        ...

    async def subpath(self, uid: str, container: str, index: int, volume: tuple[str, Path], wanted: str) -> Path:
        """A part of a volume (its name, its path) for the container's mount of that index. It never leads out of it.

        Raises PathProblem, OSError.
        """
        ...

    def refresh_at(self, uid: str) -> float | None:
        """When `mount` has to be called again because a token will need renewal."""
        ...

    async def unmount(self, uid: str) -> None:
        """Take away everything that was made for the pod. Twice is fine."""
        ...

    async def held(self) -> set[str]:
        """The uids of all pods that something is kept for."""
        ...


class CsiProblem(Exception):
    """A driver refused, or is not there; the message is upstream's, as is the name of the step."""

    def __init__(self, message: str, step: str = "MountVolume.SetUp") -> None:
        super().__init__(message)
        self.step = step


class Csi(Protocol):
    """The volumes that are drivers' of their own. Both kinds of `mount` may be called again at any time."""

    async def inline(self, pod: Pod, volume: str, source: CSIVolumeSource) -> Path:
        """A volume that lives in its pod's spec. Raises CsiProblem."""
        ...

    async def persistent(self, pod: Pod, held: PersistentVolume, *, read_only: bool) -> Path:
        """Raises CsiProblem."""
        ...

    def refresh_at(self, uid: str) -> float | None:
        """When the pod's volumes want to be looked at again."""
        ...

    async def release(self, uid: str) -> None:
        """Everything of the pod given back to the drivers. Raises CsiProblem where a driver does not take it yet."""
        ...
