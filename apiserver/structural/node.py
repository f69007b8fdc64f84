"""A structural schema as a tree of nodes: the facts that pruning, defaulting, lists and rules walk by.

Made from a schema that has passed validation (or is being validated), so nothing is refused here.
`default` None means none: a default of null is none for upstream. Source: apiserver/schema/{structural,convert}.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apimachinery.types import Json

PRESERVES = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"
RULES = "x-kubernetes-validations"
META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One place of a schema."""

    type: str = ""
    properties: Mapping[str, "Node"] = field(default_factory=dict)
    #: Whether additionalProperties is there at all; its schema where it is one.
    is_map: bool = False
    values: "Node | None" = None
    items: "Node | None" = None
    nullable: bool = False
    default: Any = None
    preserves: bool = False
    embedded: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    rules: tuple[Json, ...] = ()
    source: Json = field(default_factory=dict)

    #: Whether something below has a default, an embedded object, a set or map: else a walk has nothing to do here.
    has_defaults: bool = False
    has_embedded: bool = False
    has_lists: bool = False
    has_rules: bool = False


def compiled(schema: Json) -> Node:
    """The node of a schema."""
    properties = {name: compiled(child) for name, child in (schema.get("properties") or {}).items()}
    more, items = schema.get("additionalProperties"), schema.get("items")
    values = compiled(more) if isinstance(more, dict) else None
    item = compiled(items) if isinstance(items, dict) else None
    below = [*properties.values(), *(node for node in (values, item) if node is not None)]
    list_type, rules = schema.get(LIST_TYPE) or "", tuple(schema.get(RULES) or ())
    default = schema.get("default")
    return Node(
        type=schema.get("type") or "",
        properties=properties,
        is_map=more is not None,
        values=values,
        items=item,
        nullable=bool(schema.get("nullable")),
        default=default,
        preserves=bool(schema.get(PRESERVES)),
        embedded=bool(schema.get(EMBEDDED)),
        list_type=list_type,
        list_keys=tuple(schema.get(LIST_KEYS) or ()),
        map_type=schema.get(MAP_TYPE) or "",
        rules=rules,
        source=schema,
        has_defaults=default is not None or any(node.has_defaults for node in below),
        has_embedded=bool(schema.get(EMBEDDED)) or any(node.has_embedded for node in below),
        has_lists=list_type in ("set", "map") or any(node.has_lists for node in below),
        has_rules=bool(rules) or any(node.has_rules for node in below),
    )


def as_resource(node: Node) -> Node:
    """The node of a whole object, whose own apiVersion, kind and metadata are known without being named."""
    return node if node.embedded else replace(node, embedded=True, has_embedded=True)


def child_path(path: str, name: str) -> str:
    """A field below a path."""
    return f"{path}.{name}" if path else name


_MOST, _LEAST = 2**63 - 1, -(2**63)


def normal_numbers(tree: Any) -> Any:
    """The tree with numbers as Go's decoder would write them again: 1.0 is 1, what fits no int64 is a float.

    Changes the tree where it lies; gives the value for the place of `tree` itself.
    """
    kind = tree.__class__
    if kind is dict:
        for key, item in tree.items():
            if item.__class__ in _CHANGEABLE:
                tree[key] = normal_numbers(item)
    elif kind is list:
        for i, item in enumerate(tree):
            if item.__class__ in _CHANGEABLE:
                tree[i] = normal_numbers(item)
    elif kind is float:
        return int(tree) if tree.is_integer() and abs(tree) < 1e21 else tree
    elif kind is int and not _LEAST <= tree <= _MOST:
        return float(tree)
    return tree


_CHANGEABLE = frozenset({dict, list, float, int})
