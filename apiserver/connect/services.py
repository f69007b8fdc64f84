"""The address behind a Service's port, for what the API server itself calls (webhooks): one ready endpoint.

As upstream's endpoint resolver, so that no kube-proxy need run beside the API server. Source:
apiserver/pkg/util/proxy/proxy.go (ResolveEndpoint).
"""

import random
from collections.abc import Callable, Sequence

from apimachinery import errors
from apimachinery.kinds import ENDPOINTSLICES, SERVICES
from apimachinery.types import Json
from apiserver.request import Lookup

Pick = Callable[[Sequence[tuple[str, int]]], tuple[str, int]]


def resolve(lookup: Lookup, namespace: str, name: str, port: int, pick: Pick = random.choice) -> tuple[str, int]:
    """Where to connect to. Raises 404 without the service, 503 without a port or a ready endpoint."""
    service = lookup.get(SERVICES, namespace, name)
    if service is None:
        raise errors.not_found("", "services", name)
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", "")), port
    row = next((p for p in spec.get("ports") or () if p.get("port") == port), None)
    if row is None:
        raise errors.service_unavailable(f'no service port {port} found for service "{name}"')
    found = [
        address
        for piece in lookup.list(ENDPOINTSLICES, namespace)
        if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        for address in _ready(piece, row.get("name") or "")
    ]
    if not found:
        raise errors.service_unavailable(f'no endpoints available for service "{name}"')
    return pick(found)


def _ready(piece: Json, port_name: str) -> list[tuple[str, int]]:
    ports = [p["port"] for p in piece.get("ports") or () if (p.get("name") or "") == port_name and p.get("port")]
    ready = [e for e in piece.get("endpoints") or () if (e.get("conditions") or {}).get("ready", True)]
    return [(address, port) for e in ready for address in e["addresses"][:1] for port in ports]
