"""Makes persistent volumes out of folders of this node: what a local-path provisioner's pods do elsewhere.

A claim of a class with our provisioner's name gets a folder on the node that the scheduler chose for its first pod, and
a `local` volume that leads to it. When the claim is gone and the class says Delete, the folder goes and then the
volume; a finalizer keeps a volume until its folder is gone. A folder has no size: a claim may grow for free.

Every node runs one for its own folders, as a user that may write volumes (not as the node, which may not). Events and
annotations are those of sig-storage's external provisioners (sig-storage-lib-external-provisioner), which tools know.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from apimachinery import quantity
from apimachinery.errors import ApiError
from apimachinery.kinds import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES
from apimachinery.objects.core_v1 import PersistentVolume, PersistentVolumeClaim
from apimachinery.objects.storage_v1 import StorageClass
from apimachinery.types import Json
from client.cache import Cache
from client.client import Client
from client.events import NORMAL, WARNING, EventRecorder, reference
from kubelet.waiting import heard

log = structlog.get_logger("kubelet.provisioner")

PROVISIONER = "pykube.io/local-path"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_ASKED = "volume.kubernetes.io/storage-provisioner"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_HOSTNAME = "kubernetes.io/hostname"
_RETRY, _LOOK_AGAIN = 2.0, 60.0


class Unprovisionable(Exception):
    """The claim cannot be served; the message says why."""


def name_of(claim: PersistentVolumeClaim) -> str:
    return f"pvc-{claim.metadata.uid}"


def is_asked(claim: PersistentVolumeClaim, node: str) -> bool:
    """Whether it is this node's turn to make a volume for the claim."""
    told = claim.metadata.annotations
    waits = not claim.spec.volume_name and claim.metadata.deletion_timestamp is None
    return waits and told.get(_ASKED) == PROVISIONER and told.get(_SELECTED_NODE) == node


def volume_for(claim: PersistentVolumeClaim, klass: StorageClass, node: str, folder: Path) -> Json:
    """The volume for a claim; raises Unprovisionable."""
    if claim.spec.volume_mode == "Block":
        raise Unprovisionable("block volume provisioning is not supported")
    if claim.spec.data_source is not None or claim.spec.data_source_ref is not None:
        raise Unprovisionable("claims with a data source are not supported")
    if not set(claim.spec.access_modes) <= {"ReadWriteOnce", "ReadWriteOncePod"}:
        raise Unprovisionable("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes")
    wanted = claim.spec.resources.requests.get("storage", "0") if claim.spec.resources else "0"
    terms = [{"matchExpressions": [{"key": _HOSTNAME, "operator": "In", "values": [node]}]}]
    about = reference(claim, kind=PERSISTENTVOLUMECLAIMS.kind, api_version=PERSISTENTVOLUMECLAIMS.api_version)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name_of(claim),
            "annotations": {_PROVISIONED_BY: PROVISIONER},
            "finalizers": [FINALIZER, "kubernetes.io/pv-protection"],
        },
        "spec": {
            "accessModes": list(claim.spec.access_modes),
            "capacity": {"storage": wanted},
            "claimRef": about,
            "persistentVolumeReclaimPolicy": klass.reclaim_policy or "Delete",
            "storageClassName": klass.metadata.name,
            "volumeMode": "Filesystem",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }


def is_ours(volume: PersistentVolume, root: Path) -> bool:
    """Whether the volume is a folder of this node that we made."""
    local = volume.spec.local
    made = volume.metadata.annotations.get(_PROVISIONED_BY) == PROVISIONER
    return made and local is not None and Path(local.path).parent == root


def is_over(volume: PersistentVolume) -> bool:
    """Whether the folder has to go."""
    deleting = volume.metadata.deletion_timestamp is not None and volume.status.phase != "Bound"
    return volume.spec.persistent_volume_reclaim_policy == "Delete" and (
        volume.status.phase in ("Released", "Failed") or deleting
    )


