"""Plain trees in the shape that Go's JSON has: what upstream shows of an object, whatever its client left out.

A tree read into upstream's struct and written again loses empty values of fields with omitempty and gains the fields
that are always there: `status: {}` of a struct, `rules: null` of a list that must not be left out. Here the same is
done with the facts of the table. Idempotent; fields that are not known stay as they are.
Decoding by the schema (`apimachinery.schema`) does the same with its own facts, which are the table's for nearly all of
v1.34: what was decoded so need not be walked through again (`shaped_after_decoding`).
Source: encoding/json; the structs of k8s.io/api.
"""

from collections.abc import Callable
from functools import cache
from operator import is_
from typing import Any

from apimachinery import schema
from apimachinery.fields import always_there, kept_when_empty
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.protobuf.table import INLINE, Field, fields, is_scalar, is_special, message_of, speaks, zero

#: Gives the very value that it is given where that has the shape already.
Shape = Callable[[Any], Any]


def shaped(tree: Json) -> Json:
    """The object as upstream would show it: a new tree, which shares what did not change."""
    return _shaped(tree, nulls=False)


def settled(tree: Json) -> Json:
    """The same after upstream has stored it, where a list or a map that is empty is none: `rules: null`."""
    return _shaped(tree, nulls=True)


def _shaped(tree: Json, *, nulls: bool) -> Json:
    kind = tree.get("kind", "")  # a protobuf body may say nothing
    if not speaks(tree.get("apiVersion", "")) or not (name := message_of(tree["apiVersion"], kind)):
        return tree
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], **_message(name, nulls=nulls)(tree)}


def shaped_after_decoding(tree: Json, kind: Kind) -> Json:
    """The same for a tree that has been decoded as this kind since it came, and in which the server has changed values.

    The status is looked at all the same: the server makes it, or takes it over from what is stored.
    """
    definition = schema.definition(kind)
    if definition is None or not speaks(kind.api_version) or not (name := message_of(kind.api_version, kind.kind)):
        return shaped(tree)
    shape = _message(name, _shaped_by_decoding(name, definition) - {_STATUS})
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], **shape(tree)}


def as_stored(tree: Json, kind: Kind) -> Json:
    """The object as it comes back from the store: lists that are always there are null when nothing is in them.

    Of the object, and of what lies directly in it: upstream's kinds have them there, or in pods, which never are empty.
    """
    if not speaks(kind.api_version) or not (name := message_of(kind.api_version, kind.kind)):
        return tree
    out = _with_null_lists(tree, name)
    for field in _structs_with_lists(name):
        value = out.get(field.name)
        if value and (made := _with_null_lists(value, field.type)) is not value:
            out = {**out, field.name: made}
    return out


def _with_null_lists(tree: Json, message: str) -> Json:
    empty = [name for name in _null_lists(message) if tree.get(name) == []]
    return {**tree, **dict.fromkeys(empty)} if empty else tree


@cache
def _structs_with_lists(message: str) -> tuple[Field, ...]:
    found = (field for field in _flat(message) if _is_struct(field.type) and not is_special(field.type))
    return tuple(field for field in found if _null_lists(field.type))


@cache
def _null_lists(message: str) -> frozenset[str]:
    """The lists of a message that are always there."""
    found = (field for field in _flat(message) if field.type.startswith("[]") and _is_always_there(field))
    return frozenset(field.name for field in found if zero(field.type) is None)


_STATUS = "status"


@cache
def _shaped_by_decoding(message: str, definition: str) -> frozenset[str]:
    """The fields of a message in which all is alike whether the schema or the table says what Go shows."""
    properties = schema.DEFINITIONS[definition].get("properties", {})
    return frozenset(
        field.name
        for field in _flat(message)
        if all(_agree(*pair) for pair in _pairs(field.type, properties.get(field.name, {})))
    )


def _pairs(type_: str, inner: Json) -> set[tuple[str, str]]:
    """Every message below a field with its definition ("" where the schema has none)."""
    found: set[tuple[str, str]] = set()
    waiting = [(type_, inner)]
    while waiting:
        type_, inner = waiting.pop()
        if type_.startswith("[]"):
            waiting.append((type_[2:], inner.get("items", {})))
        elif type_.startswith("map<"):
            waiting.append((type_[4:-1].partition(",")[2], inner.get("additionalProperties", {})))
        elif _is_struct(type_) and not is_special(type_) and (pair := (type_, schema.target(inner) or "")) not in found:
            found.add(pair)
            properties = schema.DEFINITIONS[pair[1]].get("properties", {}) if pair[1] else {}
            waiting += [(field.type, properties.get(field.name, {})) for field in _flat(type_)]
    return found


