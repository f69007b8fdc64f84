"""Which PersistentVolume fits a claim. Pure, over the views; the binder asks.

Source: k8s.io/component-helpers/storage/volume/pv_helpers.go (FindMatchingVolume), persistentvolume/index.go.
"""

from collections.abc import Iterable, Sequence

from apimachinery import quantity
from apimachinery.quantity import Quantity
from apimachinery.selectors import from_label_selector
from controllers.views import (
    Claim,
    Volume,
)

CLASS_BETA = "volume.beta.kubernetes.io/storage-class"
STORAGE = "storage"
_ANY_MODE = "Filesystem"


def class_of(item: Claim | Volume) -> str:
    """The class's name; "" for none. The annotation was there before the field."""
    return item.metadata.annotations.get(CLASS_BETA) or item.spec.storage_class_name or ""


def requested(claim: Claim) -> Quantity:
    """How much storage a claim asks for."""
    wanted = claim.spec.resources.requests if claim.spec.resources else {}
    return quantity.parse(wanted.get(STORAGE, "0"))


def capacity(volume: Volume) -> Quantity:
    """How much storage a volume has."""
    return quantity.parse(volume.spec.capacity.get(STORAGE, "0"))


def is_for(volume: Volume, claim: Claim) -> bool:
    """Whether the volume is bound to the claim, or reserved for it by name."""
    ref = volume.spec.claim_ref
    if ref is None or (ref.name, ref.namespace) != (claim.metadata.name, claim.metadata.namespace):
        return False
    return ref.uid in ("", claim.metadata.uid)


def same_mode(volume: Volume, claim: Claim) -> bool:
    """Whether both are file systems or both are block devices; who says nothing wants a file system."""
    return (volume.spec.volume_mode or _ANY_MODE) == (claim.spec.volume_mode or _ANY_MODE)


def unfit(volume: Volume, claim: Claim) -> str:
    """Why the volume that the claim names cannot be its; "" where it can."""
    if volume.metadata.deletion_timestamp is not None:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if capacity(volume).value() < requested(claim).value():
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if volume.spec.volume_attributes_class_name != claim.spec.volume_attributes_class_name:
        return "volumeAttributesClassName does not match"
    if not same_mode(volume, claim):
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return "incompatible accessMode"
    return ""


def best(claim: Claim, volumes: Iterable[Volume], *, reserved_only: bool = False) -> Volume | None:
    """The volume for a claim: one reserved for it, else the smallest of those with the fewest access modes.

    `reserved_only` while a claim waits for its first pod: the scheduler picks then.
    """
    fitting = [volume for volume in volumes if _is_candidate(volume, claim)]
    by_modes: dict[tuple[str, ...], list[Volume]] = {}
    for volume in fitting:
        by_modes.setdefault(tuple(sorted(volume.spec.access_modes)), []).append(volume)
    for _, group in sorted(by_modes.items(), key=lambda entry: (len(entry[0]), entry[0])):
        found = _best_of(claim, group, reserved_only=reserved_only)
        if found is not None:
            return found
    return None


def _is_candidate(volume: Volume, claim: Claim) -> bool:
    return (
        (volume.spec.claim_ref is None or is_for(volume, claim))
        and set(claim.spec.access_modes) <= set(volume.spec.access_modes)
        and not capacity(volume) < requested(claim)
        and same_mode(volume, claim)
        and volume.spec.volume_attributes_class_name == claim.spec.volume_attributes_class_name
        and volume.metadata.deletion_timestamp is None
    )


def _best_of(claim: Claim, group: Sequence[Volume], *, reserved_only: bool) -> Volume | None:
    reserved = next((volume for volume in group if is_for(volume, claim)), None)
    if reserved is not None or reserved_only:
        return reserved
    selector = from_label_selector(claim.spec.selector) if claim.spec.selector else None
    free = [
        volume
        for volume in group
        if volume.status.phase == "Available"
        and class_of(volume) == class_of(claim)
        and (selector is None or selector.matches(volume.metadata.labels))
    ]
    return min(free, key=lambda volume: (capacity(volume), volume.metadata.name), default=None)
