"""What becomes of a volume: Available, Bound, Released once its claim is gone, and then as its policy says.

The half of the binder that looks from the volume's side. Deleting is its provisioner's work: here a volume is only
marked, or Failed where nobody could delete it. Source: pkg/controller/volume/persistentvolume/pv_controller.go
(syncVolume, reclaimVolume).
"""

from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES
from apimachinery.types import Json
from client.events import reference
from client.plan import Event, Key, Patch, View, Write
from controllers.views import (
    Claim,
    Volume,
)
from controllers.volume_matching import same_mode

BOUND_BY_US = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
MIGRATED_TO = "pv.kubernetes.io/migrated-to"
_INTERNAL = "kubernetes.io/"

Steps = list[Write | Event]


def about_claim(claim: Claim, type: str, reason: str, message: str) -> Event:
    """An event about a claim."""
    about = reference(claim, kind=PERSISTENTVOLUMECLAIMS.kind, api_version=PERSISTENTVOLUMECLAIMS.api_version)
    return Event(about, type, reason, message)


def steps(volume: Volume, view: View) -> Steps:
    """What becomes of a volume whose claim is bound, has gone, or wants another volume."""
    ref = volume.spec.claim_ref
    if ref is None or not ref.uid:
        return set_phase(volume, "Available")
    claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, Key(ref.namespace, ref.name))
    if claim is None or claim.metadata.uid != ref.uid:
        return _released(volume)
    if not claim.spec.volume_name:
        return [] if same_mode(volume, claim) else _mismatch(volume, claim)
    if claim.spec.volume_name == volume.metadata.name:
        return set_phase(volume, "Bound")
    if PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
        return _released(volume)
    return _unbind(volume)


def _released(volume: Volume) -> Steps:
    found = set_phase(volume, "Released") if volume.status.phase not in ("Released", "Failed") else []
    return [*found, *_reclaim(volume)]


def _reclaim(volume: Volume) -> Steps:
    """Nothing where it is retained, or an external provisioner will delete it."""
    annotations, policy = volume.metadata.annotations, volume.spec.persistent_volume_reclaim_policy
    if policy == "Recycle":
        return _failed(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    made_by = annotations.get(PROVISIONED_BY, "")
    external = made_by and not made_by.startswith(_INTERNAL)
    if policy != "Delete" or external or MIGRATED_TO in annotations or volume.spec.csi is not None:
        return []
    path = volume.spec.host_path.path if volume.spec.host_path is not None else ""
    if path and not path.startswith("/tmp/"):  # noqa: S108 - upstream's rule
        return _failed(
            volume, "VolumeFailedDelete", f"host_path deleter only supports /tmp/.+ but received provided {path}"
        )
    name = volume.metadata.name
    words = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
    return _failed(volume, "VolumeFailedDelete", words)


def _failed(volume: Volume, reason: str, message: str) -> Steps:
    found = set_phase(volume, "Failed", message)
    about = reference(volume, kind=PERSISTENTVOLUMES.kind, api_version=PERSISTENTVOLUMES.api_version)
    return [*found, Event(about, "Warning", reason, message)] if found else []


def _mismatch(volume: Volume, claim: Claim) -> Steps:
    mode = "due to incompatible volumeMode."
    about = reference(volume, kind=PERSISTENTVOLUMES.kind, api_version=PERSISTENTVOLUMES.api_version)
    name, wanted = volume.metadata.name, claim.metadata.name
    words = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{wanted}" {mode}'
    other = f'Cannot bind PersistentVolume "{name}" to requested PersistentVolumeClaim {mode}'
    return [
        Event(about, "Warning", "VolumeMismatch", words),
        about_claim(claim, "Warning", "VolumeMismatch", other),
    ]


def _unbind(volume: Volume) -> Steps:
    """Take back a binding of ours; of one that a user made, only that it was completed."""
    if BOUND_BY_US in volume.metadata.annotations:
        body: Json = {"spec": {"claimRef": None}, "metadata": {"annotations": {BOUND_BY_US: None}}}
    else:
        body = {"spec": {"claimRef": {"uid": None}}}
    return [patch_volume(volume, body), *set_phase(volume, "Available")]


def set_phase(volume: Volume, phase: str, message: str = "") -> Steps:
    """The write of a phase; none where the volume has it already."""
    if volume.status.phase == phase:  # a message that somebody else left stays
        return []
    status = {"phase": phase, "message": message or None}
    return [
        Patch(
            PERSISTENTVOLUMES,
            Key("", volume.metadata.name),
            volume.metadata.uid,
            {"status": status},
            subresource="status",
        )
    ]


def patch_volume(volume: Volume, body: Json) -> Patch:
    """A write that fails if the volume has changed since it was looked at."""
    meta = volume.metadata
    return Patch(PERSISTENTVOLUMES, Key("", meta.name), meta.uid, body, resource_version=meta.resource_version)
