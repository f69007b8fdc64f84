"""What a delete does to an object, decided purely: remove it now, mark it, or leave it as it is.

    grace period    kinds with a graceful strategy (pods) are marked first; the kubelet finishes with grace 0. Objects
                    that nobody has placed, or that have finished, go at once
    finalizers      keep a marked object until the update that takes the last one
    propagation     Foreground and Orphan are finalizers that the garbage collector takes; Background removes both
    holds           what else keeps a kind's objects (a namespace's spec.finalizers)

Sources: apiserver/pkg/registry/rest/delete.go (BeforeDelete), registry/generic/registry/store.go (Delete and
deletionFinalizersForGarbageCollection), pkg/registry/core/pod/strategy.go (CheckGracefulDelete),
pkg/registry/core/namespace/storage/storage.go (Delete).
"""

from dataclasses import dataclass

from apimachinery import errors, times
from apimachinery.types import Json
from apiserver.registry import Resource
from apiserver.resources.options import BACKGROUND, FOREGROUND, ORPHAN, DeleteOptions

ORPHAN_FINALIZER = "orphan"
FOREGROUND_FINALIZER = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do. `tree` is the object as it is to be stored, or as it is shown when it goes."""

    tree: Json
    removes: bool = False  # delete the key
    changes: bool = False  # write the tree


def decide(resource: Resource, tree: Json, options: DeleteOptions, now: float) -> Outcome:
    """The outcome of a delete of the object as it is stored. The tree is private and may be modified."""
    meta = tree["metadata"]
    is_marked, left = bool(meta.get("deletionTimestamp")), meta.get("deletionGracePeriodSeconds") or 0
    is_graceful = resource.strategy.graceful and bool(left or not is_marked)
    grace = resource.strategy.grace_period(tree, options.grace) if is_graceful else 0
    if is_marked and is_graceful and (options.grace is None or grace >= left):
        return Outcome(tree)  # on its way, and this delete cannot make it go sooner
    before = list(meta.get("finalizers") or ())
    finalizers = before
    if not resource.strategy.has_no_dependents and (is_marked or resource.deletion.propagates):
        finalizers = with_propagation(before, options, orphans=resource.strategy.orphans)
    _set_or_drop(meta, "finalizers", finalizers)
    held = bool(finalizers) or resource.deletion.holds(tree)
    if not held and not grace:
        if resource.strategy.graceful:
            _mark(tree, now, 0)
        return Outcome(tree, removes=True)
    if is_marked and not is_graceful:
        is_complete = "deletionGracePeriodSeconds" in meta or resource.deletion.holds(tree)
        if not is_complete:  # marked by a delete of its own
            meta["deletionGracePeriodSeconds"] = 0
        return Outcome(tree, changes=finalizers != before or not is_complete)
    _mark(tree, now, grace)
    return Outcome(resource.deletion.mark(tree), changes=True)


def _mark(tree: Json, now: float, grace: int) -> None:
    """Set the deletion marks; a shorter grace period moves the time, counted from the first delete."""
    meta = tree["metadata"]
    marked = meta.get("deletionTimestamp")
    if marked:
        began = times.parse(marked) - (meta.get("deletionGracePeriodSeconds") or 0)
        meta["deletionTimestamp"] = times.rfc3339(began + grace)
    else:
        meta["deletionTimestamp"] = times.rfc3339(now + grace)
        if meta.get("generation"):
            meta["generation"] += 1
    meta["deletionGracePeriodSeconds"] = grace


def with_propagation(finalizers: list[str], options: DeleteOptions, *, orphans: bool = False) -> list[str]:
    """The finalizers with those two that stand for the propagation policy as asked; kept where nothing is asked.

    `orphans`: where neither is there, nothing asked means Orphan.
    """
    orphan, foreground = ORPHAN_FINALIZER in finalizers, FOREGROUND_FINALIZER in finalizers
    if options.orphan is not None:
        orphan, foreground = options.orphan, False
    elif options.propagation == ORPHAN:
        orphan, foreground = True, False
    elif options.propagation == FOREGROUND:
        orphan, foreground = False, True
    elif options.propagation == BACKGROUND:
        orphan = foreground = False
    elif orphan and foreground:
        foreground = False
    elif not foreground:
        orphan = orphan or orphans
    rest = [name for name in finalizers if name not in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER)]
    return [*rest, *[ORPHAN_FINALIZER] * orphan, *[FOREGROUND_FINALIZER] * foreground]


def _set_or_drop(meta: Json, name: str, value: list[str]) -> None:
    if value:
        meta[name] = value
    else:
        meta.pop(name, None)


def check_preconditions(resource: Resource, tree: Json, options: DeleteOptions) -> None:
    """Raise 409 unless the object is the one that the client means."""
    meta = tree["metadata"]
    for name, wanted, found, hint in (
        ("UID", options.uid, meta.get("uid", ""), "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, meta["resourceVersion"], "modified"),
    ):
        if not wanted or wanted == found:
            continue
        if resource.deletion.is_own:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"
            raise resource.conflict(meta["name"], why)
        why = f"the {name} in the precondition ({wanted}) does not match the {name} in record ({found}). "
        why += f"The object might have been {hint}"
        raise errors.conflict(resource.stored.group, resource.stored.kind, meta["name"], why)
