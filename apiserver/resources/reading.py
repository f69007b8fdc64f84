"""The handler of get: from the watch cache, after making sure that it is as fresh as the request asks for."""

from apimachinery import errors
from apiserver.call import Call, Response
from apiserver.negotiation import MEDIA_TYPES, TABLE
from apiserver.registry import Resource
from apiserver.resources import presenting
from apiserver.resources.addressing import key_of
from apiserver.resources.api import Api
from apiserver.resources.options import check_resource_version
from apiserver.storage.entry import Entry


async def get(api: Api, call: Call, resource: Resource) -> Response:
    """GET of one object, or of its status."""
    version = call.first("resourceVersion")
    check_resource_version(version)
    entry = await find(api, call, resource, version)
    await presenting.prepare(resource, [entry])
    return presenting.present(call, resource, entry, api.clock())


async def get_part(api: Api, call: Call, resource: Resource) -> Response:
    """GET of an object by one of its parts, which has no columns of its own."""
    if call.accepted.transform == TABLE:
        raise errors.not_acceptable(MEDIA_TYPES)
    return await get(api, call, resource)


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
