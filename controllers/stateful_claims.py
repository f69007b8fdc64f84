"""The volume claims of a StatefulSet's pods: their names, and by its retention policy who owns them. Pure.

A claim outlives its pod. `persistentVolumeClaimRetentionPolicy` says otherwise by owner references, for the garbage
collector to act on: to the set (whenDeleted), or to a pod that is scaled away (whenScaled).
Source: pkg/controller/statefulset/stateful_set_utils.go, stateful_pod_control.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PODS, STATEFULSETS, Kind
from apimachinery.types import Json
from client.plan import Create, Event, Key, Patch, View, key_of
from controllers.ownership import owner_reference
from controllers.stateful_identity import is_in_range, pod_name
from controllers.views import (
    Claim,
    Meta,
    Owner,
    Pod,
)
from controllers.workload_views import (
    StatefulSet,
)

DELETE = "Delete"


def names(owner: StatefulSet, ordinal: int) -> Mapping[str, str]:
    """The claims of a pod: the name of a volume -> the name of its claim."""
    templates = (each["metadata"]["name"] for each in owner.spec.volume_claim_templates)
    return {name: f"{name}-{pod_name(owner, ordinal)}" for name in templates}


def sets_of_claim(claim: Claim, view: View) -> Iterable[Key]:
    """The StatefulSets whose claim this may be."""
    for owner in view.list(STATEFULSETS, claim.metadata.namespace):
        ordinal = claim.metadata.name.rpartition("-")[2]
        if ordinal.isdecimal() and claim.metadata.name in names(owner, int(ordinal)).values():
            yield key_of(owner)


def ownership_changed(old: Claim | None, new: Claim | None) -> bool:
    """Whether a change of a claim concerns its set: it has gone, or who owns it is another."""
    if old is None or new is None:
        return new is None
    return bool(_ownership(old.metadata) != _ownership(new.metadata))


def _ownership(meta: Meta) -> Any:
    return meta.deletion_timestamp, meta.owner_references


def existing(owner: StatefulSet, ordinal: int, view: View) -> Sequence[Claim]:
    """The claims of the pod with this ordinal that are there."""
    keys = [Key(owner.metadata.namespace, name) for name in names(owner, ordinal).values()]
    return [found for key in keys if (found := view.get(PERSISTENTVOLUMECLAIMS, key)) is not None]


def missing(owner: StatefulSet, ordinal: int, view: View, about: Json) -> Sequence[Create]:
    """Make the claims of a pod that are not there."""
    namespace, pod = owner.metadata.namespace, pod_name(owner, ordinal)
    writes = []
    for template in owner.spec.volume_claim_templates:
        name = names(owner, ordinal)[template["metadata"]["name"]]
        if view.get(PERSISTENTVOLUMECLAIMS, Key(namespace, name)) is not None:
            continue
        where = f"in StatefulSet {owner.metadata.name}"
        done = Event(about, "Normal", "SuccessfulCreate", f"create Claim {name} Pod {pod} {where} success")
        text = f"create Claim {name} for Pod {pod} {where} failed error: {{error}}"
        failed = Event(about, "Warning", "FailedCreate", text)
        body = _claim(owner, template, name, ordinal)
        writes.append(Create(PERSISTENTVOLUMECLAIMS, namespace, body, done=done, failed=failed))
    return writes


def _claim(owner: StatefulSet, template: Json, name: str, ordinal: int) -> Json:
    meta = template["metadata"]
    labels = {**(meta.get("labels") or {}), **(owner.spec.selector.get("matchLabels") or {})}
    made = {**meta, "name": name, "namespace": owner.metadata.namespace, "labels": labels}
    made.pop("creationTimestamp", None)
    wanted = _wanted(owner, ordinal, None)
    if wanted:
        made["ownerReferences"] = [*(meta.get("ownerReferences") or ()), *wanted]
    return {"metadata": made, "spec": template.get("spec") or {}}


def is_stale(owner: StatefulSet, ordinal: int, view: View) -> bool:
    """Whether a claim still belongs to a former pod of that name, with which it is going away."""
    policy, name = owner.spec.persistent_volume_claim_retention_policy, pod_name(owner, ordinal)
    if policy is None or policy.when_scaled != DELETE:
        return False
    claims = existing(owner, ordinal, view)
    return any(_names(ref, PODS, name) for claim in claims for ref in claim.metadata.owner_references)


def retention(owner: StatefulSet, pod: Pod, ordinal: int, view: View, about: Json) -> Sequence[Patch | Event]:
    """Bring the owners of a pod's claims to what the policy says."""
    writes: list[Patch | Event] = []
    for claim in existing(owner, ordinal, view):
        references = _references(owner, pod, ordinal, claim)
        if references is None:
            continue
        if _has_other_controller(owner, pod, claim):
            text = (
                f"PersistentVolumeClaim {claim.metadata.name} has a conflicting OwnerReference that acts as a manging "
                "controller, the retention policy is ignored for this claim"
            )
            writes.append(Event(about, "Warning", "ConflictingController", text))
        body = {"metadata": {"ownerReferences": references}}
        meta = claim.metadata
        version = meta.resource_version
        writes.append(Patch(PERSISTENTVOLUMECLAIMS, key_of(claim), meta.uid, body, resource_version=version))
    return writes


def _references(owner: StatefulSet, pod: Pod, ordinal: int, claim: Claim) -> Sequence[Json] | None:
    """The owner references as they should be; None where they are, or where they are not for us to touch."""
    ours = [ref for ref in claim.metadata.owner_references if _is_ours(ref, owner, pod)]
    if any(ref.uid not in (owner.metadata.uid, pod.metadata.uid) for ref in ours):
        return None  # of a former set or pod: it is the garbage collector's
    others = [msgspec.to_builtins(ref) for ref in claim.metadata.owner_references if ref not in ours]
    others = [{name: value for name, value in ref.items() if value is not None} for ref in others]
    if _has_other_controller(owner, pod, claim):
        return others if ours else None
    wanted = _wanted(owner, ordinal, pod)
    if {(ref.uid, bool(ref.controller)) for ref in ours} == {(ref["uid"], True) for ref in wanted}:
        return None
    return [*others, *wanted]


def _wanted(owner: StatefulSet, ordinal: int, pod: Pod | None) -> Sequence[Json]:
    policy = owner.spec.persistent_volume_claim_retention_policy
    if policy is None:
        return ()
    goes_with_pod = policy.when_scaled == DELETE and not is_in_range(owner, ordinal)
    if goes_with_pod:
        return (owner_reference(PODS, pod.metadata),) if pod is not None else ()
    return (owner_reference(STATEFULSETS, owner.metadata),) if policy.when_deleted == DELETE else ()


def _has_other_controller(owner: StatefulSet, pod: Pod, claim: Claim) -> bool:
    policy = owner.spec.persistent_volume_claim_retention_policy
    if policy is None or DELETE not in (policy.when_deleted, policy.when_scaled):
        return False
    return any(ref.controller and not _is_ours(ref, owner, pod) for ref in claim.metadata.owner_references)


def _is_ours(ref: Owner, owner: StatefulSet, pod: Pod) -> bool:
    return _names(ref, STATEFULSETS, owner.metadata.name) or _names(ref, PODS, pod.metadata.name)


def _names(ref: Owner, kind: Kind, name: str) -> bool:
    return (ref.api_version, ref.kind, ref.name) == (kind.api_version, kind.kind, name)
