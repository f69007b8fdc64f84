"""A part of a volume, mounted into a container: found without ever leaving the volume, whatever its pods do meanwhile.

A pod that owns the volume may swap a folder for a link between the moment we look and the moment the runtime mounts. So
the path is walked from open folder to open folder, never through a link, and what was opened (not its name) is bound to
`ROOT/pods/UID/volume-subpaths/VOLUME/CONTAINER/INDEX`, which is what the runtime gets.
Source: k8s.io/mount-utils, pkg/volume/util/subpath/subpath_linux.go.
"""

import os
import stat
from pathlib import Path

from kubelet.volumes import mounts
from kubelet.volumes.hostpath import PathProblem

_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_ANYTHING = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def check(wanted: str) -> None:
    """Raises PathProblem, in upstream's words."""
    if wanted.startswith("/"):
        raise PathProblem(f"error SubPath `{wanted}` must not be an absolute path")
    if ".." in wanted.split("/"):
        raise PathProblem(f"unable to provision SubPath `{wanted}`: must not contain '..'")


def opened(volume: Path, wanted: str) -> int:
    """A descriptor of the path in the volume; folders that are missing are made. Raises OSError, PathProblem."""
    check(wanted)
    root = Path(os.path.realpath(volume))
    target = Path(os.path.realpath(root / wanted))  # links of the volume's own (..data) lead somewhere in it
    if target != root and root not in target.parents:
        raise PathProblem(f"subpath {wanted!r} is outside of the volume")
    parts = target.relative_to(root).parts
    if root.is_file() or not parts:
        return os.open(root, _ANYTHING)
    mode = stat.S_IMODE(root.stat().st_mode)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = _folder(part, at, mode)
            os.close(at)
            at = inner
        return _last(parts[-1], at, mode)
    finally:
        os.close(at)


def _folder(name: str, at: int, mode: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        _make(name, at, mode)
        return os.open(name, _FOLDER, dir_fd=at)


def _last(name: str, at: int, mode: int) -> int:
    try:
        found = os.open(name, _ANYTHING, dir_fd=at)
    except FileNotFoundError:
        _make(name, at, mode)
        return os.open(name, _ANYTHING, dir_fd=at)
    if stat.S_ISLNK(os.fstat(found).st_mode):
        os.close(found)
        raise PathProblem("subpath was replaced while it was looked at")
    return found


def _make(name: str, at: int, mode: int) -> None:
    os.mkdir(name, 0o700, dir_fd=at)
    inner = os.open(name, _FOLDER, dir_fd=at)
    try:
        os.fchmod(inner, mode)  # past the umask
    finally:
        os.close(inner)


def prepare(volume: Path, wanted: str, target: Path) -> Path:
    """Have the part of the volume mounted at the target, anew where something else is."""
    descriptor = opened(volume, wanted)
    try:
        found = os.fstat(descriptor)
        if target.exists():
            there = target.stat()
            if (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino):
                return target
            mounts.unmount_below(target)
        _place(target, is_folder=stat.S_ISDIR(found.st_mode))
        mounts.bind(f"/proc/{os.getpid()}/fd/{descriptor}", target)
    finally:
        os.close(descriptor)
    return target


def _place(target: Path, *, is_folder: bool) -> None:
    """Something of the right sort to mount over."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if target.exists() and target.is_dir() != is_folder:
        target.rmdir() if target.is_dir() else target.unlink()
    if is_folder:
        target.mkdir(exist_ok=True, mode=0o750)
    else:
        target.touch(mode=0o640)
