"""Plain trees in the shape that Go's JSON has: what upstream shows of an object, whatever its client left out.

A tree read into upstream's struct and written again loses empty values of fields with omitempty and gains the fields
that are always there: `status: {}` of a struct, `rules: null` of a list that must not be left out. Here the same is
done with the facts of the table. Idempotent; fields that are not known stay as they are.
Source: encoding/json; the structs of k8s.io/api.
"""

from collections.abc import Callable
from functools import cache
from operator import is_
from typing import Any

from apimachinery.types import Json
from apiserver.protobuf.table import INLINE, Field, fields, is_scalar, is_special, message_of, speaks, zero

#: Gives the very value that it is given where that has the shape already.
Shape = Callable[[Any], Any]


def shaped(tree: Json) -> Json:
    """The object as upstream would show it: a new tree, which shares what did not change."""
    kind = tree.get("kind", "")  # a protobuf body may say nothing
    if not speaks(tree.get("apiVersion", "")) or not (name := message_of(tree["apiVersion"], kind)):
        return tree
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], **_message(name)(tree)}


@cache
def _message(name: str) -> Shape:
    """The function that shapes a message. Most trees have the shape already: for these it should be nearly free."""
    shapes: dict[str, Shape] = {}
    left_out: set[str] = set()  # when they are empty
    always: dict[str, Shape] = {}
    is_ready = False

    def prepare() -> None:  # not before, since a message may contain itself
        nonlocal is_ready
        for field in _flat(name):
            if inner := _value(field.type):
                shapes[field.name] = inner
            if not (field.optional or field.kept or _is_struct(field.type)):
                left_out.add(field.name)
            if field.kept or (_is_struct(field.type) and not field.optional and not field.dropped):
                always[field.name] = _absent(field)
        is_ready = True

    def shape(tree: Json) -> Json:
        if not is_ready:
            prepare()
        out = tree
        if not all(tree.values()):
            out = {key: value for key, value in tree.items() if value or not (value is None or key in left_out)}
        if not shapes.keys().isdisjoint(out):
            for key in shapes.keys() & out.keys():
                value = out[key]
                made = shapes[key](value)
                if made is not value:
                    out = {**tree} if out is tree else out
                    out[key] = made
        if always and not always.keys() <= out.keys():
            out = {**out, **{key: absent(None) for key, absent in always.items() if key not in out}}
        return out

    return shape


def _flat(message: str) -> list[Field]:
    """The fields of a message with those that lie in it in JSON."""
    found = []
    for field in fields(message):
        found += _flat(field.type) if field.name == INLINE else [field]
    return found


def _is_struct(type_: str) -> bool:
    """Whether omitempty has no effect on a type."""
    return not is_scalar(type_) and not type_.startswith(("[]", "map<", "items<"))


def _value(type_: str) -> Shape | None:
    """What shapes a value, None where every value stays as it is."""
    if type_.startswith("[]"):
        return _each(_value(type_[2:]))
    if type_.startswith("map<"):
        return _each_value(_value(type_[4:-1].partition(",")[2]))
    if is_scalar(type_) or is_special(type_) or type_.startswith("items<"):
        return None
    return _message(type_)


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
