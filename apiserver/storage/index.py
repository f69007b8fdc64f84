"""Keys in folders, so that lists cost what they return: a watch cache's content.

A folder is all keys up to the last slash (`/registry/pods/default/`): one dict and its sorted keys. A prefix list joins
the folders below it. Order is that of the keys' text, as etcd's. No I/O, no revisions.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from apiserver.storage.entry import Entry, resource_folder
from apiserver.storage.label_index import LabelIndex


class Folder:
    """The entries of one folder. `ancestors` are the prefixes that a change here concerns, the shortest last."""

    __slots__ = ("_keys", "_labels", "_listed", "ancestors", "entries", "resource")

    def __init__(self, name: str) -> None:
        self.entries: dict[str, Entry] = {}
        self.resource = resource_folder(name)
        self.ancestors = tuple(name[: i + 1] for i in range(len(name) - 1, 0, -1) if name[i] == "/")
        self._keys: list[str] = []  # sorted
        self._listed: Sequence[Entry] | None = None  # the last list, until something changes
        self._labels: LabelIndex | None = None  # once a list asked by label

    def put(self, entry: Entry) -> Entry | None:
        """Insert or replace; what was there."""
        old = self.entries.get(entry.key)
        if old is None:
            if self._keys and entry.key < self._keys[-1]:
                insort(self._keys, entry.key)
            else:
                self._keys.append(entry.key)  # how a first load comes
        self.entries[entry.key] = entry
        self._changed(entry.key)
        return old

    def remove(self, key: str) -> Entry | None:
        """Take out; what was there."""
        old = self.entries.pop(key, None)
        if old is not None:
            del self._keys[bisect_left(self._keys, key)]
            self._changed(key)
        return old

    def _changed(self, key: str) -> None:
        self._listed = None
        if self._labels is not None and not self._labels.changed(key):
            self._labels = None

    def list(self) -> Sequence[Entry]:
        """In the order of the keys."""
        if self._listed is None:
            entries = self.entries
            self._listed = tuple([entries[key] for key in self._keys])
        return self._listed

    def with_label(self, name: str, values: Sequence[str]) -> Sequence[Entry]:
        """Those with one of these values of a label, in the order of the keys. Raises Undecodable."""
        if self._labels is None:
            self._labels = LabelIndex(self.entries)
        return self._labels.with_label(name, values)


class Index:
    """All folders."""

    def __init__(self) -> None:
        self._folders: dict[str, Folder] = {}
        self._names: list[str] = []  # sorted
        self.objects = 0
        self.bytes = 0

    def get(self, key: str) -> Entry | None:
        """The entry of this key."""
        folder = self._folders.get(folder_name(key))
        return folder.entries.get(key) if folder is not None else None

    def folder(self, key: str) -> Folder:
        """The folder this key belongs to, made if need be."""
        name = folder_name(key)
        folder = self._folders.get(name)
        if folder is None:
            folder = self._folders[name] = Folder(name)
            insort(self._names, name)
        return folder

    def put(self, folder: Folder, entry: Entry) -> Entry | None:
        """Insert or replace in its folder; what was there."""
        old = folder.put(entry)
        self.bytes += entry.size - (old.size if old else 0)
        self.objects += old is None
        return old

    def remove(self, folder: Folder, key: str) -> Entry | None:
        """Take out; what was there. An empty folder goes, too: namespaces come and go."""
        old = folder.remove(key)
        if old is not None:
            if not folder.entries:
                name = folder.ancestors[0]
                del self._folders[name]
                del self._names[bisect_left(self._names, name)]
            self.bytes -= old.size
            self.objects -= 1
        return old

    def list(self, prefix: str) -> Sequence[Entry]:
        """The entries below a prefix that ends in a slash (or of one whole key), in the order of the keys."""
        if not prefix.endswith("/"):
            entry = self.get(prefix)
            return (entry,) if entry is not None else ()
        return self._joined(prefix, Folder.list)

    def with_label(self, prefix: str, name: str, values: Sequence[str]) -> Sequence[Entry]:
        """Of these, the ones with one of these values of a label. `prefix` ends in a slash. Raises Undecodable."""
        return self._joined(prefix, lambda folder: folder.with_label(name, values))

    def _joined(self, prefix: str, listed: Callable[[Folder], Sequence[Entry]]) -> Sequence[Entry]:
        names = self._below(prefix)
        if len(names) == 1:
            return listed(self._folders[names[0]])
        found = [entry for name in names for entry in listed(self._folders[name])]
        if any(after.startswith(before) for before, after in pairwise(names)):
            found.sort(key=_key)  # a folder with both objects and folders: their keys interleave
        return found

    def size(self, prefix: str) -> tuple[int, int]:
        """How many entries lie below a prefix, and their bytes if all are as each folder's first."""
        objects = size = 0
        for name in self._below(prefix):
            entries = self._folders[name].entries
            objects += len(entries)
            size += len(entries) * next(iter(entries.values())).size
        return objects, size

    def _below(self, prefix: str) -> Sequence[str]:
        start = bisect_left(self._names, prefix)
        end = bisect_left(self._names, prefix[:-1] + "0", lo=start)  # "0" follows "/" in the order of characters
        return self._names[start:end]

    def keys(self) -> Iterator[str]:
        """Every key, in no order."""
        return (key for folder in self._folders.values() for key in folder.entries)


def folder_name(key: str) -> str:
    """`/registry/pods/default/` of `/registry/pods/default/web`."""
    return key[: key.rindex("/") + 1]


def _key(entry: Entry) -> str:
    return entry.key
