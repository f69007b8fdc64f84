"""Access to devices that others use: only in namespaces whose label allows it.

Asked for by a claim or a template when it is made, and granted by a status. Source: pkg/registry/resource/utils.go.
"""

from collections.abc import Mapping, Sequence

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import forbidden

_LABEL = "resource.kubernetes.io/admin-access"
_NOT_HERE = f"admin access to devices requires the `{_LABEL}: true` label on the containing namespace"


def wanted(new: Json, old: Json | None, subresource: str) -> str:
    """The path of the first field that newly wants it; "" where none does. Specs do not change."""
    if subresource == "status":
        results = _granting(new)
        return f"status.allocation.devices.results[{results[0]}].adminAccess" if results and not _granting(old) else ""
    if old is not None:
        return ""
    spec = new.get("spec") or {}
    devices = (spec.get("spec") or spec).get("devices") or {}  # of a template, or of a claim
    asking = _indices([request.get("exactly") or {} for request in devices.get("requests") or ()])
    return f"spec.devices.requests[{asking[0]}].adminAccess" if asking else ""


def problems(path: str, labels: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with wanting it in a namespace with these labels."""
    return [] if labels.get(_LABEL) == "true" else [forbidden(path, _NOT_HERE)]


def _granting(claim: Json | None) -> list[int]:
    allocation = ((claim or {}).get("status") or {}).get("allocation") or {}
    return _indices((allocation.get("devices") or {}).get("results") or ())


def _indices(choices: Sequence[Json]) -> list[int]:
    return [i for i, choice in enumerate(choices) if choice.get("adminAccess")]
