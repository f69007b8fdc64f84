"""Binds claims to volumes and volumes to claims, and says what is to become of a volume whose claim is gone.

    claim unbound   the volume it names or the best that is there; else a provisioner is asked, by annotations
    claim bound     what is missing of the binding is mended; a claim whose volume is gone is Lost
    volume          Available, Bound, Released; reclaimed (Retain, Delete) by whoever provisioned it

A binding is four writes, each of which may be the last before a crash; the next plan goes on from there. Two claims may
pick one volume at the same moment: the writes carry resource versions, the second is refused and picks again.
Keys are claims, and volumes (without a namespace). Provisioners are processes of their own, as upstream's external
ones are. Source: pkg/controller/volume/persistentvolume/pv_controller.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS, STORAGECLASSES, Kind
from apimachinery.types import Json
from client.events import reference
from client.plan import Event, Key, Patch, Plan, View, Watch, key_of
from controllers import pods
from controllers.views import (
    CLAIM,
    Claim,
    StorageClass,
    Volume,
)
from controllers.volume_matching import best, class_of, is_for, unfit
from controllers.volume_release import BOUND_BY_US, Steps, about_claim, patch_volume, set_phase
from controllers.volume_release import steps as steps_of

RESYNC = 15.0  # seconds between two looks at what is not bound, with their events
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
PROVISIONER_BETA = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_INTERNAL = "kubernetes.io/"


def _claim_and_volume(claim: Claim, _view: View) -> Iterable[Key]:
    yield key_of(claim)
    if claim.spec.volume_name:
        yield Key("", claim.spec.volume_name)


def _volume_and_claims(volume: Volume, view: View) -> Iterable[Key]:
    """The volume; its claim, or where it is free every claim that may be waiting for just that."""
    yield Key("", volume.metadata.name)
    ref = volume.spec.claim_ref
    if ref is not None:
        yield Key(ref.namespace, ref.name)
        return
    for claim in view.list(PERSISTENTVOLUMECLAIMS):
        if claim.spec.volume_name in ("", volume.metadata.name) or BIND_COMPLETED not in claim.metadata.annotations:
            yield key_of(claim)


def _waiting(_item: StorageClass, view: View) -> Iterable[Key]:
    return [key_of(claim) for claim in view.list(PERSISTENTVOLUMECLAIMS) if not claim.spec.volume_name]


@dataclass(frozen=True)
class PersistentVolumeBinder:
    """The controller of claims and volumes."""

    name: str = "persistentvolume-binder-controller"
    watches: Sequence[Watch] = (
        Watch(PERSISTENTVOLUMECLAIMS, _claim_and_volume),
        Watch(PERSISTENTVOLUMES, _volume_and_claims),
        Watch(STORAGECLASSES, _waiting),
    )
    reads: Sequence[Kind] = (PODS,)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        if not key.namespace:
            volume: Volume | None = view.get(PERSISTENTVOLUMES, key)
            return Plan() if volume is None else Plan(steps_of(volume, view))
        claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, key)
        if claim is None:
            return Plan()
        if BIND_COMPLETED in claim.metadata.annotations:
            return Plan(_bound_claim(claim, view))
        steps, waits = _unbound_claim(claim, view)
        return Plan(steps, RESYNC if waits else None)


# ------------------------------------------------------------------------------------------------ claims


def _unbound_claim(claim: Claim, view: View) -> tuple[Steps, bool]:
    """What to do, and whether the claim goes on waiting."""
    if claim.spec.volume_name:
        return _claim_with_name(claim, view)
    found_class: StorageClass | None = view.get(STORAGECLASSES, Key("", class_of(claim)))
    delayed = found_class is not None and found_class.volume_binding_mode == "WaitForFirstConsumer"
    volume = best(claim, view.list(PERSISTENTVOLUMES), reserved_only=delayed)
    if volume is not None:
        return _bind(volume, claim), False
    default = _default_class(claim, view)
    if default:
        return [_patch_claim(claim, {"spec": {"storageClassName": default}})], False
    if delayed and SELECTED_NODE not in claim.metadata.annotations:
        steps: Steps = [_first_consumer(claim, view)]
    elif class_of(claim):
        return _provision(claim, found_class), True
    else:
        none = "no persistent volumes available for this claim and no storage class is set"
        steps = [about_claim(claim, "Normal", "FailedBinding", none)]
    return [*steps, *_claim_status(claim, "Pending")], True


def _claim_with_name(claim: Claim, view: View) -> tuple[Steps, bool]:
    volume: Volume | None = view.get(PERSISTENTVOLUMES, Key("", claim.spec.volume_name))
    if volume is None:
        return _claim_status(claim, "Pending"), True
    if volume.spec.claim_ref is None:
        why = unfit(volume, claim)
        if why:
            words = f'Cannot bind to requested volume "{volume.metadata.name}": {why}'
            event = about_claim(claim, "Warning", "VolumeMismatch", words)
            return [event, *_claim_status(claim, "Pending")], True
        return _bind(volume, claim), False
    if is_for(volume, claim):
        return _bind(volume, claim), False
    words = f'volume "{volume.metadata.name}" already bound to a different claim.'
    return [about_claim(claim, "Warning", "FailedBinding", words), *_claim_status(claim, "Pending")], True


def _bound_claim(claim: Claim, view: View) -> Steps:
    volume: Volume | None = (
        view.get(PERSISTENTVOLUMES, Key("", claim.spec.volume_name)) if claim.spec.volume_name else None
    )
    if volume is not None and (volume.spec.claim_ref is None or volume.spec.claim_ref.uid == claim.metadata.uid):
        return _bind(volume, claim)
    if claim.status.phase == "Lost":
        return []
    lost = _claim_status(claim, "Lost")
    if not claim.spec.volume_name:
        words = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return [*lost, about_claim(claim, "Warning", "ClaimLost", words)]
    if volume is None:
        words = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return [*lost, about_claim(claim, "Warning", "ClaimLost", words)]
    words = "Two claims are bound to the same volume, this one is bound incorrectly"
    return [*lost, about_claim(claim, "Warning", "ClaimMisbound", words)]


def _first_consumer(claim: Claim, view: View) -> Event:
    users = view.by(PODS, CLAIM, f"{claim.metadata.namespace}/{claim.metadata.name}")
    names = [pod.metadata.name for pod in users if not pods.is_terminal(pod) and not pod.spec.node_name]
    if not names:
        words = "waiting for first consumer to be created before binding"
        return about_claim(claim, "Normal", "WaitForFirstConsumer", words)
    them = f"pods {','.join(names)}" if len(names) > 1 else f"pod {names[0]}"
    return about_claim(claim, "Normal", "WaitForPodScheduled", f"waiting for {them} to be scheduled")


def _default_class(claim: Claim, view: View) -> str:
    """For a claim that says no class at all, the newest default class; "" where there is none."""
    if claim.spec.storage_class_name is not None or class_of(claim):
        return ""
    marked = [
        each
        for each in view.list(STORAGECLASSES)
        if any(each.metadata.annotations.get(name) == "true" for name in _DEFAULT_CLASS)
    ]
    newest = sorted(marked, key=lambda each: (-each.metadata.creation_timestamp.timestamp(), each.metadata.name))
    return newest[0].metadata.name if newest else ""


def _provision(claim: Claim, found_class: StorageClass | None) -> Steps:
    """Ask the class's provisioner by the annotations it watches for."""
    if found_class is None:
        words = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
        return [about_claim(claim, "Warning", "ProvisioningFailed", words)]
    asked = found_class.provisioner
    if asked.startswith(_INTERNAL):
        words = f"no volume plugin matched name: {asked}"
        return [about_claim(claim, "Warning", "ProvisioningFailed", words)]
    words = (
        f"Waiting for a volume to be created either by the external provisioner '{asked}' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
        "registered."
    )
    told = about_claim(claim, "Normal", "ExternalProvisioning", words)
    wanted = {PROVISIONER_BETA: asked, PROVISIONER: asked}
    if wanted.items() <= claim.metadata.annotations.items():
        return [told]
    return [_patch_claim(claim, {"metadata": {"annotations": wanted}}), told]


