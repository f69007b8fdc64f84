"""Where the server behind a Service is: its ClusterIP, or one of its endpoints with --enable-aggregator-routing. Pure.

Source: apiserver/pkg/util/proxy/proxy.go (ResolveCluster, ResolveEndpoint).
"""

from collections.abc import Callable, Sequence

from apimachinery.types import Json

Pick = Callable[[Sequence[str]], str]
_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")


class Unresolved(Exception):
    """Nobody can be reached through the Service; the text says why."""


def cluster_address(service: Json, port: int) -> str:
    """HOST:PORT of the Service itself."""
    spec = service.get("spec") or {}
    kind, address = spec.get("type", "ClusterIP"), spec.get("clusterIP", "")
    if kind == "ExternalName":
        return f"{spec.get('externalName', '')}:{port}"
    if kind not in _WITH_ADDRESS:
        raise Unresolved(f'unsupported service type "{kind}"')
    if address == "None":
        raise Unresolved('cannot route to service with ClusterIP "None"')
    _service_port(service, port)
    return _joined(address, port)


def endpoint_address(service: Json, slices: Sequence[Json], port: int, pick: Pick) -> str:
    """HOST:PORT of one of the Service's ready endpoints, of its first address family where there are several."""
    spec = service.get("spec") or {}
    kind, name = spec.get("type", "ClusterIP"), service["metadata"]["name"]
    if kind not in _WITH_ADDRESS:
        raise Unresolved(f'unsupported service type "{kind}"')
    wanted = str(_service_port(service, port).get("name") or "")
    families = spec.get("ipFamilies") or ["IPv4"]
    preferred = [piece for piece in slices if piece.get("addressType") == families[0]]
    others = [piece for piece in slices if piece.get("addressType") != families[0]]
    for pieces in (preferred, others):
        found = [address for piece in pieces for address in _ready(piece, wanted)]
        if found:
            return pick(found)
    raise Unresolved(f'no endpoints available for service "{name}"')


def _service_port(service: Json, port: int) -> Json:
    for entry in (service.get("spec") or {}).get("ports") or ():
        if entry.get("port") == port:
            return dict(entry)
    raise Unresolved(f'no service port {port} found for service "{service["metadata"]["name"]}"')


def _ready(piece: Json, port_name: str) -> list[str]:
    ports = [p["port"] for p in piece.get("ports") or () if (p.get("name") or "") == port_name and p.get("port")]
    return [
        _joined(endpoint["addresses"][0], port)
        for endpoint in piece.get("endpoints") or ()
        if is_ready(endpoint) and endpoint.get("addresses")
        for port in ports
    ]


def is_ready(endpoint: Json) -> bool:
    """Whether an endpoint takes requests; one that does not say does."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
