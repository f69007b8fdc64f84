"""Pruning: fields that the schema does not name are taken out of a tree, where it lies. Source: schema/pruning."""

from typing import Any

from apimachinery.types import Json
from apiserver.structural.node import META_FIELDS, Node, as_resource, child_path


def pruned(tree: Json, node: Node, *, is_root: bool = True) -> list[str]:
    """Prune; the paths of what went, sorted. A root keeps its apiVersion, kind and metadata whole."""
    gone: list[str] = []
    _prune(tree, as_resource(node) if is_root else node, "", gone)
    return sorted(gone)


def _prune(value: Any, node: Node | None, path: str, gone: list[str]) -> None:
    if value.__class__ is dict:
        if node is not None and node.preserves:
            _prune_known(value, node, path, gone)
        elif node is None:
            gone += [child_path(path, key) for key in value]
            value.clear()
        else:
            _prune_object(value, node, path, gone)
    elif value.__class__ is list:
        if node is not None and node.preserves:
            for i, item in enumerate(value):
                _skip(item, node.items, f"{path}[{i}]", gone)
            return
        items = node.items if node is not None else None
        for i, item in enumerate(value):
            if item.__class__ in (dict, list):
                _prune(item, items, f"{path}[{i}]", gone)


def _prune_object(value: Json, node: Node, path: str, gone: list[str]) -> None:
    unknown = []
    for key, item in value.items():
        if node.embedded and key in META_FIELDS:
            continue
        child = node.properties.get(key)
        if child is not None:
            if item.__class__ in (dict, list):
                _prune(item, child, child_path(path, key), gone)
        elif node.is_map:
            if item.__class__ in (dict, list):
                _prune(item, node.values, child_path(path, key), gone)
        else:
            unknown.append(key)
    for key in unknown:
        del value[key]
        if path or key not in META_FIELDS:
            gone.append(child_path(path, key))


def _prune_known(value: Json, node: Node, path: str, gone: list[str]) -> None:
    """Below a place that keeps unknown fields, what is known is pruned by its own schema."""
    for key, item in value.items():
        if item.__class__ not in (dict, list) or (node.embedded and key in META_FIELDS):
            continue
        if key in node.properties:
            _prune(item, node.properties[key], child_path(path, key), gone)
        elif node.is_map:
            _prune(item, node.values, child_path(path, key), gone)


def _skip(value: Any, node: Node | None, path: str, gone: list[str]) -> None:
    """Items of a list that keeps unknown fields."""
    if node is None:
        return
    if value.__class__ is dict:
        _prune_known(value, node, path, gone)
    elif value.__class__ is list:
        for i, item in enumerate(value):
            _skip(item, node.items, f"{path}[{i}]", gone)
