"""Fields of resource.k8s.io whose features are off in v1.34: dropped from what is written, as upstream does.

DRAConsumableCapacity, DRADeviceBindingConditions, DRADeviceTaints, DRAExtendedResource, DRAPartitionableDevices.
Upstream means to drop `distinctAttribute` of constraints, too, and drops it from a copy: it stays.
Source: pkg/registry/resource/*/strategy.go (dropDisabledFields), pkg/features/kube_features.go.
"""

from apimachinery.types import Json
from apiserver.strategies.defaulting import items

_OF_DEVICES = (
    *("taints", "consumesCounters", "nodeName", "nodeSelector", "allNodes"),
    *("bindingConditions", "bindingFailureConditions", "bindsToNode", "allowMultipleAllocations"),
)


def drop_of_slice(spec: Json) -> None:
    """Take them out of a slice's spec."""
    for name in ("sharedCounters", "perDeviceNodeSelection"):
        spec.pop(name, None)
    for device in items(spec, "devices"):
        for name in _OF_DEVICES:
            device.pop(name, None)
        for capacity in (device.get("capacity") or {}).values():
            capacity.pop("requestPolicy", None)


def drop_of_claim(spec: Json) -> None:
    """Take them out of the spec of a claim or a template."""
    for request in items(spec.get("devices") or {}, "requests"):
        for choice in (request.get("exactly") or {}, *items(request, "firstAvailable")):
            choice.pop("capacity", None)


def drop_of_status(status: Json, old: Json | None) -> None:
    """Take them out of a claim's status; whose spec has a `distinctAttribute` may share devices."""
    shares = any(
        constraint.get("distinctAttribute") is not None
        for constraint in items(((old or {}).get("spec") or {}).get("devices") or {}, "constraints")
    )
    allocation = status.get("allocation") or {}
    allocation.pop("allocationTimestamp", None)
    for result in items(allocation.get("devices") or {}, "results"):
        result.pop("bindingConditions", None)
        result.pop("bindingFailureConditions", None)
        if not shares:
            result.pop("shareID", None)
            result.pop("consumedCapacity", None)
    for device in () if shares else items(status, "devices"):
        device.pop("shareID", None)


def drop_of_class(spec: Json) -> None:
    """Take them out of a class's spec."""
    spec.pop("extendedResourceName", None)
