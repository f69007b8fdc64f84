"""The handler of get: from the watch cache, after making sure that it is as fresh as the request asks for."""

from apiserver.call import Call, Response
from apiserver.registry import Resource
from apiserver.resources import presenting
from apiserver.resources.api import Api
from apiserver.resources.options import check_resource_version
from apiserver.resources.writing import key_of
from apiserver.storage.entry import Entry


async def get(api: Api, call: Call, resource: Resource) -> Response:
    """GET of one object, or of its status."""
    version = call.first("resourceVersion")
    check_resource_version(version)
    entry = await find(api, call, resource, version)
    await presenting.prepare(resource, [entry])
    return presenting.present(call, resource, entry, api.clock())


async def find(api: Api, call: Call, resource: Resource, version: str = "") -> Entry:
    """The object that the path names. Raises 404. "" is consistent, "0" whatever is there, else not older than it."""
    if not version:
        await api.fresh()
    elif version != "0":
        await api.reach(int(version))
    entry = api.cache.get(key_of(call, resource))
    if entry is None:
        raise resource.not_found(call.target.name)
    return entry
