"""Mounts by the system calls themselves: a `mount` process for every token would cost more than the token.

What other file systems need programs for (NFS), `mount_with` runs. Nothing here looks at what is in a volume.
"""

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_READ_ONLY, _NOEXEC, _REMOUNT, _BIND, _SHARED = 1, 8, 32, 4096, 1 << 20
_DETACH, _NOFOLLOW = 2, 8  # MNT_DETACH: gone from the tree at once, from memory when the last user has left
_PATIENCE = 120


class MountFailed(OSError):
    """A mount program refused; the message is upstream's, with the program's output."""

    def __str__(self) -> str:
        return str(self.args[0])


def mount_tmpfs(target: Path, *, size: int = 0) -> None:
    """A file system in memory; nothing happens where one is mounted already."""
    target.mkdir(parents=True, exist_ok=True)
    if target.is_mount():
        return
    options = f"size={size}" if size else ""
    _mount("tmpfs", str(target), "tmpfs", 0, options)


def bind(source: str, target: Path, *, read_only: bool = False, executable: bool = True) -> None:
    """The file or folder at `source` (never through a link at its end) at the target too."""
    _mount(source, str(target), "", _BIND)
    flags = (_READ_ONLY if read_only else 0) | (0 if executable else _NOEXEC)
    if flags:
        _mount("", str(target), "", _BIND | _REMOUNT | flags)


def mount_overlay(layers: Sequence[str], target: Path) -> None:
    """Folders over one another, the topmost first: to be read, not executed."""
    _mount("overlay", str(target), "overlay", _READ_ONLY | _NOEXEC, f"lowerdir={':'.join(layers)}")


def share(folder: Path) -> bool:
    """Have mounts that appear below the folder later appear in every namespace that sees it; whether that is so now.

    Where the machine's root is shared (systemd makes it so) it is so anyway. A folder that has mounts below it already
    is left alone: a mount over it would hide them.
    """
    if is_shared(folder):
        return True
    if below(folder):
        return False
    _mount(str(folder), str(folder), "", _BIND)
    _mount("", str(folder), "", _SHARED)
    return True


def is_shared(folder: Path) -> bool:
    """Whether the mount that the folder lies in is a shared one."""
    best, shared = "", False
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        point = _decoded(fields[4])
        inside = f"{folder}/".startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):
            best, shared = point, "shared:" in " ".join(fields[6 : fields.index("-")])
    return shared


def mount_with(source: str, target: Path, type: str, options: Sequence[str]) -> None:
    """By `mount -t TYPE`, for file systems with programs of their own."""
    target.mkdir(parents=True, exist_ok=True)
    if is_mounted(target):
        return
    arguments = ["-t", type, *(("-o", ",".join(options)) if options else ()), source, str(target)]
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        raise MountFailed(
            f"mount failed: exit status {done.returncode}\nMounting command: mount\n"
            f"Mounting arguments: {' '.join(arguments)}\nOutput: {done.stdout}{done.stderr}"
        )


def unmount(target: Path) -> None:
    """Take the topmost mount at the target away; nothing happens where there is none."""
    if _libc.umount2(os.fsencode(target), _DETACH | _NOFOLLOW) and ctypes.get_errno() not in (22, 2):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below the folder, the innermost first."""
    for target in sorted(below(folder), key=len, reverse=True):
        if _libc.umount2(os.fsencode(target), _DETACH | _NOFOLLOW):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), target)


def is_mounted(target: Path) -> bool:
    """Whether something is mounted there; a bind of the same file system too, which Path.is_mount cannot see."""
    return os.path.realpath(target) in _mounted()


def below(folder: Path) -> list[str]:
    """The mount points at and below the folder, whatever links lead to it."""
    root = os.path.realpath(folder)
    return [target for target in _mounted() if target == root or target.startswith(root + "/")]


def _mount(source: str, target: str, type: str, flags: int, options: str = "") -> None:
    words = (source.encode(), os.fsencode(target), type.encode() or None, flags, options.encode() or None)
    if _libc.mount(*words):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _mounted() -> list[str]:
    """Every mount point."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [_decoded(line.split()[4]) for line in lines]


def _decoded(point: str) -> str:
    """The kernel writes blanks and their like as octal escapes."""
    return point.encode().decode("unicode_escape").encode("latin-1").decode()
