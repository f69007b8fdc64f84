"""Lists that are sets or maps: no element, no key twice. Source: apiserver/schema/listtype/validation.go."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from apimachinery.errors import DUPLICATE, INVALID, FieldError
from apimachinery.types import Json
from apiserver.structural.node import Node, child_path

_encode = msgspec.json.Encoder(order="deterministic").encode


def check(value: Any, node: Node | None, path: str = "") -> Iterator[FieldError]:
    """Every repetition, at its second place."""
    if node is None or not node.has_lists:
        return
    if value.__class__ is dict:
        if node.values is not None:
            for key, item in value.items():
                yield from check(item, node.values, f"{path}[{key}]")
        for key, item in value.items():
            if key in node.properties:
                yield from check(item, node.properties[key], child_path(path, key))
    elif value.__class__ is list:
        yield from _check_list(value, node, path)


def _check_list(value: list[Any], node: Node, path: str) -> Iterator[FieldError]:
    if node.list_type == "set":
        for i in repeated(value):
            yield FieldError(f"{path}[{i}]", DUPLICATE, "", value[i])
    elif node.list_type == "map":
        yield from _check_map(value, node.list_keys, path)
    for i, item in enumerate(value):
        yield from check(item, node.items, f"{path}[{i}]")


def _check_map(value: list[Any], keys: Sequence[str], path: str) -> Iterator[FieldError]:
    for i, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            yield FieldError(f"{path}[{i}]", INVALID, "must be an object for an array of list-type map", item)
            return
    found = [key_of(item, keys) for item in value]
    for i in repeated(found):
        yield FieldError(f"{path}[{i}]", DUPLICATE, "", found[i])


def key_of(item: Any, keys: Sequence[str]) -> Json:
    """The key fields of an item; those it does not have are left out."""
    return {key: item[key] for key in keys if key in item} if isinstance(item, dict) else {}


def repeated(values: Sequence[Any]) -> list[int]:
    """Where something stands for the second time."""
    if len(values) < 2:
        return []
    seen: dict[Any, int] = {}
    found = []
    for i, value in enumerate(values):
        # Scalars are equal as Go's are: 1 is not true, and not 1.0; written as JSON that holds.
        mark = _encode(value)
        seen[mark] = seen.get(mark, 0) + 1
        if seen[mark] == 2:
            found.append(i)
    return found
