"""What the OpenAPI schemas of a definition may say, beyond their structure: no references, list types, map keys, rules.

`Options` holds what is not required because the definition that is updated broke it already: existing definitions can
always be changed. Source: apiextensions/validation/validation.go (ValidateCustomResourceDefinitionOpenAPISchema).
"""

import re
from dataclasses import dataclass, replace

import msgspec

from apimachinery.errors import FieldError, not_supported
from apimachinery.types import Json
from apiserver.strategies.definitions import inner, structure
from apiserver.strategies.problems import Problems, forbidden, invalid, required
from apiserver.structural.node import EMBEDDED, LIST_KEYS, LIST_TYPE, MAP_TYPE, META_FIELDS, PRESERVES, RULES
from apiserver.structural.paths import resolved

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
#: Those of them that upstream forbids even when they are empty.
_UNSUPPORTED_EMPTY = ("additionalItems", "dependencies", "$ref")
_NEWLINE = re.compile(r"[\n\r]")
_AT_ROOT = "at the root of the schema if the status subresource is enabled"
_ROOT_FIELDS = (
    "Description",
    "Type",
    "Format",
    "Title",
    "Maximum",
    "ExclusiveMaximum",
    "Minimum",
    "ExclusiveMinimum",
    "MaxLength",
    "MinLength",
    "Pattern",
    "MaxItems",
    "MinItems",
    "UniqueItems",
    "MultipleOf",
    "Required",
    "Items",
    "Properties",
    "ExternalDocs",
    "Example",
    "XPreserveUnknownFields",
    "XValidations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is required of schemas."""

    needs_schema: bool = True
    valid_types: bool = True
    structural: bool = True
    pruned_defaults: bool = True
    atomic_sets: bool = True
    sound_keys: bool = True
    unchanged: frozenset[str] = frozenset()  # versions whose schema is as it was

    def but_structural(self) -> "Options":
        """The same with schemas that must be structural."""
        return replace(self, structural=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema a walk is."""

    options: Options
    no_defaults: str | None = None  # why defaults are forbidden; None: they are not
    in_meta: bool = False


def check_root(path: str, schema: Json, *, has_status: bool) -> Problems:
    """What may stand at the root."""
    if has_status:
        for name in inner.set_fields(schema):
            if name == "Type":
                if schema["type"] != "object":
                    why = f'only "object" is allowed as the type {_AT_ROOT}'
                    yield invalid(f"{path}.type", schema["type"], why)
                    break
            elif name not in _ROOT_FIELDS:
                allowed = " ".join(_ROOT_FIELDS)
                why = f"only [{allowed}] fields are allowed {_AT_ROOT}"
                yield invalid(path, msgspec.Raw(inner.as_internal(schema)), why)
                break
    if schema.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def check(path: str, schema: Json, options: Options) -> list[FieldError]:
    """Everything that a schema may not say."""
    return [*_check(path, schema, _Place(options), is_root=True)]


def _check(path: str, schema: Json, place: _Place, *, is_root: bool = False) -> Problems:
    yield from _standard(path, schema, place)
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", why)
    yield from _objects(path, schema, place, is_root=is_root)
    for name in ("allOf", "oneOf", "anyOf"):
        for i, branch in enumerate(schema.get(name) or ()):
            yield from _check(f"{path}.{name}[{i}]", branch, place)
    if schema.get("not") is not None:
        yield from _check(f"{path}.not", schema["not"], place)
    for name, child in (schema.get("definitions") or {}).items():
        yield from _check(f"{path}.definitions[{name}]", child, place)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _check(f"{path}.items", items, place)
    elif isinstance(items, list):
        for i, item in enumerate(items):
            yield from _check(f"{path}.items[{i}]", item, place)
    if schema.get(PRESERVES) is False:
        yield invalid(f"{path}.{PRESERVES}", False, "must be true or undefined")
    yield from _map_type(path, schema)
    yield from _list_type(path, schema, place.options)
    if place.options.sound_keys:
        yield from check_keys(path, schema)
    for i, rule in enumerate(schema.get(RULES) or ()):
        yield from _rule(f"{path}.{RULES}[{i}]", rule, schema)


def _objects(path: str, schema: Json, place: _Place, *, is_root: bool) -> Problems:
    more, properties = schema.get("additionalProperties"), schema.get("properties") or {}
    if more is not None:
        if properties and more is not True:
            yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
        if isinstance(more, dict):
            below = place
            if place.in_meta:
                below = replace(place, no_defaults="inside additionalProperties applying to object metadata")
            yield from _check(f"{path}.additionalProperties", more, below)
    for name, child in properties.items():
        below = place
        if (is_root or schema.get(EMBEDDED)) and name in META_FIELDS:
            below = replace(below, in_meta=True)
            if is_root:
                below = replace(below, no_defaults=f"in top-level {name}")
        yield from _check(f"{path}.properties[{name}]", child, below)


def _standard(path: str, schema: Json, place: _Place) -> Problems:
    kind = schema.get("type") or ""
    if place.options.valid_types and kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if schema.get("default") is not None and place.no_defaults is not None:
        yield forbidden(f"{path}.default", f"must not be set {place.no_defaults}".rstrip())
    for name in _UNSUPPORTED:
        if schema.get(name) or (name in _UNSUPPORTED_EMPTY and schema.get(name) is not None):
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list) and schema["items"]:
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.in_meta and schema.get(EMBEDDED):
        yield forbidden(f"{path}.{EMBEDDED}", "must not be used inside of resource meta")


def _of_type(path: str, schema: Json, wanted: str, name: str) -> Problems:
    kind, why = schema.get("type") or "", f"must be {wanted} if {name} is specified"
    if kind != wanted:
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)


def _map_type(path: str, schema: Json) -> Problems:
    map_type = schema.get(MAP_TYPE)
    if map_type is None:
        return
    yield from _of_type(path, schema, "object", MAP_TYPE)
    if map_type not in ("atomic", "granular"):
        yield not_supported(f"{path}.{MAP_TYPE}", map_type, ("atomic", "granular"))


def _list_type(path: str, schema: Json, options: Options) -> Problems:
    list_type, keys, items = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or [], schema.get("items")
    if list_type is not None:
        if schema.get("type") != "array":
            yield from _of_type(path, schema, "array", LIST_TYPE)
        elif options.atomic_sets and list_type == "set" and isinstance(items, dict):
            yield from _set_items(f"{path}.items", items)
        if list_type not in ("atomic", "set", "map"):
            yield not_supported(f"{path}.{LIST_TYPE}", list_type, ("atomic", "set", "map"))
    if keys and list_type != "map":
        why, here = f"must be map if {LIST_KEYS} is non-empty", f"{path}.{LIST_TYPE}"
        yield required(here, why) if list_type is None else invalid(here, list_type, why)
    if list_type == "map":
        yield from _map_items(path, keys, items)


def _set_items(path: str, items: Json) -> Problems:
    why = f"must be atomic as item of a list with {LIST_TYPE}=set"
    if items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"):
        yield invalid(f"{path}.{LIST_TYPE}", items[LIST_TYPE], why)
    if is_granular(items):
        yield invalid(f"{path}.{MAP_TYPE}", items.get(LIST_TYPE), why)


def is_granular(items: Json) -> bool:
    """Whether an object has fields that are owned one by one: then it cannot be an element of a set."""
    return items.get("type") == "object" and items.get(MAP_TYPE) != "atomic"


def _map_items(path: str, keys: list[str], items: object) -> Problems:
    if not keys:
        yield required(f"{path}.{LIST_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    if items is None:
        yield required(f"{path}.items", f"must have a schema if {LIST_TYPE} is map")
    elif not isinstance(items, dict):
        yield invalid(f"{path}.items", items, f"must only have a single schema if {LIST_TYPE} is map")
    elif items.get("type") != "object":
        why = f"must be object if parent array's {LIST_TYPE} is map"
        yield invalid(f"{path}.items.type", items.get("type") or "", why)
    else:
        yield from _keys(path, keys, items)


def _keys(path: str, keys: list[str], items: Json) -> Problems:
    properties, seen = items.get("properties") or {}, set[str]()
    for key in keys:
        if key not in properties:
            yield invalid(f"{path}.{LIST_KEYS}", keys, "entries must all be names of item properties")
        elif properties[key].get("type") in ("array", "object"):
            why = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield invalid(f"{path}.items.properties[{key}].type", items["type"], why)
        if key in seen:
            yield invalid(f"{path}.{LIST_KEYS}", keys, "must not contain duplicate entries")
        seen.add(key)


def check_keys(path: str, schema: Json) -> Problems:
    """Keys of a map-like list are there in every item; its items, and a set's, are never null."""
    list_type, items = schema.get(LIST_TYPE), schema.get("items")
    if list_type not in ("set", "map") or not isinstance(items, dict):
        return
    if items.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when {LIST_TYPE} is {list_type}")
    if list_type != "map":
        return
    properties, needed = items.get("properties") or {}, items.get("required") or ()
    for key in schema.get(LIST_KEYS) or ():
        if key not in properties:
            continue
        here = f"{path}.items.properties[{key}]"
        if key not in needed and properties[key].get("default") is None:
            why = f"this property is in {LIST_KEYS}, so it must have a default or be a required property"
            yield required(f"{here}.default", why)
        if properties[key].get("nullable"):
            yield forbidden(f"{here}.nullable", f"this property is in {LIST_KEYS}, so it cannot be nullable")


def _rule(path: str, rule: Json, schema: Json) -> Problems:
    text, message, expression = rule.get("rule") or "", rule.get("message") or "", rule.get("messageExpression") or ""
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _NEWLINE.search(message.strip()):
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif _NEWLINE.search(text.strip()) and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    reason, where = rule.get("reason"), rule.get("fieldPath") or ""
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, _REASONS)
    if where and not where.strip():
        yield invalid(f"{path}.fieldPath", where, "must be non-empty if specified")
    if _NEWLINE.search(where):
        yield invalid(f"{path}.fieldPath", where, "must not contain line breaks")
    if where and not structure.unsupported(schema):
        try:
            resolved(where, schema)
        except ValueError:
            yield invalid(f"{path}.fieldPath", where, "must be a valid path")
