"""Takes back addresses and ports that no Service has, and marks those that a Service has as taken.

Runs once at start and then every few minutes, on every server; each change is a compare-and-swap, so several at once do
no harm. A Service being written right now has taken what it is not yet seen to have: so nothing is taken back before it
was found spare in three rounds (ports) or is a minute old (addresses).
Source: pkg/registry/core/service/{portallocator,ipallocator}/controller/repair*.go.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import kinds, times
from apimachinery.types import Json
from apiserver import protobuf
from apiserver.allocation import counts
from apiserver.allocation import ports as bitmap
from apiserver.allocation.addresses import MANAGER, MANAGER_LABEL, Refused, belongs
from apiserver.allocation.services import ServiceAllocator, addresses_of, ports_of
from apiserver.storage.protocol import ABSENT, Conflict, Storage, StorageError

#: Rounds that a port must be seen spare before it is freed, and how old a spare address must be.
ROUNDS = 3
YOUNGEST = 60.0
INTERVAL = 180.0


@dataclass(slots=True)
class Repair:
    """One server's repair. `complain` is told, in words, what a Service has that it should not have."""

    storage: Storage
    allocator: ServiceAllocator
    clock: Callable[[], float]
    complain: Callable[[str], None] = lambda _text: None
    #: How many rounds a port may still be found spare before it is freed.
    _patience: dict[int, int] = field(default_factory=dict)

    async def run(self, interval: float = INTERVAL) -> None:
        """Forever, until cancelled. An error of the store ends the round, not the loop: the caller decides."""
        while True:
            await self.once()
            await asyncio.sleep(interval)

    async def once(self) -> None:
        """One round: ports, then addresses."""
        for repaired, failed in (
            (self._ports, counts.PORT_ROUNDS_FAILED),
            (self._addresses, counts.ADDRESS_ROUNDS_FAILED),
        ):
            try:
                await repaired()
            except StorageError:
                failed.of().value += 1
                raise

    async def _services(self) -> list[Json]:
        page = await self.storage.list(kinds.SERVICES.storage_prefix())
        return [protobuf.decode_stored(item.value) for item in page.items]

    async def _ports(self) -> None:
        """Read the bitmap BEFORE the Services: a port taken since makes the swap fail, and the round is skipped."""
        stored = await self.storage.get(bitmap.KEY)
        services = await self._services()
        ports = self.allocator.ports.range
        bits = bitmap.bits_of(stored, ports)
        held = {port for service in services for port in ports_of(service) if port in ports}
        self._complain_of_doubles(services, ports)
        spare = {ports.start + i for i in range(len(ports)) if bits >> i & 1} - held
        self._patience = {port: self._patience.get(port, ROUNDS) - 1 for port in spare}
        freed = {port for port, left in self._patience.items() if left <= 0}
        wanted = bitmap.without_ports(bitmap.with_ports(bits, held, ports), freed, ports)
        value = bitmap.encoded(wanted, ports)
        if stored is not None and stored.value == value:
            return
        try:
            await self.storage.put(bitmap.KEY, value, expect=stored.revision if stored else ABSENT)
        except Conflict:
            return  # ports were taken or freed meanwhile: the next round looks again
        counts.PORT_ERRORS.of("leak").value += len(freed)
        counts.PORT_ERRORS.of("repair").value += sum(not bits >> (port - ports.start) & 1 for port in held)

    def _complain_of_doubles(self, services: Sequence[Json], ports: range) -> None:
        owners: dict[int, str] = {}
        for service in services:
            name = _name(service)
            for port in ports_of(service):
                if port not in ports:
                    counts.PORT_ERRORS.of("outOfRange").value += 1
                    self.complain(f"the node port {port} of service {name} is not within the port range")
                elif owners.setdefault(port, name) != name:
                    counts.PORT_ERRORS.of("duplicate").value += 1
                    self.complain(f"the node port {port} of service {name} is also assigned to {owners[port]}")

    async def _addresses(self) -> None:
        """List the addresses BEFORE the Services: what is taken in between is not in the list."""
        page = await self.storage.list(kinds.IPADDRESSES.storage_prefix())
        services = await self._services()
        holders = {address: service for service in services for address in addresses_of(service)}
        seen: dict[str, Json] = {}
        for item in page.items:
            tree = protobuf.decode_stored(item.value)
            address = tree["metadata"]["name"]
            seen[address] = tree
            if _is_spare(tree, holders, self.clock()):
                await self._free(item.key, item.revision)
        for address, service in holders.items():
            if not _is_address(address):
                self.complain(f"the cluster IP {address} of service {_name(service)} is not a valid IP address")
            elif address not in seen:
                await self._claim(address, service)
            elif not belongs(seen[address], service["metadata"]):
                counts.ADDRESS_ERRORS.of("duplicate").value += 1
                self.complain(f"the cluster IP {address} of service {_name(service)} is held for somebody else")

    async def _free(self, key: str, revision: int) -> None:
        try:
            await self.storage.delete(key, expect=revision)
        except Conflict:
            return
        counts.ADDRESS_ERRORS.of("leak").value += 1

    async def _claim(self, address: str, service: Json) -> None:
        """A Service that was written without our knowledge (an older server, a restored backup)."""
        try:
            await self.allocator.addresses.take(address, service["metadata"])
            counts.ADDRESS_ERRORS.of("repair").value += 1
        except Refused as refused:
            self.complain(f"the cluster IP {address} of service {_name(service)}: {refused}")


def _is_spare(tree: Json, holders: Mapping[str, Json], now: float) -> bool:
    """Whether an IPAddress of ours belongs to no Service, and is old enough for that to be true."""
    metadata = tree["metadata"]
    if (metadata.get("labels") or {}).get(MANAGER_LABEL) != MANAGER:
        return False
    holder = holders.get(metadata["name"])
    if holder is not None and belongs(tree, holder["metadata"]):
        return False
    return now - times.parse(metadata["creationTimestamp"]) > YOUNGEST


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _name(service: Json) -> str:
    return f"{service['metadata'].get('namespace', '')}/{service['metadata'].get('name', '')}"
