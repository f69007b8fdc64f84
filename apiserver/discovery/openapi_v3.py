"""OpenAPI v3: one document per group version, and the index that names each with its hash.

A hash covers what the document is made from, so the index costs nothing and changes exactly when the kinds (or this
server's version) change. Source: kube-openapi/pkg/handler3, as kubectl explain, apply and create read it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery.operations import Operation, Parameter, Path, paths, short
from serving.version import KUBERNETES, git_version

_JSON = "application/json"
_STREAM = "application/json;stream=watch"
_BODIES = (_JSON, "application/yaml")


def document(
    kinds: Sequence[Kind],
    definitions: defs.Definitions,
    extra: Mapping[defs.GroupVersionKind, Json] | None = None,
    *,
    enums: bool = True,
) -> Json:
    """The document of one group version. `extra` are schemas of custom resources, already in v3's form."""
    names = defs.names(definitions)
    own = {gvk: defs.custom_name(gvk) for gvk in extra or {}}
    everything = {**names, **own}
    operations = [path for kind in kinds for path in paths(kind)]
    roots = [name for gvk in _kinds_of(operations) if (name := everything.get(gvk))]
    served = frozenset({(kind.group, kind.version) for kind in kinds})
    used = defs.closure(definitions, [*roots, *defs.COMMON, *defs.references([*(extra or {}).values()])])
    schemas = {name: defs.schema_v3(name, definitions[name], served, enums=enums) for name in used}
    schemas |= {own[gvk]: schema for gvk, schema in (extra or {}).items()}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": git_version()},
        "paths": {path.path: _path(path, everything) for path in sorted(operations, key=lambda p: p.path)},
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}


def plain_document(routes: Mapping[str, str]) -> Json:
    """A document of paths that answer with JSON but are no resources: path -> description."""
    found = {
        path: {"get": {"description": text, "responses": {"200": {"description": "OK"}}}}
        for path, text in routes.items()
    }
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": git_version()}, "paths": found}


def group_document(group: str, definitions: defs.Definitions) -> Json:
    """The document of a group as such: what asking which versions it has answers."""
    tag = short(group)
    answer = {"schema": {"$ref": defs.V3_PREFIX + defs.API_GROUP}}
    content = dict.fromkeys(_BODIES, answer)
    asking = {
        "tags": [tag],
        "description": "get information of a group",
        "operationId": f"get{tag[0].upper()}{tag[1:]}APIGroup",
        "responses": {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}},
    }
    used = defs.closure(definitions, [defs.API_GROUP])
    schemas = {name: defs.schema_v3(name, definitions[name], frozenset()) for name in used}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": git_version()},
        "paths": {f"/apis/{group}/": {"get": asking}},
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def content_hash(kinds: Iterable[Kind], extra: bytes = b"") -> str:
    """The hash of the document these kinds make."""
    text = "\n".join(repr(kind) for kind in kinds)
    return hashlib.sha256(f"{KUBERNETES} {git_version()}\n{text}".encode() + extra).hexdigest().upper()


def index(hashes: Mapping[str, str]) -> Json:
    """/openapi/v3: where each document lies."""
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={h}"} for name, h in hashes.items()}}


def _kinds_of(operations: Iterable[Path]) -> set[defs.GroupVersionKind]:
    found = {gvk for path in operations for op in path.operations for gvk in (op.body, op.answer, op.gvk) if gvk}
    return found | {(group, version, f"{kind}List") for group, version, kind in found}


def _path(path: Path, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    found: Json = {op.method: _operation(op, names) for op in path.operations}
    return {**found, "parameters": [_parameter(parameter) for parameter in path.parameters]}


def _operation(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    group, version, kind = op.gvk
    found: Json = {
        "tags": [op.tag],
        "description": op.description,
        "operationId": op.id,
        "responses": _responses(op, names),
        "x-kubernetes-action": op.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    if op.parameters:
        found["parameters"] = [_parameter(parameter) for parameter in op.parameters]
    if op.patch_types:
        content = {"schema": {"$ref": defs.V3_PREFIX + defs.PATCH}}
        found["requestBody"] = {"content": dict.fromkeys(op.patch_types, content), "required": True}
    elif op.body and op.body in names:
        content = {"schema": {"$ref": defs.V3_PREFIX + names[op.body]}}
        found["requestBody"] = {"content": {"*/*": content}, "required": op.method != "delete"}
    return found


def _responses(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    if op.answer is None or op.answer not in names:
        content: Json = {"*/*": {"schema": {"type": "string"}}}
    else:
        schema = {"schema": {"$ref": defs.V3_PREFIX + names[op.answer]}}
        types = (*_BODIES, _STREAM) if op.action == "list" else _BODIES
        content = dict.fromkeys(types, schema)
    return {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}}


def _parameter(parameter: Parameter) -> Json:
    schema: Json = {"type": parameter.type, "uniqueItems": True}
    found: Json = {"name": parameter.name, "in": parameter.where, "description": parameter.description}
    if parameter.where == "path":
        found["required"] = True
    return {**found, "schema": schema}
