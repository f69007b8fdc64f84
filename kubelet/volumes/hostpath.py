"""Paths of the node that are checked before a container gets them: hostPath and local volumes.

Sources: pkg/volume/hostpath/host_path.go, pkg/volume/local/local.go.
"""

import stat
from pathlib import Path

from apimachinery.objects import core_v1


class PathProblem(Exception):
    """The path is not what it should be; the message is upstream's, as is the name of the step."""

    def __init__(self, message: str, step: str = "MountVolume.SetUp") -> None:
        super().__init__(message)
        self.step = step


_NEITHER = "only directory and block device are supported"
_FIRST_STEP = "MountVolume.NewMounter initialization"
_KINDS = {
    "Directory": ("directory", stat.S_ISDIR),
    "File": ("file", stat.S_ISREG),
    "Socket": ("socket file", stat.S_ISSOCK),
    "CharDevice": ("character device", stat.S_ISCHR),
    "BlockDevice": ("block device", stat.S_ISBLK),
}


def prepare(source: core_v1.HostPathVolumeSource) -> Path:
    """The path, made where its type says so, else checked."""
    path, type = Path(source.path), source.type
    if type == "DirectoryOrCreate" and not path.exists():
        path.mkdir(mode=0o755, parents=True)
    elif type == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    elif type == "" and not path.exists():
        path.mkdir(mode=0o755, parents=True)  # as Docker did for an unchecked path
    name, check = _KINDS.get(type.removesuffix("OrCreate"), ("", None))
    if check is not None and not (path.exists() and check(path.stat().st_mode)):
        raise PathProblem(f"hostPath type check failed: {source.path} is not a {name}")
    return path


def existing(path: str) -> Path:
    """The path of a local volume, which somebody else has made."""
    if not Path(path).exists():
        raise PathProblem(f'path "{path}" does not exist', _FIRST_STEP)
    return Path(path)


def directory_or_disk(path: str) -> Path:
    """What a local volume with a file system may be."""
    found = existing(path)
    if not (found.is_dir() or found.is_block_device()):
        raise PathProblem(_NEITHER, "MountVolume.MountDevice")
    return found


def device(path: str) -> Path:
    """The block device of a local volume."""
    if not path:
        raise PathProblem("block volumes of this type are not supported by PyKube")
    if not existing(path).is_block_device():
        raise PathProblem(_NEITHER)
    return Path(path)
