"""What a pod's claims ask of a node (`Needs`), and the filters that refuse the nodes where it is not to be had.

Source: pkg/scheduler/framework/plugins/volumebinding, volumerestrictions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from apimachinery.objects.core_v1 import (
    NodeSelectorTerm,
    ObjectReference,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from apimachinery.objects.meta_v1 import LabelSelector, ObjectMeta
from apimachinery.objects.storage_v1 import StorageClass
from scheduler.arrays import Mask, Nodes, PodRow
from scheduler.events import Change
from scheduler.filters import Filter, everywhere, matches

SELECTED_NODE = "volume.kubernetes.io/selected-node"
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
_NOTHING = "node(s) didn't find available persistent volumes to bind"


class ClaimSpec(Struct, frozen=True, gc=False, rename="camel"):
    """What the scheduler reads of a claim's spec."""

    access_modes: tuple[str, ...] = ()
    resources: VolumeResourceRequirements | None = None
    selector: LabelSelector | None = None
    storage_class_name: str = ""
    volume_mode: str = ""
    volume_name: str = ""


class ClaimStatus(Struct, frozen=True, gc=False):
    phase: str = ""


class Claim(Struct, frozen=True, gc=False):
    """A PersistentVolumeClaim."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def is_bound(self) -> bool:
        return bool(self.spec.volume_name) and _BIND_COMPLETED in self.metadata.annotations

    @property
    def key(self) -> str:
        return f"{self.metadata.namespace}/{self.metadata.name}"


class CsiSource(Struct, frozen=True, gc=False, rename="camel"):
    """Which volume of which driver it is."""

    driver: str = ""
    volume_handle: str = ""


class VolumeSpec(Struct, frozen=True, gc=False, rename="camel"):
    """What the scheduler reads of a volume's spec."""

    access_modes: tuple[str, ...] = ()
    capacity: Mapping[str, str] = {}
    claim_ref: ObjectReference | None = None
    csi: CsiSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    storage_class_name: str = ""
    volume_mode: str = ""


class Volume(Struct, frozen=True, gc=False):
    """A PersistentVolume."""

    metadata: ObjectMeta = ObjectMeta()
    spec: VolumeSpec = VolumeSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def terms(self) -> Sequence[NodeSelectorTerm] | None:
        """The nodes it can be reached from; None for every node."""
        affinity = self.spec.node_affinity
        return affinity.required.node_selector_terms if affinity is not None and affinity.required else None


class AttachmentVolume(Struct, frozen=True, gc=False, rename="camel"):
    persistent_volume_name: str = ""


class AttachmentSpec(Struct, frozen=True, gc=False, rename="camel"):
    """What the scheduler reads of an attachment's spec."""

    attacher: str = ""
    node_name: str = ""
    source: AttachmentVolume = AttachmentVolume()


class Attachment(Struct, frozen=True, gc=False):
    """A VolumeAttachment."""

    metadata: ObjectMeta = ObjectMeta()
    spec: AttachmentSpec = AttachmentSpec()


@dataclass(frozen=True, slots=True)
class Needs:
    """What a pod's claims ask of a node."""

    bound: Sequence[Volume] = ()
    waiting: Sequence[tuple[Claim, Sequence[Volume], StorageClass | None]] = ()  # with the volumes that would fit
    exclusive: Sequence[str] = ()  # the keys of claims that are for one pod alone

    def __bool__(self) -> bool:
        return bool(self.bound or self.waiting or self.exclusive)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a claim will be bound to, once a placed pod's writes are seen: a volume, or one made on a node."""

    pod: str  # the uid of the pod it was made for
    volume: str = ""
    node: str = ""


@dataclass(frozen=True)
class VolumeRestrictions(Filter):
    """A claim that is for one pod alone must not be another's already."""

    needs: Needs
    counts_pods = True
    helped_by = frozenset({Change.POD_REMOVED, Change.VOLUMES})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:  # noqa: ARG002 - a filter's shape
        is_taken = any(nodes.census.users(claim) for claim in self.needs.exclusive)
        return ~everywhere(nodes) if is_taken else everywhere(nodes)

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        return {_TAKEN: int(np.count_nonzero(rejected))}


@dataclass(frozen=True)
class VolumeBinding(Filter):
    """The filter for one pod's `Needs`."""

    needs: Needs
    chosen: Mapping[str, Promise]
    helped_by = frozenset({Change.VOLUMES, Change.NODE_ADDED, Change.NODE_LABELS})

    def fits(self, pod: PodRow, nodes: Nodes) -> Mask:  # noqa: ARG002 - a filter's shape
        return self._reachable(nodes) & self._bindable(nodes)

    def reasons(self, pod: PodRow, nodes: Nodes, rejected: Mask) -> Mapping[str, int]:  # noqa: ARG002
        unreachable = rejected & ~self._reachable(nodes)
        counts = {
            _CONFLICT: int(np.count_nonzero(unreachable)),
            _NOTHING: int(np.count_nonzero(rejected & ~unreachable)),
        }
        return {text: count for text, count in counts.items() if count}

    def _reachable(self, nodes: Nodes) -> Mask:
        mask = np.ones(len(nodes), np.bool_)
        for volume in self.needs.bound:
            mask &= reached(volume, nodes)
        return mask

    def _bindable(self, nodes: Nodes) -> Mask:
        mask = np.ones(len(nodes), np.bool_)
        for claim, volumes, klass in self.needs.waiting:
            found = _provisionable(claim, klass, nodes, self.chosen.get(claim.metadata.uid))
            for volume in volumes:
                found |= reached(volume, nodes)
            mask &= found
        return mask


#: What a pod waits for whose claims are not ready: for any change of volumes.
UNREADY = VolumeBinding(Needs(), {})


def reached(volume: Volume, nodes: Nodes) -> Mask:
    """The nodes that a volume can be reached from."""
    if volume.terms is None:
        return np.ones(len(nodes), np.bool_)
    mask = np.zeros(len(nodes), np.bool_)
    for term in volume.terms:
        mask |= matches(term, nodes)
    return mask


def _provisionable(claim: Claim, klass: StorageClass | None, nodes: Nodes, promise: Promise | None) -> Mask:
    mask = np.zeros(len(nodes), np.bool_)
    if klass is None or klass.provisioner in ("", _NO_PROVISIONER) or (promise is not None and promise.volume):
        return mask
    chosen = promise.node if promise is not None else claim.metadata.annotations.get(SELECTED_NODE)
    if chosen is not None:
        return nodes.named("In", (chosen,))
    if not klass.allowed_topologies:
        return ~mask
    for term in klass.allowed_topologies:
        fits = np.ones(len(nodes), np.bool_)
        for wanted in term.match_label_expressions:
            fits &= nodes.labelled(wanted.key, "In", wanted.values)
        mask |= fits
    return mask
