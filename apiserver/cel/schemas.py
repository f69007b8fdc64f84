"""Types and values of expressions from OpenAPI schemas: what `self` is in x-kubernetes-validations.

A structural schema gives a `Typed`: the CEL type, and a function from the JSON tree to the value. A tree without
special leaves (times, durations, bytes, numbers, sets, keyed lists) is its own value, nothing is copied. Parts without
a type are not accessible. Escaping of names is apiserver/pkg/cel/escaping.go, the rest common/schemas.go and
common/valuesunstructured.go. A value that does not fit its schema stays as it is: the schema's check has told of it.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from apimachinery.types import Json
from apiserver.cel import types
from apiserver.cel.types import Property, Type, list_of, map_of, object_type
from apiserver.cel.values import KeyedList, SetList, parse_duration, parse_timestamp

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Typed:
    type: Type
    #: From the tree to the value; None where the tree is the value.
    convert: Convert | None = None

    def value(self, tree: Any) -> Any:
        return tree if self.convert is None else self.convert(tree)


_RESERVED = frozenset(
    (
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_SYMBOLS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SYMBOL = re.compile(r"__|[./-]")
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def escape(name: str) -> str | None:
    """The name as expressions say it (`a-b` is `a__dash__b`); None if they cannot."""
    if not name or name[0].isdigit() or name == "__":
        return None
    if name in _RESERVED:
        return f"__{name}__"
    escaped = _SYMBOL.sub(lambda match: _SYMBOLS[match.group()], name)
    return escaped if _IDENTIFIER.fullmatch(escaped) else None


_META: Json = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}


def with_meta(schema: Json) -> Json:
    """apiVersion, kind and the names are accessible at a resource's root, whatever its schema says."""
    given = schema.get("properties") or {}
    meta = given.get("metadata") or {}
    named = meta.get("properties") or {}
    strings = (given.get("kind"), given.get("apiVersion"), named.get("name"), named.get("generateName"))
    if meta.get("type") == "object" and all(one is not None and one.get("type") == "string" for one in strings):
        return schema
    fixed = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _META}
    return {**schema, "properties": {**given, **fixed}}


def typed(schema: Json, *, root: bool = False, name: str = "selfType") -> Typed | None:
    """The type and conversion of a structural schema; `root` for a whole resource. None where nothing is known."""
    if schema.get("x-kubernetes-int-or-string"):
        return Typed(types.DYN)
    if root:
        schema = with_meta(schema)
    match schema.get("type"):
        case "array":
            return _list(schema, name)
        case "object":
            return _object(schema, name)
        case "string":
            return _STRINGS.get(schema.get("format", ""), _STRING)
        case "boolean":
            return Typed(types.BOOL)
        case "number":
            return Typed(types.DOUBLE, _double)
        case "integer":
            return Typed(types.INT)
    return None


def _double(tree: Any) -> Any:
    return float(tree) if type(tree) is int else tree


def _bytes(tree: Any) -> Any:
    try:
        return b64decode(tree, validate=True) if isinstance(tree, str) else tree
    except (binascii.Error, ValueError):
        return tree


def _timestamp(tree: Any) -> Any:
    return (parse_timestamp(tree) or tree) if isinstance(tree, str) else tree


def _date(tree: Any) -> Any:
    return (parse_timestamp(f"{tree}T00:00:00Z") or tree) if isinstance(tree, str) else tree


def _duration(tree: Any) -> Any:
    return (parse_duration(tree) or tree) if isinstance(tree, str) else tree


_STRING = Typed(types.STRING)
_STRINGS = {
    "byte": Typed(types.BYTES, _bytes),
    "duration": Typed(types.DURATION, _duration),
    "date": Typed(types.TIMESTAMP, _date),
    "date-time": Typed(types.TIMESTAMP, _timestamp),
}


def _list(schema: Json, name: str) -> Typed | None:
    items = schema.get("items")
    if not isinstance(items, dict):
        return None
    item = typed(items, root=bool(items.get("x-kubernetes-embedded-resource")), name=f"{name}.@idx")
    if item is None:
        return None
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    make: Callable[[Any], Any] | None = None
    if kind == "set":
        make = SetList
    elif kind == "map":
        make = partial(_keyed, keys=keys)
    return Typed(list_of(item.type), _list_conversion(item.convert, make))


def _keyed(values: Any, keys: tuple[str, ...]) -> KeyedList:
    made = KeyedList(values)
    made.keys = keys
    return made


def _list_conversion(item: Convert | None, make: Callable[[Any], Any] | None) -> Convert | None:
    if item is None and make is None:
        return None

    def convert(tree: Any) -> Any:
        if not isinstance(tree, list):
            return tree
        values = tree if item is None else [item(value) for value in tree]
        return values if make is None else make(values)

    return convert


def _object(schema: Json, name: str) -> Typed | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        value = typed(additional, root=bool(additional.get("x-kubernetes-embedded-resource")), name=f"{name}.@elem")
        if value is None:
            return None
        return Typed(map_of(types.STRING, value.type), _map_conversion(value.convert))
    fields: dict[str, Property] = {}
    conversions: dict[str, Convert] = {}
    for key, property_schema in (schema.get("properties") or {}).items():
        escaped = escape(key)
        embedded = bool(property_schema.get("x-kubernetes-embedded-resource"))
        found = typed(property_schema, root=embedded, name=f"{name}.{escaped}")
        if found is None or escaped is None:
            continue
        fields[escaped] = Property(key, found.type)
        if found.convert is not None:
            conversions[key] = found.convert
    return Typed(object_type(name, fields), _object_conversion(conversions))


def _map_conversion(value: Convert | None) -> Convert | None:
    if value is None:
        return None

    def convert(tree: Any) -> Any:
        return {key: value(entry) for key, entry in tree.items()} if isinstance(tree, dict) else tree

    return convert


def _object_conversion(conversions: dict[str, Convert]) -> Convert | None:
    if not conversions:
        return None

    def convert(tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        changed = {key: change(tree[key]) for key, change in conversions.items() if key in tree}
        return {**tree, **changed}

    return convert
