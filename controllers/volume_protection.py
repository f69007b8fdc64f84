"""Lets claims, volumes and attribute classes that are being deleted go once nobody uses them, by their finalizers.

    kubernetes.io/pvc-protection   until no pod that has a node uses the claim
    kubernetes.io/pv-protection    until the volume is not bound
    kubernetes.io/vac-protection   until no claim and no volume names the class, or is on its way to it

A cache may not know the newest pod yet, so that the server itself is asked before a claim goes. Objects that have no
finalizer (they are older than the admission plugin that adds it) get it. Sources: pkg/controller/volume/pvcprotection,
pkg/controller/volume/pvprotection, pkg/controller/volume/vacprotection.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS, VOLUMEATTRIBUTESCLASSES, Kind
from client.client import Client
from client.plan import Key, Patch, Plan, View, Watch, itself
from controllers.views import (
    CLAIM,
    Claim,
    Object,
    Pod,
    Volume,
    claim_name,
)

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
CLASS_FINALIZER = "kubernetes.io/vac-protection"


class _Pods(msgspec.Struct, frozen=True):
    items: tuple[Pod, ...] | None = None


_decode_pods = msgspec.json.Decoder(_Pods).decode


def _claims_of(pod: Pod, _view: View) -> Iterable[Key]:
    names = (claim_name(pod, volume) for volume in pod.spec.volumes)
    return {Key(pod.metadata.namespace, name) for name in names if name}


def _may_free(_old: Pod | None, new: Pod | None) -> bool:
    return new is None


def uses(pod: Pod, claim: str) -> bool:
    """Whether the pod keeps the claim. Without a node it does not: no kubelet starts it with a claim that goes."""
    return bool(pod.spec.node_name) and any(claim_name(pod, volume) == claim for volume in pod.spec.volumes)


@dataclass(frozen=True)
class ClaimProtection:
    """The keeper of claims that pods use."""

    name: str = "persistentvolumeclaim-protection-controller"
    watches: Sequence[Watch] = (Watch(PERSISTENTVOLUMECLAIMS, itself), Watch(PODS, _claims_of, _may_free))

    async def look(self, client: Client, key: Key, view: View) -> bool:
        """Whether a pod uses the claim, if that matters now."""
        claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, key)
        if claim is None or not _is_candidate(claim, CLAIM_FINALIZER):
            return False
        if any(uses(pod, key.name) for pod in view.by(PODS, CLAIM, f"{key.namespace}/{key.name}")):
            return True
        answer = await client.request("GET", PODS.path(key.namespace))
        return any(uses(pod, key.name) for pod in _decode_pods(answer.content).items or ())

    def plan(self, key: Key, view: View, now: float, seen: bool) -> Plan:  # noqa: ARG002, FBT001 - what `look` found
        claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, key)
        return _protected(PERSISTENTVOLUMECLAIMS, key, claim, CLAIM_FINALIZER, is_used=seen)


@dataclass(frozen=True)
class VolumeProtection:
    """The keeper of volumes that are bound."""

    name: str = "persistentvolume-protection-controller"
    watches: Sequence[Watch] = (Watch(PERSISTENTVOLUMES, itself),)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        volume: Volume | None = view.get(PERSISTENTVOLUMES, key)
        is_used = volume is not None and volume.status.phase == "Bound"
        return _protected(PERSISTENTVOLUMES, key, volume, VOLUME_FINALIZER, is_used=is_used)


def classes_of_claim(claim: Claim) -> set[str]:
    """The attribute classes that a claim asks for, has, or is being given."""
    status = claim.status
    target = status.modify_volume_status
    named = {claim.spec.volume_attributes_class_name, status.current_volume_attributes_class_name}
    return {name for name in (*named, target.target_volume_attributes_class_name if target else "") if name}


def _of_claim(claim: Claim, _view: View) -> Iterable[Key]:
    return [Key("", name) for name in classes_of_claim(claim)]


def _of_volume(volume: Volume, _view: View) -> Iterable[Key]:
    name = volume.spec.volume_attributes_class_name
    return [Key("", name)] if name else ()


@dataclass(frozen=True)
class AttributesClassProtection:
    """The keeper of attribute classes that claims or volumes name."""

    name: str = "volumeattributesclass-protection-controller"
    watches: Sequence[Watch] = (
        Watch(VOLUMEATTRIBUTESCLASSES, itself),
        Watch(PERSISTENTVOLUMECLAIMS, _of_claim),
        Watch(PERSISTENTVOLUMES, _of_volume),
    )

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        item: Object | None = view.get(VOLUMEATTRIBUTESCLASSES, key)
        is_used = item is not None and _is_candidate(item, CLASS_FINALIZER) and _names(view, key.name)
        return _protected(VOLUMEATTRIBUTESCLASSES, key, item, CLASS_FINALIZER, is_used=is_used)


def _names(view: View, name: str) -> bool:
    """Whether anything names the class. All are looked at: this is asked only of a class that is to go."""
    volumes: Sequence[Volume] = view.list(PERSISTENTVOLUMES)
    claims: Sequence[Claim] = view.list(PERSISTENTVOLUMECLAIMS)
    by_volume = any(volume.spec.volume_attributes_class_name == name for volume in volumes)
    return by_volume or any(name in classes_of_claim(claim) for claim in claims)


def _is_candidate(item: Claim | Volume | Object, finalizer: str) -> bool:
    return item.metadata.deletion_timestamp is not None and finalizer in item.metadata.finalizers


def _protected(kind: Kind, key: Key, item: Any, finalizer: str, *, is_used: bool) -> Plan:
    if item is None:
        return Plan()
    meta = item.metadata
    if _is_candidate(item, finalizer) and not is_used:
        finalizers = [each for each in meta.finalizers if each != finalizer]
    elif meta.deletion_timestamp is None and finalizer not in meta.finalizers:
        finalizers = [*meta.finalizers, finalizer]
    else:
        return Plan()
    body = {"metadata": {"finalizers": finalizers or None}}
    return Plan([Patch(kind, key, meta.uid, body, resource_version=meta.resource_version)])
