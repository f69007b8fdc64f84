"""Which IP families a Service has, and so how many addresses. Pure; from the Service and from what the cluster offers.

Source: pkg/registry/core/service/storage/alloc.go (initIPFamilyFields).
"""

import ipaddress
from collections.abc import Sequence

from apimachinery.errors import INVALID, FieldError
from apimachinery.types import Json

HEADLESS = "None"
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_DUAL = ("PreferDualStack", "RequireDualStack")


def family_of(address: str) -> str:
    """IPv4 or IPv6, by an address."""
    return f"IPv{ipaddress.ip_address(address).version}"


def settle(spec: Json, offered: Sequence[str]) -> list[FieldError]:
    """Fill `ipFamilyPolicy` and `ipFamilies` of a Service; what the cluster cannot offer is a problem."""
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    headless = addresses[:1] == [HEADLESS]
    if headless and not spec.get("selector"):
        _settle_foreign(spec, offered[0])
        return []
    problems = _problems(spec, offered)
    if problems:
        return problems
    families = list(spec.get("ipFamilies") or ())
    given = [] if headless else [family_of(address) for address in addresses]
    for family in given[len(families) :]:
        if family not in families:
            families.append(family)
    if not families:
        families = [offered[0]]
    policy = spec.get("ipFamilyPolicy") or (
        "RequireDualStack" if len(families) > 1 and len(offered) > 1 else "SingleStack"
    )
    if policy in _DUAL and len(families) == 1 and _OTHER[families[0]] in offered:
        families.append(_OTHER[families[0]])
    if policy == "SingleStack":
        families = families[:1]
    spec["ipFamilies"], spec["ipFamilyPolicy"] = families, policy
    return _mismatches(given, families)


def _settle_foreign(spec: Json, primary: str) -> None:
    """Headless and without selector: somebody else writes its endpoints, of either family."""
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = "RequireDualStack"
    families = list(spec.get("ipFamilies") or [primary])
    if len(families) == 1 and spec["ipFamilyPolicy"] in _DUAL:
        families.append(_OTHER[families[0]])
    spec["ipFamilies"] = families


def _problems(spec: Json, offered: Sequence[str]) -> list[FieldError]:
    found = [
        FieldError(f"spec.ipFamilies[{i}]", INVALID, "not configured on this cluster", family)
        for i, family in enumerate(spec.get("ipFamilies") or ())
        if family not in offered
    ]
    if spec.get("ipFamilyPolicy") == "RequireDualStack" and len(offered) < 2:
        detail = "this cluster is not configured for dual-stack services"
        found.append(FieldError("spec.ipFamilyPolicy", INVALID, detail, spec["ipFamilyPolicy"]))
    return found


def _mismatches(given: Sequence[str], families: Sequence[str]) -> list[FieldError]:
    return [
        FieldError(
            f"spec.clusterIPs[{i}]",
            INVALID,
            f"expected an {families[i]} value as indicated by `ipFamilies[{i}]`",
            family,
        )
        for i, family in enumerate(given[: len(families)])
        if family != families[i]
    ]
