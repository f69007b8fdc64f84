"""Defaulting: absent values are filled from the schema, where the tree lies. Source: schema/defaulting.

Nulls first: one that its place does not allow is as good as absent, so it goes (`drop_nulls`), or the default takes its
place. A default is copied, so that no two objects share it.
"""

from typing import Any

from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.structural import embedded, pruning
from apiserver.structural.node import Node, as_resource, compiled


def drop_nulls(value: Any, node: Node | None) -> None:
    """Take nulls out of maps where they are not allowed and no default stands in for them."""
    if node is None:
        return
    if value.__class__ is dict:
        dropped = []
        for key, item in value.items():
            child = node.properties.get(key)
            if child is None:
                child = node.values
            if item is None:
                if child is not None and not child.nullable and child.default is None:
                    dropped.append(key)
            elif item.__class__ in (dict, list):
                drop_nulls(item, child)
        for key in dropped:
            del value[key]
    elif value.__class__ is list and node.items is not None:
        for item in value:
            drop_nulls(item, node.items)


def default(value: Any, node: Node | None) -> None:
    """Fill what is absent."""
    if node is None or not node.has_defaults:
        return
    if value.__class__ is dict:
        for name, child in node.properties.items():
            if child.default is not None and (name not in value or (value[name] is None and not child.nullable)):
                value[name] = copied(child.default)
        for name, item in value.items():
            child_ = node.properties.get(name)
            if child_ is not None:
                default(item, child_)
            elif node.values is not None:
                if item is None and not node.values.nullable:
                    value[name] = copied(node.values.default)
                default(value[name], node.values)
    elif value.__class__ is list and node.items is not None:
        for i, item in enumerate(value):
            if item is None and not node.items.nullable:
                value[i] = copied(node.items.default)
            default(value[i], node.items)


def with_pruned_defaults(schema: Json) -> Json:
    """The schema with its defaults pruned, as it is served and used: old definitions may have others."""
    return _pruned_defaults(schema, as_resource(compiled(schema)))


def _pruned_defaults(schema: Json, node: Node) -> Json:
    made = dict(schema)
    if node.default is not None:
        made["default"] = pruned_default(node)
    if node.properties:
        made["properties"] = {
            name: _pruned_defaults(child, node.properties[name]) for name, child in schema["properties"].items()
        }
    if node.values is not None:
        made["additionalProperties"] = _pruned_defaults(schema["additionalProperties"], node.values)
    if node.items is not None:
        made["items"] = _pruned_defaults(schema["items"], node.items)
    return made


def pruned_default(node: Node) -> Any:
    """A node's default without unknown fields."""
    value = copied(node.default)
    if value.__class__ is dict:
        pruning.pruned(value, node, is_root=node.embedded)
        embedded.coerce(value, node, drop_invalid=True)
    elif value.__class__ is list:
        holder = Node(properties={"value": node})
        pruning.pruned({"value": value}, holder, is_root=False)
    return value
