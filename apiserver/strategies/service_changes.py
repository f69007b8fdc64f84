"""What of a Service is for life: its first address and family, and the class of its load balancer.

Source: validation.go ValidateServiceUpdate and its callees. Paths and values are upstream's, odd as some are.
"""

from apimachinery.types import Json
from apiserver.strategies.problems import Problems, forbidden, invalid
from apiserver.strategies.service_addresses import has_cluster_ip, is_headless
from apiserver.strategies.service_rules import load_balancer_class, wants_health_port

_ONCE = "may not change once set"
_RELEASED = "must be set to 'SingleStack' when releasing the secondary {}"


def changes(spec: Json, before: Json) -> Problems:
    """An update of the spec, against the spec as it is stored."""
    if has_cluster_ip(spec) and has_cluster_ip(before):
        if not (is_headless(spec) and is_headless(before)):
            yield from _addresses(spec, before)
        if not is_headless(spec) and not is_headless(before):
            yield from _families(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        now = spec.get("loadBalancerClass")
        if now != before.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", now, _ONCE)
    yield from load_balancer_class(spec)
    if wants_health_port(spec) and wants_health_port(before):
        now, was = (tree.get("healthCheckNodePort") or 0 for tree in (spec, before))
        if now and now != was:  # one that is missing is given later
            yield forbidden("spec.healthCheckNodePort", "field is immutable")


def _addresses(spec: Json, before: Json) -> Problems:
    now, was, path = spec.get("clusterIPs") or [], before.get("clusterIPs") or [], "spec.clusterIPs"
    shown = now or None
    if len(now) == len(was):
        for i, address in enumerate(was):
            if now[i] != address:
                yield invalid(f"{path}[{i}]", shown, _ONCE)
        return
    if len(was) > len(now) == 0:
        yield invalid(f"{path}[0]", shown, "primary clusterIP can not be unset")
    if was and now and now[0] != was[0]:
        yield invalid(f"{path}[0]", shown, _ONCE)
    if len(was) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), _RELEASED.format("clusterIP"))


def _families(spec: Json, before: Json) -> Problems:
    now, was, path = spec.get("ipFamilies") or [], before.get("ipFamilies") or [], "spec.ipFamilies[0]"
    if len(now) == len(was):
        for new, old in zip(now, was, strict=True):
            if new != old:
                yield invalid(path, now, _ONCE)
        return
    addresses = spec.get("clusterIPs") or None
    if len(was) > len(now) and not addresses:
        yield invalid(path, now or None, "primary ipFamily can not be unset")
    if was and now and now[0] != was[0]:
        yield invalid(path, addresses, _ONCE)
    if len(was) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), _RELEASED.format("ipFamily"))
