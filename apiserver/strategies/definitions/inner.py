"""How upstream holds a definition while it checks it: what all versions share lies at the top.

That shows in messages: a schema that every version has is `spec.validation.openAPIV3Schema`, one of several is
`spec.versions[1].schema.openAPIV3Schema`; and where a message shows a whole value, it shows Go's internal struct.
Source: apiextensions/v1/conversion.go, apiextensions/{types,types_jsonschema}.go.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from apimachinery.trees import copied
from apimachinery.types import Json
from apiserver.strategies.definitions.structure import meaning
from apiserver.structural.node import (
    EMBEDDED,
    INT_OR_STRING,
    LIST_KEYS,
    LIST_TYPE,
    MAP_TYPE,
    PRESERVES,
    RULES,
    normal_numbers,
)

#: Of a version: our name, upstream's at the top.
SHARED = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}


def shared(versions: Sequence[Json], name: str) -> bool:
    """Whether all versions have the same: then it is looked at once, at the top."""
    first = meaning(versions[0].get(name)) if versions else None
    return all(meaning(version.get(name)) == first for version in versions)


_STRING, _NIL, _BOOL = "", None, False
#: Go's fields in their order: name, the JSON field, its zero value.
_FIELDS: tuple[tuple[str, str, Any], ...] = (
    ("ID", "id", _STRING),
    ("Schema", "$schema", _STRING),
    ("Ref", "$ref", _NIL),
    ("Description", "description", _STRING),
    ("Type", "type", _STRING),
    ("Nullable", "nullable", _BOOL),
    ("Format", "format", _STRING),
    ("Title", "title", _STRING),
    ("Default", "default", _NIL),
    ("Maximum", "maximum", _NIL),
    ("ExclusiveMaximum", "exclusiveMaximum", _BOOL),
    ("Minimum", "minimum", _NIL),
    ("ExclusiveMinimum", "exclusiveMinimum", _BOOL),
    ("MaxLength", "maxLength", _NIL),
    ("MinLength", "minLength", _NIL),
    ("Pattern", "pattern", _STRING),
    ("MaxItems", "maxItems", _NIL),
    ("MinItems", "minItems", _NIL),
    ("UniqueItems", "uniqueItems", _BOOL),
    ("MultipleOf", "multipleOf", _NIL),
    ("Enum", "enum", _NIL),
    ("MaxProperties", "maxProperties", _NIL),
    ("MinProperties", "minProperties", _NIL),
    ("Required", "required", _NIL),
    ("Items", "items", _NIL),
    ("AllOf", "allOf", _NIL),
    ("OneOf", "oneOf", _NIL),
    ("AnyOf", "anyOf", _NIL),
    ("Not", "not", _NIL),
    ("Properties", "properties", _NIL),
    ("AdditionalProperties", "additionalProperties", _NIL),
    ("PatternProperties", "patternProperties", _NIL),
    ("Dependencies", "dependencies", _NIL),
    ("AdditionalItems", "additionalItems", _NIL),
    ("Definitions", "definitions", _NIL),
    ("ExternalDocs", "externalDocs", _NIL),
    ("Example", "example", _NIL),
    ("XPreserveUnknownFields", PRESERVES, _NIL),
    ("XEmbeddedResource", EMBEDDED, _BOOL),
    ("XIntOrString", INT_OR_STRING, _BOOL),
    ("XListMapKeys", LIST_KEYS, _NIL),
    ("XListType", LIST_TYPE, _NIL),
    ("XMapType", MAP_TYPE, _NIL),
    ("XValidations", RULES, _NIL),
)
_in_order = msgspec.json.Encoder(order="deterministic").encode
_WRITTEN_OUT = 1e21  # beyond this Go's JSON has exponents
_LISTS, _MAPS = ("AllOf", "OneOf", "AnyOf"), ("Properties", "PatternProperties", "Definitions")


def set_fields(schema: Json) -> Iterator[str]:
    """Go's names of the fields that a schema sets, in Go's order."""
    for name, field, zero in _FIELDS:
        if field in schema and schema[field] != zero:
            yield name


def as_internal(schema: Json) -> bytes:
    """The JSON of Go's internal struct of a schema."""
    return msgspec.json.encode(_internal(schema))


def _internal(schema: Json) -> Json:
    made: Json = {}
    for name, field, zero in _FIELDS:
        value = schema.get(field)
        if value is None:
            value = zero
        elif name in _LISTS:
            value = [_internal(branch) for branch in value]
        elif name in _MAPS:
            value = {key: _internal(child) for key, child in sorted(value.items())}
        elif name == "Not":
            value = _internal(value)
        elif name == "Items":
            one = isinstance(value, dict)
            value = {
                "Schema": _internal(value) if one else None,
                "JSONSchemas": None if one else [_internal(item) for item in value],
            }
        elif name in ("AdditionalProperties", "AdditionalItems"):
            one = isinstance(value, dict)
            value = {"Allows": True if one else value, "Schema": _internal(value) if one else None}
        elif value.__class__ is float and value.is_integer() and abs(value) < _WRITTEN_OUT:
            value = msgspec.Raw(str(int(value)).encode())
        elif name in ("Default", "Enum", "Example"):
            value = msgspec.Raw(_in_order(normal_numbers(copied(value))))
        elif name == "XValidations":
            value = [rule_as_internal(rule) for rule in value]
        made[name] = value
    return made


def rule_as_internal(rule: Json) -> Json:
    """Go's internal struct of a rule."""
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def versions_as_internal(versions: Sequence[Json]) -> bytes:
    """The JSON of Go's internal versions, without what lies at the top."""
    kept = {name: not shared(versions, name) for name in SHARED}
    return msgspec.json.encode([_version(version, kept) for version in versions])


def _version(version: Json, kept: dict[str, bool]) -> Json:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") if kept["schema"] else None
    subresources = version.get("subresources") if kept["subresources"] else None
    columns = version.get("additionalPrinterColumns") if kept["additionalPrinterColumns"] else None
    fields = version.get("selectableFields") if kept["selectableFields"] else None
    return {
        "Name": version.get("name", ""),
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": {"OpenAPIV3Schema": _internal(schema)} if schema is not None else None,
        "Subresources": _subresources(subresources),
        "AdditionalPrinterColumns": [_column(column) for column in columns] if columns else None,
        "SelectableFields": [{"JSONPath": field.get("jsonPath", "")} for field in fields] if fields else None,
    }


def _subresources(tree: Json | None) -> Json | None:
    if tree is None:
        return None
    scale = tree.get("scale")
    return {
        "Status": {} if tree.get("status") is not None else None,
        "Scale": None
        if scale is None
        else {
            "SpecReplicasPath": scale.get("specReplicasPath", ""),
            "StatusReplicasPath": scale.get("statusReplicasPath", ""),
            "LabelSelectorPath": scale.get("labelSelectorPath"),
        },
    }


def _column(column: Json) -> Json:
    names = ("name", "type", "format", "description", "priority", "jsonPath")
    shown = ("Name", "Type", "Format", "Description", "Priority", "JSONPath")
    zero = ("", "", "", "", 0, "")
    return {new: column.get(old, empty) for old, new, empty in zip(names, shown, zero, strict=True)}
