"""What a claim asks for: requests with alternatives, constraints between them, configuration. Also of templates.

Source: pkg/apis/resource/validation/validation.go (validateDeviceClaim and below).
"""

from collections.abc import Mapping

from apimachinery.errors import Pointed, not_supported
from apimachinery.types import Json
from apiserver.strategies.devices import selectors
from apiserver.strategies.devices.parts import (
    MOST_REQUESTS,
    configuration,
    distinct,
    full_attribute_name,
    limited,
    toleration,
)
from apiserver.strategies.problems import Problems, dns_label, dns_subdomain, invalid, required

_MOST_CONSTRAINTS = MOST_CONFIGURATIONS = 32
_MOST_ALTERNATIVES = 8
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
_NO_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

#: The names of requests, each with those of its alternatives.
Names = Mapping[str, frozenset[str]]


def names_of(spec: Json) -> Names:
    """The names that a claim's other parts may refer to."""
    requests = (spec.get("devices") or {}).get("requests") or ()
    return {
        request.get("name") or "": frozenset(sub.get("name") or "" for sub in request.get("firstAvailable") or ())
        for request in requests
    }


def claim_spec(path: str, spec: Json) -> Problems:
    """The spec of a claim."""
    devices, known, here = spec.get("devices") or {}, names_of(spec), f"{path}.devices"
    yield from distinct(f"{here}.requests", devices.get("requests"), _request, MOST_REQUESTS, "name")

    def constraint(at: str, tree: Json) -> Problems:
        yield from _constraint(at, tree, known)

    def config(at: str, tree: Json) -> Problems:
        yield from request_names(f"{at}.requests", tree, known)
        yield from configuration(at, tree)

    yield from limited(f"{here}.constraints", devices.get("constraints"), constraint, _MOST_CONSTRAINTS)
    yield from limited(f"{here}.config", devices.get("config"), config, MOST_CONFIGURATIONS)


def request_names(path: str, tree: Json, known: Names) -> Problems:
    """`requests` of a part that is about some of them only."""

    def reference(at: str, name: str) -> Problems:
        yield from request_name(at, name, known)

    yield from distinct(path, tree.get("requests"), reference, MOST_REQUESTS)


def request_name(path: str, name: str, known: Names) -> Problems:
    """The name of a request, or `request/alternative`."""
    parts = name.split("/")
    if len(parts) > 2:
        yield invalid(path, name, _NO_REQUEST)
        return
    for part in parts:
        yield from dns_label(path, part)
    alternatives = known.get(parts[0])
    if alternatives is None or (len(parts) == 2 and parts[1] not in alternatives):
        yield invalid(path, name, _NO_REQUEST)


def _request(path: str, request: Json) -> Problems:
    yield from dns_label(f"{path}.name", request.get("name") or "")
    exactly, several = request.get("exactly"), request.get("firstAvailable")
    if several:
        yield from distinct(f"{path}.firstAvailable", several, _alternative, _MOST_ALTERNATIVES, "name")
    if exactly is not None:
        yield from _devices(f"{path}.exactly", exactly)
    if exactly is None and not several:
        yield required(path, _ONE_KIND)
    elif exactly is not None and several:
        yield invalid(path, None, f"{_ONE_KIND}, but multiple fields are set")


def _alternative(path: str, request: Json) -> Problems:
    yield from dns_label(f"{path}.name", request.get("name") or "")
    yield from _devices(path, request)


def _devices(path: str, request: Json) -> Problems:
    device_class = request.get("deviceClassName")
    if not device_class:
        yield required(f"{path}.deviceClassName")
    else:
        yield from dns_subdomain(f"{path}.deviceClassName", device_class)
    yield from selectors.check(f"{path}.selectors", request.get("selectors"))
    yield from _count(path, request.get("allocationMode") or "", request.get("count") or 0)
    for i, entry in enumerate(request.get("tolerations") or ()):
        yield from toleration(f"{path}.tolerations[{i}]", entry)


def _count(path: str, mode: str, count: int) -> Problems:
    if mode == "All":
        if count:
            yield invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount":
        if count <= 0:
            yield invalid(f"{path}.count", count, "must be greater than zero")
    else:
        yield not_supported(f"{path}.allocationMode", Pointed(mode), ("All", "ExactCount"))


def _constraint(path: str, constraint: Json, known: Names) -> Problems:
    yield from request_names(f"{path}.requests", constraint, known)
    for member in ("matchAttribute", "distinctAttribute"):
        if constraint.get(member) is not None:
            yield from full_attribute_name(f"{path}.{member}", constraint[member])
            return
    yield required(f"{path}.matchAttribute")
