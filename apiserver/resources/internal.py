"""Writes of the server itself, through the same handlers and stages as anybody's, without authentication.

For the objects that a server makes when it starts and looks after while it runs.
"""

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver import negotiation
from apiserver.call import Call, Response
from apiserver.request import AUTHENTICATED, MASTERS, RequestInfo, User
from apiserver.resources import deleting, patching, writing
from apiserver.resources.api import Api

#: Upstream's loopback identity.
USER = User("system:apiserver", (MASTERS, AUTHENTICATED))
#: Upstream's program, and so the manager of what the server itself writes.
MANAGER = "kube-apiserver"


async def create(api: Api, kind: Kind, tree: Json, *, manager: str = "") -> bool:
    """Create an object; False when it is there already."""
    meta = tree["metadata"]
    call = _call(kind, "create", meta.get("namespace", ""), "", tree, manager=manager)
    try:
        await writing.create(api, call, api.registry.of(kind))
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        return False
    return True


async def replace(api: Api, kind: Kind, tree: Json, *, subresource: str = "", manager: str = "") -> Json:
    """Replace an object; what is now stored."""
    meta = tree["metadata"]
    call = _call(kind, "update", meta.get("namespace", ""), meta["name"], tree, subresource, manager=manager)
    return _tree(await writing.update(api, call, api.registry.of(kind)))


async def merge(api: Api, kind: Kind, namespace: str, name: str, patch: Json, *, subresource: str = "") -> Json:
    """Merge a patch into an object; what is now stored."""
    call = _call(kind, "patch", namespace, name, patch, subresource, negotiation.MERGE_PATCH)
    return _tree(await patching.patch_object(api, call, api.registry.of(kind)))


async def apply(api: Api, kind: Kind, tree: Json, manager: str, *, subresource: str = "") -> Json:
    """Apply a configuration to an object, whoever owns its fields; what is now stored."""
    meta, described = tree["metadata"], {"apiVersion": kind.api_version, "kind": kind.kind, **tree}
    where = (kind, "patch", meta.get("namespace", ""), meta["name"], described, subresource, negotiation.APPLY_PATCH)
    call = _call(*where, manager=manager, force=True)
    return _tree(await patching.patch_object(api, call, api.registry.of(kind)))


async def delete(api: Api, kind: Kind, namespace: str, name: str, uid: str) -> bool:
    """Delete an object; False when it is gone, or another one has its name."""
    options = {"preconditions": {"uid": uid}}
    call = _call(kind, "delete", namespace, name, options)
    try:
        await deleting.delete(api, call, api.registry.of(kind))
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise
        return False
    return True


def _tree(response: Response) -> Json:
    tree: Json = msgspec.json.decode(response.body)
    return tree


async def _nothing() -> Json:
    return {"type": "http.disconnect"}


async def _nowhere(_message: object) -> None:
    return None


def _call(
    kind: Kind,
    verb: str,
    namespace: str,
    name: str,
    body: Json,
    subresource: str = "",
    media_type: str = "application/json",
    *,
    manager: str = "",
    force: bool = False,
) -> Call:
    path = kind.path(namespace, name, subresource)
    call = Call(
        scope={"type": "http", "path": path, "query_string": b"", "headers": []},
        method={"create": "POST", "update": "PUT", "delete": "DELETE"}.get(verb, "PATCH"),
        path=path,
        query=({"fieldManager": [manager]} if manager else {}) | ({"force": ["true"]} if force else {}),
        headers={"content-type": media_type, "user-agent": MANAGER},
        receive=_nothing,
        send=_nowhere,
        user=USER,
        is_own=True,
        info=RequestInfo(
            is_resource=True,
            path=path,
            verb=verb,
            group=kind.group,
            version=kind.version,
            namespace=namespace,
            plural=kind.plural,
            subresource=subresource,
            name=name,
        ),
    )
    call.preset(msgspec.json.encode(body))
    return call
