"""Trees under a `Type`: find what is wrong, list the fields, compare, and take fields out.

`fields_of` are the fields that somebody applies: leaves, list elements and the entries of maps, but no containers that
the schema names. `compare` says which fields a write added, modified and removed, containers included. Both treat an
atomic list or object, and an empty one, as one leaf.
Source: structured-merge-diff/typed/{validate,tofieldset,compare,remove,helpers}.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from apimachinery.apply import elements, fieldset
from apimachinery.apply.fieldset import LEAF, SELF, Fields
from apimachinery.apply.types import BOOLEAN, NUMERIC, STRING, Type
from apimachinery.trees import same
from apimachinery.types import Json

MAP, SCALAR, LIST = "map", "scalar", "list"


class _Missing:
    """What stands where there is nothing: null is a value."""


MISSING = _Missing()


class Invalid(ValueError):
    """A tree that its type does not allow. `problems` have a path and a text each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        texts = [f"{path}: {text}" if path else text for path, text in self.problems]
        return texts[0] if len(texts) == 1 else "\n  ".join(["errors:", *texts])


def kind_of(kind: Type, value: Any) -> str:
    """Which of the things that the type may be this value is treated as; "" for a type that is nothing."""
    if value.__class__ is dict and kind.is_map:
        return MAP
    if value.__class__ is list and kind.is_list:
        return LIST
    if kind.scalar and value is not None and value.__class__ is not dict and value.__class__ is not list:
        return SCALAR
    return MAP if kind.is_map else SCALAR if kind.scalar else LIST if kind.is_list else ""


def as_map(value: Any) -> Json:
    """The fields of a value, none for what is no object."""
    return value if value.__class__ is dict else {}


def as_list(value: Any) -> list[Any]:
    """The elements of a value, none for what is no list."""
    return value if value.__class__ is list else []


