"""What a kubelet that was killed in the middle of its work may have left on disk: folders and links that lead nowhere.

Told apart from what is just being made by its age; several nodes may share one log folder, so what still leads to a
log is never touched. (Containers, addresses and volumes of pods that are gone are found by the agent itself.)
"""

import shutil
from collections.abc import Collection
from pathlib import Path

YOUNG = 60.0  # seconds: what was made so recently may be in use before we can know of it


def sweep_logs(log_root: Path, links_root: Path, known: Collection[str], now: float) -> list[str]:
    """Remove the log folders and links of pods that are gone with their logs; the names of the folders.

    `known` are the uids of the pods that are here.
    """
    removed = []
    for folder in _entries(log_root):
        uid = folder.name.rpartition("_")[2]
        if uid not in known and _old(folder, now) and not any(_leads_somewhere(path) for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    for link in _entries(links_root):
        if link.is_symlink() and not link.exists() and _old(link, now):
            link.unlink(missing_ok=True)
    return removed


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _leads_somewhere(path: Path) -> bool:
    return path.exists() and not path.is_dir()


def _old(path: Path, now: float) -> bool:
    try:
        return now - path.lstat().st_mtime > YOUNG
    except FileNotFoundError:
        return False