@cache
def _agree(message: str, definition: str) -> bool:
    """Whether schema and table say the same of a message itself: what is left out when empty, what is always there."""
    if not definition:
        return False
    described = schema.DEFINITIONS[definition]
    kept, always = kept_when_empty(definition, described), always_there(definition)
    return all(
        not (_is_left_out(field) and field.name in kept) and (field.name in always or not _is_always_there(field))
        for field in _flat(message)
        if field.name in described.get("properties", {}) or _is_always_there(field)
    )


def _is_left_out(field: Field) -> bool:
    """Whether a field is not shown when it is empty."""
    return not (field.optional or field.kept or _is_struct(field.type))


def _is_always_there(field: Field) -> bool:
    """Whether a field is shown although it was never set."""
    return field.kept or (_is_struct(field.type) and not field.optional and not field.dropped)


@cache
def _message(name: str, passed_over: frozenset[str] = frozenset(), *, nulls: bool = False) -> Shape:
    """The function that shapes a message. Most trees have the shape already: for these it should be nearly free."""
    shapes: dict[str, Shape] = {}
    left_out: set[str] = set()  # when they are empty
    null: set[str] = set()  # when they are empty
    always: dict[str, Shape] = {}
    is_ready = False

    def prepare() -> None:  # not before, since a message may contain itself
        nonlocal is_ready
        for field in _flat(name):
            if field.name not in passed_over and (inner := _value(field.type, nulls=nulls)):
                shapes[field.name] = inner
            if _is_left_out(field):
                left_out.add(field.name)
            elif nulls and field.kept and not field.optional and field.type.startswith(("[]", "map<")):
                null.add(field.name)
            if _is_always_there(field):
                always[field.name] = _absent(field)
        is_ready = True

    def shape(tree: Json) -> Json:
        if not is_ready:
            prepare()
        out = tree
        if not all(tree.values()):
            out = {
                key: value or (None if key in null else value)
                for key, value in tree.items()
                if value or key in null or not (value is None or key in left_out)
            }
        if not shapes.keys().isdisjoint(out):
            for key in shapes.keys() & out.keys():
                value = out[key]
                made = shapes[key](value) if value is not None else None
                if made is not value:
                    out = {**tree} if out is tree else out
                    out[key] = made
        if always and not always.keys() <= out.keys():
            out = {**out, **{key: absent(None) for key, absent in always.items() if key not in out}}
        return out

    return shape


@cache
def _flat(message: str) -> tuple[Field, ...]:
    """The fields of a message with those that lie in it in JSON."""
    found: list[Field] = []
    for field in fields(message):
        found += _flat(field.type) if field.name == INLINE else [field]
    return tuple(found)


def _is_struct(type_: str) -> bool:
    """Whether omitempty has no effect on a type."""
    return not is_scalar(type_) and not type_.startswith(("[]", "map<", "items<"))


def _value(type_: str, *, nulls: bool) -> Shape | None:
    """What shapes a value, None where every value stays as it is."""
    if type_.startswith("[]"):
        return _each(_value(type_[2:], nulls=nulls))
    if type_.startswith("map<"):
        return _each_value(_value(type_[4:-1].partition(",")[2], nulls=nulls))
    if is_scalar(type_) or is_special(type_) or type_.startswith("items<"):
        return None
    return _message(type_, nulls=nulls)


def _each(inner: Shape | None) -> Shape | None:
    if inner is None:
        return None

    def shape(items: list[Any]) -> list[Any]:
        made = [inner(item or {}) for item in items]
        return items if all(map(is_, made, items)) else made

    return shape


def _each_value(inner: Shape | None) -> Shape | None:
    if inner is None:
        return None

    def shape(pairs: Json) -> Json:
        made = {key: inner(value or {}) for key, value in pairs.items()}
        return pairs if all(map(is_, made.values(), pairs.values())) else made

    return shape


def _absent(field: Field) -> Shape:
    """What is shown of a field that is not there but never left out."""
    if field.optional or not _is_struct(field.type) or is_special(field.type):
        value = None if field.optional else zero(field.type)
        return lambda _: value
    inner = _message(field.type)
    return lambda _: inner({})
