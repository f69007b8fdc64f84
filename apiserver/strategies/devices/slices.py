"""What drivers offer: a pool's devices with attributes and capacities, and on which nodes they are.

Fields of gates that are off never come here (`gates`).
Source: pkg/apis/resource/validation/validation.go (validateResourceSliceSpec and below).
"""

import re

from apimachinery.types import Json
from apiserver.strategies import go_structs
from apiserver.strategies.devices.parts import attribute_name, distinct, driver_name, entries, pool_name, set_to_one
from apiserver.strategies.pod.placement import node_selector
from apiserver.strategies.problems import (
    Problems,
    dns_label,
    dns_subdomain,
    go_struct,
    immutable,
    invalid,
    required,
    too_long,
)

_MOST_DEVICES = 128
_MOST_ATTRIBUTES = 32
_LONGEST_VALUE = 64
_NUMBER, _PRE = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+{_BUILD}(\.{_BUILD})*)?",
    re.ASCII,
)
_NODES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_CHOICE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_ONE_VALUE = "exactly one value must be specified"
#: The kinds of values in the order in which Go has them.
_VALUES = (("IntValue", "int"), ("BoolValue", "bool"), ("StringValue", "string"), ("VersionValue", "version"))


def slice_spec(path: str, spec: Json, old: Json | None) -> Problems:
    """The spec of a slice."""
    yield from driver_name(f"{path}.driver", spec.get("driver") or "")
    yield from _pool(f"{path}.pool", spec.get("pool") or {})
    if old is not None:
        pools = ((tree.get("pool") or {}).get("name") or "" for tree in (spec, old))
        yield from immutable(f"{path}.pool.name", *pools)
        yield from immutable(f"{path}.driver", spec.get("driver") or "", old.get("driver") or "")
        yield from immutable(f"{path}.nodeName", spec.get("nodeName"), old.get("nodeName"))
    yield from _nodes(path, spec)
    yield from distinct(f"{path}.devices", spec.get("devices"), _device, _MOST_DEVICES, "name")


def _pool(path: str, pool: Json) -> Problems:
    yield from pool_name(f"{path}.name", pool.get("name") or "")
    if (count := pool.get("resourceSliceCount") or 0) <= 0:
        yield invalid(f"{path}.resourceSliceCount", count, "must be greater than zero")
    if (generation := pool.get("generation") or 0) < 0:
        yield invalid(f"{path}.generation", generation, "must be greater than or equal to zero")


def _nodes(path: str, spec: Json) -> Problems:
    name, selector = spec.get("nodeName"), spec.get("nodeSelector")
    if name:
        yield from dns_subdomain(f"{path}.nodeName", name)
    elif name is not None:
        yield invalid(f"{path}.nodeName", name, "must be either unset or set to a non-empty string")
    if selector is not None:
        yield from node_selector(f"{path}.nodeSelector", selector)
        terms = selector.get("nodeSelectorTerms")
        if len(terms or ()) != 1:
            shown = go_structs.shown("[]core.NodeSelectorTerm", terms)
            yield invalid(f"{path}.nodeSelector.nodeSelectorTerms", shown, "must have exactly one node selector term")
    if spec.get("allNodes") is False:
        yield invalid(f"{path}.allNodes", False, "must be either unset or set to true")
    chosen = [member for member in _NODES if spec.get(member) or (member == "nodeSelector" and selector is not None)]
    yield from set_to_one(path, chosen, _ONE_CHOICE)


def _device(path: str, device: Json) -> Problems:
    yield from dns_label(f"{path}.name", device.get("name") or "")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if (count := len(attributes) + len(capacity)) > _MOST_ATTRIBUTES:
        yield invalid(path, count, f"the total number of attributes and capacities must not exceed {_MOST_ATTRIBUTES}")
    yield from entries(f"{path}.attributes", attributes, attribute_name, _attribute)
    yield from entries(f"{path}.capacity", capacity, attribute_name, _any)


def _any(_path: str, _capacity: Json) -> Problems:
    """Every quantity will do."""
    yield from ()


def _attribute(path: str, attribute: Json) -> Problems:
    values = {name: attribute.get(member) for name, member in _VALUES}
    text, version = values["StringValue"], values["VersionValue"]
    if text is not None and len(text.encode()) > _LONGEST_VALUE:
        yield too_long(f"{path}.string", _LONGEST_VALUE)
    if version is not None:
        if not _VERSION.fullmatch(version):
            yield invalid(f"{path}.version", version, "must be a string compatible with semver.org spec 2.0.0")
        if len(version.encode()) > _LONGEST_VALUE:
            yield too_long(f"{path}.version", _LONGEST_VALUE)
    count = sum(value is not None for value in values.values())
    if count == 0:
        yield required(path, _ONE_VALUE)
    elif count > 1:
        yield invalid(path, go_struct(**values), _ONE_VALUE)
