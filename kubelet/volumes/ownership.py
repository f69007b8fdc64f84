"""A pod's fsGroup on the files of a volume: who owns what is there, and what the group may do.

Group and mode bits are added, never taken: read-write volumes get 0660, read-only ones 0440, folders the setgid bit and
0110 besides, so that what is made in them later belongs to the group too. With OnRootMismatch a volume whose root is
right already is not walked. Source: pkg/volume/volume_linux.go.
"""

import os
import stat
from pathlib import Path

ON_ROOT_MISMATCH = "OnRootMismatch"
_WRITE, _READ, _SEARCH = 0o660, 0o440, 0o110


def own(root: Path, group: int, *, read_only: bool = False, policy: str = "") -> None:
    """Give the volume to the group."""
    if policy == ON_ROOT_MISMATCH and not is_mismatched(root, group, read_only=read_only):
        return
    mask = _READ if read_only else _WRITE
    _own_one(str(root), group, mask)
    for folder, folders, files in os.walk(root):  # links are not followed
        for name in (*folders, *files):
            _own_one(os.path.join(folder, name), group, mask)  # noqa: PTH118 - a Path for each of a million files


def is_mismatched(root: Path, group: int, *, read_only: bool = False) -> bool:
    """Whether the volume's root lacks the group or any bit it should have."""
    found = root.stat()
    wanted = (_READ if read_only else _WRITE) | _SEARCH | stat.S_ISGID
    return not stat.S_ISDIR(found.st_mode) or found.st_gid != group or found.st_mode & wanted != wanted


def _own_one(path: str, group: int, mask: int) -> None:
    try:
        found = os.lstat(path)
        os.lchown(path, -1, group)
        if stat.S_ISLNK(found.st_mode):
            return
        if stat.S_ISDIR(found.st_mode):
            mask |= stat.S_ISGID | _SEARCH
        os.chmod(path, stat.S_IMODE(found.st_mode) | mask)  # noqa: PTH101
    except FileNotFoundError:  # another pod of the node has just removed it
        pass
