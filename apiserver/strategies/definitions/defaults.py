"""Defaults in a schema: pruned, of the right type, valid by the schema they stand in.

Source: apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go.
"""

from collections.abc import Callable
from typing import Any

from apimachinery.errors import FieldError
from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, invalid
from apiserver.structural import embedded, pruning, rules
from apiserver.structural.node import META_FIELDS, Node, as_resource, compiled
from apiserver.structural.values import Validator

_TYPE_META = {"kind": "Validation", "apiVersion": "validation/v1"}
#: Puts a value where it stands in its object.
Surround = Callable[[Any], Any]


def check(path: str, schema: Json, *, pruned: bool) -> list[FieldError]:
    """What is wrong with the defaults of a schema; whether they must be `pruned` depends on what was let in before."""
    root = as_resource(compiled(schema))
    return [*_check(path, root, root, _whole, inside_meta=False, pruned=pruned)]


def _whole(value: Any) -> Any:
    return {**_TYPE_META, **value} if isinstance(value, dict) else value


def _field(outer: Surround, name: str) -> Surround:
    return lambda value: outer({name: value})


def _item(outer: Surround) -> Surround:
    return lambda value: outer([value])


def _check(path: str, node: Node, root: Node, outer: Surround, *, inside_meta: bool, pruned: bool) -> Problems:
    if not node.has_defaults:
        return
    if node.embedded:
        inside_meta, outer, root = False, _whole, node
    if node.default is not None:
        here = f"{path}.default"
        checking = _check_in_meta(here, node, root, outer) if inside_meta else _check_default(here, node, pruned=pruned)
        yield from checking
    if node.items is not None:
        inner = _item(outer)
        yield from _check(f"{path}.items", node.items, root, inner, inside_meta=inside_meta, pruned=pruned)
    for name, child in node.properties.items():
        is_meta = inside_meta or (node.embedded and name in META_FIELDS)
        inner = _field(outer, name)
        yield from _check(f"{path}.properties[{name}]", child, root, inner, inside_meta=is_meta, pruned=pruned)


def _check_default(path: str, node: Node, *, pruned: bool) -> Problems:
    if pruned:
        value = copied(node.default)
        holder = node if isinstance(value, dict) else Node(properties={"value": node})
        whole = value if isinstance(value, dict) else {"value": value}
        if pruning.pruned(whole, holder, is_root=isinstance(value, dict) and node.embedded):
            yield invalid(path, node.default, "must not have unknown fields")
    try:
        embedded.coerce(copied(node.default), node, path=path)
    except ValueError as error:
        field, _, rest = str(error).partition(": Invalid value: ")
        yield invalid(field, node.default, rest.rpartition(": ")[2])
        return
    problems = [*embedded.check(node.default, node, path)] or _values(path, node)
    yield from problems


def _check_in_meta(path: str, node: Node, root: Node, outer: Surround) -> Problems:
    tree = outer(copied(node.default))
    try:
        embedded.coerce(tree, root)
        problems = [*embedded.check(tree, root)]
    except ValueError as error:
        yield invalid(path, node.default, f"must result in valid metadata: {error}")
        return
    if problems:
        texts = ", ".join(map(str, problems))
        shown = f"[{texts}]" if len(problems) > 1 else texts
        yield invalid(path, node.default, f"must result in valid metadata: {shown}")
        return
    yield from _values(path, node)


def _values(path: str, node: Node) -> list[FieldError]:
    problems = Validator(node.source, of_defaults=True).check(node.default, prefix=path)
    if problems or not node.has_rules:
        return problems
    compiled = rules.compiled(node.source, is_root=node.embedded)
    # As a value that stays, and as one that is new: rules may tell the two apart.
    staying = rules.check(compiled, node.default, node.default, None, prefix=path)
    return staying or rules.check(compiled, node.default, None, None, prefix=path)
