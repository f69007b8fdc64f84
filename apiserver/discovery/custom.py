"""A custom resource's schema in OpenAPI's two dialects, with its list, as upstream publishes CRDs.

v3 publishes the structural schema as it is. v2 knows no unions and no nullability, so these are dropped, and below a
place that keeps unknown fields, or that is an int-or-string, nothing is said. apiVersion, kind and metadata are those
of every object. Source: apiextensions-apiserver/pkg/controller/openapi/{builder,v2}.
"""

from typing import Any

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery.state import Schemas

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_UNIONS = ("allOf", "anyOf", "oneOf", "not", "nullable", "x-kubernetes-validations")
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_API_VERSION = "APIVersion names the versioned schema of this object, as GROUP/VERSION."
_KIND = "Kind is the REST resource that this object represents, in CamelCase."


def schemas(kind: Kind, schema: Json | None) -> dict[defs.GroupVersionKind, Schemas]:
    """What to hand to Discovery.serve for one served version. `schema` is its openAPIV3Schema."""
    gvk = (kind.group, kind.version, kind.kind)
    list_gvk = (kind.group, kind.version, kind.list_name)
    tree = schema or {"type": "object", _PRESERVES: True}
    return {
        gvk: Schemas(_object(_simplified(tree), gvk, defs.V2_PREFIX), _object(tree, gvk, defs.V3_PREFIX)),
        list_gvk: Schemas(_list(gvk, list_gvk, defs.V2_PREFIX), _list(gvk, list_gvk, defs.V3_PREFIX)),
    }


def _object(schema: Json, gvk: defs.GroupVersionKind, prefix: str) -> Json:
    properties = {**(schema.get("properties") or {}), **_meta("ObjectMeta", prefix)}
    # v2 says nothing about what is kept as it comes: kubectl would call every field unknown.
    if prefix == defs.V2_PREFIX and schema.get(_PRESERVES):
        properties = {}
    found = {**schema, "type": "object", **_named(gvk)}
    return {**found, "properties": properties} if properties else found


def _list(gvk: defs.GroupVersionKind, list_gvk: defs.GroupVersionKind, prefix: str) -> Json:
    items = {"type": "array", "items": {"$ref": prefix + defs.custom_name(gvk)}}
    return {
        "description": f"{list_gvk[2]} is a list of {gvk[2]}",
        "type": "object",
        "required": ["items"],
        "properties": {"items": items, **_meta("ListMeta", prefix)},
        **_named(list_gvk),
    }


def _meta(name: str, prefix: str) -> Json:
    reference = {"$ref": f"{prefix}{_META}{name}"}
    return {
        "apiVersion": {"type": "string", "description": _API_VERSION},
        "kind": {"type": "string", "description": _KIND},
        "metadata": reference,
    }


def _named(gvk: defs.GroupVersionKind) -> Json:
    group, version, kind = gvk
    return {"x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": kind}]}


def _simplified(schema: Json) -> Json:
    """What OpenAPI v2 can say of a schema."""
    if schema.get(_INT_OR_STRING):
        return _kept(schema, "description", _INT_OR_STRING)
    if schema.get(_PRESERVES):
        return _kept(schema, "description", "type", _PRESERVES)
    found: Json = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: _simplified(child) for name, child in value.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = _simplified(value) if isinstance(value, dict) else value
        elif key not in _UNIONS:
            found[key] = value
    if schema.get("nullable"):
        found.pop("type", None)  # null is no type in v2: saying nothing is the honest answer
        found.pop("items", None)
        found.pop("properties", None)
    return found


def _kept(schema: Json, *keys: str) -> dict[str, Any]:
    return {key: schema[key] for key in keys if key in schema}
