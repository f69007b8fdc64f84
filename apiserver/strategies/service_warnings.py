"""What is said of Services that are taken, though part of them has no effect. Source: pkg/api/service/warnings.go."""

from apimachinery.types import Json
from apiserver.strategies import address_warnings

_OLD_HINTS, _HINTS = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


def of_service(new: Json, _old: Json | None) -> list[str]:
    """The warnings, in upstream's order."""
    spec, kind = new.get("spec") or {}, (new.get("spec") or {}).get("type", "")
    found = []
    if _OLD_HINTS in (new["metadata"].get("annotations") or {}):
        found.append(f"annotation {_OLD_HINTS} is deprecated, please use {_HINTS} instead")
    first = spec.get("clusterIP", "")
    if first not in ("", "None") and kind != "ExternalName":
        for i, text in enumerate(spec.get("clusterIPs") or ()):
            found += address_warnings.of_address(f"spec.clusterIPs[{i}]", text)
    if kind == "ClusterIP" and first == "None":
        found += _of_headless(spec)
    for i, text in enumerate(spec.get("externalIPs") or ()):
        found += address_warnings.of_address(f"spec.externalIPs[{i}]", text)
    if spec.get("loadBalancerIP"):
        found += address_warnings.of_address("spec.loadBalancerIP", spec["loadBalancerIP"])
    for i, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += address_warnings.of_range(f"spec.loadBalancerSourceRanges[{i}]", text)
    if kind == "ExternalName" and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return found


def _of_headless(spec: Json) -> list[str]:
    found = []
    if spec.get("loadBalancerIP"):
        found.append("spec.loadBalancerIP is ignored for headless services")
    if spec.get("externalIPs"):
        found.append("spec.externalIPs is ignored for headless services")
    if spec.get("sessionAffinity"):  # which by default is "None", and is told of, too
        found.append("spec.SessionAffinity is ignored for headless services")
    return found
