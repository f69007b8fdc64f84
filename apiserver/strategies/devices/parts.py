"""What claims, classes and slices have in common: names, limits of lists, configurations, tolerations.

Source: pkg/apis/resource/validation/validation.go (validateSlice, validateSet, validateMap and below).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError, Pointed, not_supported
from apimachinery.types import Json
from apiserver.strategies.pod.remote_sources import csi_driver
from apiserver.strategies.problems import (
    Problems,
    dns_subdomain,
    duplicate,
    invalid,
    named,
    qualified_name,
    required,
    too_long,
    too_many,
)

_LONGEST_POOL, _LONGEST_DOMAIN, _LONGEST_IDENTIFIER = 253, 63, 32
_LARGEST_PARAMETERS = 10 * 1024
_OMITTED = "<value omitted>"
_EFFECTS = ("NoExecute", "NoSchedule")
#: How many requests a claim has at most, and how many results an allocation.
MOST_REQUESTS = 32
#: The names of devices' drivers follow the rule of CSI's.
driver_name = csi_driver

Item = Callable[[str, Any], Iterable[FieldError]]


def limited(path: str, values: Sequence[Any] | None, check: Item, most: int) -> Problems:
    """Every item of a list, and how many there are (a negative limit is none)."""
    for i, value in enumerate(values or ()):
        yield from check(f"{path}[{i}]", value)
    if 0 <= most < len(values or ()):
        yield too_many(path, len(values or ()), most)


def distinct(path: str, values: Sequence[Any] | None, check: Item, most: int, key: str = "") -> Problems:
    """A list whose items differ, by their member `key` or as a whole."""
    yield from limited(path, values, check, most)
    seen = set()
    for i, value in enumerate(values or ()):
        known = value.get(key, "") if key else value
        if known in seen:
            yield duplicate(f"{path}[{i}].{key}" if key else f"{path}[{i}]", known)
        seen.add(known)


def entries(path: str, values: Mapping[str, Any] | None, check_key: Item, check: Item) -> Problems:
    """A map: its keys, which are shortened in paths where they are too long, and its values."""
    for key, value in sorted((values or {}).items()):
        here = f"{path}[{_shortened(key, _LONGEST_DOMAIN + 1 + _LONGEST_IDENTIFIER)}]"
        yield from check_key(here, key)
        yield from check(here, value)


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    left = most - len("...")
    return f"{text[: (left + 1) // 2]}...{text[len(text) - left // 2 :]}"


def pool_name(path: str, name: str) -> Problems:
    """DNS subdomains with slashes between them."""
    if not name:
        yield required(path)
        return
    if len(name) > _LONGEST_POOL:
        yield too_long(path, _LONGEST_POOL)
    for part in name.split("/"):
        yield from dns_subdomain(path, part)


def attribute_name(path: str, name: str) -> Problems:
    """`[domain/]identifier`, as attributes and capacities are called."""
    parts = name.split("/")
    if not name:
        yield required(path, "name required")
    elif len(parts) == 1:
        yield from _identifier(path, name)
    elif len(parts) == 2:
        domain, identifier = parts
        yield from driver_name(path, domain) if domain else [required(path, "the domain must not be empty")]
        yield from _identifier(path, identifier) if identifier else [required(path, "the name must not be empty")]


def full_attribute_name(path: str, name: str) -> Problems:
    """An attribute with its domain."""
    yield from attribute_name(path, name)
    if name and "/" not in name:
        yield invalid(path, Pointed(name), "must include a domain")


def _identifier(path: str, text: str) -> Problems:
    if len(text) > _LONGEST_IDENTIFIER:
        yield too_long(path, _LONGEST_IDENTIFIER)
    yield from named(path, text, names.c_identifier)


def configuration(path: str, tree: Json, *, stored: bool = False) -> Problems:
    """Parameters for a driver; those that are stored may be larger than is allowed now."""
    opaque = tree.get("opaque")
    if opaque is None:
        yield required(f"{path}.opaque")
        return
    yield from driver_name(f"{path}.opaque.driver", opaque.get("driver") or "")
    most = None if stored else _LARGEST_PARAMETERS
    yield from any_object(f"{path}.opaque.parameters", opaque.get("parameters"), most)


def any_object(path: str, value: Any, most: int | None) -> Problems:
    """A RawExtension: some JSON object, no larger than that many bytes."""
    if value is None:
        yield required(path)
    elif most is not None and len(msgspec.json.encode(value)) > most:
        yield too_long(path, most)
    elif not isinstance(value, dict):
        yield invalid(path, _OMITTED, "must be a valid JSON object")


def toleration(path: str, tree: Json) -> Problems:
    """What a request puts up with of devices' taints."""
    key, value, operator = tree.get("key"), tree.get("value") or "", tree.get("operator") or ""
    if key:
        yield from qualified_name(f"{path}.key", key)
    if operator == "Exists":
        if value:
            yield invalid(f"{path}.value", value, "must be empty for operator `Exists`")
    elif operator == "Equal":
        yield from named(f"{path}.value", value, names.label_value)
    elif not operator:
        yield required(f"{path}.operator")
    else:
        yield not_supported(f"{path}.operator", Pointed(operator), ("Equal", "Exists"))
    effect = tree.get("effect")
    if effect and effect not in _EFFECTS:
        yield not_supported(f"{path}.effect", Pointed(effect), _EFFECTS)


def set_to_one(path: str, chosen: Collection[str], needed: str) -> Problems:
    """A choice of which exactly one has to be made; several are shown in braces."""
    if not chosen:
        yield required(path, needed)
    elif len(chosen) > 1:
        shown = "{" + ", ".join(f"`{name}`" for name in chosen) + "}"
        yield invalid(path, shown, f"{needed}, but multiple fields are set")
