"""What an extension server serves, asked of it: its part of aggregated discovery and of the OpenAPI documents.

A server without aggregated discovery is asked for the plain list of its group version; one without OpenAPI v3 gets a v3
document made of its v2 one. What cannot be had leaves what was known before, marked as stale.
Sources: kube-aggregator/pkg/apiserver/handler_discovery.go, pkg/controllers/{openapi,openapiv3}/aggregator.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from apimachinery.types import Json
from apiserver.aggregation.remote import Remote
from apiserver.aggregation.resolving import Unresolved
from apiserver.discovery import aggregated, merging
from apiserver.discovery.served import Foreign

log = structlog.get_logger("apiserver")

_JSON = "application/json"
_AGGREGATED = ",".join(aggregated.media_type(_JSON, version) for version in aggregated.VERSIONS)
#: What may go wrong while asking: nobody there, a strange answer.
FAILURES = (OSError, Unresolved, msgspec.MsgspecError, ValueError)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is known of a server: how it is listed, and the v3 document made for it where it has none."""

    listed: Foreign
    made_v3: bytes = b""


def unknown(remote: Remote) -> Lesson:
    """Before anything was learnt: listed, but stale and empty."""
    return Lesson(Foreign(group=remote.group, version=remote.version, priority=remote.priority))


async def learn(remote: Remote, before: Lesson) -> Lesson:
    """Ask for everything. Never fails: what could not be had stays as it was."""
    now = replace(before.listed, priority=remote.priority)
    try:
        now = replace(now, resources=await _resources(remote), is_stale=False)
    except FAILURES as error:
        log.warning("an extension server's discovery cannot be read", apiservice=remote.name, error=str(error))
        now = replace(now, is_stale=True)
    try:
        lesson = await _with_openapi(remote, Lesson(now, before.made_v3))
    except FAILURES as error:
        log.warning("an extension server's OpenAPI cannot be read", apiservice=remote.name, error=str(error))
        return Lesson(now, before.made_v3)
    return lesson


async def _resources(remote: Remote) -> Sequence[Json]:
    answer, body = await remote.get("/apis", _AGGREGATED)
    if answer.code == 503:
        raise ValueError(f"it returned non-success response code: {answer.code}")
    if answer.code == 200 and "as=APIGroupDiscoveryList" in answer.header("content-type"):
        return _part(_tree(body), remote)
    path = f"/apis/{remote.group}/{remote.version}"
    answer, body = await remote.get(path, _JSON)
    if answer.code != 200:
        text = body.decode("utf-8", "replace")[:200]
        raise ValueError(f"failed to download legacy discovery for {path}: {answer.code} {text}")
    return from_resource_list(_tree(body))


def _tree(body: bytes) -> Json:
    tree = msgspec.json.decode(body)
    if not isinstance(tree, dict):
        raise TypeError("the document is no object")
    return tree


def _part(document: Json, remote: Remote) -> list[Json]:
    """The resources of the one group version; none where the server does not list it."""
    for group in document.get("items") or ():
        if (group.get("metadata") or {}).get("name", "") == remote.group:
            for version in group.get("versions") or ():
                if version.get("version") == remote.version:
                    return [_with_kind(entry) for entry in version.get("resources") or ()]
    return []


def _with_kind(entry: Json) -> Json:
    """Older clients cannot do without a responseKind."""
    found = {"responseKind": {"group": "", "version": "", "kind": ""}, **entry}
    if entry.get("subresources"):
        found["subresources"] = [_with_kind(sub) for sub in entry["subresources"]]
    return found


def from_resource_list(document: Json) -> list[Json]:
    """A plain APIResourceList as aggregated discovery would tell it."""
    found: dict[str, Json] = {}
    for entry in document.get("resources") or ():
        name, _, subresource = str(entry.get("name", "")).partition("/")
        kind = {"group": entry.get("group", ""), "version": entry.get("version", ""), "kind": entry.get("kind", "")}
        if not subresource:
            found[name] = {**_resource(name, kind, entry), **_only(found.get(name, {}), "subresources")}
            continue
        parent = found.setdefault(name, _resource(name, {"group": "", "version": "", "kind": ""}, entry, verbs=False))
        row = {"subresource": subresource, "responseKind": kind, "verbs": entry.get("verbs") or []}
        parent.setdefault("subresources", []).append(row)
    return list(found.values())


def _resource(name: str, kind: Json, entry: Json, *, verbs: bool = True) -> Json:
    found: Json = {
        "resource": name,
        "responseKind": kind,
        "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
        "singularResource": entry.get("singularName", "") if verbs else "",
        "verbs": (entry.get("verbs") or []) if verbs else [],
    }
    return {**found, **_only(entry, "shortNames", "categories")} if verbs else found


def _only(tree: Json, *names: str) -> Json:
    return {name: tree[name] for name in names if tree.get(name)}


async def _with_openapi(remote: Remote, before: Lesson) -> Lesson:
    """The lesson with the v2 document, and the v3 one's address: theirs, or ours where we make it."""
    listed = before.listed
    answer, body = await remote.get("/openapi/v2", _JSON)
    document: Any = _tree(body) if answer.code == 200 else None
    if document is not None:
        listed = replace(listed, openapi_v2=merging.cut_v2(document, remote.group, remote.version))
    name = f"apis/{remote.group}/{remote.version}"
    answer, body = await remote.get("/openapi/v3", _JSON)
    if answer.code == 200:
        return Lesson(replace(listed, openapi_v3=(_tree(body).get("paths") or {}).get(name)))
    if answer.code != 404 or document is None:
        return Lesson(listed, before.made_v3)
    made = msgspec.json.encode(merging.v3_from_v2(document))
    digest = hashlib.sha256(made).hexdigest().upper()
    return Lesson(replace(listed, openapi_v3={"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}), made)
