"""The schema's definitions as OpenAPI documents write them: v3 under components/schemas, v2 under definitions.

The wheel's JSON Schema differs from what upstream serves: everything is nullable, apiVersion and kind are enums, and
the scalars (Quantity, IntOrString) are unions. This module undoes that. Definitions are loaded for one build and not
kept (they take 20 ms to read and several MB to hold). Source: kube-openapi, as kubectl reads it.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from apimachinery.fields import short
from apimachinery.go_zeros import ALWAYS
from apimachinery.types import Json
from apiserver.discovery.marks import DEFAULTS, SPACED, enums, scalars

V2_PREFIX = "#/definitions/"
V3_PREFIX = "#/components/schemas/"
_SCHEMA = "kubernetes-json-schema/v1.34.0-local/_definitions.json"
_GVK = "x-kubernetes-group-version-kind"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_JSON = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_SCALARS_V2: dict[str, Json] = {
    _QUANTITY: {"type": "string"},
    _INT_OR_STRING: {"type": "string", "format": "int-or-string"},
}
_SCALARS_V3: dict[str, Json] = {
    _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _INT_OR_STRING: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
}
#: What has no zero as an element of a list or a map.
_HELD_AS_THEY_ARE = (
    *_SCALARS_V3,
    _JSON,
    f"{_JSON}SchemaPropsOrStringArray",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
)
#: Definitions that every group's document has besides its own kinds'.
STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
API_RESOURCE_LIST = "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList"
API_GROUP = "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup"
COMMON = (STATUS, DELETE_OPTIONS, PATCH, API_RESOURCE_LIST, API_GROUP)

#: Definitions that say of no kind that they are it.
_UNNAMED = {("", "v1", "Info"): "io.k8s.apimachinery.pkg.version.Info", ("", "v1", "Patch"): PATCH}

Definitions = Mapping[str, Json]
GroupVersionKind = tuple[str, str, str]


def _wheel() -> Path:
    """Where the schemas lie. The wheel's own module is not imported: its validator would cost a tenth of a second."""
    spec = find_spec("kubernetes_validate")
    assert spec is not None, "kubernetes_validate is not installed"
    assert spec.origin is not None, spec
    return Path(spec.origin).parent


def load() -> dict[str, Json]:
    """The definitions of v1.34 as the wheel has them."""
    path = _wheel() / _SCHEMA
    loaded: dict[str, Json] = msgspec.json.decode(path.read_bytes())["$defs"]
    return loaded


def names(definitions: Definitions) -> dict[GroupVersionKind, str]:
    """Which definition a kind is."""
    found: dict[GroupVersionKind, str] = dict(_UNNAMED)
    for name, schema in definitions.items():
        for gvk in schema.get(_GVK) or ():
            key = (gvk["group"], gvk["version"], gvk["kind"])
            # Several may claim a kind (DeleteOptions is listed under every group): the one named after it wins.
            if key not in found or name.rsplit(".", 1)[-1] == gvk["kind"]:
                found[key] = name
    return found


def custom_name(gvk: GroupVersionKind) -> str:
    """What the definition of a custom resource is called: `com.example.v1.Widget`."""
    group, version, kind = gvk
    return ".".join([*reversed(group.split(".")), version, kind])


def closure(definitions: Definitions, roots: Iterable[str]) -> list[str]:
    """The definitions that the roots refer to, themselves included, sorted."""
    found: set[str] = set()
    todo = [root for root in roots if root in definitions]
    while todo:
        name = todo.pop()
        if name not in found and name in definitions:
            found.add(name)
            todo += [reference for reference in references(definitions[name]) if reference not in found]
    return sorted(found)


