"""Files that change all at once: how config maps, secrets and their like lie in a pod.

    token  -> ..data/token        what the pod opens
    ..data -> ..2026_11_22_...    one rename switches every file
    ..2026_11_22_.../token

A reader sees the old set or the new set, never a mix. Where nothing has changed nothing is touched. Source:
pkg/volume/util/atomic_writer.go.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kubelet.volumes import ownership

DATA = "..data"


class File(NamedTuple):
    """What one file holds. `owner` is a user id, None for root."""

    data: bytes
    mode: int
    owner: int | None = None


@dataclass(frozen=True, slots=True)
class BadPath(Exception):
    """A path that would leave the volume."""

    path: str

    def __str__(self) -> str:
        return f"invalid path: {self.path!r} must be relative and may not contain '..'"


def check(path: str) -> None:
    parts = Path(path).parts
    if not path or path.startswith(("/", "..")) or ".." in parts:
        raise BadPath(path)


def write(folder: Path, files: Mapping[str, File], *, group: int | None = None) -> bool:
    """Make the folder hold exactly these files; whether anything had to change. `group` is the pod's fsGroup."""
    for path in files:
        check(path)
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o777)  # as an emptyDir's: upstream lays these files into one
    current = folder / DATA
    if current.is_symlink() and _read(current.resolve()) == {path: file.data for path, file in files.items()}:
        _tidy(folder, files)  # a kubelet that was killed may have got no further than the rename
        return False
    fresh = folder / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{os.urandom(4).hex()}"
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    for path, file in files.items():
        _place(fresh, path, file)
    if group is not None:
        ownership.own(fresh, group, read_only=True)  # before anybody can see it
    draft = folder / "..data_tmp"
    draft.unlink(missing_ok=True)
    draft.symlink_to(fresh.name)
    draft.rename(current)
    _tidy(folder, files)
    if group is not None:
        ownership.own(folder, group, read_only=True)
    return True


def _tidy(folder: Path, files: Mapping[str, File]) -> None:
    """The visible names, and nothing of earlier sets."""
    _link(folder, files)
    current = (folder / DATA).resolve()
    for entry in folder.iterdir():
        if entry.name.startswith("..") and entry != current and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


def _read(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _place(root: Path, path: str, file: File) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.data)
    if file.owner is not None:
        os.chown(target, file.owner, -1)
    target.chmod(file.mode)


def _link(folder: Path, files: Mapping[str, File]) -> None:
    """The visible names: one link for each first part of a path."""
    wanted = {Path(path).parts[0] for path in files}
    for name in wanted:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(Path(DATA) / name)
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
