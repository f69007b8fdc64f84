"""Sets of field paths, kept as the trees that FieldsV1 writes: `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`.

A node maps steps (see `elements`) to nodes. An empty node, or one with `"."`, says that the path to it is in the set;
a node with other steps only leads on. At the root the empty tree is the empty set. Sets are values: nothing here
changes one, and results share nodes with their arguments.

Every set has its steps in their one spelling and in the order of the wire, so that it can be written as it is; `decode`
makes one of a tree that comes from elsewhere.
Source: structured-merge-diff/fieldpath/{set,serialize}.go.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from apimachinery.apply import elements
from apimachinery.apply.elements import Malformed
from apimachinery.trees import MAX_DEPTH

#: A set, or a node of one.
Fields: TypeAlias = dict[str, Any]

SELF = "."
#: The node of a path that is in the set and leads no further. Never modified.
LEAF: Fields = {}
EMPTY: Fields = {}


def of(paths: Iterable[tuple[str, ...]]) -> Fields:
    """The set of paths made of field names."""
    found: Fields = {}
    for path in paths:
        found = union(found, _path(path))
    return found


def _path(names: tuple[str, ...]) -> Fields:
    node = LEAF
    for name in reversed(names):
        node = {f"f:{name}": node}
    return node


def is_member(node: Fields) -> bool:
    """Whether the path that leads to a node is in the set."""
    return not node or SELF in node


def has_children(node: Fields) -> bool:
    """Whether paths lead on from a node."""
    return len(node) > (SELF in node)


def with_self(children: Fields) -> Fields:
    """The node of a path that is in the set and leads on to these."""
    return {SELF: LEAF, **children} if children else LEAF


def union(left: Fields, right: Fields) -> Fields:
    """What is in either."""
    if not left or not right or left is right:
        return left or right
    found = dict(left)
    for step, node in right.items():
        there = left.get(step)
        found[step] = node if there is None or there is node else joined(there, node)
    return in_order(found) if len(found) > len(left) else found


def in_order(node: Fields) -> Fields:
    """The node with its steps in the order of the wire. Of fields that is the order of their texts."""
    if len(node) < 2:
        return node
    steps = sorted(node)
    if steps[-1][0] not in "f.":
        steps.sort(key=elements.order)
    return {step: node[step] for step in steps}


def joined(left: Fields, right: Fields) -> Fields:
    """The union of two nodes: one without children is a member."""
    if left and right:
        return union(left, right)
    children = left or right
    return {SELF: LEAF, **children} if children else LEAF


def intersection(left: Fields, right: Fields) -> Fields:
    """What is in both."""
    if len(right) < len(left):
        left, right = right, left
    found: Fields = {}
    for step, node in left.items():
        other = right.get(step)
        if other is None or step == SELF:
            continue
        if node is other:
            found[step] = node
            continue
        both = intersection(node, other)
        if is_member(node) and is_member(other):
            found[step] = with_self(both)
        elif both:
            found[step] = both
    return found


def difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and not in `right`; fields below one that is in `right` stay."""
    found: Fields = {}
    for step, node in left.items():
        if step == SELF:
            continue
        other = right.get(step)
        if other is None:
            found[step] = node
            continue
        children = difference(node, other)
        if is_member(node) and not is_member(other):
            found[step] = with_self(children)
        elif children:
            found[step] = children
    return found


def without(left: Fields, right: Fields) -> Fields:
    """What is in `left` and neither in `right` nor below a path that is (RecursiveDifference)."""
    found: Fields = {}
    for step, node in left.items():
        if step == SELF:
            continue
        other = right.get(step)
        if other is None:
            found[step] = node
        elif not is_member(other):
            children = without(node, other)
            if is_member(node):
                found[step] = with_self(children)
            elif children:
                found[step] = children
    return found


def has(fields: Fields, path: Iterable[str]) -> bool:
    """Whether a path of steps is in the set."""
    node, depth = fields, 0
    for step in path:
        if step not in node:
            return False
        node, depth = node[step], depth + 1
    return depth > 0 and is_member(node)


def paths(fields: Fields, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path of the set: a node's own members first, then those below its children."""
    steps = [step for step in fields if step != SELF]
    for step in steps:
        if is_member(fields[step]):
            yield (*prefix, step)
    for step in steps:
        yield from paths(fields[step], (*prefix, step))


def decode(tree: Any) -> Fields:
    """The set that FieldsV1 stands for: unknown steps dropped, spellings made one. Raises Malformed."""
    if tree is None:
        return EMPTY
    try:
        found, _ = _decoded(tree, 0)
    except RecursionError:
        raise Malformed("exceeded max depth") from None
    return found


def _decoded(tree: Any, depth: int) -> tuple[Fields, bool]:
    """The children of a node, and whether it is a member itself. A node without children always is."""
    if tree is None:
        return EMPTY, True
    if not isinstance(tree, dict):
        raise Malformed("ReadMapCB: expect { or n, but found another value")
    if depth > MAX_DEPTH:
        raise Malformed("exceeded max depth")
    found: Fields = {}
    for text, node in tree.items():
        if text == SELF or (step := elements.parsed(text)) is None:
            continue
        children, member = _decoded(node, depth + 1)
        made = with_self(children) if member else children
        found[step] = joined(found[step], made) if step in found else made
    return in_order(found), not found or SELF in tree
