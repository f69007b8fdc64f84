"""Which IP families a Service has, and so how many addresses. Pure; from the Service and from what the cluster offers.

Source: pkg/registry/core/service/storage/alloc.go (initIPFamilyFields).
"""

import ipaddress
from collections.abc import Sequence

from apimachinery.errors import INVALID, FieldError
from apimachinery.types import Json
from apiserver.strategies import service_addresses

HEADLESS = service_addresses.HEADLESS
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_POLICY = "spec.ipFamilyPolicy"
_SEVERAL = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"


def family_of(address: str) -> str:
    """IPv4 or IPv6, by an address."""
    return f"IPv{ipaddress.ip_address(address).version}"


def settle(spec: Json, before: Json | None, offered: Sequence[str]) -> list[FieldError]:
    """Fill `ipFamilyPolicy` and `ipFamilies` of a Service; what the cluster cannot offer is a problem."""
    if not service_addresses.has_cluster_ip(spec) or _stays_as_it_is(spec, before):
        return []
    if spec.get("ipFamilyPolicy") is None:
        spec["ipFamilyPolicy"] = (before or {}).get("ipFamilyPolicy") or _usual_policy(spec)
    problems = [*service_addresses.check(spec, before)] or [*_fitting(spec, before, offered)]
    if problems:
        return problems
    if _is_foreign(spec):
        _settle_foreign(spec, offered[0])
        return []
    problems = [*_offered(spec, offered)]
    if problems:
        return problems
    families = list(spec.get("ipFamilies") or offered[:1])
    if spec["ipFamilyPolicy"] != "SingleStack" and len(families) == 1 and len(offered) == 2:
        families.append(_OTHER[families[0]])
    spec["ipFamilies"] = families
    return []


def _is_foreign(spec: Json) -> bool:
    """Headless and without selector: somebody else writes its endpoints, of either family."""
    return spec.get("clusterIP") == HEADLESS and not spec.get("selector")


def _usual_policy(spec: Json) -> str:
    return "RequireDualStack" if _is_foreign(spec) else "SingleStack"


def _stays_as_it_is(spec: Json, before: Json | None) -> bool:
    """A Service that has two families where it can is not changed because the cluster was."""
    if before is None or spec.get("type") != before.get("type"):
        return False
    both = (spec, before)
    return all(tree.get("ipFamilyPolicy") == "PreferDualStack" for tree in both) and all(
        (spec.get(name) or []) == (before.get(name) or []) for name in ("clusterIPs", "ipFamilies")
    )


def _fitting(spec: Json, before: Json | None, offered: Sequence[str]) -> list[FieldError]:
    """Policy, addresses and families, which are made to fit one another, or cannot be."""
    policy, found = spec["ipFamilyPolicy"], list[FieldError]()
    names = (("clusterIPs", "cluster IP", "cluster IPs"), ("ipFamilies", "IP family", "IP families"))
    for name, one, _ in names if before is not None else ():
        now, was = spec.get(name) or [], (before or {}).get(name) or []
        if policy == "SingleStack" and now == was:
            spec[name] = now[:1]
        elif policy != "SingleStack" and len(now) == 1 and len(was) == 2:
            found.append(FieldError(_POLICY, INVALID, f"must be 'SingleStack' to release the secondary {one}", policy))
    for name, _, several in names if policy == "SingleStack" else ():
        if len(spec.get(name) or ()) == 2:
            found.append(FieldError(_POLICY, INVALID, _SEVERAL.format(several), policy))
    return [*found, *_inferred(spec, offered)]


def _inferred(spec: Json, offered: Sequence[str]) -> list[FieldError]:
    """Families that are not said are those of the addresses."""
    addresses, families, found = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ()), list[FieldError]()
    for i, address in enumerate(addresses):
        if address == HEADLESS:
            break
        family = family_of(address)
        if i >= len(families):
            if family in offered:
                families.append(family)
            else:
                detail = f"{family} is not configured on this cluster"
                found.append(FieldError(f"spec.clusterIPs[{i}]", INVALID, detail, addresses))
    if families:
        spec["ipFamilies"] = families
    return found


def _settle_foreign(spec: Json, primary: str) -> None:
    families = list(spec.get("ipFamilies") or [primary])
    if len(families) == 1 and spec["ipFamilyPolicy"] != "SingleStack":
        families.append(_OTHER[families[0]])
    spec["ipFamilies"] = families


def _offered(spec: Json, offered: Sequence[str]) -> list[FieldError]:
    found = list[FieldError]()
    if spec["ipFamilyPolicy"] == "RequireDualStack" and len(offered) < 2:
        detail = "this cluster is not configured for dual-stack services"
        found.append(FieldError(_POLICY, INVALID, detail, spec["ipFamilyPolicy"]))
    for i, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in offered:
            found.append(FieldError(f"spec.ipFamilies[{i}]", INVALID, "not configured on this cluster", family))
    return found
