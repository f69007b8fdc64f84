"""Who owns what: a controller adopts orphans that its selector matches and releases what it matches no more.

Pure. An object has at most one controlling owner; what another controls is left alone, and an owner that is going away
adopts nothing. Source: pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.kinds import Kind
from apimachinery.selectors import LabelSelector
from apimachinery.types import Json
from client.plan import Key, Patch, View, key_of
from controllers.views import (
    CONTROLLER,
    ORPHANS,
    Meta,
    Owner,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What an owner has: `mine` (those just adopted included), and the patches that make it so."""

    mine: Sequence[Any]
    patches: Sequence[Patch]


def controller_of(item: Any) -> Owner | None:
    """The owner that controls an object."""
    return next((owner for owner in item.metadata.owner_references if owner.controller), None)


def owner_reference(kind: Kind, meta: Meta) -> Json:
    """The reference by which an object of `kind` controls another."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(
    view: View,
    kind: Kind,
    owner: Any,
    selector: LabelSelector,
    owned: Kind,
    *,
    finalizer: str = "",
    fits: Callable[[Any], bool] = lambda _item: True,
) -> Claim:
    """What of the kind `owned` belongs to `owner`, an object of `kind`: what the selector matches and that `fits`.

    It carries `finalizer` for as long.
    """
    meta: Meta = owner.metadata
    mine, patches = [], []
    for item in view.by(owned, CONTROLLER, meta.uid):
        if selector.matches(item.metadata.labels) and fits(item):
            mine.append(item)
        elif meta.deletion_timestamp is None:
            patches.append(_release(owned, item, meta.uid, finalizer))
    for item in view.by(owned, ORPHANS, meta.namespace) if meta.deletion_timestamp is None else ():
        if item.metadata.deletion_timestamp is None and selector.matches(item.metadata.labels) and fits(item):
            mine.append(item)
            patches.append(_adopt(owned, item, owner_reference(kind, meta), finalizer))
    return Claim(sorted(mine, key=lambda item: str(item.metadata.name)), patches)


def _adopt(owned: Kind, item: Any, reference: Json, finalizer: str) -> Patch:
    meta: Json = {"ownerReferences": [reference]} | ({"finalizers": [finalizer]} if finalizer else {})
    return Patch(owned, key_of(item), item.metadata.uid, {"metadata": meta}, type="strategic")


def _release(owned: Kind, item: Any, uid: str, finalizer: str) -> Patch:
    meta: Json = {"ownerReferences": [{"$patch": "delete", "uid": uid}]}
    if finalizer:
        meta["$deleteFromPrimitiveList/finalizers"] = [finalizer]
    return Patch(owned, key_of(item), item.metadata.uid, {"metadata": meta}, type="strategic")


@dataclass(frozen=True, slots=True)
class OwnerOrMatching:
    """The keys that a changed object concerns: its controller of `kind`, or for an orphan whoever might adopt it."""

    kind: Kind
    selector_of: Callable[[Any], LabelSelector]

    def __call__(self, item: Any, view: View) -> Iterable[Key]:
        namespace = item.metadata.namespace
        owner = controller_of(item)
        if owner is not None:
            return (Key(namespace, owner.name),) if owner.kind == self.kind.kind else ()
        labels: Mapping[str, str] = item.metadata.labels
        return [key_of(each) for each in view.list(self.kind, namespace) if self.selector_of(each).matches(labels)]
