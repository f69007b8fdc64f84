"""How full a volume is, as upstream measures its kind. Blocking: called in threads.

Sources: pkg/volume/metrics_{du,statfs,block}.go.
"""

import os
from pathlib import Path

from kubelet import usage
from kubelet.volumes.protocol import VolumeUse


def of_files(folder: Path) -> VolumeUse:
    """Of a folder in a file system that others use, too: what its files take up."""
    used, inodes = usage.tree(folder)
    system = usage.file_system(folder)
    return VolumeUse(system.capacity, system.available, used, system.inodes, system.inodes_free, inodes + 1)


def of_file_system(folder: Path) -> VolumeUse:
    """Of a file system as a whole."""
    found = os.statvfs(folder)
    size, used = found.f_frsize, found.f_blocks - found.f_bfree
    inodes = found.f_files, found.f_ffree, found.f_files - found.f_ffree
    return VolumeUse(found.f_blocks * size, found.f_bavail * size, used * size, *inodes)


def of_device(path: Path) -> VolumeUse:
    """Of a block device nobody knows more than its size."""
    with path.open("rb") as device:
        return VolumeUse(device.seek(0, os.SEEK_END))
