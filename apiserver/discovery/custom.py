"""A custom resource's schema in OpenAPI's two dialects, with its list, as upstream publishes CRDs.

v3 publishes the structural schema, with int-or-string told as a union. v2 knows no unions and no nullability, so these
are dropped, defaults with them, and below a place that keeps unknown fields nothing is said. apiVersion, kind and
metadata are those of every object, also of objects inside it.
Source: apiextensions-apiserver/pkg/controller/openapi/{builder,v2}.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from apimachinery import schema as built_in
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery.state import Schemas

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_PLAIN = "io.k8s.api.core.v1.ConfigMap"
_UNIONS = ("allOf", "anyOf", "oneOf", "not")
_NOT_IN_V2 = (*_UNIONS, "default")
_UNPUBLISHED = ("example", "externalDocs")
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
_SELECTABLE = "x-kubernetes-selectable-fields"
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_OF_LISTS = f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds"
_EITHER = [{"type": "integer"}, {"type": "string"}]


def schemas(
    kind: Kind, schema: Json | None, selectable: Sequence[str] = (), *, preserves: bool = False
) -> dict[defs.GroupVersionKind, Schemas]:
    """What to hand to Discovery.serve for one served version: of its schema, with the paths of selectable fields."""
    gvk = (kind.group, kind.version, kind.kind)
    list_gvk = (kind.group, kind.version, kind.list_name)
    more = {_SELECTABLE: [{"fieldPath": path.removeprefix(".")} for path in selectable]} if selectable else {}
    v2 = None if preserves or not schema or schema.get(_PRESERVES) else _simplified(schema)
    return {
        gvk: Schemas(_object(v2, gvk, defs.V2_PREFIX) | more, _object(_unfolded(schema), gvk, defs.V3_PREFIX) | more),
        list_gvk: Schemas(_list(kind, list_gvk, defs.V2_PREFIX) | more, _list(kind, list_gvk, defs.V3_PREFIX) | more),
    }


def _object(schema: Json | None, gvk: defs.GroupVersionKind, prefix: str) -> Json:
    if not schema:
        return {"type": "object", **_named(gvk)}
    properties = {**(schema.get("properties") or {}), **_of_every_object("ObjectMeta", prefix)}
    return {**_with_embedded(schema, prefix), "properties": _inside(properties, prefix), **_named(gvk)}


def _inside(properties: Json, prefix: str) -> Json:
    return {name: _with_embedded(child, prefix) for name, child in properties.items()}


def _with_embedded(schema: Json, prefix: str) -> Json:
    """The schema with what every object has, wherever an object is embedded."""
    made = dict(schema)
    if "properties" in made:
        made["properties"] = _inside(made["properties"], prefix)
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = _with_embedded(made[name], prefix)
    if not made.get(_EMBEDDED) or (prefix == defs.V2_PREFIX and made.get(_PRESERVES)):
        return made
    needed = [*(made.get("required") or ())]
    made["required"] = [*needed, *(name for name in ("kind", "apiVersion") if name not in needed)]
    made["properties"] = {**(made.get("properties") or {}), **_of_every_object("ObjectMeta", prefix)}
    return made


def _list(kind: Kind, list_gvk: defs.GroupVersionKind, prefix: str) -> Json:
    reference = prefix + defs.custom_name((kind.group, kind.version, kind.kind))
    text = f"List of {kind.plural}. More info: {_CONVENTIONS}"
    return {
        "description": f"{kind.list_name} is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"description": text, "type": "array", "items": {"$ref": reference}},
            **_of_every_object("ListMeta", prefix),
        },
        **_named(list_gvk),
    }


@cache
def _texts() -> Json:
    """How built-in kinds describe apiVersion, kind and metadata."""
    properties = built_in.DEFINITIONS[_PLAIN]["properties"]
    return {name: properties[name].get("description", "") for name in ("apiVersion", "kind", "metadata")}


def _of_every_object(meta: str, prefix: str) -> Json:
    reference = {"$ref": f"{prefix}{_META}{meta}"}
    texts = _texts()
    # v3 takes nothing beside a reference.
    metadata = {"allOf": [reference]} if prefix == defs.V3_PREFIX else reference
    text = _OF_LISTS if meta == "ListMeta" else texts["metadata"]
    return {
        "apiVersion": {"type": "string", "description": texts["apiVersion"]},
        "kind": {"type": "string", "description": texts["kind"]},
        "metadata": {"description": text, **metadata},
    }


def _named(gvk: defs.GroupVersionKind) -> Json:
    group, version, kind = gvk
    return {"x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": kind}]}


def _unfolded(schema: Json | None) -> Json | None:
    """The structural schema, int-or-string as the union it stands for."""
    if schema is None:
        return None
    made = _mapped(schema, _unfolded)
    if made.get(_INT_OR_STRING) and made.get("anyOf") != _EITHER:
        if made.get("anyOf"):
            first = (made.get("allOf") or [{}])[0]
            if first.get("anyOf") != _EITHER:
                made["allOf"] = [{"anyOf": _EITHER}, *(made.get("allOf") or ())]
        else:
            made["anyOf"] = _EITHER
    return made


def _mapped(schema: Json, change: Any) -> Json:
    """A copy with the schemas of fields, values and items changed."""
    made = {name: value for name, value in schema.items() if name not in _UNPUBLISHED}
    if "properties" in made:
        made["properties"] = {name: change(child) for name, child in made["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = change(made[name])
    return made


def _simplified(schema: Json) -> Json:
    """What OpenAPI v2 can say of a schema, in such a way that kubectl can cope with it."""
    made = {name: value for name, value in schema.items() if name not in _NOT_IN_V2}
    if made.pop("nullable", False):
        for name in ("type", "items", "properties"):
            made.pop(name, None)
    if made.get(_PRESERVES):
        made.pop("items", None)
        made.pop("properties", None)
        if made.get("type") == "object":
            del made["type"]
    if made.get("type") == "array" and "items" not in made:
        del made["type"]
    properties, more = made.get("properties") or {}, made.get("additionalProperties")
    needed = [name for name in made.get("required") or () if not (properties.get(name) or {}).get("nullable")]
    if isinstance(more, dict) and more.get("nullable"):
        needed = []
    made.pop("required", None)
    if needed:
        made["required"] = needed
    return _mapped(made, _simplified)
