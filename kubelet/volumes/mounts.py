"""tmpfs mounts by the system calls themselves: a `mount` process for every token would cost more than the token."""

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_NOSUID, _NODEV = 2, 4
_DETACH = 2  # MNT_DETACH: gone from the tree at once, from memory when the last user has left


def mount_tmpfs(target: Path, *, size: int = 0) -> None:
    """A file system in memory; nothing happens where one is mounted already."""
    target.mkdir(parents=True, exist_ok=True)
    if target.is_mount():
        return
    options = f"size={size}" if size else ""
    if _libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", _NOSUID | _NODEV, options.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below the folder, the innermost first."""
    for target in sorted(below(folder), key=len, reverse=True):
        if _libc.umount2(os.fsencode(target), _DETACH):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), target)


def below(folder: Path) -> list[str]:
    root = str(folder)
    return [target for target in _mounted() if target == root or target.startswith(root + "/")]


def _mounted() -> list[str]:
    """Every mount point. The kernel writes blanks and their like as octal escapes."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode() for line in lines]
