"""How the values of a kind merge: one `Type` for each schema, compiled from OpenAPI when first needed.

    x-kubernetes-list-type   atomic (the default), set, map with x-kubernetes-list-map-keys; else the patch strategy
    x-kubernetes-map-type    atomic, granular (the default)
    no type, preserve-unknown-fields, no properties: what lies there is deduced: objects merge, lists are atomic

`built_in(kind)` is compiled from the definitions of v1.34, `custom(schema)` from a CustomResourceDefinition's
openAPIV3Schema, `DEDUCED` stands where there is no schema at all.
Sources: kube-openapi/pkg/schemaconv, structured-merge-diff/schema, apiextensions' openapi builder (embedded resources).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from apimachinery import schema as openapi
from apimachinery.kinds import Kind
from apimachinery.types import Json

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"
#: What has no type in OpenAPI and yet holds no booleans.
_NO_BOOLEANS = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1")
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
NUMERIC, STRING, BOOLEAN, UNTYPED = "numeric", "string", "boolean", "untyped"
#: Defaults of fields that are keys of lists; a required key's default is its type's zero value.
_KEY_DEFAULTS = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.ServicePort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.LocalObjectReference", "name"): "",
}
_ZEROES: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}


class Type:
    """What a value may be, and how it merges: a scalar, a list, an object, or (untyped) any of them.

    Filled in by the compiler, since types refer to one another; a constant afterwards.
    """

    __slots__ = (
        "defaults",
        "element",
        "fields",
        "holds_any",
        "is_deduced_map",
        "is_list",
        "is_map",
        "items",
        "keys",
        "list_atomic",
        "map_atomic",
        "name",
        "scalar",
    )

    def __init__(self, name: str = "") -> None:
        self.name = name  # of the definition, for messages
        self.scalar = ""  # NUMERIC, STRING, BOOLEAN, UNTYPED; "" for none
        self.is_list = False
        self.list_atomic = True
        self.keys: tuple[str, ...] = ()  # sorted; of a list that is not atomic, () for a set
        self.items: Type | None = None
        self.is_map = False
        self.map_atomic = False
        self.fields: dict[str, Type] = {}
        self.element: Type | None = None  # of fields that `fields` does not name; None: there may be none
        self.is_deduced_map = False
        self.defaults: Json = {}  # of fields, where they have one
        self.holds_any = False  # somewhere in it a boolean may stand in place of a number

    def of(self, field: str) -> "Type | None":
        """The type of a field."""
        return self.fields.get(field, self.element)

    def copied(self) -> "Type":
        """The same type, to be changed in one respect."""
        made = Type(self.name)
        for slot in self.__slots__:
            setattr(made, slot, getattr(self, slot))
        return made


def _any(*, deduced: bool) -> Type:
    made = Type("__untyped_deduced_" if deduced else "__untyped_atomic_")
    made.scalar, made.is_list, made.is_map = UNTYPED, True, True
    made.map_atomic, made.is_deduced_map, made.holds_any = not deduced, deduced, True
    made.element = made.items = made
    return made


#: Any value, taken as a whole.
ATOMIC = _any(deduced=False)
#: Any value: objects merge field by field, lists are taken as a whole.
DEDUCED = _any(deduced=True)
DEDUCED.items = ATOMIC


class Compiler:
    """Schemas to types. `named` resolves a reference."""

    def __init__(self, named: Callable[[str], Type]) -> None:
        self._named = named

    def fill(self, made: Type, schema: Json, *, is_open: bool) -> Type:
        """Make a type what its schema says. `is_open`: a schema above keeps unknown fields."""
        is_open = is_open or schema.get("x-kubernetes-preserve-unknown-fields") is True
        kind = _type(schema)
        if kind in ("object", ""):
            self._map(made, schema, is_open=is_open)
        if kind in ("array", ""):
            self._list(made, schema, is_open=is_open)
        if kind not in ("object", "array"):
            made.scalar = _scalar(kind, schema.get("format", ""))
        inner = (*made.fields.values(), made.element, made.items)
        made.holds_any = kind == "" or any(part.holds_any for part in inner if part is not None)
        return made

    def ref(self, schema: Json, *, is_open: bool) -> Type:
        """The type of a field, an item or a map's value."""
        target = openapi.target(schema)
        if target is None and len(schema.get("allOf", ())) == 1:
            target = openapi.target(schema["allOf"][0])
        if target is None:
            return self.fill(Type(), schema, is_open=is_open)
        named = self._named(target)
        relation = schema.get("x-kubernetes-map-type")
        if relation is None:
            return named
        made = named.copied()
        made.map_atomic = relation == "atomic"
        return made

    def _map(self, made: Type, schema: Json, *, is_open: bool) -> None:
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        made.is_map = True
        made.map_atomic = schema.get("x-kubernetes-map-type") == "atomic"
        made.fields = {name: self.ref(inner, is_open=is_open) for name, inner in properties.items()}
        made.defaults = {name: inner["default"] for name, inner in properties.items() if "default" in inner}
        if isinstance(more, dict):
            made.element = self.ref(more, is_open=is_open)
        elif more is True or (more is None and (is_open or not properties)):
            made.element = DEDUCED
        made.is_deduced_map = not properties and made.element is not None and _is_deduced(made.element)

    def _list(self, made: Type, schema: Json, *, is_open: bool) -> None:
        made.is_list = True
        made.list_atomic, keys = _relation(schema)
        made.keys = tuple(sorted(keys))
        items = schema.get("items")
        made.items = self.ref(items, is_open=is_open) if isinstance(items, dict) else ATOMIC


