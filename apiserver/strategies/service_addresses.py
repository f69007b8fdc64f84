"""The addresses of a Service and their families, as far as they can be judged without knowing the cluster.

Upstream looks at them before it gives addresses, so before all else of a Service.
Source: validation.go ValidateServiceClusterIPsRelatedFields.
"""

from collections.abc import Collection, Sequence

from apimachinery.types import Json
from apiserver.strategies.problems import Problems, duplicate, invalid, ip_address, required, supported

HEADLESS = "None"
_PATH = "spec.clusterIPs"


def has_cluster_ip(spec: Json) -> bool:
    """Whether the Service's type comes with a virtual address (which `None` declines)."""
    return spec.get("type") != "ExternalName"


def is_headless(spec: Json) -> bool:
    return [*(spec.get("clusterIPs") or ())][:1] == [HEADLESS]


def check(spec: Json, before: Json | None) -> Problems:
    """Addresses and families, each by itself and as they belong together."""
    if not has_cluster_ip(spec):
        return
    addresses, families = spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    yield from _first(spec.get("clusterIP") or "", addresses)
    for i, family in enumerate(families):
        yield from supported(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6"))
        if family in families[:i]:
            yield duplicate(f"spec.ipFamilies[{i}]", family)
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    yield from supported("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), policies)
    wrong = [*_well_formed(addresses, (before or {}).get("clusterIPs") or ())]
    yield from wrong
    if len(addresses) > 2:
        yield invalid(_PATH, addresses, "may only hold up to 2 values")
    if not wrong:
        yield from _families(addresses, families)


def _first(single: str, addresses: Sequence[str]) -> Problems:
    """The singular is the first of the plural."""
    if single and not addresses:
        yield required(_PATH)
    elif single and addresses[0] != single:
        yield invalid(_PATH, addresses, "first value must match `clusterIP`")
    elif addresses and not single:
        yield invalid(_PATH, addresses, "must be empty when `clusterIP` is not specified")


def _well_formed(addresses: Sequence[str], before: Collection[str]) -> Problems:
    for i, address in enumerate(addresses):
        if i == 0 and address == HEADLESS:
            if len(addresses) > 1:
                yield invalid(_PATH, addresses, "'None' must be the first and only value")
        elif address not in before:
            yield from ip_address(f"{_PATH}[{i}]", address)


def _families(addresses: Sequence[str], families: Sequence[str]) -> Problems:
    found = ["IPv6" if ":" in address else "IPv4" for address in addresses]
    if len(found) > 1 and len({*found}) < 2:
        yield invalid(_PATH, addresses, "may specify no more than one IP for each IP family")
    if addresses and addresses[0] == HEADLESS:
        return
    for i, (address, is_of, wanted) in enumerate(zip(addresses, found, families, strict=False)):
        if wanted in ("IPv4", "IPv6") and is_of != wanted:
            yield invalid(f"{_PATH}[{i}]", address, f"expected an {wanted} value as indicated by `ipFamilies[{i}]`")
