"""The Lease by which an API server says that it exists: `kube-system/apiserver-HASH`, one a host, renewed every 10 s.

Others (storage version migration, peers) read which servers there are. Leases of servers that have not come back for an
hour are deleted by whoever sees them. Sources: pkg/controlplane/apiserver/server.go, controller/apiserverleasegc.
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterable

import structlog

from apimachinery import times
from apimachinery.errors import ApiError
from apimachinery.kinds import LEASES
from apimachinery.types import Json
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.protocol import StorageError

log = structlog.get_logger("apiserver")

LABEL = "apiserver.kubernetes.io/identity"
NAMESPACE = "kube-system"
_COMPONENT = "kube-apiserver"
_DURATION = 3600
_RENEWAL = 10.0
_COLLECTION = 3600.0


def server_id(hostname: str) -> str:
    """The name of the Lease of the server on this host."""
    digest = hashlib.sha256(hostname.encode()).digest()[:16]
    return "apiserver-" + base64.b32encode(digest).decode().rstrip("=").lower()


def lease(hostname: str, holder: str, now: float) -> Json:
    """The Lease as it is now."""
    labels = {LABEL: _COMPONENT, "kubernetes.io/hostname": hostname}
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"name": server_id(hostname), "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": _DURATION,
            "renewTime": times.rfc3339_micro(now),
        },
    }


def expired(leases: Iterable[Json], now: float) -> list[Json]:
    """Those of servers that are gone."""
    return [tree for tree in leases if _is_identity(tree) and now > _ends(tree)]


def _is_identity(tree: Json) -> bool:
    return (tree["metadata"].get("labels") or {}).get(LABEL) == _COMPONENT


def _ends(tree: Json) -> float:
    spec = tree.get("spec") or {}
    if not spec.get("renewTime") or not spec.get("leaseDurationSeconds"):
        return 0.0
    return times.parse(spec["renewTime"]) + float(spec["leaseDurationSeconds"])


async def keep(api: Api, hostname: str) -> None:
    """Renew the Lease, and delete those of servers that are gone; for ever. Nothing for a server without a host."""
    if not hostname:
        return
    holder = f"{server_id(hostname)}_{api.new_uid()}"
    loop = asyncio.get_running_loop()
    collected = loop.time()
    while True:
        try:
            await _renew(api, lease(hostname, holder, api.clock()))
            if loop.time() - collected >= _COLLECTION:
                collected = loop.time()
                await _collect(api)
        except (StorageError, ApiError) as error:
            log.warning("this server's identity lease was not renewed", error=str(error))
        await asyncio.sleep(_RENEWAL)


async def _renew(api: Api, tree: Json) -> None:
    if not await internal.create(api, LEASES, tree):
        patch = {"metadata": {"labels": tree["metadata"]["labels"]}, "spec": tree["spec"]}
        await internal.merge(api, LEASES, NAMESPACE, tree["metadata"]["name"], patch)


async def _collect(api: Api) -> None:
    for tree in expired(api.lookup.list(LEASES, NAMESPACE), api.clock()):
        await internal.delete(api, LEASES, NAMESPACE, tree["metadata"]["name"], tree["metadata"]["uid"])
