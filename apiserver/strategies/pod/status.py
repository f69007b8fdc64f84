"""What may be written to the status of a pod. Source: validation.go ValidatePodStatusUpdate and its callees."""

from collections.abc import Collection, Sequence

from apimachinery.types import Json
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    forbidden,
    internal,
    invalid,
    ip_address,
    qualified_name,
)

_OF_THE_SYSTEM = ("PodScheduled", "Ready", "Initialized")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_MAX_ID = 2**31 - 1


def check(new: Json, old: Json) -> Problems:
    """Names and addresses are well formed, terminated containers stay so, the QoS class is for life."""
    now, was, spec = new.get("status") or {}, old.get("status") or {}, old.get("spec") or {}
    yield from _conditions(now.get("conditions") or ())
    nominated = now.get("nominatedNodeName", "")
    if nominated and nominated != was.get("nominatedNodeName", ""):
        yield from dns_subdomain("status.nominatedNodeName", nominated)
    yield from _generation("status.observedGeneration", now.get("observedGeneration", 0))
    if now.get("qosClass", "") != was.get("qosClass", ""):
        yield invalid("status.qosClass", now.get("qosClass", ""), "field is immutable")
    yield from _transitions(now, was, spec)
    yield from _claims(now.get("resourceClaimStatuses") or (), spec)
    yield from _addresses("podIPs", now, was)
    if now.get("hostIPs"):
        first = now["hostIPs"][0].get("ip", "")
        if now.get("hostIP", "") != first:
            yield invalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`")
        yield from _addresses("hostIPs", now, was)
    for name in _STATUSES:
        for i, status in enumerate(now.get(name) or ()):
            yield from _user(f"status.{name}[{i}].user.linux", (status.get("user") or {}).get("linux"), spec)


def _generation(path: str, value: int) -> Problems:
    if value < 0:
        yield invalid(path, value, "must be a non-negative integer")


def _conditions(conditions: Sequence[Json]) -> Problems:
    for i, condition in enumerate(conditions):
        here = f"status.conditions[{i}]"
        yield from _generation(f"{here}.observedGeneration", condition.get("observedGeneration", 0))
        if condition.get("type") not in _OF_THE_SYSTEM:
            yield from qualified_name(f"{here}.Type", condition.get("type", ""))


def _transitions(now: Json, was: Json, spec: Json) -> Problems:
    """A container that is not to be restarted does not leave `terminated`."""
    policy = spec.get("restartPolicy", "Always")
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    for name in _STATUSES:
        if policy == "Always" and name != "ephemeralContainerStatuses":
            continue
        for i, entry in enumerate(was.get(name) or ()):
            ended = (entry.get("state") or {}).get("terminated")
            restarts = policy == "OnFailure" and ended is not None and ended.get("exitCode") != 0
            if ended is None or (restarts and name != "ephemeralContainerStatuses"):
                continue
            if name == "initContainerStatuses" and entry.get("name") in sidecars:
                continue
            for status in now.get(name) or ():
                if status.get("name") == entry.get("name") and (status.get("state") or {}).get("terminated") is None:
                    yield forbidden(f"status.{name}[{i}].state", "may not be transitioned to non-terminated state")


def _claims(statuses: Sequence[Json], spec: Json) -> Problems:
    known = {claim.get("name", "") for claim in spec.get("resourceClaims") or ()}
    seen: set[str] = set()
    for i, status in enumerate(statuses):
        here, name = f"status.resourceClaimStatuses[{i}].name", status.get("name", "")
        if name not in known:
            yield invalid(here, name, "must match the name of an entry in `spec.resourceClaims`")
        if name in seen:
            yield duplicate(here, name)
        seen.add(name)
        if status.get("resourceClaimName") is not None:
            yield from dns_subdomain(here, status["resourceClaimName"])


def _addresses(member: str, now: Json, was: Json) -> Problems:
    """One address a family; a bad one that is there already may stay."""
    path, (found, before) = f"status.{member}", (_ips(tree, member) for tree in (now, was))
    for i, address in enumerate(found):
        if address not in before:
            yield from ip_address(f"{path}[{i}]", address)
    if len(found) < 2:
        return
    families = [*map(_family, found)]
    if None in families:
        at = families.index(None)
        why = f"failed to check for dual stack with error:invalid IP[{at}]: {found[at]}"
        yield internal(path, why)
    if len(found) > 2 or None in families or len({*families}) < 2:
        shown = [{"IP": address} for address in found]
        yield invalid(path, shown, "may specify no more than one IP for each IP family")


def _ips(status: Json, member: str) -> list[str]:
    """Addresses of a pod or its host; an old writer says a pod's first alone."""
    first = [status["podIP"]] if member == "podIPs" and status.get("podIP") else []
    return [str(entry.get("ip", "")) for entry in status.get(member) or ()] or first


def _family(address: str) -> str | None:
    if [*ip_address("", address)]:
        return None
    return "IPv6" if ":" in address and "." not in address else "IPv4"


def _user(path: str, user: Json | None, spec: Json) -> Problems:
    """Whose processes a container has, as Linux counts users."""
    if user is None:
        return
    system = (spec.get("os") or {}).get("name", "linux")
    if system == "windows":
        yield forbidden(path, "cannot be set for a windows pod")
    elif system == "linux":
        groups = user.get("supplementalGroups") or ()
        ids = [("uid", user.get("uid", 0)), ("gid", user.get("gid", 0))]
        for name, value in (*ids, *((f"supplementalGroups[{i}]", group) for i, group in enumerate(groups))):
            yield from _identity(f"{path}.{name}", value)


def _identity(path: str, value: int) -> Problems:
    if not 0 <= value <= _MAX_ID:
        yield invalid(path, value, f"must be between 0 and {_MAX_ID}, inclusive")


def keep_generations(now: Json, was: Json) -> None:
    """A writer that does not know observedGeneration does not clear it, neither the pod's nor a condition's."""
    if not now.get("observedGeneration") and was.get("observedGeneration"):
        now["observedGeneration"] = was["observedGeneration"]
    before: dict[str, list[int]] = {}
    for condition in was.get("conditions") or ():
        before.setdefault(condition.get("type", ""), []).append(condition.get("observedGeneration", 0))
    for condition in now.get("conditions") or ():
        found = before.get(condition.get("type", ""))
        kept = found.pop(0) if found else 0
        if kept and not condition.get("observedGeneration"):
            condition["observedGeneration"] = kept


def drop_disabled(status: Json, names: Collection[str] = _STATUSES) -> None:
    """What belongs to features that v1.34 has off: ResourceHealthStatus, DRAExtendedResource."""
    status.pop("extendedResourceClaimStatus", None)
    for name in names:
        for entry in status.get(name) or ():
            entry.pop("allocatedResourcesStatus", None)
