"""Nodes. Source: pkg/registry/core/node/strategy.go, validation.go ValidateNode, ValidateNodeUpdate."""

import ipaddress
from collections.abc import Mapping, Sequence

from apimachinery import names
from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies import address_warnings
from apiserver.strategies.defaulting import part
from apiserver.strategies.pod import resources
from apiserver.strategies.pod.placement import EFFECTS
from apiserver.strategies.problems import (
    Problems,
    cidr,
    duplicate,
    forbidden,
    go_struct,
    internal,
    invalid,
    named,
    required,
)
from apiserver.strategies.strategy import Strategy, metadata_fields, only_status


def default(tree: Json) -> Json:
    """What a node has, pods may use, until the kubelet says otherwise."""
    status = tree.get("status") or {}
    if status.get("allocatable") is None and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])
    _ranges(part(tree, "spec"))
    return tree


def _ranges(spec: Json) -> None:
    """Both notations of what a node's pods have say the same; of two that do not, the older one counts."""
    first, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if first and (not several or several[0] != first):
        spec["podCIDRs"] = [first]
    elif several and not first:
        spec["podCIDR"] = several[0]


def prepare(new: Json, old: Json | None) -> Json:
    """Unlike most kinds a Node is created with its status; an update of the spec keeps the one stored.

    What configured a kubelet once, from a ConfigMap, is ignored since that is no more.
    """
    new["spec"].pop("configSource", None)
    (new.get("status") or {}).pop("config", None)
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
    yield from _capacity(tree)
    swap = (((tree.get("status") or {}).get("nodeInfo") or {}).get("swap") or {}).get("capacity")
    if swap is not None and swap <= 0:
        yield invalid("metadata.nodeSwapStatus.capacity", swap, "must be greater than zero")
    ranges = spec.get("podCIDRs") or ()
    for i, text in enumerate(ranges):
        yield from cidr(f"spec.podCIDRs[{i}]", text)
    if len(ranges) > 1:
        yield from _one_a_family(ranges)


def _one_a_family(ranges: Sequence[str]) -> Problems:
    """One range of IPv4 and one of IPv6; of those that are none, nobody can tell."""
    broken = [i for i, text in enumerate(ranges) if [*cidr("", text)]]
    versions = set()
    if broken:
        why = f"invalid CIDR[{broken[0]}]: <nil> (invalid CIDR address: {ranges[broken[0]]})"
        yield internal("spec.podCIDRs", f"invalid PodCIDRs. failed to check with dual stack with error:{why}")
    else:
        versions = {ipaddress.ip_network(text, strict=False).version for text in ranges}
    if len(ranges) != 2 or versions != {4, 6}:
        yield invalid("spec.podCIDRs", list(ranges), "may specify no more than one CIDR for each IP family")


def _capacity(tree: Json) -> Problems:
    status = tree.get("status") or {}
    for name in ("capacity", "allocatable"):
        for resource, value in (status.get(name) or {}).items():
            yield from resources.amount(f"status.{name}.{resource}", resource, value)


def taints(path: str, entries: Sequence[Json]) -> Problems:
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(entries):
        here, key, effect = f"{path}[{i}]", taint.get("key", ""), taint.get("effect", "")
        yield from named(f"{here}.key", key, names.qualified_name)
        if wrong := names.label_value(taint.get("value", "")):
            yield invalid(f"{here}.value", taint["value"], ";".join(wrong))
        if not effect:
            yield required(f"{here}.effect")
        elif effect not in EFFECTS:
            yield not_supported(f"{here}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
        if (key, effect) in seen:
            shown = go_struct(Key=key, Value=taint.get("value", ""), Effect=effect, TimeAdded=taint.get("timeAdded"))
            yield duplicate(here, shown, "taints must be unique by key and effect pair")
        seen.add((key, effect))


def _changes(spec: Json, before: Json) -> Problems:
    now, was = spec.get("podCIDRs") or [], before.get("podCIDRs") or []
    changed = sum(new != old for new, old in zip(now, was, strict=True)) if len(now) == len(was) else 1
    for _ in range(changed if was else 0):
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    if spec.get("externalID", "") != before.get("externalID", ""):
        yield forbidden("spec.externalID", "may not be updated")


def prepare_status(new: Json, old: Json | None) -> Json:
    kept = only_status(new, old)
    (kept.get("status") or {}).pop("config", None)
    return kept


def warn(new: Json, _old: Json | None) -> list[str]:
    spec = new.get("spec") or {}
    old_name = ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]
    found = old_name if spec.get("externalID") else []
    for i, text in enumerate(spec.get("podCIDRs") or ()):
        found += address_warnings.of_range(f"spec.podCIDRs[{i}]", text)
    return found


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
    prepare_status=prepare_status,
    check_status=check_status,
    warnings=warn,
    fields=fields,
    field_labels=("metadata.name", "spec.unschedulable"),
)
