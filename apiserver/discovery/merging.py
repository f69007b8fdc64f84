"""OpenAPI documents of extension servers, cut to their group version and put together with ours. Pure.

Definitions that are called alike but differ get a number behind their name (`X_v2`), and what refers to them follows.
Sources: kube-openapi/pkg/aggregator (merge and filter), pkg/openapiconv (v2 to v3, for servers without v3 documents).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apimachinery.types import Json
from apiserver.discovery import definitions as defs

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch")


def cut_v2(document: Json, group: str, version: str) -> Json:
    """The paths of one group version, and the definitions that they need."""
    prefix = f"/apis/{group}/{version}/"
    paths = {path: item for path, item in (document.get("paths") or {}).items() if path.startswith(prefix)}
    definitions = document.get("definitions") or {}
    return {
        "paths": paths,
        "definitions": {name: definitions[name] for name in defs.closure(definitions, defs.references(paths))},
        "parameters": document.get("parameters") or {},
    }


def merge_v2(document: Json, others: Iterable[Json]) -> Json:
    """The document with the others' paths and definitions; where both have a path, the first one's stays."""
    merged = {**document, "paths": dict(document["paths"]), "definitions": dict(document["definitions"])}
    parameters = dict(document.get("parameters") or {})
    for other in others:
        renamed = _renamings(merged["definitions"], other["definitions"])
        for name, schema in other["definitions"].items():
            merged["definitions"].setdefault(renamed.get(name, name), _following(schema, renamed))
        for path, item in other["paths"].items():
            merged["paths"].setdefault(path, _following(item, renamed))
        parameters = {**other["parameters"], **parameters}
    if parameters:
        merged["parameters"] = parameters
    merged["paths"] = dict(sorted(merged["paths"].items()))
    return merged


def _renamings(ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> dict[str, str]:
    """New names for those of their definitions that are not what ours of that name are."""
    found: dict[str, str] = {}
    for name, schema in theirs.items():
        if name not in ours or _same(ours[name], schema):
            continue
        number = 2
        while (new := f"{name}_v{number}") in theirs or (new in ours and not _same(ours[new], schema)):
            number += 1
        found[name] = new
    return found


def _same(left: Json, right: Json) -> bool:
    """Alike but for the list of kinds, which each server writes of its own."""
    gvk = "x-kubernetes-group-version-kind"
    return {**left, gvk: None} == {**right, gvk: None}


def _following(node: Any, renamed: Mapping[str, str]) -> Any:
    """A copy whose references lead to the new names."""
    if not renamed:
        return node
    if isinstance(node, dict):
        return {
            key: _renamed_reference(value, renamed)
            if key == "$ref" and isinstance(value, str)
            else _following(value, renamed)
            for key, value in node.items()
        }
    return [_following(item, renamed) for item in node] if isinstance(node, list) else node


def _renamed_reference(reference: str, renamed: Mapping[str, str]) -> str:
    head, slash, name = reference.rpartition("/")
    return head + slash + renamed.get(name, name)


def v3_from_v2(document: Json) -> Json:
    """An OpenAPI v3 document that says what a v2 one does; what v2 cannot say is missing."""
    return {
        "openapi": "3.0.0",
        "info": document.get("info") or {"title": "Kubernetes", "version": "unversioned"},
        "paths": {path: _path(item) for path, item in (document.get("paths") or {}).items()},
        "components": {
            "schemas": {name: _schema(schema) for name, schema in (document.get("definitions") or {}).items()}
        },
    }


def _path(item: Json) -> Json:
    found: Json = {verb: _operation(item[verb]) for verb in _VERBS if verb in item}
    if parameters := _parameters(item):
        found["parameters"] = parameters
    return found


def _operation(operation: Json) -> Json:
    kept = ("tags", "summary", "description", "operationId", "deprecated")
    found = {name: value for name, value in operation.items() if name in kept or name.startswith("x-")}
    if parameters := _parameters(operation):
        found["parameters"] = parameters
    bodies = [entry for entry in operation.get("parameters") or () if entry.get("in") == "body"]
    if bodies:
        content = {"schema": _schema(bodies[0].get("schema") or {})}
        types = operation.get("consumes") or ["application/json"]
        found["requestBody"] = {"content": dict.fromkeys(types, content), "required": bool(bodies[0].get("required"))}
    produced = operation.get("produces") or ["application/json"]
    found["responses"] = {
        code: _response(response, produced) for code, response in (operation.get("responses") or {}).items()
    }
    return found


def _parameters(owner: Json) -> list[Json]:
    found = []
    for entry in owner.get("parameters") or ():
        if entry.get("in") in ("query", "path", "header"):
            kept = {name: entry[name] for name in ("name", "in", "description", "required") if name in entry}
            schema = {name: entry[name] for name in ("type", "format", "uniqueItems", "items") if name in entry}
            found.append({**kept, "schema": schema})
    return found


def _response(response: Json, types: Iterable[str]) -> Json:
    found: Json = {"description": response.get("description", "")}
    if "schema" in response:
        found["content"] = {type_: {"schema": _schema(response["schema"])} for type_ in types}
    return found


def _schema(node: Any) -> Any:
    """A copy whose references are v3's."""
    if isinstance(node, dict):
        return {
            key: defs.V3_PREFIX + value.removeprefix(defs.V2_PREFIX)
            if key == "$ref" and isinstance(value, str)
            else _schema(value)
            for key, value in node.items()
        }
    return [_schema(item) for item in node] if isinstance(node, list) else node