def _is_deduced(element: Type) -> bool:
    return element is DEDUCED or (not element.name and element.scalar == UNTYPED)


def _type(schema: Json) -> str:
    """The one type of a schema, next to which `null` may stand."""
    kind = schema.get("type") or ""
    return str(next((k for k in kind if k != "null"), "") if isinstance(kind, list) else kind)


def _scalar(kind: str, form: str) -> str:
    if kind in ("integer", "number"):
        return NUMERIC
    if kind == "boolean":
        return BOOLEAN
    return STRING if kind == "string" and form in ("", "byte") else UNTYPED


def _relation(schema: Json) -> tuple[bool, tuple[str, ...]]:
    """Whether a list is atomic, and the keys of its elements."""
    if (kind := schema.get("x-kubernetes-list-type")) is not None:
        return kind not in ("set", "map"), tuple(schema.get("x-kubernetes-list-map-keys") or ()) * (kind == "map")
    if schema.get("x-kubernetes-patch-strategy") in ("merge", "merge,retainKeys"):
        key = schema.get("x-kubernetes-patch-merge-key")
        return False, (key,) if key else ()
    return True, ()


@cache
def definition(name: str) -> Type:
    """The type of one of v1.34's definitions."""
    return _DEFINITIONS.of(name)


class _Definitions:
    """The types of the built-in definitions; a reference within a cycle is given out before it is filled."""

    def __init__(self) -> None:
        self._types: dict[str, Type] = {}
        self._compiler = Compiler(self.of)

    def of(self, name: str) -> Type:
        """See `definition`."""
        if name not in self._types:
            made = self._types[name] = Type(name)
            if name == _RAW:
                made = self._types[name] = ATOMIC
            elif name == _QUANTITY:
                made.scalar = UNTYPED
            else:
                schema = openapi.DEFINITIONS[name]
                self._compiler.fill(made, schema, is_open=False)
                made.defaults = _key_defaults(name, schema)
                made.holds_any = made.holds_any and name not in _NO_BOOLEANS
        return self._types[name]


def _key_defaults(name: str, schema: Json) -> Json:
    """What stands for a missing key. The wheel has no defaults, but those of required scalars are their zeroes."""
    found = {}
    for field, inner in (schema.get("properties") or {}).items():
        if (name, field) in _KEY_DEFAULTS:
            found[field] = _KEY_DEFAULTS[name, field]
        elif field in schema.get("required", ()) and _type(inner) in _ZEROES:
            found[field] = _ZEROES[_type(inner)]
    return found


_DEFINITIONS = _Definitions()


@cache
def built_in(kind: Kind) -> Type:
    """The type of a built-in kind; what has no definition is deduced."""
    name = openapi.definition(kind)
    return definition(name) if name is not None else DEDUCED


def custom(schema: Json | None, *, preserves: bool = False) -> Type:
    """The type of a custom resource, from the openAPIV3Schema of its version. No schema: deduced.

    `preserves`: the definition keeps unknown fields everywhere (spec.preserveUnknownFields).
    """
    if not schema:
        return DEDUCED
    return Compiler(definition).fill(Type(), _with_meta(_embedded(schema)), is_open=preserves)


def _with_meta(schema: Json) -> Json:
    """An object's schema with what every object has."""
    properties = {
        **(schema.get("properties") or {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{_META}"},
    }
    return {**schema, "properties": properties}


def _embedded(schema: Any) -> Any:
    """The schema with the metadata of objects that lie inside the object (x-kubernetes-embedded-resource)."""
    if isinstance(schema, list):
        return [_embedded(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _embedded(item) if key not in ("default", "enum") else item for key, item in schema.items()}
    return _with_meta(made) if schema.get("x-kubernetes-embedded-resource") is True else made
