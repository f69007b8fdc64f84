"""What a pod's claims mean for where it can go, and what must be written before it is bound there.

    bound claim     its volume's node affinity limits the nodes
    waiting claim   (of a class that waits for its first consumer) a node needs a free volume that fits, or a
                    provisioner that may make one there
    anything else   the pod waits: a claim that is missing, unbound, lost or being deleted

`Needs` is computed from the caches alone; `promise` gives what reserves the volumes on the chosen node.
Source: pkg/scheduler/framework/plugins/volumebinding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from apimachinery import quantity
from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES, Kind
from apimachinery.objects.core_v1 import (
    NodeSelectorTerm,
    ObjectReference,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from apimachinery.objects.meta_v1 import LabelSelector, ObjectMeta
from apimachinery.objects.storage_v1 import StorageClass
from apimachinery.selectors import from_label_selector
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from scheduler.arrays import Mask, Nodes, PodRow
from scheduler.events import Change
from scheduler.filters import Filter, everywhere, matches
from scheduler.placed import claim_key
from scheduler.views import Pod

SELECTED_NODE = "volume.kubernetes.io/selected-node"
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_BOUND_BY_US = "pv.kubernetes.io/bound-by-controller"
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


class VolumeSpec(Struct, frozen=True, gc=False, rename="camel"):
    """What the scheduler reads of a volume's spec."""

    access_modes: tuple[str, ...] = ()
    capacity: Mapping[str, str] = {}
    claim_ref: ObjectReference | None = None
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


@dataclass(frozen=True, slots=True)
class Needs:
    """What a pod's claims ask of a node."""

    bound: Sequence[Volume] = ()
    waiting: Sequence[tuple[Claim, Sequence[Volume], StorageClass | None]] = ()  # with the volumes that would fit
    exclusive: Sequence[str] = ()  # the keys of claims that are for one pod alone

    def __bool__(self) -> bool:
        return bool(self.bound or self.waiting or self.exclusive)


@dataclass(frozen=True, slots=True)
class Write:
    """A change that reserves something for the pod: merge `body` into that very object."""

    kind: Kind
    namespace: str
    name: str
    body: Json


class Unready(Exception):
    """The pod cannot go anywhere for now; the message is the reason, as upstream words it."""


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


