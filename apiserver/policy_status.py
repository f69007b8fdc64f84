"""Keeps the status of ValidatingAdmissionPolicies: which generation was seen, and what type checking says of it.

In the API server, which has the compiler and the schemas; upstream's controller manager does it there. Several servers
do it all the same: they come to the same result. Source: pkg/controller/validatingadmissionpolicystatus.
"""

import asyncio
from functools import partial

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import VALIDATINGADMISSIONPOLICIES
from apimachinery.types import Json
from apiserver.admission.policy_types import KindName, warnings
from apiserver.resources import internal
from apiserver.resources.api import Api
from apiserver.storage.protocol import Compacted, StorageError

log = structlog.get_logger("apiserver")
_RETRY_SECONDS = 1.0
#: As whom upstream writes it.
_MANAGER = "validatingadmissionpolicy-status"


async def keep(api: Api) -> None:
    """Write what is due, whenever a policy changes; for ever."""
    prefix = VALIDATINGADMISSIONPOLICIES.storage_prefix()
    while True:
        cursor = api.cache.watch(prefix, api.cache.revision)
        is_done = [await _settled(api, tree) for tree in api.lookup.list(VALIDATINGADMISSIONPOLICIES)]
        try:
            await cursor.next(None if all(is_done) else _RETRY_SECONDS)
        except Compacted:
            await asyncio.sleep(0)


async def _settled(api: Api, policy: Json) -> bool:
    """Write one policy's status if it is due. Whether that worked."""
    generation = policy["metadata"].get("generation", 0)
    if generation <= ((policy.get("status") or {}).get("observedGeneration") or 0):
        return True
    try:
        checked = warnings(policy, partial(_kind_of, api), partial(_custom_schema, api))
    except Exception as error:  # the top of a policy's check: what another version stored must not stop the rest
        log.exception("a policy cannot be type checked", name=policy["metadata"].get("name"), error=repr(error))
        checked = []
    types = {"expressionWarnings": checked} if checked else {}
    status = {"observedGeneration": generation, "typeChecking": types}
    named = {"metadata": {"name": policy["metadata"]["name"]}, "status": status}
    try:
        await internal.apply(api, VALIDATINGADMISSIONPOLICIES, named, _MANAGER, subresource="status")
    except ApiError as error:
        return error.code in (404, 409)
    except StorageError as error:
        log.warning("the status of a policy was not written", error=str(error))
        return False
    return True


def _kind_of(api: Api, group: str, version: str, plural: str) -> KindName | None:
    found = api.registry.find(group, version, plural)
    return KindName(group, version, found.kind.kind) if found is not None else None


def _custom_schema(api: Api, kind: KindName) -> Json | None:
    for resource in api.registry.resources():
        row = resource.kind
        if (row.group, row.version, row.kind) == (kind.group, kind.version, kind.kind):
            return resource.schema
    return None
