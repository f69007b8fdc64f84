"""The endpoints of the `kubernetes` Service: the addresses of the API servers that are alive.

Each server renews a key that expires (`/registry/masterleases/ADDRESS`, upstream's); what keys there are is what the
Endpoints and EndpointSlice `default/kubernetes` hold. A server that stops takes its key away.
Source: pkg/controlplane/reconcilers/lease.go, pkg/controlplane/controller/kubernetesservice.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import ENDPOINTS, ENDPOINTSLICES
from apimachinery.types import Json
from apiserver.options import Options
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.protocol import ABSENT, Conflict, Storage, StorageError

log = structlog.get_logger("apiserver")

PREFIX = "/registry/masterleases/"
LIFETIME = 15
RENEWAL = 10.0
_META = {"name": "kubernetes", "namespace": "default"}


def endpoints(addresses: Sequence[str], port: int) -> Json:
    """The Endpoints; mirrored by us and not by the mirroring controller."""
    subset = {
        "addresses": [{"ip": address} for address in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {**_META, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [subset] if addresses else [],
    }


def endpoint_slice(addresses: Sequence[str], port: int) -> Json:
    """The EndpointSlice."""
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {**_META, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv6" if any(":" in address for address in addresses) else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


async def keep(api: Api, options: Options) -> None:
    """Announce this server and show who is alive, for ever. Does nothing for a server without an address."""
    if not options.advertise_address:
        return
    while True:
        try:
            await renew(api.storage, options.advertise_address)
            await show(api, options.secure_port)
        except (StorageError, ApiError) as error:
            log.warning("the endpoints of the kubernetes service were not renewed", error=str(error))
        await asyncio.sleep(RENEWAL)


async def renew(storage: Storage, address: str) -> None:
    """Say that the server at this address is alive."""
    key = PREFIX + address
    value = msgspec.json.encode(
        {"kind": "Endpoints", "apiVersion": "v1", "metadata": {}, "subsets": [{"addresses": [{"ip": address}]}]}
    )
    current = await storage.get(key)
    try:
        await storage.put(key, value, expect=current.revision if current else ABSENT, ttl=LIFETIME)
    except Conflict:
        return  # it expired, or was renewed, a moment ago: the next round is soon enough


async def show(api: Api, port: int) -> None:
    """Write the living addresses where clients look."""
    page = await api.storage.list(PREFIX)
    alive = sorted(item.key.removeprefix(PREFIX) for item in page.items)
    for kind, tree, fields in (
        (ENDPOINTS, endpoints(alive, port), ("subsets",)),
        (ENDPOINTSLICES, endpoint_slice(alive, port), ("endpoints", "ports")),
    ):
        if not await internal.create(api, kind, tree):
            patch = {field: tree[field] for field in fields}
            await internal.merge(api, kind, _META["namespace"], _META["name"], patch)


async def leave(api: Api, options: Options) -> None:
    """Take this server's address out, when it stops."""
    if not options.advertise_address:
        return
    try:
        key = PREFIX + options.advertise_address
        current = await api.storage.get(key)
        if current is not None:
            await api.storage.delete(key, expect=current.revision)
        await show(api, options.secure_port)
    except (StorageError, ApiError) as error:
        log.warning("this server's endpoint is left to expire", error=str(error))
