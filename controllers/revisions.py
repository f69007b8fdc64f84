"""A Deployment's ReplicaSets as revisions: which one is the current one, their numbers, names and annotations. Pure.

The name's hash differs from upstream's (which hashes Go's print of a template): any stable hash does, since a
ReplicaSet is recognised by its template, not by its name. So a cluster taken over from upstream keeps its ReplicaSets.
Source: pkg/controller/deployment/util/deployment_util.go.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from apimachinery.annotation_numbers import int64
from apimachinery.types import Json
from controllers.views import (
    seconds,
)
from controllers.workload_views import (
    Deployment,
    ReplicaSet,
)

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HISTORY_LENGTH = 2000
NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
)
SAFE_DIGITS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no digits that look like one: no word comes out


def template_hash(template: Json, collisions: int | None) -> str:
    """A short name for a template; `collisions` makes another one where that is taken."""
    data = msgspec.json.encode([_normal(template), collisions or 0], order="deterministic")
    number = int.from_bytes(hashlib.sha256(data).digest()[:4])
    return "".join(SAFE_DIGITS[ord(digit) % len(SAFE_DIGITS)] for digit in str(number))


def same_template(one: Json, other: Json) -> bool:
    """Whether two templates are equal but for the hash label, absent and empty lists being the same."""
    return bool(_normal(one) == _normal(other))


def _normal(template: Json) -> Json:
    meta = dict(template.get("metadata") or {})
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != HASH_LABEL}
    tree = {"metadata": {**meta, "labels": labels}, "spec": template.get("spec") or {}}
    normal: Json = without_nothing(tree)
    normal["metadata"] = {name: value for name, value in normal["metadata"].items() if value}
    return normal


def without_nothing(value: Any) -> Any:
    """The tree without nulls and empty lists."""
    if isinstance(value, dict):
        return {name: without_nothing(each) for name, each in value.items() if each is not None and each != []}
    if isinstance(value, list):
        return [without_nothing(each) for each in value]
    return value


def age(replica_set: ReplicaSet) -> tuple[float, str]:
    """Sorts ReplicaSets from the oldest to the youngest."""
    return seconds(replica_set.metadata.creation_timestamp), replica_set.metadata.name


def current(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the deployment's present template; the oldest where several have it."""
    for each in sorted(replica_sets, key=age):
        if same_template(each.spec.template, deployment.spec.template):
            return each
    return None


def revision(replica_set: ReplicaSet) -> int:
    """The revision that a ReplicaSet was given, 0 for none."""
    return number(replica_set.metadata.annotations, REVISION) or 0


def number(annotations: Mapping[str, str], name: str) -> int | None:
    """An annotation as a number, None where it is missing or is none."""
    return int64(annotations.get(name, ""))


def annotations_for(
    deployment: Deployment, existing: Mapping[str, str], new_revision: int, *, maximum: int | None
) -> dict[str, str]:
    """What must change in the current ReplicaSet's annotations; `maximum` is given for one that is yet to be made."""
    wanted = {name: text for name, text in deployment.metadata.annotations.items() if name not in NOT_COPIED}
    old = existing.get(REVISION)
    if (number(existing, REVISION) or 0) < new_revision:
        wanted[REVISION] = str(new_revision)
        if old is not None:
            wanted[REVISION_HISTORY] = _history(existing.get(REVISION_HISTORY, ""), old)
    if maximum is not None:
        wanted |= {DESIRED: str(deployment.spec.replicas), MAXIMUM: str(maximum)}
    return {name: text for name, text in wanted.items() if existing.get(name) != text}


def _history(history: str, old: str) -> str:
    """The numbers a ReplicaSet had before, the oldest dropped when they become too many."""
    numbers = [*(part for part in history.split(",") if part), old]
    while len(",".join(numbers)) > HISTORY_LENGTH:
        numbers.pop(0)
    return ",".join(numbers)


def to_clean_up(deployment: Deployment, old: Sequence[ReplicaSet]) -> Sequence[ReplicaSet]:
    """Old ReplicaSets beyond revisionHistoryLimit, lowest revision first; never one that still has pods."""
    limit = deployment.spec.revision_history_limit
    alive = [each for each in old if each.metadata.deletion_timestamp is None]
    if limit is None or len(alive) <= limit:
        return ()
    surplus = sorted(alive, key=lambda each: (revision(each), *age(each)))[: len(alive) - limit]
    return [each for each in surplus if _is_spent(each)]


def _is_spent(replica_set: ReplicaSet) -> bool:
    is_observed = replica_set.status.observed_generation >= replica_set.metadata.generation
    return is_observed and not replica_set.spec.replicas and not replica_set.status.replicas