def references(node: Any) -> Iterator[str]:
    """The definitions that a schema refers to, however deep."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.rsplit("/", 1)[-1]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def schema_v3(name: str, schema: Json, *, with_enums: bool = True) -> Json:
    """A definition for OpenAPI v3."""
    if name in _SCALARS_V3:
        return {"description": scalars()[name], **_SCALARS_V3[name]}
    made = _finished(_converted(schema, V3_PREFIX))
    return _with_defaults(name, _with_enums(name, made) if with_enums else made)


def schema_v2(name: str, schema: Json, *, with_enums: bool = True) -> Json:
    """A definition for OpenAPI v2."""
    if name in _SCALARS_V2:
        return {"description": scalars()[name], **_SCALARS_V2[name]}
    made = _finished(_converted(schema, V2_PREFIX))
    return _with_enums(name, made) if with_enums else made


def _with_enums(name: str, schema: Json) -> Json:
    """The values of enumerated fields, also in the description, where people read them."""
    for field, values in enums().get(short(name), {}).items():
        inner = (schema.get("properties") or {}).get(field)
        if inner is None:
            continue
        element = inner.get("items") or inner.get("additionalProperties")
        if element is None:  # of lists and maps the description says nothing
            listed = "".join(f'\n - `"{value}"`{text and f" {text}"}' for value, text in values.items())
            gap = "\n\n\n" if f"{short(name)}.{field}" in SPACED else "\n\n"
            inner["description"] = f"{inner.get('description', '')}{gap}Possible enum values:{listed}"
        (element or inner)["enum"] = list(values)
    return schema


def _with_defaults(name: str, schema: Json) -> Json:
    """Defaults as kube-openapi derives them: the zeros that Go writes anyway, and those declared."""
    zeros, declared = ALWAYS.get(short(name), {}), DEFAULTS.get(short(name), {})
    for field, inner in (schema.get("properties") or {}).items():
        if field in declared:
            inner["default"] = declared[field]
        elif field in zeros and zeros[field] is not None and _refers_to(inner) not in _SCALARS_V3:
            inner["default"] = zeros[field]
        elif field == "metadata" and name.endswith("List"):
            inner["default"] = {}
        if "default" in inner and "$ref" in inner:  # v3 takes nothing beside a reference
            inner["allOf"] = [{"$ref": inner.pop("$ref")}]
        for member in ("items", "additionalProperties"):
            if isinstance(inner.get(member), dict):
                inner[member] = _with_zero(inner[member])
    return schema


def _refers_to(schema: Json) -> str:
    return next(references(schema), "") if "type" not in schema else ""


def _with_zero(schema: Json) -> Json:
    """An element with its zero, where Go holds it by value."""
    if reference := schema.get("$ref"):
        is_scalar = reference.rsplit("/", 1)[-1] in _HELD_AS_THEY_ARE
        return schema if is_scalar else {"default": {}, "allOf": [schema]}
    if isinstance(schema.get("items"), dict):
        return {**schema, "items": _with_zero(schema["items"])}
    zero = {"string": "", "integer": 0}.get(schema.get("type", ""))
    return schema if zero is None or schema.get("format") == "byte" else {**schema, "default": zero}


def _finished(schema: Json) -> Json:
    """Without the enums of apiVersion and kind."""
    for field in ("apiVersion", "kind"):
        (schema.get("properties") or {}).get(field, {}).pop("enum", None)
    return schema


def _converted(schema: Json, prefix: str) -> Json:
    """A copy without nullability, with references of the dialect. v3 cannot have siblings of $ref: allOf wraps it."""
    found: Json = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            found["type"] = next(kind for kind in value if kind != "null")
        elif key == "$ref":
            reference = {"$ref": prefix + value.rsplit("/", 1)[-1]}
            wrap = prefix == V3_PREFIX and len(schema) > 1
            found |= {"allOf": [reference]} if wrap else reference
        elif key == "properties":
            found[key] = {name: _converted(child, prefix) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _converted(value, prefix)
        elif key in ("allOf", "anyOf", "oneOf") and prefix == V2_PREFIX:
            continue  # OpenAPI v2 knows no unions; a reference inside is the only allOf there is
        elif key in ("allOf", "anyOf", "oneOf"):
            found[key] = [_converted(child, prefix) for child in value]
        else:
            found[key] = value
    if prefix == V2_PREFIX and "allOf" in schema and "$ref" in schema["allOf"][0]:
        found["$ref"] = prefix + schema["allOf"][0]["$ref"].rsplit("/", 1)[-1]
    return found