class Provisioner:
    """Makes and removes the folders of one node."""

    def __init__(
        self,
        client: Client,
        recorder: EventRecorder,
        node: str,
        root: Path,
        *,
        aside: Callable[[Callable[[Path], None], Path], Awaitable[None]] = asyncio.to_thread,
    ) -> None:
        """`aside` runs what may take long."""
        self._client, self._recorder, self._node, self._root, self._aside = client, recorder, node, root, aside
        self._claims = Cache(client, PERSISTENTVOLUMECLAIMS, PersistentVolumeClaim)
        self._volumes = Cache(client, PERSISTENTVOLUMES, PersistentVolume)
        self._classes = Cache(client, STORAGECLASSES, StorageClass)
        self._told: dict[str, str] = {}  # claim's uid -> the problem that was told last
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Forever."""
        async with asyncio.TaskGroup() as tasks:
            for cache in (self._claims, self._volumes, self._classes):
                cache.subscribe(lambda _old, _new: self._changed.set())
                tasks.create_task(cache.run())
            for cache in (self._claims, self._volumes, self._classes):
                await cache.wait_synced()
            while True:
                self._changed.clear()
                is_done = await self._round()
                await heard(self._changed, _LOOK_AGAIN if is_done else _RETRY)

    async def _round(self) -> bool:
        """Everything that is due; whether all of it worked out."""
        done = [await self._try(self._provision(c)) for c in self._claims.list() if is_asked(c, self._node)]
        for volume in self._volumes.list():
            if is_ours(volume, self._root):
                claim = self._claim_of(volume)
                if is_over(volume):
                    done.append(await self._try(self._remove(volume)))
                elif claim is not None and is_growing(claim):
                    done.append(await self._try(self._grow(claim, volume)))
        return all(done)

    async def _try(self, step: Awaitable[None]) -> bool:
        try:
            await step
        except (ApiError, OSError) as error:
            if not (isinstance(error, ApiError) and error.reason in ("Conflict", "NotFound")):
                log.warning("cannot go on with a volume", error=str(error))
            return False
        return True

    def _claim_of(self, volume: PersistentVolume) -> PersistentVolumeClaim | None:
        ref = volume.spec.claim_ref
        claim = self._claims.get(ref.namespace, ref.name) if ref is not None else None
        return claim if claim is not None and ref is not None and claim.metadata.uid == ref.uid else None

    async def _provision(self, claim: PersistentVolumeClaim) -> None:
        klass = self._classes.get("", claim.spec.storage_class_name)
        if klass is None or self._volumes.get("", name_of(claim)) is not None:
            return
        whose = f"{claim.metadata.namespace}/{claim.metadata.name}"
        folder = self._root / f"{name_of(claim)}_{claim.metadata.namespace}_{claim.metadata.name}"
        try:
            body = volume_for(claim, klass, self._node, folder)
        except Unprovisionable as problem:
            self._tell(claim, WARNING, "ProvisioningFailed", _failed(klass, str(problem)))
            return
        self._tell(claim, NORMAL, "Provisioning", f'External provisioner is provisioning volume for claim "{whose}"')
        try:
            await self._aside(_make, folder)
        except OSError as error:
            self._tell(claim, WARNING, "ProvisioningFailed", _failed(klass, str(error)))
            raise
        try:
            await self._client.create(PERSISTENTVOLUMES, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        self._told.pop(claim.metadata.uid, None)
        self._tell(claim, NORMAL, "ProvisioningSucceeded", f"Successfully provisioned volume {name_of(claim)}")
        self._told.pop(claim.metadata.uid, None)

    def _tell(self, claim: PersistentVolumeClaim, type: str, reason: str, message: str) -> None:
        """Once each until something else is told."""
        if self._told.get(claim.metadata.uid) != message:
            self._told[claim.metadata.uid] = message
            about = reference(claim, kind=PERSISTENTVOLUMECLAIMS.kind, api_version=PERSISTENTVOLUMECLAIMS.api_version)
            self._recorder.event(about, type, reason, message)

    async def _remove(self, volume: PersistentVolume) -> None:
        assert volume.spec.local is not None
        folder, meta = Path(volume.spec.local.path), volume.metadata
        await self._aside(_clear, folder)
        if meta.deletion_timestamp is None:
            await self._client.delete(PERSISTENTVOLUMES, "", meta.name, uid=meta.uid)
        if FINALIZER in meta.finalizers:
            left = [each for each in meta.finalizers if each != FINALIZER]
            await self._client.patch(
                PERSISTENTVOLUMES, "", meta.name, {"metadata": {"uid": meta.uid, "finalizers": left or None}}
            )

    async def _grow(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        """The volume first: a claim never has more than its volume."""
        assert claim.spec.resources is not None
        wanted = {"storage": claim.spec.resources.requests["storage"]}
        meta, about = volume.metadata, claim.metadata
        await self._client.patch(
            PERSISTENTVOLUMES, "", meta.name, {"metadata": {"uid": meta.uid}, "spec": {"capacity": wanted}}
        )
        await self._client.patch(
            PERSISTENTVOLUMECLAIMS,
            about.namespace,
            about.name,
            {"metadata": {"uid": about.uid}, "status": {"capacity": wanted}},
            subresource="status",
        )
        self._tell(claim, NORMAL, "VolumeResizeSuccessful", "Resize volume succeeded")
        self._told.pop(about.uid, None)


def is_growing(claim: PersistentVolumeClaim) -> bool:
    """Whether a bound claim asks for more than it was given."""
    wanted = claim.spec.resources.requests.get("storage") if claim.spec.resources else None
    given = claim.status.capacity.get("storage")
    if claim.status.phase != "Bound" or wanted is None or given is None:
        return False
    return quantity.parse(given) < quantity.parse(wanted)


def _failed(klass: StorageClass, why: str) -> str:
    return f'failed to provision volume with StorageClass "{klass.metadata.name}": {why}'


def _make(folder: Path) -> None:
    """For any user: the pod's containers may run as whoever."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
