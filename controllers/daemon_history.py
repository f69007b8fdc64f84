"""The revisions of a DaemonSet: the current one, and what brings them in order. Pure.

Source: pkg/controller/daemon/update.go (constructHistory, dedupCurHistories, snapshot, cleanupHistory).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.kinds import CONTROLLERREVISIONS, DAEMONSETS, PODS
from apimachinery.types import Json
from client.plan import Create, Delete, Patch, View, Write, key_of
from controllers import history
from controllers.history import REVISION_LABEL
from controllers.ownership import owner_reference
from controllers.revisions import template_hash
from controllers.views import (
    Pod,
)
from controllers.workload_views import (
    DaemonSet,
    Revision,
)


@dataclass(frozen=True)
class Line:
    """The hash of the current revision, the old ones, and what makes it so."""

    hash: str
    old: Sequence[Revision]
    collisions: int | None
    writes: Sequence[Write]
    is_settled: bool = True  # whether pods' labels are as they will be


def hash_of(revision: Revision) -> str:
    """A revision is told by its label; one of old that has none gets its name for it."""
    return revision.metadata.labels.get(REVISION_LABEL, revision.metadata.name)


def line_up(owner: DaemonSet, recorded: Sequence[Revision], mine: Sequence[Pod], view: View) -> Line:
    """Bring the revisions into line with the template: one is its own and has the highest number, duplicates go."""
    writes: list[Write] = [_label(each) for each in recorded if REVISION_LABEL not in each.metadata.labels]
    same = [each for each in recorded if history.is_of(each, owner.spec.template)]
    old = [each for each in recorded if each not in same]
    number = max((each.revision for each in old), default=0) + 1
    if not same:
        return _begin(owner, old, number, writes, view)
    kept = max(same, key=lambda each: (each.revision, each.metadata.name))
    if kept.revision < number:
        writes.append(history.renumber(kept, number))
    others = [each for each in same if each is not kept]
    if others:
        writes += [_relabel(pod, hash_of(kept)) for pod in mine if _needs_label(pod, others)]
        writes += [Delete(CONTROLLERREVISIONS, key_of(each), each.metadata.uid) for each in others]
    return Line(hash_of(kept), old, owner.status.collision_count, writes, is_settled=not others)


def _begin(owner: DaemonSet, old: Sequence[Revision], number: int, writes: Sequence[Write], view: View) -> Line:
    """Make the revision of a template that is new."""
    meta, template = owner.metadata, owner.spec.template

    def named(count: int) -> str:
        return f"{meta.name}-{template_hash(template, count)}"

    before = owner.status.collision_count
    name, collisions, holder = history.free_name(view, meta.namespace, template, before or 0, named)
    suffix = hash_of(holder) if holder is not None else name.rpartition("-")[2]
    made = [] if holder is not None else [_creation(owner, name, suffix, number)]
    return Line(suffix, old, collisions or before, [*writes, *made])


def _creation(owner: DaemonSet, name: str, suffix: str, number: int) -> Create:
    labels = (owner.spec.template.get("metadata") or {}).get("labels") or {}
    meta: Json = {
        "name": name,
        "namespace": owner.metadata.namespace,
        "labels": {**labels, REVISION_LABEL: suffix},
        "annotations": dict(owner.metadata.annotations),
        "ownerReferences": [owner_reference(DAEMONSETS, owner.metadata)],
    }
    body = {"metadata": meta, "data": history.snapshot(owner.spec.template), "revision": number}
    return Create(CONTROLLERREVISIONS, owner.metadata.namespace, body)


def _label(revision: Revision) -> Patch:
    body = {"metadata": {"labels": {REVISION_LABEL: revision.metadata.name}}}
    return Patch(CONTROLLERREVISIONS, key_of(revision), revision.metadata.uid, body)


def _needs_label(pod: Pod, others: Sequence[Revision]) -> bool:
    return pod.metadata.labels.get(REVISION_LABEL, "") in map(hash_of, others)


def _relabel(pod: Pod, suffix: str) -> Patch:
    return Patch(PODS, key_of(pod), pod.metadata.uid, {"metadata": {"labels": {REVISION_LABEL: suffix}}})


def surplus(owner: DaemonSet, old: Sequence[Revision], mine: Sequence[Pod]) -> Sequence[Delete]:
    """Old revisions beyond the limit, the first ones first; never one that has pods."""
    live = {pod.metadata.labels.get(REVISION_LABEL) for pod in mine}
    too_many = max(0, len(old) - owner.spec.revision_history_limit)
    spent = [each for each in sorted(old, key=history.order) if hash_of(each) not in live]
    return [Delete(CONTROLLERREVISIONS, key_of(each), each.metadata.uid) for each in spent[:too_many]]
