"""The Available condition of an APIService: what can be said without asking its server. Pure.

Source: kube-aggregator/pkg/controllers/status/{local,remote}, apis/apiregistration/v1/helper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.types import Json
from apiserver.aggregation.resolving import is_ready

AVAILABLE = "Available"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the condition says."""

    available: bool
    reason: str
    message: str


LOCAL = Verdict(available=True, reason="Local", message="Local APIServices are always available")
PASSED = Verdict(available=True, reason="Passed", message="all checks passed")


def failed_discovery(message: str) -> Verdict:
    """The server did not answer as it should."""
    return Verdict(available=False, reason="FailedDiscoveryCheck", message=message)


def hindrance(reference: Json, service: Json | None, slices: Sequence[Json]) -> Verdict | None:
    """Why the Service cannot be used; None where only asking the server can tell. `reference` is spec.service."""
    name, namespace, port = reference["name"], reference["namespace"], reference.get("port", 443)
    what = f'service/{name} in "{namespace}"'
    if service is None:
        return Verdict(available=False, reason="ServiceNotFound", message=f"{what} is not present")
    spec = service.get("spec") or {}
    if spec.get("type", "ClusterIP") != "ClusterIP":
        return None
    ports = [entry for entry in spec.get("ports") or () if entry.get("port") == port]
    if not ports:
        return Verdict(available=False, reason="ServicePortError", message=f"{what} is not listening on port {port}")
    if not slices:
        message = f"cannot find endpointslices for {what}"
        return Verdict(available=False, reason="EndpointsNotFound", message=message)
    port_name = ports[0].get("name") or ""
    if not any(_serves(piece, port_name) for piece in slices):
        message = f'endpointslices for {what} have no addresses with port name "{port_name}"'
        return Verdict(available=False, reason="MissingEndpoints", message=message)
    return None


def _serves(piece: Json, port_name: str) -> bool:
    has_port = any((p.get("name") or "") == port_name and p.get("port") for p in piece.get("ports") or ())
    return has_port and any(is_ready(endpoint) for endpoint in piece.get("endpoints") or ())


def is_available(tree: Json) -> bool:
    """Whether the APIService's condition says that it is available."""
    return any(c.get("type") == AVAILABLE and c.get("status") == "True" for c in _conditions(tree))


def conditions(tree: Json, verdict: Verdict, now: str) -> list[Json] | None:
    """The APIService's conditions with the verdict in them; None where they say it already."""
    status = "True" if verdict.available else "False"
    before = next((c for c in _conditions(tree) if c.get("type") == AVAILABLE), {})
    since = before.get("lastTransitionTime") if before.get("status") == status else now
    condition = {
        "type": AVAILABLE,
        "status": status,
        "lastTransitionTime": since or now,
        "reason": verdict.reason,
        "message": verdict.message,
    }
    if condition == before:
        return None
    if not before:
        return [*_conditions(tree), condition]
    return [condition if c is before else c for c in _conditions(tree)]


def _conditions(tree: Json) -> Sequence[Json]:
    return (tree.get("status") or {}).get("conditions") or ()
