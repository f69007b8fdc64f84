"""What a write does to everybody's fields, and what it takes to apply a configuration.

An update gives its owner what it changed and takes that from all others. An apply owns what it names, as far as it
does not change what others own (that is a conflict, unless forced), and takes away what its owner applied last time,
does not apply now, and nobody else owns.
Owners may have written through different versions of the kind: their fields are compared in their version. That their
fields are such as the schema of today knows is the caller's business (`typed.reconciled`).
Source: structured-merge-diff/merge/update.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from apimachinery.apply import fieldset, merging, typed
from apimachinery.apply.fieldset import EMPTY, Fields
from apimachinery.apply.typed import Comparison
from apimachinery.apply.types import Type
from apimachinery.types import Json

K = TypeVar("K")


class NoVersion(Exception):
    """A version that the kind is no longer served in."""


class Versions(Protocol):
    """The kind in its versions."""

    def type_of(self, version: str) -> Type:
        """How it merges in a version. Raises NoVersion."""
        ...

    def convert(self, tree: Json, version: str) -> Json:
        """An object in another version. Raises NoVersion."""
        ...


class Owned(NamedTuple):
    """The fields of one owner. `applied`: by applying a configuration, not by changing the object."""

    fields: Fields
    version: str
    applied: bool


#: Owners by whatever names them.
Owners = dict[K, Owned]


class Conflicts(Exception):
    """Fields that an apply would change and that others own."""

    def __init__(self, by_owner: Mapping[Any, Fields]) -> None:
        super().__init__("conflicts")
        self.by_owner = by_owner


@dataclass(frozen=True, slots=True)
class Updater:
    """Updates and applies for one kind. `ignored`: by version, the fields that the write cannot set."""

    versions: Versions
    ignored: Mapping[str, Fields] = field(default_factory=dict)

    def update(self, live: Json, new: Json, version: str, owners: Owners[K], owner: K) -> Owners[K]:
        """The owners after a change from `live` to `new`, both in `version`; a create is one of a blank object."""
        compared = typed.compare(self.versions.type_of(version), live, new)
        ignored = self.ignored.get(version, EMPTY)
        owners = self._after(live, new, version, owners, owner, compared, force=True)
        held = owners[owner].fields if owner in owners else EMPTY
        changed = fieldset.union(compared.modified, compared.added)
        owned = fieldset.without(fieldset.union(fieldset.difference(held, compared.removed), changed), ignored)
        if owned:
            return {**owners, owner: Owned(owned, version, applied=False)}
        return {name: value for name, value in owners.items() if name != owner}

    def apply(
        self, live: Json, applied: Json, version: str, owners: Owners[K], owner: K, *, force: bool
    ) -> tuple[Json | None, Owners[K]]:
        """The new object (None: it is the live one) and the owners. Raises Conflicts, Invalid."""
        kind = self.versions.type_of(version)
        new = merging.merged(kind, live, applied)
        last = owners.get(owner)
        named = fieldset.without(typed.fields_of(kind, applied), self.ignored.get(version, EMPTY))
        owners = {**owners, owner: Owned(named, version, applied=True)}
        new = self._pruned(new, version, owners, last)
        compared = typed.compare(kind, live, new)
        owners = self._after(live, new, version, owners, owner, compared, force=force)
        return None if live == new else new, owners

    def _after(
        self, live: Json, new: Json, version: str, owners: Owners[K], owner: K, compared: Comparison, *, force: bool
    ) -> Owners[K]:
        """The owners without what the write took from them. Raises Conflicts unless forced."""
        compared = compared.without(self.ignored.get(version, EMPTY))
        by_version: dict[str, Comparison | None] = {version: compared}
        conflicts: dict[K, Fields] = {}
        after: Owners[K] = {}
        for name, owned in owners.items():
            if name == owner:
                after[name] = owned
                continue
            if owned.version not in by_version:
                by_version[owned.version] = self._compared(live, new, owned.version)
            change = by_version[owned.version]
            if change is None:
                continue  # its version is no longer served
            lost = fieldset.intersection(owned.fields, fieldset.union(change.modified, change.added))
            if lost:
                conflicts[name] = lost
            after[name] = _less(owned, lost, change.removed)
        if conflicts and not force:
            raise Conflicts(conflicts)
        return {name: owned for name, owned in after.items() if owned.fields}

    def _compared(self, live: Json, new: Json, version: str) -> Comparison | None:
        try:
            kind = self.versions.type_of(version)
            left, right = self.versions.convert(live, version), self.versions.convert(new, version)
        except NoVersion:
            return None
        return typed.compare(kind, left, right).without(self.ignored.get(version, EMPTY))

    def _pruned(self, new: Json, version: str, owners: Owners[K], last: Owned | None) -> Json:
        """The object without what was applied last time, is not any more, and nobody owns."""
        if last is None or not last.fields:
            return new
        try:
            there = self.versions.convert(new, last.version)
            kind = self.versions.type_of(last.version)
        except NoVersion:
            return new
        held = typed.with_named(kind, last.fields)
        pruned = typed.removed(kind, there, held) or {}
        pruned = self._owned_back(there, _headed(pruned, there), last.version, owners)
        pruned = self._unowned_back(there, pruned, last.version, held)
        return self.versions.convert(pruned, version)

    def _owned_back(self, new: Json, pruned: Json, version: str, owners: Owners[K]) -> Json:
        """What anybody owns is not taken away. The pruned version comes first: conversion may need its fields."""
        held: dict[str, Fields] = {version: EMPTY}
        for owned in owners.values():
            held[owned.version] = fieldset.union(held.get(owned.version, EMPTY), owned.fields)
        for other, fields in held.items():
            if other == version and not fields:
                continue
            try:
                kind = self.versions.type_of(other)
                new, pruned = self.versions.convert(new, other), self.versions.convert(pruned, other)
            except NoVersion:
                continue
            all_fields, kept = _named(kind, new), _named(kind, pruned)
            gone = fieldset.difference(all_fields, fieldset.union(kept, typed.with_named(kind, fields)))
            pruned = _headed(typed.removed(kind, new, gone) or {}, new)
        return pruned

    def _unowned_back(self, new: Json, pruned: Json, version: str, last: Fields) -> Json:
        """Only what was applied last time is taken away. `new` is in `version`, as is `last`."""
        kind = self.versions.type_of(version)
        pruned = self.versions.convert(pruned, version)
        gone = fieldset.intersection(fieldset.difference(_named(kind, new), _named(kind, pruned)), last)
        return _headed(typed.removed(kind, new, gone) or {}, new)


def _less(owned: Owned, lost: Fields, gone: Fields) -> Owned:
    """What is left to an owner; the same value where nothing is taken."""
    fields = fieldset.difference(owned.fields, lost) if lost else owned.fields
    if fieldset.intersection(fields, gone):
        fields = fieldset.difference(fields, gone)
    return owned if fields is owned.fields else owned._replace(fields=fields)


def _named(kind: Type, tree: Json) -> Fields:
    return typed.with_named(kind, typed.fields_of(kind, tree))


def _headed(tree: Json, like: Json) -> Json:
    """A tree that still says what it is."""
    return {"apiVersion": like["apiVersion"], "kind": like["kind"], **tree}