@dataclass
class Volumes:
    """The caches, and what placed pods have just been promised."""

    client: Client
    promises: dict[str, Promise] = field(default_factory=dict)  # by uid of the claim

    def __post_init__(self) -> None:
        self.claims = Cache(self.client, PERSISTENTVOLUMECLAIMS, Claim)
        self.volumes = Cache(self.client, PERSISTENTVOLUMES, Volume)
        self.classes = Cache(self.client, STORAGECLASSES, StorageClass)
        self.caches: Sequence[Cache[Claim] | Cache[Volume] | Cache[StorageClass]] = (
            self.claims,
            self.volumes,
            self.classes,
        )

    def needs(self, pod: Pod) -> Needs:
        """Raises Unready."""
        exclusive, bound = list[str](), list[Volume]()
        waiting = list[tuple[Claim, Sequence[Volume], StorageClass | None]]()
        for name, is_own in pod.claims:
            claim = self._claim(pod, name, is_own=is_own)
            if "ReadWriteOncePod" in claim.spec.access_modes:
                exclusive.append(claim_key(pod, name))
            if claim.is_bound:
                volume = self.volumes.get("", claim.spec.volume_name)
                if volume is None:
                    raise Unready(f'persistentvolume "{claim.spec.volume_name}" not found')
                bound.append(volume)
                continue
            klass = self.classes.get("", claim.spec.storage_class_name) if claim.spec.storage_class_name else None
            if claim.spec.volume_name or klass is None or klass.volume_binding_mode != "WaitForFirstConsumer":
                raise Unready("pod has unbound immediate PersistentVolumeClaims")
            waiting.append((claim, self._candidates(claim), klass))
        return Needs(bound, waiting, exclusive)

    def _claim(self, pod: Pod, name: str, *, is_own: bool) -> Claim:
        claim = self.claims.get(pod.metadata.namespace, name)
        if claim is None:
            if is_own:
                raise Unready(f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"')
            raise Unready(f'persistentvolumeclaim "{name}" not found')
        if claim.status.phase == "Lost":
            lost = f'bound to non-existent persistentvolume "{claim.spec.volume_name}"'
            raise Unready(f'persistentvolumeclaim "{name}" {lost}')
        if claim.metadata.deletion_timestamp is not None:
            raise Unready(f'persistentvolumeclaim "{name}" is being deleted')
        if is_own and not any(owner.uid == pod.metadata.uid for owner in claim.metadata.owner_references):
            raise Unready(f"PVC {claim.key} was not created for pod {pod.key} (pod is not owner)")
        return claim

    def _candidates(self, claim: Claim) -> list[Volume]:
        """The volumes that may become the claim's: where it has been promised one, that alone."""
        own = self.promises.get(claim.metadata.uid)
        if own is not None:
            return [v for v in self.volumes.list() if v.metadata.name == own.volume]
        taken = {promise.volume for promise in self.promises.values()}
        found = [v for v in self.volumes.list() if v.metadata.name not in taken and _fits(v, claim)]
        return [v for v in found if _for(v, claim)] or found

    def promise(self, pod: Pod, needs: Needs, node: str, nodes: Nodes) -> list[Write] | None:
        """What reserves the pod's waiting claims on the node: a volume that is there, else the provisioner's cue.

        Nothing is written yet, but the next pod is placed as if it were. None where no claim waits.
        """
        if not needs.waiting:
            return None
        row, found = nodes.names.index(node), list[Write]()
        taken = set[str]()
        for claim, volumes, _ in needs.waiting:
            if claim.metadata.uid in self.promises:
                continue  # another pod's binding is doing it
            here = [v for v in volumes if v.metadata.name not in taken and reached(v, nodes)[row]]
            best = min(here, key=lambda v: (_size(v), v.metadata.name), default=None)
            name = best.metadata.name if best is not None else ""
            self.promises[claim.metadata.uid] = Promise(pod.metadata.uid, name, node)
            if best is not None:
                taken.add(name)
                found.append(_reserve(best, claim))
            elif claim.metadata.annotations.get(SELECTED_NODE) != node:
                meta = claim.metadata
                body = {
                    "metadata": {
                        "uid": meta.uid,
                        "resourceVersion": meta.resource_version,
                        "annotations": {SELECTED_NODE: node},
                    }
                }
                found.append(Write(PERSISTENTVOLUMECLAIMS, meta.namespace, meta.name, body))
        return found

    def release(self, uid: str) -> None:
        """Take promises back, or forget those that have been kept."""
        self.promises = {claim: promise for claim, promise in self.promises.items() if promise.pod != uid}

    def state(self, pod: Pod, node: str) -> bool:
        """Whether every claim of the pod is bound. Raises Unready where that will not come."""
        for name, is_own in pod.claims:
            claim = self._claim(pod, name, is_own=is_own)
            if not claim.is_bound:
                if claim.spec.volume_name == "" and claim.metadata.annotations.get(SELECTED_NODE, node) != node:
                    raise Unready(f'selectedNode annotation value "" not set to scheduled node "{node}"')
                return False
            if self.volumes.get("", claim.spec.volume_name) is None:
                return False
        return True


def _size(volume: Volume) -> quantity.Quantity:
    return quantity.parse(volume.spec.capacity.get("storage", "0"))


def _for(volume: Volume, claim: Claim) -> bool | None:
    """Whether the volume is reserved for the claim; None where it is for nobody."""
    ref = volume.spec.claim_ref
    if ref is None:
        return None
    return (ref.name, ref.namespace) == (claim.metadata.name, claim.metadata.namespace) and ref.uid in (
        "",
        claim.metadata.uid,
    )


def _fits(volume: Volume, claim: Claim) -> bool:
    wanted = claim.spec.resources.requests.get("storage", "0") if claim.spec.resources else "0"
    fits = (
        not _size(volume) < quantity.parse(wanted)
        and set(claim.spec.access_modes) <= set(volume.spec.access_modes)
        and (volume.spec.volume_mode or "Filesystem") == (claim.spec.volume_mode or "Filesystem")
        and volume.metadata.deletion_timestamp is None
    )
    if not fits or _for(volume, claim) is not None:
        return fits and bool(_for(volume, claim))
    selector = from_label_selector(claim.spec.selector) if claim.spec.selector else None
    return (
        volume.status.phase == "Available"
        and volume.spec.storage_class_name == claim.spec.storage_class_name
        and (selector is None or selector.matches(volume.metadata.labels))
    )


def _reserve(volume: Volume, claim: Claim) -> Write:
    meta, about = volume.metadata, claim.metadata
    ref = {
        "kind": PERSISTENTVOLUMECLAIMS.kind,
        "apiVersion": "v1",
        "namespace": about.namespace,
        "name": about.name,
        "uid": about.uid,
        "resourceVersion": about.resource_version,
    }
    own: Json = {"uid": meta.uid, "resourceVersion": meta.resource_version}
    if volume.spec.claim_ref is None:
        own["annotations"] = {_BOUND_BY_US: "yes"}
    return Write(PERSISTENTVOLUMES, "", meta.name, {"metadata": own, "spec": {"claimRef": ref}})
