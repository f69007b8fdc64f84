"""Local volumes that are disks with a file system: made on an empty one, mounted once on the node, bound into each pod.

`Disks` holds what is mounted below `ROOT/plugins/kubernetes.io/local-volume/mounts`, a folder a volume, and gives it
back when the last pod has let go; what a killed kubelet left there goes with the next pod that ends. A disk that holds
anything is never formatted.
Sources: pkg/volume/local/local.go (MountDevice), mount-utils/mount_linux.go (SafeFormatAndMount).
"""

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from kubelet.volumes import mounts
from kubelet.volumes.hostpath import PathProblem

log = structlog.get_logger("kubelet.volumes")

PLUGIN = "local-volume"
_WHERE = "/sbin:/usr/sbin:/bin:/usr/bin"
_STEP = "MountVolume.MountDevice"
_DEFAULT = "ext4"
_FORCED = {"ext3": ("-F", "-m0"), "ext4": ("-F", "-m0"), "xfs": ("-f",)}
_NOTHING_FOUND = 2  # blkid's word for a disk that holds nothing it knows
_CORRECTED, _UNCORRECTED = 1, 4  # fsck's
_PATIENCE = 30  # for blkid, which reads a few blocks; how long mkfs and fsck take, the size of the disk says


class Disks:
    """Of one kubelet's root folder. Its calls come from threads."""

    def __init__(self, root: Path) -> None:
        self._root, self._mounts = root, root / "plugins/kubernetes.io" / PLUGIN / "mounts"
        self._one_at_a_time = threading.Lock()  # nobody gives back what is just being bound
        self._due = False  # something may have to be given back

    def bind(self, name: str, device: str, type: str, options: Sequence[str], bind: Callable[[Path], None]) -> None:
        """Have the volume mounted, and call `bind` with where it is."""
        target = self._mounts / name
        try:
            with self._one_at_a_time:
                self._make_ready(target, device, type, options)
                bind(target)
        finally:
            self._give_back()

    def _make_ready(self, target: Path, device: str, type: str, options: Sequence[str]) -> None:
        if mounts.is_mounted(target):
            return
        target.mkdir(parents=True, exist_ok=True, mode=0o750)
        try:
            _mount(device, target, type or _DEFAULT, options)
        except (PathProblem, OSError, subprocess.TimeoutExpired) as error:
            with contextlib.suppress(OSError):  # what is left there goes with the next pod that ends
                mounts.unmount(target)  # a mount that took too long may be there all the same
                target.rmdir()
            where = f"local: failed to mount device {device} at {target} (fstype: {type})"
            raise PathProblem(f"{where}, error {error}", _STEP) from error

    def release(self) -> None:
        """Unmount the volumes that no pod has any more.

        Every pod that ends comes here: it does not wait for a disk that is just being made ready for another, which
        may take minutes. Whoever is at work then does this too.
        """
        if self._held():
            self._due = True
            self._give_back()

    def _give_back(self) -> None:
        """As long as it is due and nobody else is at work; looked at again afterwards, so that no call is lost."""
        while self._due and self._one_at_a_time.acquire(blocking=False):
            try:
                self._due = False
                for target in self._held():
                    self._let_go(target)
            finally:
                self._one_at_a_time.release()

    def _let_go(self, target: Path) -> None:
        if any(self._root.glob(f"pods/*/volumes/kubernetes.io~{PLUGIN}/{target.name}")):
            return
        try:
            mounts.unmount(target)
            target.rmdir()
        except OSError as error:  # not the fault of the pod that ends; tried again with the next
            log.warning("cannot give a disk back", target=str(target), error=str(error))

    def _held(self) -> list[Path]:
        return [*self._mounts.iterdir()] if self._mounts.is_dir() else []


def _mount(device: str, target: Path, type: str, options: Sequence[str]) -> None:
    held = _format_of(device)
    if not held:
        if "ro" in options:
            raise PathProblem(
                f"cannot mount unformatted disk {device} as we are manipulating it in read-only mode", _STEP
            )
        _make(device, target, type, options)
    elif "ro" not in options:
        _check(device)
    mounts.mount_with(device, target, type, [*options, "defaults"])


def _format_of(device: str) -> str:
    """The file system on the disk, "" where there is nothing at all on it."""
    done = _run("blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", device, timeout=_PATIENCE)
    if done.returncode == _NOTHING_FOUND:
        return ""
    if done.returncode:
        raise PathProblem(f"failed to get disk format of disk {device}: exit status {done.returncode}", _STEP)
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return "unknown data, probably partitions" if found.get("PTTYPE") else found.get("TYPE", "")


def _make(device: str, target: Path, type: str, options: Sequence[str]) -> None:
    done = _run(f"mkfs.{type}", *_FORCED.get(type, ()), device)
    if done.returncode:
        shown = " ".join(f'"{option}"' for option in (*options, "defaults"))
        raise PathProblem(
            f'format of disk "{device}" failed: type:("{type}") target:("{target}") options:([{shown}]) '
            f"errcode:(exit status {done.returncode}) output:({done.stdout}{done.stderr}) ",
            _STEP,
        )


def _check(device: str) -> None:
    if shutil.which("fsck", path=_WHERE) is None:
        log.warning("there is no fsck: the disk is mounted as it is", device=device)
        return
    done = _run("fsck", "-a", device)
    if done.returncode == _UNCORRECTED:
        words = f"'fsck' found errors on device {device} but could not correct them: {done.stdout}{done.stderr}"
        raise PathProblem(words, _STEP)
    if done.returncode > _CORRECTED:
        log.warning("fsck is not content", device=device, code=done.returncode, output=done.stdout + done.stderr)


def _run(program: str, *arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path=_WHERE)
    if found is None:
        raise PathProblem(f'executable file "{program}" not found on this node', _STEP)
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=timeout, check=False)
