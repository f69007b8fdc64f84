"""Tells of claims that ask for more than they have: growing a volume is its provisioner's work.

PyKube has no in-tree plugin that grows, so that this is all upstream's controller would do here.
Source: pkg/controller/volume/expand/expand_controller.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery import quantity
from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, Kind
from client.events import reference
from client.plan import Event, Key, Plan, View, Watch, itself
from controllers.views import (
    Claim,
    Volume,
)
from controllers.volume_matching import STORAGE, requested


def is_growing(claim: Claim) -> bool:
    """Whether a bound claim asks for more than it was given."""
    given = claim.status.capacity.get(STORAGE)
    return claim.status.phase == "Bound" and given is not None and quantity.parse(given) < requested(claim)


def _starts_growing(old: Claim | None, new: Claim | None) -> bool:
    return new is not None and is_growing(new) and (old is None or requested(old) != requested(new))


@dataclass(frozen=True)
class VolumeExpander:
    """The controller of claims that grow."""

    name: str = "persistentvolume-expander-controller"
    watches: Sequence[Watch] = (Watch(PERSISTENTVOLUMECLAIMS, itself, _starts_growing),)
    reads: Sequence[Kind] = (PERSISTENTVOLUMES,)

    def plan(self, key: Key, view: View, now: float) -> Plan:  # noqa: ARG002 - every controller has it
        claim: Claim | None = view.get(PERSISTENTVOLUMECLAIMS, key)
        if claim is None or not is_growing(claim):
            return Plan()
        volume: Volume | None = view.get(PERSISTENTVOLUMES, Key("", claim.spec.volume_name))
        ref = volume.spec.claim_ref if volume is not None else None
        if ref is None or ref.uid != claim.metadata.uid:
            return Plan()
        about = reference(claim, kind=PERSISTENTVOLUMECLAIMS.kind, api_version=PERSISTENTVOLUMECLAIMS.api_version)
        words = "waiting for an external controller to expand this PVC"
        return Plan([Event(about, "Normal", "ExternalExpanding", words)])
