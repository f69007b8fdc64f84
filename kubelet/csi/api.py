"""What CSI needs of the API: the node's CSINode, drivers' objects, attachments, secrets, tokens, sizes."""

from collections.abc import Mapping, Sequence

from apimachinery.errors import ApiError
from apimachinery.kinds import (
    CSIDRIVERS,
    CSINODES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    SECRETS,
    SERVICEACCOUNTS,
    VOLUMEATTACHMENTS,
)
from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import PersistentVolumeClaim, Pod, Secret, SecretReference
from apimachinery.objects.storage_v1 import CSIDriver, VolumeAttachment
from apimachinery.types import Json
from client.client import Client


class CsiApi:
    """`NodeApi`, and what mounting asks."""

    def __init__(self, client: Client, node: str) -> None:
        self._client, self._node = client, node

    async def set_drivers(self, drivers: Sequence[Json]) -> None:
        spec = {"drivers": list(drivers)}
        try:
            await self._client.patch(CSINODES, "", self._node, {"spec": spec})
        except ApiError as error:
            if error.code != 404:
                raise
            await self._client.create(CSINODES, {"metadata": await self._owned(), "spec": spec})

    async def _owned(self) -> Json:
        node = await self._client.get(NODES, "", self._node)
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": node["metadata"]["uid"]}
        return {"name": self._node, "ownerReferences": [owner]}

    async def describe(self, annotations: Mapping[str, str], labels: Mapping[str, str]) -> None:
        body = {"metadata": {"annotations": dict(annotations), "labels": dict(labels)}}
        await self._client.patch(NODES, "", self._node, body)

    async def volumes_in_use(self, names: Sequence[str]) -> None:
        """Tell that these must not be detached."""
        body = {"status": {"volumesInUse": sorted(names) or None}}
        await self._client.patch(NODES, "", self._node, body, subresource="status")

    async def driver(self, name: str) -> CSIDriver | None:
        try:
            return view(await self._client.get(CSIDRIVERS, "", name), CSIDriver)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def attachment(self, name: str) -> VolumeAttachment | None:
        try:
            return view(await self._client.get(VOLUMEATTACHMENTS, "", name), VolumeAttachment)
        except ApiError as error:
            if error.code in (403, 404):  # the authorizer lets a node see its own alone: there is none yet
                return None
            raise

    async def secret(self, ref: SecretReference | None) -> dict[str, str]:
        if ref is None:
            return {}
        found = view(await self._client.get(SECRETS, ref.namespace, ref.name), Secret)
        return {key: value.decode(errors="surrogateescape") for key, value in found.data.items()}

    async def token(self, pod: Pod, audience: str, seconds: int | None) -> Json:
        """The status of a TokenRequest."""
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod.metadata.name, "uid": pod.metadata.uid}
        spec: Json = {"audiences": [audience] if audience else [], "boundObjectRef": bound}
        if seconds is not None:
            spec["expirationSeconds"] = seconds
        answer = await self._client.create(
            SERVICEACCOUNTS,
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
            namespace=pod.metadata.namespace,
            name=pod.spec.service_account_name or "default",
            subresource="token",
        )
        status: Json = answer["status"]
        return status

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim:
        return view(await self._client.get(PERSISTENTVOLUMECLAIMS, namespace, name), PersistentVolumeClaim)

    async def resized(self, claim: PersistentVolumeClaim, capacity: Mapping[str, str]) -> None:
        """The claim has what its volume has; nothing about it is pending any more."""
        meta = claim.metadata
        status = {"capacity": dict(capacity), "conditions": None, "allocatedResourceStatuses": None}
        body = {"metadata": {"uid": meta.uid}, "status": status}
        await self._client.patch(PERSISTENTVOLUMECLAIMS, meta.namespace, meta.name, body, subresource="status")
