"""What documents are made from besides the kinds, as a digest of files.

That is this package and apimachinery; of the rest, the strategies, which say how a kind is deleted and what a deletion
answers, and the media types. Clients keep a document for as long as its hash stays the same, over restarts and updates
of a server, too.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import apimachinery


@cache
def of_this_server() -> bytes:
    """The digest of the code and data that run here."""
    return of_files(sources())


def sources() -> list[Path]:
    """The files and folders that tell how documents come out."""
    own = Path(__file__).parent
    others = (own.with_name("strategies"), own.with_name("negotiation.py"))
    return [own, Path(apimachinery.__file__).parent, *others]


def of_files(paths: Iterable[Path]) -> bytes:
    """The digest of files, and of the code and data in folders and in theirs."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".yaml", ".json"):
                digest.update(file.read_bytes())
    return digest.digest()
