"""OpenAPI v2: one document for everything. kubectl before 1.27 validates with it; so do older tools.

Only definitions that some served kind reaches are in it. Source: kube-openapi/pkg/builder.
"""

from collections.abc import Mapping, Sequence

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery.operations import Operation, Parameter, Path, paths
from serving.version import git_version

_PRODUCES = ("application/json", "application/yaml")


def document(
    kinds: Sequence[Kind],
    definitions: defs.Definitions,
    extra: Mapping[defs.GroupVersionKind, Json] | None = None,
    *,
    enums: bool = True,
) -> Json:
    """The document. `extra` are schemas of custom resources, already in v2's form."""
    names = defs.names(definitions)
    own = {gvk: defs.custom_name(gvk) for gvk in extra or {}}
    everything = {**names, **own}
    operations = [path for kind in kinds for path in paths(kind)]
    served = frozenset({(kind.group, kind.version) for kind in kinds})
    roots = [name for gvk, name in names.items() if gvk[:2] in served]
    used = defs.closure(definitions, [*roots, *defs.COMMON, *defs.references([*(extra or {}).values()])])
    schemas = {name: defs.schema_v2(name, definitions[name], served, enums=enums) for name in used}
    schemas |= {own[gvk]: schema for gvk, schema in (extra or {}).items()}
    bearer = {"description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header"}
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": git_version()},
        "paths": {path.path: _path(path, everything) for path in sorted(operations, key=lambda p: p.path)},
        "definitions": schemas,
        "securityDefinitions": {"BearerToken": bearer},
        "security": [{"BearerToken": []}],
    }


def _path(path: Path, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    found: Json = {op.method: _operation(op, names) for op in path.operations}
    return {**found, "parameters": [_parameter(parameter) for parameter in path.parameters]}


def _operation(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    group, version, kind = op.gvk
    parameters = [_parameter(parameter) for parameter in op.parameters]
    if op.patch_types:
        parameters.insert(0, _body(defs.PATCH, required=True))
    elif op.body and op.body in names:
        parameters.insert(0, _body(names[op.body], required=op.method != "delete"))
    found: Json = {
        "consumes": list(op.patch_types) if op.patch_types else ["*/*"],
        "description": op.description,
        "operationId": op.id,
        "produces": list(_PRODUCES) if op.answer else ["*/*"],
        "responses": _responses(op, names),
        "schemes": ["https"],
        "tags": [op.tag],
        "x-kubernetes-action": op.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    return {**found, "parameters": parameters} if parameters else found


def _responses(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    schema: Json = {"type": "string"}
    if op.answer is not None and op.answer in names:
        schema = {"$ref": defs.V2_PREFIX + names[op.answer]}
    return {"200": {"description": "OK", "schema": schema}, "401": {"description": "Unauthorized"}}


def _body(name: str, *, required: bool) -> Json:
    return {"in": "body", "name": "body", "required": required, "schema": {"$ref": defs.V2_PREFIX + name}}


def _parameter(parameter: Parameter) -> Json:
    found: Json = {"name": parameter.name, "in": parameter.where, "type": parameter.type, "uniqueItems": True}
    if parameter.where == "path":
        found["required"] = True
    return {**found, "description": parameter.description}
