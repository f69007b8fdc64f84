"""The volumes' door: every volume of a pod as a path on the node, and everything given back afterwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from apimachinery.objects.core_v1 import Pod


class MountProblem(Exception):
    """A volume cannot be made ready (event FailedMount); `volume` is its name in the pod."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(message)
        self.volume = volume


class Volumes(Protocol):
    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        """Every volume's path, by name. Again at any time: files of config maps and their like are brought up to date.

        Raises MountProblem.
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
