"""Who owns whom, over all kinds, and what follows from it for one object: the garbage collector's pure half.

    Graph      objects by uid, and for each uid what names it as an owner; `observe` says whose fate may have changed
    decide     what to do with one object, given the truth about its owners

An owner that is not in the graph is not gone for that: only the server knows (`Fate.UNKNOWN` asks for a look).
Source: pkg/controller/garbagecollector/garbagecollector.go (attemptToDeleteItem), graph_builder.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from apimachinery.kinds import Kind
from apimachinery.types import Json
from controllers.views import (
    Meta,
    Owner,
)

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True, slots=True)
class Item:
    """One object: where it lies, and its metadata."""

    kind: Kind
    meta: Meta

    @property
    def is_deleting(self) -> bool:
        return self.meta.deletion_timestamp is not None

    @property
    def waits_for_dependents(self) -> bool:
        """Whether it is being deleted in the foreground."""
        return self.is_deleting and FOREGROUND in self.meta.finalizers

    @property
    def orphans_dependents(self) -> bool:
        return self.is_deleting and ORPHAN in self.meta.finalizers


class Fate(Enum):
    """What is true of an owner."""

    SOLID = "there, and staying"
    WAITING = "there, being deleted as soon as its dependents are gone"
    ABSENT = "not there"
    UNKNOWN = "not seen: the server must be asked"


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Delete the object; its own dependents as `propagation` says."""

    propagation: str
    unblock: tuple[str, ...] = ()  # owners it must stop blocking first: it waits for them in a circle


@dataclass(frozen=True, slots=True)
class KeepOwners:
    """Leave the object with these owner references alone."""

    owners: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class DropFinalizer:
    """The object's dependents have been dealt with: let it go."""

    finalizer: str
    release: tuple[Item, ...] = ()  # dependents that lose the reference to it first


@dataclass(frozen=True, slots=True)
class LookAt:
    """Decide about these first."""

    uids: tuple[str, ...]


Action: TypeAlias = DeleteItem | KeepOwners | DropFinalizer | LookAt


@dataclass
class Graph:
    """All objects that were seen."""

    items: dict[str, Item] = field(default_factory=dict)
    dependents: dict[str, set[str]] = field(default_factory=dict)

    def observe(self, kind: Kind, old: Meta | None, new: Meta | None) -> Iterable[str]:
        """Take a change in; gives the uids whose fate it may have changed."""
        if old is not None and (new is None or new.uid != old.uid):
            yield from self._remove(old)
            old = None
        if new is not None:
            yield from self._put(kind, old, new)

    def _remove(self, old: Meta) -> Iterable[str]:
        self.items.pop(old.uid, None)
        self._unlink(old.uid, old.owner_references)
        yield from sorted(self.dependents.get(old.uid, ()))
        yield from self._waiting(old.owner_references)

    def _put(self, kind: Kind, old: Meta | None, new: Meta) -> Iterable[str]:
        item = Item(kind, new)
        self.items[new.uid] = item
        before = old.owner_references if old is not None else ()
        if before != new.owner_references:
            self._unlink(new.uid, before)
            for owner in new.owner_references:
                self.dependents.setdefault(owner.uid, set()).add(new.uid)
            yield from self._waiting(before)
            if new.owner_references:
                yield new.uid
        if item.waits_for_dependents or item.orphans_dependents:
            yield new.uid

    def _unlink(self, uid: str, owners: Iterable[Owner]) -> None:
        for owner in owners:
            of_owner = self.dependents.get(owner.uid, set())
            of_owner.discard(uid)
            if not of_owner:
                self.dependents.pop(owner.uid, None)

    def _waiting(self, owners: Iterable[Owner]) -> Iterable[str]:
        """Owners that wait for their dependents: one may have been the last."""
        for owner in owners:
            item = self.items.get(owner.uid)
            if item is not None and item.waits_for_dependents:
                yield owner.uid

    def of(self, uid: str) -> Sequence[Item]:
        """The dependents of an object."""
        return [self.items[each] for each in sorted(self.dependents.get(uid, ())) if each in self.items]

    def fate(self, item: Item, owner: Owner) -> Fate:
        """What the graph knows about an owner of `item`; a reference that does not fit the object is not believed."""
        found = self.items.get(owner.uid)
        if found is None or not _fits(found, owner, item.meta.namespace):
            return Fate.UNKNOWN
        return Fate.WAITING if found.waits_for_dependents else Fate.SOLID

    def validate(self) -> None:
        """Both directions agree."""
        for uid, item in self.items.items():
            for owner in item.meta.owner_references:
                assert uid in self.dependents[owner.uid], f"{owner.uid} does not know its dependent {uid}"


def _fits(found: Item, owner: Owner, namespace: str) -> bool:
    group = owner.api_version.rpartition("/")[0]
    is_named_so = (found.kind.group, found.kind.kind, found.meta.name) == (group, owner.kind, owner.name)
    return is_named_so and found.meta.namespace in ("", namespace)


def decide(graph: Graph, item: Item, fates: Mapping[str, Fate]) -> Action | None:
    """What to do with `item`; `fates` has the truth about each of its owners, by uid. None: nothing."""
    if item.is_deleting:
        return _deleting(graph, item)
    owners = item.meta.owner_references
    solid = tuple(owner for owner in owners if fates[owner.uid] is Fate.SOLID)
    if len(solid) == len(owners):
        return None
    if solid:
        return KeepOwners(solid)
    dependents = graph.of(item.meta.uid)
    if dependents and any(fate is Fate.WAITING for fate in fates.values()):
        is_circle = any(each.waits_for_dependents for each in dependents)
        waiting = tuple(owner.uid for owner in owners if is_circle and owner.block_owner_deletion)
        return DeleteItem("Foreground", waiting)
    finalizers = item.meta.finalizers
    policy = "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
    return DeleteItem(policy)


def _deleting(graph: Graph, item: Item) -> Action | None:
    dependents = graph.of(item.meta.uid)
    if item.orphans_dependents:
        return DropFinalizer(ORPHAN, tuple(dependents))
    if not item.waits_for_dependents:
        return None
    blocking = [each for each in dependents if _blocks(each, item.meta.uid)]
    if not blocking:
        return DropFinalizer(FOREGROUND)
    return LookAt(tuple(each.meta.uid for each in blocking if not each.is_deleting))


def _blocks(dependent: Item, uid: str) -> bool:
    return any(owner.uid == uid and owner.block_owner_deletion for owner in dependent.meta.owner_references)


def without_owner(item: Item, uid: str) -> tuple[Owner, ...]:
    """The owners of an object but for the one of this uid."""
    return tuple(owner for owner in item.meta.owner_references if owner.uid != uid)


def references(owners: Iterable[Owner], *, unblocked: Iterable[str] = ()) -> list[Json]:
    """Owner references as they are written; those of `unblocked` block their owner's deletion no more."""
    trees = []
    for owner in owners:
        tree: Json = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        if owner.controller is not None:
            tree["controller"] = owner.controller
        if owner.block_owner_deletion is not None:
            tree["blockOwnerDeletion"] = owner.block_owner_deletion and owner.uid not in set(unblocked)
        trees.append(tree)
    return trees
