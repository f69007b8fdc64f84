"""Plain trees in the shape that Go's JSON has: what upstream shows of an object, whatever its client left out.

A tree read into upstream's struct and written again loses empty values of fields with omitempty and gains the fields
that are always there: `status: {}` of a struct, `rules: null` of a list that must not be left out. Here the same is
done with the facts of the table. Idempotent; fields that are not known stay as they are.
Source: encoding/json; the structs of k8s.io/api.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from apimachinery.types import Json
from apiserver.protobuf.table import INLINE, Field, fields, is_scalar, is_special, message_of, speaks, zero

Shape = Callable[[Any], Any]


class _Plan(NamedTuple):
    """What becomes of one field."""

    inner: Shape | None  # of its value, None where that stays as it is
    keeps_empty: bool


def shaped(tree: Json) -> Json:
    """The object as upstream would show it: a new tree, which shares what did not change."""
    kind = tree.get("kind", "")  # a protobuf body may say nothing
    if not speaks(tree.get("apiVersion", "")) or not (name := message_of(tree["apiVersion"], kind)):
        return tree
    return {"kind": tree["kind"], "apiVersion": tree["apiVersion"], **_message(name)(tree)}


@cache
def _message(name: str) -> Shape:
    """The function that shapes a message."""
    plans: dict[str, _Plan] = {}
    always: list[tuple[str, Shape]] = []

    def shape(tree: Json) -> Json:
        if not plans:  # not before, since a message may contain itself
            for field in _flat(name):
                plans[field.name] = _Plan(_value(field.type), field.optional or field.kept or _is_struct(field.type))
                if field.kept or (_is_struct(field.type) and not field.optional and not field.dropped):
                    always.append((field.name, _absent(field)))
        out: Json = {}
        for key, value in tree.items():
            if value is None:
                continue
            plan = plans.get(key)
            if plan is None:
                out[key] = value
            elif value or plan.keeps_empty:
                out[key] = value if plan.inner is None else plan.inner(value)
        for key, absent in always:
            if key not in out:
                out[key] = absent(None)
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
    return None if inner is None else lambda items: [inner(item or {}) for item in items]


def _each_value(inner: Shape | None) -> Shape | None:
    return None if inner is None else lambda pairs: {key: inner(value or {}) for key, value in pairs.items()}


def _absent(field: Field) -> Shape:
    """What is shown of a field that is not there but never left out."""
    if field.optional or not _is_struct(field.type) or is_special(field.type):
        value = None if field.optional else zero(field.type)
        return lambda _: value
    inner = _message(field.type)
    return lambda _: inner({})
