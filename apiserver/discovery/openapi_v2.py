"""OpenAPI v2: one document for everything. kubectl before 1.27 validates with it; so do older tools.

Only definitions that some served kind reaches are in it. Source: kube-openapi/pkg/builder.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

import msgspec

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery.operations import Operation, Path, paths
from apiserver.discovery.parameters import Parameter
from serving.version import KUBERNETES_MINOR


def document(
    kinds: Sequence[Kind],
    definitions: defs.Definitions,
    extra: Mapping[defs.GroupVersionKind, Json] | None = None,
    *,
    enums: bool = True,
    others: Iterable[Path] = (),
) -> Json:
    """The document. `extra` are schemas of custom resources, already in v2's form; `others` paths of no resources."""
    names = defs.names(definitions)
    own = {gvk: defs.custom_name(gvk) for gvk in extra or {}}
    everything = {**names, **own}
    operations = [*others, *(path for kind in kinds for path in paths(kind))]
    served = frozenset({(kind.group, kind.version) for kind in kinds})
    roots = [name for gvk, name in names.items() if gvk[:2] in served]
    used = defs.closure(definitions, [*roots, *defs.COMMON, *defs.references([*(extra or {}).values()])])
    schemas = {name: defs.schema_v2(name, definitions[name], with_enums=enums) for name in used}
    schemas |= {own[gvk]: schema for gvk, schema in (extra or {}).items()}
    bearer = {"description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header"}
    common = _Shared()
    made = {path.path: _path(path, everything, common) for path in sorted(operations, key=lambda p: p.path)}
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_MINOR},
        "paths": made,
        "definitions": schemas,
        "parameters": dict(sorted(common.parameters.items())),
        "securityDefinitions": {"BearerToken": bearer},
        "security": [{"BearerToken": []}],
    }


class _Shared:
    """Parameters that stand once and are referred to, by names with a hash of what they say, as upstream's."""

    def __init__(self) -> None:
        self.parameters: dict[str, Json] = {}
        self._references: dict[bytes, Json] = {}

    def reference(self, parameter: Json) -> Json:
        """What stands in the parameter's place: itself where kubectl wants to see it, or where it tells of its kind."""
        name, where = parameter["name"], parameter["in"]
        schema = (parameter.get("schema") or {}).get("$ref", "")
        if name == "name" or (where == "query" and name in _UNSHARED) or (schema and _GENERIC not in schema):
            return parameter
        text = msgspec.json.encode(parameter)
        if text not in self._references:
            digest = base64.urlsafe_b64encode(_fnv(text).to_bytes(8, "big")[:6]).decode()
            self.parameters[f"{name}-{digest}"] = parameter
            self._references[text] = {"$ref": f"#/parameters/{name}-{digest}"}
        return self._references[text]


_UNSHARED = ("fieldValidation", "dryRun")
_GENERIC = "#/definitions/io.k8s.apimachinery"


def _fnv(data: bytes) -> int:
    """FNV-1 of 64 bits."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found * 0x100000001B3 & (1 << 64) - 1) ^ byte
    return found


def _path(path: Path, names: Mapping[defs.GroupVersionKind, str], common: _Shared) -> Json:
    found: Json = {op.method: _operation(op, names, common) for op in path.operations}
    own = [common.reference(_parameter(parameter)) for parameter in path.parameters]
    return {**found, "parameters": own} if own else found


def _operation(op: Operation, names: Mapping[defs.GroupVersionKind, str], common: _Shared) -> Json:
    own = [_parameter(parameter) for parameter in op.parameters]
    if op.patch_types:
        own.insert(0, _body(defs.PATCH, required=True))
    elif op.body and op.body in names:
        own.insert(0, _body(names[op.body], required=op.method != "delete"))
    found: Json = {
        "description": op.description,
        "consumes": list(op.consumes),
        "produces": list(op.produces),
        "schemes": ["https"],
        "tags": [op.tag],
        "operationId": op.id,
        "parameters": [common.reference(each) for each in own],
        "responses": _responses(op, names),
        "x-kubernetes-action": op.action,
    }
    if op.gvk is not None:
        found["x-kubernetes-group-version-kind"] = dict(zip(("group", "version", "kind"), op.gvk, strict=True))
    return {name: value for name, value in found.items() if value}


def _responses(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    schema: Json = {"type": "string"}
    if op.answer is not None and op.answer in names:
        schema = {"$ref": defs.V2_PREFIX + names[op.answer]}
    found: Json = {str(code): {"description": HTTPStatus(code).phrase, "schema": schema} for code in op.codes}
    return {**found, "401": {"description": "Unauthorized"}}


def _body(name: str, *, required: bool) -> Json:
    found: Json = {"name": "body", "in": "body"}
    if required:
        found["required"] = True
    return {**found, "schema": {"$ref": defs.V2_PREFIX + name}}


def _parameter(parameter: Parameter) -> Json:
    """In upstream's order of members, which its name is made from."""
    found: Json = {
        "uniqueItems": True,
        "type": parameter.type,
        "description": parameter.description,
        "name": parameter.name,
        "in": parameter.where,
    }
    return {**found, "required": True} if parameter.where == "path" else found
