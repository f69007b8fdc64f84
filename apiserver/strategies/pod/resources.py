"""Resource requirements: names, amounts, and requests within limits.

Source: validation.go validateResourceRequirements, validatePodResources.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from apimachinery import names, quantity
from apimachinery.errors import not_supported
from apimachinery.pod_resources import of_all_containers
from apimachinery.types import Json
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    duplicate,
    forbidden,
    invalid,
    named,
    not_found,
    required,
)

_QUOTA_PREFIXES = ("hugepages-", "requests.hugepages-")
STANDARD = frozenset(
    (
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services",
        "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims", "storage", "requests.storage",
        "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip
_COUNTED = frozenset(
    (
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip
_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_HUGE = "hugepages-"
_NEGATIVE = "must be greater than or equal to 0"

_NameRule = Callable[[str, str], Problems]


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own: no domain, or one of kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A device or another countable resource of a node (`example.com/gpu`)."""
    return not is_native(name) and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


def is_standard(name: str) -> bool:
    """Whether a name without a domain is one that is known."""
    return name in STANDARD or name.startswith(_QUOTA_PREFIXES)


def amount(path: str, name: str, value: Any) -> Problems:
    """One quantity: well formed, not negative, whole where the resource is countable."""
    try:
        parsed = quantity.parse(value)
    except ValueError as error:
        yield invalid(path, value, str(error))
        return
    if parsed.nanos < 0:
        yield invalid(path, value, _NEGATIVE)
    if parsed.milli() % 1000 and (name in _COUNTED or is_extended(name)):
        yield invalid(path, value, "must be an integer")


def _whole_pages(path: str, name: str, value: Any) -> Problems:
    """Huge pages come whole."""
    if name.startswith(_HUGE) and not _is_multiple(name, value):
        yield invalid(path, value, f"{value} is not positive integer multiple of {name}")


def _is_multiple(name: str, value: Any) -> bool:
    """Whether an amount is whole huge pages of the size that the name says."""
    try:
        size, found = quantity.parse(name.removeprefix(_HUGE)), quantity.parse(value)
    except ValueError:
        return False
    return size.nanos > 0 and not size.milli() % 1000 and found.value() % size.value() == 0


def standard_name(path: str, name: str) -> Problems:
    """A resource's name: well formed, and known where it has no domain."""
    wrong = [*named(path, name, names.qualified_name)]
    yield from wrong
    if not wrong and "/" not in name and not is_standard(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(path: str, name: str) -> Problems:
    """A resource that a container may ask for."""
    yield from standard_name(path, name)
    if "/" not in name:
        if name not in _CONTAINER and not name.startswith(_HUGE):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def _pod_resource_name(path: str, name: str) -> Problems:
    """A resource that a pod as a whole may ask for."""
    wrong = [*standard_name(path, name)]
    yield from wrong
    if not wrong and name not in ("cpu", "memory") and not name.startswith(_HUGE):
        yield not_supported(path, name, ("cpu", _HUGE, "memory"))


def requirements(path: str, resources: Json | None, pod_claims: frozenset[str] = frozenset()) -> Problems:
    """`resources` of a container."""
    yield from _requirements(path, resources or {}, pod_claims, container_resource_name, _CONTAINER)


def _requirements(
    path: str, resources: Json, pod_claims: frozenset[str], rule: _NameRule, known: Collection[str]
) -> Problems:
    """Names and amounts, and requests within limits; the names that are `known` follow the rule."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, value in limits.items():
        if name not in known:
            yield from rule(f"{path}.limits[{name}]", name)
        yield from amount(f"{path}.limits[{name}]", name, value)
        yield from _whole_pages(f"{path}.limits[{name}]", name, value)
    for name, value in requests.items():
        if name not in known:
            yield from rule(f"{path}.requests[{name}]", name)
        yield from amount(f"{path}.requests[{name}]", name, value)
        if limits or name not in known:
            yield from _within_limit(f"{path}.requests", name, value, limits)
        yield from _whole_pages(f"{path}.requests[{name}]", name, value)
    huge = [n for n in (*limits, *requests) if n.startswith(_HUGE)]
    if huge and not any(n in ("cpu", "memory") for n in (*limits, *requests)):
        yield forbidden(path, "HugePages require cpu or memory")
    if resources.get("claims"):
        yield from _claims(f"{path}.claims", resources["claims"], pod_claims)


def of_the_pod(path: str, spec: Json, pod_claims: frozenset[str]) -> Problems:
    """`spec.resources`: what the whole pod needs; of few resources only, no claims, and enough for its containers."""
    resources = spec["resources"]
    if (spec.get("os") or {}).get("name") == "windows":
        yield forbidden(path, "may not be set for a windows pod")
        return
    if resources.get("claims") is not None:
        yield forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level")
    yield from _requirements(path, resources, pod_claims, _pod_resource_name, ("cpu", "memory"))
    try:
        yield from _enough(path, spec, resources)
    except ValueError:
        return  # a container's quantity that cannot be read is reported there


def _enough(path: str, spec: Json, resources: Json) -> Problems:
    """The pod asks for what its containers ask for together, and none of them may use more than all."""
    pod, limits, requests = {"spec": spec}, resources.get("limits") or {}, resources.get("requests") or {}
    for name, asked in of_all_containers(pod, "requests").items():
        if name in requests and asked > quantity.parse(requests[name]):
            why = f"must be greater than or equal to aggregate container requests of {asked}"
            yield invalid(f"{path}.requests[{name}]", requests[name], why)
    for name, used in of_all_containers(pod, "limits").items():
        if name.startswith(_HUGE) and name in limits and used > quantity.parse(limits[name]):
            why = f"must be greater than or equal to aggregate container limits of {used}"
            yield invalid(f"{path}.limits[{name}]", limits[name], why)
    for i, container in enumerate(spec.get("containers") or ()):
        for name, value in ((container.get("resources") or {}).get("limits") or {}).items():
            if name in limits and quantity.parse(value) > quantity.parse(limits[name]):
                why = f"must be less than or equal to pod limits of {limits[name]}"
                yield invalid(f"{path}.containers[{i}][{name}].limits", value, why)


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


def _claims(path: str, claims: Sequence[Json], pod_claims: frozenset[str]) -> Problems:
    """References to the pod's claims, or to one request of one: none is meant twice."""
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        here, name, request = f"{path}[{i}]", claim.get("name", ""), claim.get("request", "")
        if not name:
            yield required(here)
            continue
        yield from _reference(here, name, request, seen)
        if name not in pod_claims:
            known = f": {', '.join(sorted(pod_claims))}" if pod_claims else " which is empty"
            yield not_found(here, name, f"must be one of the names in pod.spec.resourceClaims{known}")


def _reference(path: str, name: str, request: str, seen: set[str]) -> Problems:
    if name in seen:
        yield duplicate(path, name)
        return
    key = f"{name}/{request}" if request else name
    if request:
        yield from dns_label(f"{path}.request", request)
    if key in seen:
        yield duplicate(path, key)
    elif not request:
        for other in seen:
            if other.startswith(f"{name}/"):
                yield duplicate(path, name)
    seen.add(key)
