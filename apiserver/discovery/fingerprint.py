"""What documents are made from besides the kinds: this package and apimachinery, as a digest of their files.

Clients keep a document for as long as its hash stays the same, over restarts and updates of a server, too.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import apimachinery


@cache
def of_this_server() -> bytes:
    """The digest of the code and data that run here."""
    return of_folders([Path(__file__).parent, Path(apimachinery.__file__).parent])


def of_folders(folders: Iterable[Path]) -> bytes:
    """The digest of the code and data in folders, without what lies deeper."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".py", ".yaml", ".json"):
                digest.update(path.read_bytes())
    return digest.digest()
