"""Resource requirements: names, amounts, and requests within limits.

Source: validation.go ValidateResourceRequirements.
"""

from collections.abc import Sequence
from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import not_supported
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, duplicate, forbidden, invalid, named, not_found, required

STANDARD = ("cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "replicationcontrollers",
            "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports",
            "services.loadbalancers")  # fmt: skip
_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_HUGE = "hugepages-"
_NEGATIVE = "must be greater than or equal to 0"


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own: no domain, or one of kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A device or another countable resource of a node (`example.com/gpu`)."""
    return not is_native(name) and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


def is_integer_only(name: str) -> bool:
    return is_extended(name) or name in ("pods", "services", "replicationcontrollers", "resourcequotas")


def amount(path: str, name: str, value: Any) -> Problems:
    """One quantity: well formed, not negative, whole where the resource is countable."""
    try:
        parsed = quantity.parse(value)
    except ValueError as error:
        yield invalid(path, value, str(error))
        return
    if parsed.nanos < 0:
        yield invalid(path, value, _NEGATIVE)
    elif name.startswith(_HUGE) and not _is_multiple(name, parsed):
        yield invalid(path, value, f"{value} is not positive integer multiple of {name}")
    elif is_integer_only(name) and parsed.nanos % 10**9:
        yield invalid(path, value, "must be an integer")


def _is_multiple(name: str, value: quantity.Quantity) -> bool:
    """Whether an amount is whole huge pages of the size that the name says."""
    try:
        size = quantity.parse(name.removeprefix(_HUGE))
    except ValueError:
        return True
    return size.nanos > 0 and value.nanos % size.nanos == 0  # nodes without any say 0


def container_resource_name(path: str, name: str) -> Problems:
    wrong = [*named(path, name, names.qualified_name)]
    yield from wrong
    if wrong:
        if "/" not in name and name not in _CONTAINER and not name.startswith(_HUGE):
            yield invalid(path, name, "must be a standard resource for containers")
        return
    if "/" in name:
        if is_native(name) or is_extended(name):
            return
        yield invalid(path, name, "doesn't follow extended resource name standard")
    elif name not in _CONTAINER and not name.startswith(_HUGE):
        if name not in STANDARD:
            yield invalid(path, name, "must be a standard resource type or fully qualified")
        yield invalid(path, name, "must be a standard resource for containers")


def requirements(path: str, resources: Json | None, pod_claims: frozenset[str] = frozenset()) -> Problems:
    """`resources` of a container (or of a whole pod)."""
    resources = resources or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, value in limits.items():
        if name not in _CONTAINER:
            yield from container_resource_name(f"{path}.limits[{name}]", name)
        yield from amount(f"{path}.limits[{name}]", name, value)
    for name, value in requests.items():
        if name not in _CONTAINER:
            yield from container_resource_name(f"{path}.requests[{name}]", name)
        yield from amount(f"{path}.requests[{name}]", name, value)
        if limits or name not in _CONTAINER:
            yield from _within_limit(f"{path}.requests", name, value, limits)
    huge = [n for n in (*limits, *requests) if n.startswith(_HUGE)]
    if huge and not any(n in ("cpu", "memory") for n in (*limits, *requests)):
        yield forbidden(path, "HugePages require cpu or memory")
    if resources.get("claims"):
        yield from _claims(f"{path}.claims", resources["claims"], pod_claims)


def of_the_pod(path: str, resources: Json | None) -> Problems:
    """`spec.resources`: what the whole pod needs; of few resources only, and no claims."""
    if resources is None:
        return
    if resources.get("claims") is not None:
        yield forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level")
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, given in (("limits", limits), ("requests", requests)):
        for name, value in given.items():
            here = f"{path}.{part}[{name}]"
            wrong = [*named(here, name, names.qualified_name)]
            yield from wrong
            if not wrong and name not in ("cpu", "memory") and not name.startswith(_HUGE):
                yield not_supported(here, name, ("cpu", _HUGE, "memory"))
            yield from amount(here, name, value)
            if part == "requests":
                yield from _within_limit(f"{path}.requests", name, value, limits)
    huge = [n for n in (*limits, *requests) if n.startswith(_HUGE)]
    if huge and not any(n in ("cpu", "memory") for n in (*limits, *requests)):
        yield forbidden(path, "HugePages require cpu or memory")


def _within_limit(path: str, name: str, value: Any, limits: Json) -> Problems:
    overcommits = is_native(name) and not name.startswith(_HUGE)
    if name in limits:
        try:
            asked, limit = quantity.parse(value), quantity.parse(limits[name])
        except ValueError:
            return  # reported by `amount`
        if overcommits and asked > limit:
            yield invalid(path, value, f"must be less than or equal to {name} limit of {limits[name]}")
        elif not overcommits and asked != limit:
            yield invalid(path, value, f"must be equal to {name} limit of {limits[name]}")
    elif not overcommits:
        yield required(path.removesuffix(".requests") + ".limits", "Limit must be set for non overcommitable resources")


def _not_among(pod_claims: frozenset[str]) -> str:
    return "must be one of the names in pod.spec.resourceClaims" + ("" if pod_claims else " which is empty")


def _claims(path: str, claims: Sequence[Json], pod_claims: frozenset[str]) -> Problems:
    seen: set[tuple[str, str]] = set()
    for i, claim in enumerate(claims):
        name, request = claim.get("name", ""), claim.get("request", "")
        if not name:
            yield required(f"{path}[{i}]")
        elif (name, request) in seen:
            yield duplicate(f"{path}[{i}]", name)
        elif name not in pod_claims:
            yield not_found(f"{path}[{i}]", name, _not_among(pod_claims))
        seen.add((name, request))
