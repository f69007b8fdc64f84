"""What makes a schema structural: types everywhere, values validated only where they are specified.

Below allOf, anyOf, oneOf and not, a schema may judge values, not say what they are. The problems come sorted, as
upstream sorts them. Source: apiextensions-apiserver/pkg/apiserver/schema/{convert,validation,complete}.go.
"""

from collections.abc import Iterator
from typing import Any

from apimachinery.errors import FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, forbidden, invalid, required
from apiserver.structural import patterns
from apiserver.structural.node import EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE, MAP_TYPE, PRESERVES, RULES

ROOT, ITEM, FIELD = "at the root", "for specified array items", "for specified object fields"
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_UNSUPPORTED = ("id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions")
_SHOWN = {"$schema": "schema"}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_MAPS = ("properties", "patternProperties", "definitions", "dependencies")
_METADATA: tuple[set[str], ...] = ({"name"}, {"generateName"}, {"name", "generateName"})


def unsupported(schema: Json) -> str:
    """Why a schema cannot even be read as a structural one, "" when it can."""
    for name in _UNSUPPORTED:
        if schema.get(name):
            return f"OpenAPIV3Schema '{_SHOWN.get(name, name)}' is not supported"
    if schema.get(PRESERVES) is False:
        return f"internal error: '{PRESERVES}' must be true or undefined"
    if schema.get("items") and isinstance(schema["items"], list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    inner = [schema["not"]] if schema.get("not") else []
    for name in _JUNCTORS:
        inner += schema.get(name) or []
    inner += [child for child in (schema.get("items"), schema.get("additionalProperties")) if isinstance(child, dict)]
    inner += (schema.get("properties") or {}).values()
    return next((why for why in map(unsupported, inner) if why), "")


def check(path: str, schema: Json) -> list[FieldError]:
    """Everything that keeps a schema from being structural."""
    found = [*_invariants(path, schema, ROOT), *_completeness(schema, schema, path, path)]
    return sorted(found, key=str)


def _invariants(path: str, schema: Json, level: str) -> Problems:
    kind, items, more = schema.get("type") or "", schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and not isinstance(items, dict):
        yield required(f"{path}.items", "must be specified")
    if isinstance(items, dict):
        yield from _invariants(f"{path}.items", items, ITEM)
    properties = schema.get("properties") or {}
    for name, child in properties.items():
        yield from _invariants(f"{path}.properties[{name}]", child, FIELD)
    if more is not None:
        if level == ROOT:
            yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(more, dict):
            yield from _invariants(f"{path}.additionalProperties", more, FIELD)
    yield from _extensions(path, schema)
    yield from _values(path, schema, skips_any=is_int_or_string(schema), skips_first=_all_of_int_or_string(schema))
    yield from _type(path, schema, level)
    if schema.get(EMBEDDED) and more is not None:
        yield forbidden(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if level == ROOT and kind not in ("", "object"):
        yield invalid(f"{path}.type", kind, "must be object at the root")
    yield from _meta(path, schema, level)
    if schema.get(EMBEDDED) and not schema.get(PRESERVES) and not properties:
        yield required(f"{path}.properties", f"must not be empty if {EMBEDDED} is true without {PRESERVES}")


def _type(path: str, schema: Json, level: str) -> Problems:
    kind = schema.get("type") or ""
    if schema.get(EMBEDDED) and kind != "object":
        why = f"must be object if {EMBEDDED} is true"
        yield invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVES):
        yield required(f"{path}.type", f"must not be empty {level}")


def _extensions(path: str, schema: Json) -> Problems:
    if schema.get(INT_OR_STRING):
        for name in (PRESERVES, EMBEDDED):
            if schema.get(name):
                yield invalid(f"{path}.{name}", True, f"must be false if {INT_OR_STRING} is true")


def _meta(path: str, schema: Json, level: str) -> Problems:
    properties = schema.get("properties") or {}
    checks = level == ROOT or bool(schema.get(EMBEDDED))
    for name in ("kind", "apiVersion"):
        if checks and name in properties and properties[name].get("type") != "string":
            yield invalid(f"{path}.properties[{name}].type", properties[name].get("type") or "", "must be string")
    if "metadata" in properties:
        here, metadata = f"{path}.properties[metadata]", properties["metadata"]
        if checks and metadata.get("type") != "object":
            yield invalid(f"{here}.type", metadata.get("type") or "", "must be object")
        if level == ROOT and _says_more(metadata):
            why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield forbidden(here, why)


def _says_more(metadata: Json) -> bool:
    rest = {name: value for name, value in meaning(metadata).items() if name not in ("type", "default")}
    if set(rest.get("properties") or ()) in _METADATA:
        del rest["properties"]
    return bool(rest)


def meaning(schema: Any) -> Any:
    """A schema without what is as good as not there."""
    if isinstance(schema, dict):
        made = {name: meaning(value) for name, value in schema.items() if name not in ("example", "externalDocs")}
        return {name: value for name, value in made.items() if not _is_nothing(name, value)}
    return [meaning(item) for item in schema] if isinstance(schema, list) else schema


def _is_nothing(name: str, value: Any) -> bool:
    if value is None or (isinstance(value, (str, list)) and not value):
        return True
    return (value is False and name != "additionalProperties") or (value == {} and name in _MAPS)


def is_int_or_string(schema: Json) -> bool:
    """Whether anyOf says integer or string in the one form that is allowed."""
    return [meaning(branch) for branch in schema.get("anyOf") or ()] == _INT_OR_STRING


def _all_of_int_or_string(schema: Json) -> bool:
    branches = schema.get("allOf") or [{}]
    return is_int_or_string(branches[0])


def _values(path: str, schema: Json, *, skips_any: bool, skips_first: bool) -> Problems:
    if not skips_any:
        for i, branch in enumerate(schema.get("anyOf") or ()):
            yield from _nested(f"{path}.anyOf[{i}]", branch)
    for i, branch in enumerate(schema.get("allOf") or ()):
        yield from _nested(f"{path}.allOf[{i}]", branch, skips_any=skips_first and i == 0)
    for i, branch in enumerate(schema.get("oneOf") or ()):
        yield from _nested(f"{path}.oneOf[{i}]", branch)
    if schema.get("not") is not None:
        yield from _nested(f"{path}.not", schema["not"])
    if schema.get("pattern"):
        try:
            patterns.compiled(schema["pattern"])
        except patterns.BadPattern as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(f"{path}.pattern", schema["pattern"], why)


def _nested(path: str, schema: Json, *, skips_any: bool = False) -> Problems:
    yield from _values(path, schema, skips_any=skips_any, skips_first=False)
    if isinstance(schema.get("items"), dict):
        yield from _nested(f"{path}.items", schema["items"])
    for name, child in (schema.get("properties") or {}).items():
        yield from _nested(f"{path}.properties[{name}]", child)
    for name, what in _FORBIDDEN:
        value = schema.get(name)
        if value or (value is not None and name in ("default", LIST_TYPE, MAP_TYPE)):
            yield forbidden(f"{path}.{name}", f"must be {what} to be structural")
    more = schema.get("additionalProperties")
    if more is True or isinstance(more, dict):
        yield forbidden(f"{path}.additionalProperties", "must be undefined to be structural")
    if "metadata" in (schema.get("properties") or {}):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


_FORBIDDEN = (
    ("type", "empty"),
    ("default", "undefined"),
    ("title", "empty"),
    ("description", "empty"),
    ("nullable", "false"),
    (PRESERVES, "false"),
    (EMBEDDED, "false"),
    (INT_OR_STRING, "false"),
    (LIST_KEYS, "empty"),
    (LIST_TYPE, "undefined"),
    (MAP_TYPE, "undefined"),
    (RULES, "empty"),
)


def _completeness(judging: Json, schema: Json | None, path: str, at: str) -> Iterator[FieldError]:
    """Every value that is judged somewhere has a schema of its own."""
    branches = [(judging["not"], f"{at}.not")] if judging.get("not") is not None else []
    for name in _JUNCTORS:
        branches += [(branch, f"{at}.{name}[{i}]") for i, branch in enumerate(judging.get(name) or ())]
    for branch, here in branches:
        yield from _nested_completeness(branch, schema, path, here)


def _nested_completeness(judging: Json, schema: Json | None, path: str, at: str) -> Iterator[FieldError]:
    if schema is None:
        yield required(path, f"because it is defined in {at}")
        return
    yield from _completeness(judging, schema, path, at)
    if isinstance(judging.get("items"), dict):
        items = schema.get("items")
        yield from _nested_completeness(judging["items"], items, f"{path}.items", f"{at}.items")
    known = schema.get("properties") or {}
    for name, child in (judging.get("properties") or {}).items():
        here, there = f"{path}.properties[{name}]", f"{at}.properties[{name}]"
        if name in known:
            yield from _nested_completeness(child, known[name], here, there)
        else:
            yield required(here, f"because it is defined in {there}")
