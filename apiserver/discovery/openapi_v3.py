"""OpenAPI v3: one document per group version, and the index that names each with its hash.

A hash covers what the document is made from, so the index costs nothing and changes when the kinds change, or the
code and data that the document comes from (see fingerprint.py). Source: kube-openapi/pkg/handler3, as kubectl
explain, apply and create read it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery import definitions as defs
from apiserver.discovery import fingerprint
from apiserver.discovery.operations import Operation, Path, paths
from apiserver.discovery.parameters import Parameter
from serving.version import KUBERNETES_MINOR, git_version

_PATCH = ("", "v1", "Patch")


def document(
    kinds: Sequence[Kind],
    definitions: defs.Definitions,
    extra: Mapping[defs.GroupVersionKind, Json] | None = None,
    *,
    enums: bool = True,
    others: Iterable[Path] = (),
) -> Json:
    """The document of one group version. `extra` are schemas of custom resources, already in v3's form.

    `others` are paths that are no resources.
    """
    names = defs.names(definitions)
    own = {gvk: defs.custom_name(gvk) for gvk in extra or {}}
    everything = {**names, **own}
    operations = [*others, *(path for kind in kinds for path in paths(kind))]
    roots = [name for gvk in _kinds_of(operations) if (name := everything.get(gvk))]
    used = defs.closure(definitions, [*roots, *defs.references([*(extra or {}).values()])])
    schemas = {name: defs.schema_v3(name, definitions[name], with_enums=enums) for name in used}
    schemas |= {own[gvk]: schema for gvk, schema in (extra or {}).items()}
    components: Json = {"schemas": schemas} if schemas else {}
    if not extra:
        components["securitySchemes"] = _SECURITY
    return {
        "openapi": "3.0.0",
        "info": _OF_CUSTOM if extra else {"title": "Kubernetes", "version": KUBERNETES_MINOR},
        "paths": {path.path: _path(path, everything) for path in sorted(operations, key=lambda p: p.path)},
        "components": components,
    }


_OF_CUSTOM = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}


def content_hash(kinds: Iterable[Kind], extra: bytes = b"") -> str:
    """The hash of the document these kinds make."""
    text = "\n".join(repr(kind) for kind in kinds)
    return (
        hashlib.sha256(f"{git_version()}\n{text}".encode() + fingerprint.of_this_server() + extra).hexdigest().upper()
    )


def index(hashes: Mapping[str, str]) -> Json:
    """/openapi/v3: where each document lies."""
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={h}"} for name, h in hashes.items()}}


def _kinds_of(operations: Iterable[Path]) -> set[defs.GroupVersionKind]:
    found = {gvk for path in operations for op in path.operations for gvk in (op.body, op.answer) if gvk}
    return found | {_PATCH for path in operations for op in path.operations if op.patch_types}


def _path(path: Path, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    found: Json = {op.method: _operation(op, names) for op in path.operations}
    own = [_parameter(parameter) for parameter in path.parameters]
    return {**found, "parameters": own} if own else found


def _operation(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    found: Json = {
        "tags": [op.tag],
        "description": op.description,
        "operationId": op.id,
        "parameters": [_parameter(parameter) for parameter in op.parameters],
        "responses": _responses(op, names),
        "x-kubernetes-action": op.action,
    }
    if op.gvk is not None:
        found["x-kubernetes-group-version-kind"] = dict(zip(("group", "version", "kind"), op.gvk, strict=True))
    if op.patch_types:
        content = {"schema": {"$ref": defs.V3_PREFIX + defs.PATCH}}
        found["requestBody"] = {"content": dict.fromkeys(op.patch_types, content), "required": True}
    elif op.body and op.body in names:
        content = {"schema": {"$ref": defs.V3_PREFIX + names[op.body]}}
        found["requestBody"] = {"content": dict.fromkeys(op.consumes, content)}
        if op.method != "delete":
            found["requestBody"]["required"] = True
    return {name: value for name, value in found.items() if value}


def _responses(op: Operation, names: Mapping[defs.GroupVersionKind, str]) -> Json:
    schema: Json = {"schema": {"type": "string"}}
    if op.answer is not None and op.answer in names:
        schema = {"schema": {"$ref": defs.V3_PREFIX + names[op.answer]}}
    answer = {"content": dict.fromkeys(sorted(op.produces), schema)}
    found: Json = {str(code): {"description": HTTPStatus(code).phrase, **answer} for code in op.codes}
    return {**found, "401": {"description": "Unauthorized"}}


def _parameter(parameter: Parameter) -> Json:
    schema: Json = {"type": parameter.type, "uniqueItems": True}
    found: Json = {"name": parameter.name, "in": parameter.where, "description": parameter.description}
    if parameter.where == "path":
        found["required"] = True
    return {**found, "schema": schema}
