"""What a pod's claims mean for where it can go, and what must be written before it is bound there.

    bound claim     its volume's node affinity limits the nodes
    waiting claim   (of a class that waits for its first consumer) a node needs a free volume that fits, or a
                    provisioner that may make one there
    anything else   the pod waits: a claim that is missing, unbound, lost or being deleted

`Needs` is computed from the caches alone; `promise` gives what reserves the volumes on the chosen node.
Source: pkg/scheduler/framework/plugins/volumebinding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery import quantity
from apimachinery.kinds import (
    CSINODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    STORAGECLASSES,
    VOLUMEATTACHMENTS,
    Kind,
)
from apimachinery.objects.storage_v1 import CSINode, StorageClass
from apimachinery.selectors import from_label_selector
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from scheduler.arrays import Nodes
from scheduler.filters import Filter
from scheduler.placed import claim_key
from scheduler.views import Pod
from scheduler.volume_filters import (
    SELECTED_NODE,
    Attachment,
    Claim,
    Needs,
    Promise,
    Volume,
    VolumeBinding,
    VolumeRestrictions,
    reached,
)
from scheduler.volume_limits import Handles, NodeVolumeLimits

_BOUND_BY_US = "pv.kubernetes.io/bound-by-controller"


@dataclass(frozen=True, slots=True)
class Write:
    """A change that reserves something for the pod: merge `body` into that very object."""

    kind: Kind
    namespace: str
    name: str
    body: Json


class Unready(Exception):
    """The pod cannot go anywhere for now; the message is the reason, as upstream words it."""


@dataclass
class Volumes:
    """The caches, and what placed pods have just been promised."""

    client: Client
    promises: dict[str, Promise] = field(default_factory=dict)  # by uid of the claim

    def __post_init__(self) -> None:
        self.claims = Cache(self.client, PERSISTENTVOLUMECLAIMS, Claim)
        self.volumes = Cache(self.client, PERSISTENTVOLUMES, Volume)
        self.classes = Cache(self.client, STORAGECLASSES, StorageClass)
        self.drivers = Cache(self.client, CSINODES, CSINode)
        self.attachments = Cache(self.client, VOLUMEATTACHMENTS, Attachment)
        self.caches: Sequence[Cache[Any]] = (
            self.claims,
            self.volumes,
            self.classes,
            self.drivers,
            self.attachments,
        )

    def filters(self, pod: Pod, needs: Needs) -> Sequence[Filter]:
        """What a pod's volumes ask of nodes, in upstream's order."""
        if not needs:
            return ()
        wanted, limits = self._handles(pod), dict[str, dict[str, int]]()
        for node in self.drivers.list():
            counts = {d.name: d.allocatable.count for d in node.spec.drivers if d.allocatable is not None}
            limits[node.metadata.name] = {name: count for name, count in counts.items() if count is not None}
        is_limited = any(driver in each for driver in wanted.values() for each in limits.values())
        limit = (NodeVolumeLimits(wanted, limits, self._attached(), self._handles),) if is_limited else ()
        return (VolumeRestrictions(needs), *limit, VolumeBinding(needs, self.promises))

    def _handles(self, pod: Pod) -> Handles:
        """The volumes of storage drivers that a pod uses or will use."""
        found = {}
        for name, _ in pod.claims:
            claim = self.claims.get(pod.metadata.namespace, name)
            if claim is None:
                continue
            volume = self.volumes.get("", claim.spec.volume_name) if claim.spec.volume_name else None
            klass = self.classes.get("", claim.spec.storage_class_name) if volume is None else None
            if volume is not None and volume.spec.csi is not None:
                found[_unique(volume.spec.csi.driver, volume.spec.csi.volume_handle)] = volume.spec.csi.driver
            elif klass is not None:
                found[_unique(klass.provisioner, f"unbound {claim.key}")] = klass.provisioner
        return found

    def _attached(self) -> dict[str, dict[str, str]]:
        """The volumes that are attached to each node."""
        found: dict[str, dict[str, str]] = {}
        for attachment in self.attachments.list():
            volume = self.volumes.get("", attachment.spec.source.persistent_volume_name)
            if volume is not None and volume.spec.csi is not None:
                csi = volume.spec.csi
                found.setdefault(attachment.spec.node_name, {})[_unique(csi.driver, csi.volume_handle)] = csi.driver
        return found

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


def _unique(driver: str, handle: str) -> str:
    return f"{driver}/{handle}"


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