def step_to(kind: Type, item: Any) -> str:
    """The step that leads to an element of a list that merges. Raises Malformed."""
    if not kind.keys:
        return _set_step(item)
    if item is None:
        raise elements.Malformed("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise elements.Malformed("associative list with keys may not have non-map elements")
    names: tuple[str, ...] = kind.keys
    if len(names) == 1 and (value := item.get(names[0])).__class__ is str:
        return elements.by_keys(names, value)
    values = []
    for name in names:
        if name in item:
            values.append(item[name])
        elif kind.items is not None and kind.items.defaults.get(name) is not None:
            values.append(kind.items.defaults[name])
        else:
            names = tuple(other for other in names if other != name)
    if not names:
        listed = " ".join(f'"{name}"' for name in kind.keys)
        raise elements.Malformed(
            f"associative list with keys has an element that omits all key fields [{listed}] "
            "(and doesn't have default values for any key fields)"
        )
    try:
        return elements.by_keys(names, *values)
    except TypeError:  # a key that is a list or an object cannot be remembered
        return elements.by_keys.__wrapped__(names, *values)


def _set_step(item: Any) -> str:
    if isinstance(item, dict):
        raise elements.Malformed("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise elements.Malformed("not supported: associative list with lists as elements")
    if item is None:
        raise elements.Malformed("associative list without keys has an element that's an explicit null")
    return elements.by_value(item)


def check(kind: Type, tree: Any) -> None:
    """Raise Invalid unless the tree is of the type, without duplicates in lists that merge."""
    if problems := list(_problems(kind, tree, "")):
        raise Invalid(problems)


def _problems(kind: Type, value: Any, path: str) -> Iterator[tuple[str, str]]:
    how = kind_of(kind, value)
    if value is None and how:
        return
    if how == MAP:
        yield from _map_problems(kind, value, path)
    elif how == LIST:
        yield from _list_problems(kind, value, path)
    elif how == SCALAR:
        if text := _scalar_problem(kind.scalar, value):
            yield path, text
    else:
        yield path, f"schema error: invalid atom: {f'named type: {kind.name}' if kind.name else 'inlined'}"


def _map_problems(kind: Type, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, f"expected map, got &{{{go_text(value)}}}"
        return
    for name, item in value.items():
        inner = kind.of(name)
        if inner is None:
            yield f"{path}.{name}", "field not declared in schema"
            return  # as upstream: the rest of this object is not looked at
        yield from _problems(inner, item, f"{path}.{name}")


def _list_problems(kind: Type, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield path, f"expected list, got &{{{go_text(value)}}}"
        return
    assert kind.items is not None
    seen = set()
    for i, item in enumerate(value):
        step = f"i:{i}"
        if not kind.list_atomic:
            try:
                step = step_to(kind, item)
            except elements.Malformed as error:
                yield path, f"element {i}: {error}"
                return
            if step in seen:
                yield path, f"duplicate entries for key {elements.shown(step)}"
            seen.add(step)
        yield from _problems(kind.items, item, path + elements.shown(step))


def _scalar_problem(scalar: str, value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if scalar == NUMERIC:
        return "" if is_number else f"expected numeric (int or float), got {_GO_TYPES.get(type(value), 'string')}"
    if scalar == STRING:
        return (
            ""
            if isinstance(value, str)
            else f"expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"
        )
    if scalar == BOOLEAN:
        return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_text(value)}}}"
    return f"expected any scalar, got &{{{go_text(value)}}}" if isinstance(value, (dict, list)) else ""


_GO_TYPES = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}


def go_text(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{go_text(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_text, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _go_syntax(value: Any) -> str:
    """A value as Go's `%#v` prints it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_go_syntax(name)}:{_go_syntax(value[name])}" for name in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_go_syntax, value)) + "}"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return "interface {}(nil)" if value is None else go_text(value)


def fields_of(kind: Type, tree: Any) -> Fields:
    """The set of fields that applying the tree means to own."""
    return _fields(kind, tree)[0]


def _fields(kind: Type, value: Any) -> tuple[Fields, bool]:
    """The fields below a value, and whether the value is one itself."""
    how = kind_of(kind, value)
    if how == SCALAR:
        return fieldset.EMPTY, True
    if how == LIST:
        if kind.list_atomic:
            return fieldset.EMPTY, True
        return (_list_fields(kind, value) if isinstance(value, list) else fieldset.EMPTY), False
    if kind.map_atomic:
        return fieldset.EMPTY, True
    found: Fields = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        inner = kind.of(name)
        below, member = _fields(inner, item) if inner is not None else (fieldset.EMPTY, True)
        member = member or item is None or item == {} or name not in kind.fields
        if member or below:
            found[f"f:{name}"] = fieldset.with_self(below) if member else below
    return fieldset.in_order(found), False


def _list_fields(kind: Type, value: list[Any]) -> Fields:
    assert kind.items is not None
    found: Fields = {}
    for item in value:
        step = step_to(kind, item)
        # An element that stands there twice is owned as a whole.
        found[step] = LEAF if step in found else fieldset.with_self(_fields(kind.items, item)[0])
    return fieldset.in_order(found)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one tree to another."""

    added: Fields
    modified: Fields
    removed: Fields

    def without(self, fields: Fields) -> "Comparison":
        """The same, leaving fields and all below them aside."""
        if not fields:
            return self
        parts = (self.added, self.modified, self.removed)
        return Comparison(*(fieldset.without(part, fields) for part in parts))


NO_CHANGE = Comparison(fieldset.EMPTY, fieldset.EMPTY, fieldset.EMPTY)
#: Added, modified and removed below one value; None where there is nothing.
_Three = tuple[Fields | None, Fields | None, Fields | None]


def compare(kind: Type, left: Json, right: Json) -> Comparison:
    """What changed between two trees of a type. Duplicates in lists that merge are allowed, and count as one field."""
    if not _differ(kind, left, right):
        return NO_CHANGE
    added, modified, removed = _compared(kind, left, right)
    return Comparison(added or {}, modified or {}, removed or {})


def _differ(kind: Type | None, left: Any, right: Any) -> bool:
    """Whether two values are not the same as JSON. For Python `true` is `1`, which matters where both may stand."""
    return bool(left != right) or (kind is not None and kind.holds_any and not same(left, right))


def _compared(kind: Type, left: Any, right: Any) -> _Three:
    """Two values that are there and differ."""
    how, other = kind_of(kind, left), kind_of(kind, right)
    one = _compared_as(kind, other, left, right)
    return one if how == other else _both(_compared_as(kind, how, left, right), one)


def _both(one: _Three, other: _Three) -> _Three:
    (a, m, r), (b, n, s) = one, other
    return _either(a, b), _either(m, n), _either(r, s)


def _either(one: Fields | None, other: Fields | None) -> Fields | None:
    if one is None or other is None:
        return other if one is None else one
    return fieldset.joined(one, other)


def _compared_as(kind: Type, how: str, left: Any, right: Any) -> _Three:
    if how == MAP and not kind.map_atomic:
        if (left and left.__class__ is dict) or (right and right.__class__ is dict):
            return _compared_maps(kind, as_map(left), as_map(right))
    elif how == LIST and not kind.list_atomic and (as_list(left) or as_list(right)):
        return _compared_lists(kind, as_list(left), as_list(right))
    return None, LEAF if _differ(kind, left, right) else None, None


def _compared_maps(kind: Type, left: Json, right: Json) -> _Three:
    added: Fields = {}
    modified: Fields = {}
    removed: Fields = {}
    for name, item in left.items():
        other = right.get(name, MISSING)
        if other is MISSING:
            removed[f"f:{name}"] = whole(kind.of(name), item)
        elif item is not other and _differ(inner := kind.of(name), item, other):
            a, m, r = _compared(inner, item, other) if inner is not None else (None, LEAF, None)
            if a is not None:
                added[f"f:{name}"] = a
            if m is not None:
                modified[f"f:{name}"] = m
            if r is not None:
                removed[f"f:{name}"] = r
    for name, item in right.items():
        if name not in left:
            added[f"f:{name}"] = whole(kind.of(name), item)
    return _in_order(added), _in_order(modified), _in_order(removed)


def _compared_lists(kind: Type, left: list[Any], right: list[Any]) -> _Three:
    assert kind.items is not None
    added: Fields = {}
    modified: Fields = {}
    removed: Fields = {}
    lefts, rights = _by_step(kind, left), _by_step(kind, right)
    for step in lefts | rights:
        before, after = lefts.get(step, []), rights.get(step, [])
        if len(before) > 1 and len(after) > 1:
            if _differ(kind, before, after):
                modified[step] = LEAF
            continue
        if len(before) > 1:
            removed[step] = LEAF
            if after:
                added[step] = whole(kind.items, after[0])
        elif len(after) > 1:
            added[step] = LEAF
            if before:
                removed[step] = whole(kind.items, before[0])
        elif not before:
            added[step] = whole(kind.items, after[0])
        elif not after:
            removed[step] = whole(kind.items, before[0])
        elif _differ(kind.items, before[0], after[0]):
            a, m, r = _compared(kind.items, before[0], after[0])
            if a is not None:
                added[step] = a
            if m is not None:
                modified[step] = m
            if r is not None:
                removed[step] = r
    return _in_order(added), _in_order(modified), _in_order(removed)


def _in_order(node: Fields) -> Fields | None:
    return fieldset.in_order(node) if node else None


def _by_step(kind: Type, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(step_to(kind, item), []).append(item)
    return found


def whole(kind: Type | None, value: Any) -> Fields:
    """The node of a value that came or went as a whole: every container and every leaf of it."""
    if not value or kind is None:
        return LEAF
    if value.__class__ is dict:
        if kind.map_atomic or not kind.is_map:
            return LEAF
        node: Fields = {SELF: LEAF}
        fields, element = kind.fields, kind.element
        for name in sorted(value):
            item = value[name]
            kept = item.__class__
            node["f:" + name] = whole(fields.get(name, element), item) if kept is dict or kept is list else LEAF
        return node
    if value.__class__ is list and kind.is_list and not kind.list_atomic:
        node = {SELF: LEAF}
        for item in value:
            step = step_to(kind, item)
            node[step] = LEAF if step in node else whole(kind.items, item)
        return fieldset.in_order(node)
    return LEAF


def removed(kind: Type, tree: Any, fields: Fields) -> Any:
    """The tree without these fields; null where nothing of a container is left."""
    how = kind_of(kind, tree)
    if how == SCALAR:
        return tree
    if how == LIST:
        return _removed_items(kind, tree, fields) if tree.__class__ is list and not kind.list_atomic else None
    if tree.__class__ is not dict or kind.map_atomic:
        return None
    found: Json = {}
    for name, item in tree.items():
        node = fields.get(f"f:{name}")
        if node is None:
            found[name] = item
        elif not fieldset.is_member(node):
            inner = kind.of(name)
            found[name] = removed(inner, item, node) if inner is not None else item
    return found or None


def _removed_items(kind: Type, items: list[Any], fields: Fields) -> list[Any] | None:
    assert kind.items is not None
    found = []
    for item in items:
        node = fields.get(step_to(kind, item))
        if node is None:
            found.append(item)
        elif not fieldset.is_member(node):
            found.append(removed(kind.items, item, node))
    return found or None


def with_named(kind: Type | None, fields: Fields) -> Fields:
    """The set with every field that the schema names on the way to a member (EnsureNamedFieldsAreMembers)."""
    found: Fields = {}
    for step, node in fields.items():
        if step == SELF:
            found[SELF] = LEAF
            continue
        inner: Type | None = None
        is_named = False
        if step[0] == "f" and kind is not None and kind.is_map:
            inner, is_named = kind.of(step[2:]), step[2:] in kind.fields
        elif step[0] == "k" and kind is not None and kind.is_list:
            inner = kind.items
        below = with_named(inner, node)
        found[step] = fieldset.with_self(below) if is_named and SELF not in below else below
    return found


def reconciled(kind: Type | None, fields: Fields) -> Fields:
    """The set after lists and objects have become atomic since it was written: their owners own them whole."""
    return _reconciled(kind, fields, is_root=True)


def _reconciled(kind: Type | None, node: Fields, *, is_root: bool = False) -> Fields:
    if kind is None or not fieldset.has_children(node):
        return node
    if kind.is_map:
        if kind.is_deduced_map:
            return node
        if kind.map_atomic and not is_root:
            return LEAF
        made = {step: _reconciled(_inner(kind, step), below) for step, below in node.items()}
    elif kind.is_list and not kind.scalar:
        if kind.list_atomic and not is_root:
            return LEAF
        made = {step: _reconciled(kind.items, below) for step, below in node.items()}
    else:
        return node
    return node if all(made[step] is node[step] for step in made) else made


def _inner(kind: Type, step: str) -> Type | None:
    return kind.of(step[2:]) if step[0] == "f" else kind.element
