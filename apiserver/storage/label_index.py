"""Which entries of a folder have a label, by its value: so that a list by label costs what it finds.

Made for a label when a list first asks for it, and kept for those asked for last. A write only notes its key, and
the next list looks at what was noted; where none comes for long, the index is given up. No I/O, no revisions: the
folder says what changed.
"""

from collections.abc import Iterable, Mapping, Sequence

from apiserver.storage.entry import Entry

#: For how many labels an index is kept.
MOST_LABELS = 8
#: How many changes may be noted before an index is given up, beside half as many as there are entries.
MOST_CHANGES = 1000


class _Values:
    """One label: the keys that have each value, and each key's value."""

    __slots__ = ("keys", "of")

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.keys: dict[str, set[str]] = {}

    def set(self, key: str, value: str | None) -> None:
        before = self.of.get(key)
        if before == value:
            return
        if before is not None:
            del self.of[key]
            self.keys[before].discard(key)
            if not self.keys[before]:
                del self.keys[before]
        if value is not None:
            self.of[key] = value
            self.keys.setdefault(value, set()).add(key)


class LabelIndex:
    """Over the entries of one folder, which is not copied: `changed` has to be told."""

    __slots__ = ("_changed", "_entries", "_labels")

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._labels: dict[str, _Values] = {}  # what was asked for last is the last
        self._changed: set[str] = set()

    def changed(self, key: str) -> bool:
        """Note that the entry of a key came, went or is another one. False: the index is to be given up."""
        self._changed.add(key)
        return len(self._changed) <= MOST_CHANGES + len(self._entries) // 2

    def with_label(self, name: str, values: Iterable[str]) -> Sequence[Entry]:
        """The entries that have one of these values, in the order of their keys. Raises Undecodable."""
        self._catch_up()
        found = self._labels.pop(name, None) or self._made(name)
        self._labels[name] = found
        keys = set().union(*(found.keys.get(value, ()) for value in values))
        return [self._entries[key] for key in sorted(keys)]

    def _made(self, name: str) -> _Values:
        made = _Values()
        for key, entry in self._entries.items():
            made.set(key, entry.labels.get(name))
        if len(self._labels) >= MOST_LABELS:
            del self._labels[next(iter(self._labels))]
        return made

    def _catch_up(self) -> None:
        """One key after the other: what cannot be decoded stays noted, and every list that looks at it says so."""
        for key in tuple(self._changed):
            entry = self._entries.get(key)
            labels = entry.labels if entry is not None else {}
            for name, values in self._labels.items():
                values.set(key, labels.get(name))
            self._changed.discard(key)
