"""NFS volumes, by the machine's own mount.nfs. Source: pkg/volume/nfs/nfs.go."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from apimachinery.objects.core_v1 import NFSVolumeSource
from kubelet.volumes import mounts
from kubelet.volumes.hostpath import PathProblem

WHERE = "/sbin:/usr/sbin:/bin:/usr/bin"  # mount looks for its programs there alone


def mount(source: NFSVolumeSource, target: Path, options: Sequence[str] = ()) -> None:
    """The export at the target. Raises PathProblem, OSError."""
    if shutil.which("mount.nfs", path=WHERE) is None:
        raise PathProblem("this node cannot mount NFS: mount.nfs is not installed (Debian: apt-get install nfs-common)")
    server = f"[{source.server}]" if ":" in source.server and not source.server.startswith("[") else source.server
    given = [*(("ro",) if source.read_only else ()), *options]
    mounts.mount_with(f"{server}:{source.path}", target, "nfs", list(dict.fromkeys(given)))