# ------------------------------------------------------------------------------------------------ both ends


def _bind(volume: Volume, claim: Claim) -> Steps:
    """What is missing of: the volume refers to the claim, is Bound; the claim names the volume, is Bound."""
    return [
        *_volume_to_claim(volume, claim),
        *set_phase(volume, "Bound"),
        *_claim_to_volume(claim, volume),
        *_claim_status(claim, "Bound", volume),
    ]


def _volume_to_claim(volume: Volume, claim: Claim) -> Steps:
    body: Json = {}
    ref = volume.spec.claim_ref
    if ref is None or not is_for(volume, claim) or ref.uid != claim.metadata.uid:
        about = reference(claim, kind=PERSISTENTVOLUMECLAIMS.kind, api_version=PERSISTENTVOLUMECLAIMS.api_version)
        body["spec"] = {"claimRef": about}
    if not is_for(volume, claim) and BOUND_BY_US not in volume.metadata.annotations:
        body["metadata"] = {"annotations": {BOUND_BY_US: "yes"}}
    return [patch_volume(volume, body)] if body else []


def _claim_to_volume(claim: Claim, volume: Volume) -> Steps:
    annotations, body = {}, dict[str, Json]()
    if claim.spec.volume_name != volume.metadata.name:
        body["spec"] = {"volumeName": volume.metadata.name}
        if BOUND_BY_US not in claim.metadata.annotations:
            annotations[BOUND_BY_US] = "yes"
    if BIND_COMPLETED not in claim.metadata.annotations:
        annotations[BIND_COMPLETED] = "yes"
    if annotations:
        body["metadata"] = {"annotations": annotations}
    return [_patch_claim(claim, body)] if body else []


def _claim_status(claim: Claim, phase: str, volume: Volume | None = None) -> Steps:
    status: Json = {}
    if claim.status.phase != phase:
        status["phase"] = phase
        if volume is not None:
            status["capacity"] = dict(volume.spec.capacity)
    if volume is not None:
        if claim.status.access_modes != volume.spec.access_modes:
            status["accessModes"] = list(volume.spec.access_modes)
        # Once, when they come together: what changes the class later says so itself.
        if claim.status.phase == "Pending" and phase == "Bound" and volume.spec.volume_attributes_class_name:
            status["currentVolumeAttributesClassName"] = volume.spec.volume_attributes_class_name
    elif claim.status.access_modes or claim.status.capacity or claim.status.current_volume_attributes_class_name:
        status |= {"accessModes": None, "capacity": None, "currentVolumeAttributesClassName": None}
    if not status:
        return []
    return [Patch(PERSISTENTVOLUMECLAIMS, key_of(claim), claim.metadata.uid, {"status": status}, subresource="status")]


def _patch_claim(claim: Claim, body: Json) -> Patch:
    meta = claim.metadata
    return Patch(PERSISTENTVOLUMECLAIMS, key_of(claim), meta.uid, body, resource_version=meta.resource_version)
