"""The stock of service addresses and node ports: made from options and ServiceCIDRs, and repaired now and then."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from apimachinery.errors import ApiError
from apimachinery.kinds import SERVICECIDRS
from apiserver.allocation import Repair, ServiceAllocator
from apiserver.allocation.addresses import Addresses
from apiserver.allocation.ports import Ports
from apiserver.options import Options
from apiserver.resources.api import Api
from apiserver.storage.protocol import StorageError

log = structlog.get_logger("apiserver")


def service_allocator(api: Api, options: Options) -> ServiceAllocator:
    """Gives Services their addresses and ports."""
    first, last = options.node_port_range
    addresses = Addresses(
        storage=api.storage,
        ranges=partial(service_ranges, api, options),
        random=api.random,
        clock=api.clock,
        new_uid=api.new_uid,
    )
    return ServiceAllocator(addresses, Ports(storage=api.storage, range=range(first, last + 1), random=api.random))


def service_ranges(api: Api, options: Options) -> Sequence[str]:
    """The ranges that may be given from: the server's own first, then those of other ServiceCIDRs that stay."""
    found = list(options.service_cidrs)
    for tree in api.lookup.list(SERVICECIDRS):
        if not tree["metadata"].get("deletionTimestamp"):
            found += [cidr for cidr in tree["spec"].get("cidrs") or () if cidr not in found]
    return found


async def repair_services(api: Api, services: ServiceAllocator, interval: float) -> None:
    """Take back what a crash left behind, every `interval` seconds, for ever; 0 for never."""
    if not interval:
        return
    repair = Repair(api.storage, services, api.clock, complain=log.warning)
    while True:
        try:
            await repair.once()
        except (StorageError, ApiError, ValueError) as error:  # ValueError: what lies in the store is no object
            log.warning("service addresses and ports were not repaired", error=str(error))
        await asyncio.sleep(interval)
