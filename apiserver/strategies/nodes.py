"""Nodes. Source: pkg/registry/core/node/strategy.go, validation.go ValidateNode, ValidateNodeUpdate."""

import ipaddress
from collections.abc import Mapping, Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.defaulting import part
from apiserver.strategies.pod import resources
from apiserver.strategies.pod.placement import EFFECTS
from apiserver.strategies.problems import Problems, cidr, duplicate, forbidden, go_struct, invalid, named, required
from apiserver.strategies.sameness import same
from apiserver.strategies.strategy import Strategy, metadata_fields


def default(tree: Json) -> Json:
    """What a node has, pods may use, until the kubelet says otherwise."""
    status = tree.get("status") or {}
    if status.get("allocatable") is None and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])
    _ranges(part(tree, "spec"))
    return tree


def _ranges(spec: Json) -> None:
    """`podCIDR` is the first of `podCIDRs`, and what counts where they disagree; upstream's decoding does that."""
    first, ranges = spec.get("podCIDR"), spec.get("podCIDRs")
    if first and (not ranges or ranges[0] != first):
        spec["podCIDRs"] = [first]
    elif ranges and not first:
        spec["podCIDR"] = ranges[0]


def prepare(new: Json, old: Json | None) -> Json:
    """Unlike most kinds a Node is created with its status; an update of the spec keeps the one stored."""
    if old is not None:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def check(new: Json, old: Json | None) -> list[FieldError]:
    problems = [*_check(new)]
    if old is None:
        return problems
    spec = new.get("spec") or {}
    again = taints("metadata.taints", spec.get("taints") or ())  # upstream looks at them twice
    return [*problems, *_changes(spec, old.get("spec") or {}), *again]


def _check(tree: Json) -> Problems:
    spec = tree.get("spec") or {}
    yield from taints("metadata.taints", spec.get("taints") or ())
    ranges = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else ())
    for i, text in enumerate(ranges):
        yield from cidr(f"spec.podCIDRs[{i}]", text)
    if len(ranges) > 1 and not _is_dual_stack(ranges):
        yield invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")
    if spec.get("podCIDR") and ranges and ranges[0] != spec["podCIDR"]:
        yield invalid("spec.podCIDRs[0]", ranges[0], "must be equal to podCIDR")
    yield from _capacity(tree)


def _is_dual_stack(ranges: Sequence[str]) -> bool:
    """Whether they are one of IPv4 and one of IPv6, as far as they are ranges at all."""
    try:
        versions = [ipaddress.ip_network(text, strict=False).version for text in ranges]
    except ValueError:
        return True  # said already
    return len(ranges) == 2 and set(versions) == {4, 6}


def _capacity(tree: Json) -> Problems:
    status = tree.get("status") or {}
    for name in ("capacity", "allocatable"):
        for resource, value in (status.get(name) or {}).items():
            yield from resources.amount(f"status.{name}[{resource}]", resource, value)


def taints(path: str, entries: Sequence[Json]) -> Problems:
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(entries):
        here, key, effect = f"{path}[{i}]", taint.get("key", ""), taint.get("effect", "")
        yield from named(f"{here}.key", key, names.qualified_name)
        yield from named(f"{here}.value", taint.get("value", ""), names.label_value)
        if not effect:
            yield required(f"{here}.effect")
        elif effect not in EFFECTS:
            yield not_supported(f"{here}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
        if (key, effect) in seen:
            yield duplicate(here, taint)
        seen.add((key, effect))


def _changes(spec: Json, before: Json) -> Problems:
    if before.get("podCIDRs") and not same(spec.get("podCIDRs"), before["podCIDRs"]):
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    if spec.get("externalID", "") != before.get("externalID", ""):
        yield forbidden("spec.externalID", "may not be updated")


def check_status(new: Json, _old: Json | None) -> list[FieldError]:
    return [*_capacity(new), *_addresses((new.get("status") or {}).get("addresses") or ())]


def _addresses(entries: Sequence[Json]) -> Problems:
    for i, entry in enumerate(entries):
        if entry in entries[:i]:
            shown = go_struct(Type=entry.get("type", ""), Address=entry.get("address", ""))
            yield duplicate(f"status.addresses[{i}]", shown)


def fields(tree: Json) -> Mapping[str, str]:
    unschedulable = (tree.get("spec") or {}).get("unschedulable")
    return {**metadata_fields(tree), "spec.unschedulable": "true" if unschedulable else "false"}


NODES = Strategy(
    default=default,
    prepare=prepare,
    check=check,
    check_status=check_status,
    fields=fields,
    field_labels=("metadata.name", "spec.unschedulable"),
)
