"""Changes that the server itself makes to an object: compare-and-swap around a plain function, without write stages.

For subresources that stand for one exact change (a binding, an eviction's mark) and for the server's own upkeep.
"""

from collections.abc import Callable

import msgspec

from apimachinery.errors import ApiError
from apimachinery.types import Json
from apiserver.registry import Resource
from apiserver.resources import metadata, presenting
from apiserver.resources.api import Api
from apiserver.resources.committing import as_entry, read
from apiserver.storage.entry import Entry, entry
from apiserver.storage.protocol import Conflict

#: From the object as stored (private to the call) to the one to store; raises ApiError to refuse.
Change = Callable[[Json], Json]


async def modify(api: Api, resource: Resource, key: str, change: Change, *, dry_run: bool = False) -> Entry:
    """Change the object at a key. Raises 404 and whatever `change` raises about the object as it is in the store.

    The first attempt trusts the cache, since a wrong one fails its compare-and-swap; a refusal is looked at again.
    """
    current, is_sure = api.cache.get(key), False
    while True:
        if current is None:
            if is_sure:
                raise resource.not_found(key.rsplit("/", 1)[-1])
            current, is_sure = await read(api, key), True
            continue
        before = current.revision
        try:
            done = await _attempt(api, resource, current, change, dry_run=dry_run)
        except Conflict as conflict:
            current = as_entry(api, conflict.current) if conflict.current is not None else None
            is_sure = True
            continue
        except ApiError:
            if is_sure:
                raise
            done = None
        if done is not None and (is_sure or done.revision != before or dry_run):
            return done
        current, is_sure = await read(api, key), True


async def _attempt(api: Api, resource: Resource, current: Entry, change: Change, *, dry_run: bool) -> Entry:
    new = metadata.stored_order(change(presenting.private(current)))
    if new == metadata.stored_order(presenting.private(current)):
        return current
    value = msgspec.json.encode(new)
    if dry_run:
        return entry(current.key, value, current.revision)
    return as_entry(api, await api.storage.put(current.key, value, expect=current.revision, ttl=resource.ttl))
