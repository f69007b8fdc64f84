"""The volumes' door: every volume of a pod as a path on the node, and everything given back afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from apimachinery.objects.core_v1 import CSIVolumeSource, PersistentVolume, Pod


class MountProblem(Exception):
    """A volume cannot be made ready; reason and message are the event's. `volume` is its name in the pod."""

    def __init__(self, volume: str, message: str, reason: str = "FailedMount") -> None:
        super().__init__(message)
        self.volume, self.reason = volume, reason


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """How full a volume is: bytes and inodes. `claim` is the name of the claim that it came from.

    `is_local`: what is in it counts as the pod's own local storage.
    """

    capacity: int = 0
    available: int = 0
    used: int = 0
    inodes: int = 0
    inodes_free: int = 0
    inodes_used: int = 0
    claim: str = ""
    is_local: bool = False


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

    async def usage(self, pod: Pod) -> Mapping[str, VolumeUse]:
        """How full the pod's mounted volumes are, by name; what cannot be told is left out."""
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

    async def usage(self, uid: str, name: str) -> VolumeUse | None:
        """How full a volume is, by its name in the pod or its PersistentVolume's; None where the driver cannot tell.

        Raises CsiProblem.
        """
        ...

    async def release(self, uid: str) -> None:
        """Everything of the pod given back to the drivers. Raises CsiProblem where a driver does not take it yet."""
        ...
