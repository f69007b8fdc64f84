"""What a write of a Service takes and gives back: the seam between the write path and the two allocators.

    grant = await allocator.allocate(new, old)     # just before the storage write; fills `new`, raises ApiError
    try: stored = await storage.put(...)
    except BaseException: await grant.undo(); raise
    await grant.keep()                              # gives back what the old object had and the new one has not
    ...
    await allocator.release(deleted)                # after the object is gone

In this order nothing is ever held by two Services: what a Service has is taken before it is written and given back
after it is gone. A crash in between leaves something taken that nobody has; `repair` finds it. A write that may have
succeeded (the store did not answer) is undone only where it is known to have failed: `undo` re-reads nothing, so call
it for a Conflict or a refusal, not for a time-out.
Source: pkg/registry/core/service/storage/alloc.go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from apimachinery import errors
from apimachinery.errors import INVALID, FieldError
from apimachinery.types import Json
from apiserver.allocation import families
from apiserver.allocation.addresses import Addresses, Refused
from apiserver.allocation.ports import TAKEN, Ports

_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_PORTS = ("NodePort", "LoadBalancer")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one write took (`taken`) and what it will give back when it succeeds (`spare`)."""

    allocator: "ServiceAllocator"
    owner: Json
    taken_addresses: tuple[str, ...] = ()
    spare_addresses: tuple[str, ...] = ()
    taken_ports: tuple[int, ...] = ()
    spare_ports: tuple[int, ...] = ()

    async def keep(self) -> None:
        """The write succeeded."""
        await self.allocator.give_back(self.owner, self.spare_addresses, self.spare_ports)

    async def undo(self) -> None:
        """The write failed."""
        await self.allocator.give_back(self.owner, self.taken_addresses, self.taken_ports)


@dataclass(frozen=True, slots=True)
class ServiceAllocator:
    """Gives Services their cluster addresses and node ports."""

    addresses: Addresses
    ports: Ports

    async def allocate(self, new: Json, old: Json | None, *, dry_run: bool = False) -> Grant:
        """Fill addresses, families, node ports and the health check's port of `new`. Raises ApiError (422, 500)."""
        self.settle(new, old)  # again: not every writer of Services has had them judged
        spec, owner = new["spec"], new["metadata"]
        before = addresses_of(old)
        wanted = _wanted_addresses(spec)
        if dry_run:
            await self._imagine(new, old, wanted, before)
            return Grant(self, owner)
        got: list[str] = []
        try:
            got = await self._take_addresses(new, wanted, before)
            ports = await self._take_ports(new, old)
        except BaseException:
            await self.give_back(owner, [address for address in got if address not in before], ())
            raise
        now = addresses_of(new)
        return Grant(
            self,
            owner,
            taken_addresses=tuple(address for address in now if address not in before),
            spare_addresses=tuple(address for address in before if address not in now),
            taken_ports=tuple(ports),
            spare_ports=tuple(set(ports_of(old)) - set(ports_of(new))),
        )

    def settle(self, new: Json, old: Json | None) -> None:
        """Say which families `new` has, before it is judged; it asks for no port twice. Raises ApiError (422)."""
        problems = families.settle(new["spec"], old["spec"] if old is not None else None, self.addresses.families())
        if not problems:
            problems = [*(_asked_twice(new["spec"], self.ports.range) if old is None else _taken_from_health(new, old))]
        if problems:
            raise errors.invalid("", "Service", new["metadata"].get("name", ""), problems)
        number = _health_port(new["spec"])
        if number and not (old and _needs_health_port(old["spec"])):
            others = {*_numbers(new["spec"]), *(_numbers(old["spec"]) if old else ())}
            if number in others:
                raise _no_health_port(number, TAKEN)

    async def release(self, service: Json) -> None:
        """The Service is gone: its addresses and ports are free again."""
        await self.give_back(service["metadata"], addresses_of(service), ports_of(service))

    async def give_back(self, owner: Json, addresses: Sequence[str], ports: Sequence[int]) -> None:
        for address in addresses:
            await self.addresses.release(address, owner)
        await self.ports.release(ports)

    async def _take_addresses(self, new: Json, wanted: Sequence[tuple[str, str]], before: Sequence[str]) -> list[str]:
        owner, got = new["metadata"], list[str]()
        try:
            for family, address in wanted:
                if address and address not in before:
                    await self.addresses.take(address, owner)
                got.append(address or await self._any_address(family, owner))
        except BaseException as error:
            await self.give_back(owner, [a for a in got if a not in before], ())
            if not isinstance(error, Refused):
                raise
            raise _address_error(new, wanted[len(got)][1], error) from None
        _fill_addresses(new["spec"], got)
        return got

    async def _imagine(
        self, new: Json, old: Json | None, wanted: Sequence[tuple[str, str]], before: Sequence[str]
    ) -> None:
        """What a dry run shows: nothing is taken, and not all is asked that a real one would be."""
        got: list[str] = []
        for family, address in wanted:
            try:
                if address and address not in before:
                    self.addresses.check(address)
                got.append(address or self.addresses.some(family))
            except Refused as refused:
                raise _address_error(new, address, refused) from None
        _fill_addresses(new["spec"], got)
        had = set(ports_of(old))
        slots = port_slots(new["spec"], is_new=old is None)
        missing = [slot for slot in slots if not slot.number or slot.number not in had]
        try:
            found = await self.ports.imagine([slot.number for slot in missing]) if missing else []
        except Refused as refused:
            raise _port_error(new, missing, str(refused), self.ports.range) from None
        for slot, number in zip(missing, found, strict=True):
            slot.fill(new["spec"], number)

    async def _any_address(self, family: str, owner: Json) -> str:
        try:
            return await self.addresses.take_any(family, owner)
        except Refused as refused:
            raise errors.internal(f"failed to allocate a serviceIP: {refused}") from None

    async def _take_ports(self, new: Json, old: Json | None) -> list[int]:
        """Take what is asked for and not had yet; one number may serve several protocols of a Service."""
        spec, had = new["spec"], set(ports_of(old))
        slots = port_slots(spec, is_new=old is None)
        missing = [slot for slot in slots if not slot.number or slot.number not in had]
        numbers = [slot.number for slot in missing]
        if not missing:
            return []
        try:
            taken = await self.ports.take(numbers)
        except Refused as refused:
            raise _port_error(new, missing, str(refused), self.ports.range) from None
        for slot, number in zip(missing, taken, strict=True):
            slot.fill(spec, number)
        return taken


@dataclass(frozen=True, slots=True)
class Slot:
    """One number to take: for the ports at `indexes` of spec.ports, or (no index) for the health check."""

    number: int
    indexes: tuple[int, ...]

    def fill(self, spec: Json, number: int) -> None:
        for i in self.indexes:
            spec["ports"][i]["nodePort"] = number
        if not self.indexes:
            spec["healthCheckNodePort"] = number

    @property
    def path(self) -> str:
        return f"spec.ports[{self.indexes[0]}].nodePort" if self.indexes else "spec.healthCheckNodePort"


def port_slots(spec: Json, *, is_new: bool) -> list[Slot]:
    """The node ports that a Service's type calls for, given (the number) or still open (0), one slot per number."""
    if spec.get("type") not in _WITH_PORTS:
        return []
    opt_out = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
    entries = [(i, e) for i, e in enumerate(spec.get("ports") or ()) if e.get("nodePort") or not opt_out]
    groups = _shared(entries) if is_new else _apart(entries)
    slots = [Slot(number, tuple(indexes)) for number, indexes in groups]
    if _needs_health_port(spec):
        slots.append(Slot(spec.get("healthCheckNodePort") or 0, ()))
    return slots


_Entries: TypeAlias = Sequence[tuple[int, Json]]
_Groups: TypeAlias = list[tuple[int, list[int]]]


def _shared(entries: _Entries) -> _Groups:
    """Of a new Service: what has one port, with several protocols, has one number, the first that is given for it."""
    given = {entry.get("port", 0): entry["nodePort"] for _, entry in reversed(entries) if entry.get("nodePort")}
    of_port: dict[int, tuple[int, list[int]]] = {}
    groups: _Groups = []
    for i, entry in entries:
        number, port = entry.get("nodePort") or 0, entry.get("port", 0)
        group = of_port.get(port)
        if group is None:
            group = of_port[port] = (given.get(port, 0), [])
            groups.append(group)
        elif number not in (0, group[0]):
            groups.append((number, [i]))
            continue
        group[1].append(i)
    return groups


def _apart(entries: _Entries) -> _Groups:
    """Of one that is there: each port has a number of its own, unless one is given for several."""
    given: dict[int, list[int]] = {}
    groups: _Groups = []
    for i, entry in entries:
        number = entry.get("nodePort") or 0
        if number in given:
            given[number].append(i)
            continue
        groups.append((number, [i]))
        if number:
            given[number] = groups[-1][1]
    return groups


def _asked_twice(spec: Json, ports: range) -> Iterator[FieldError]:
    """The first number that a new Service asks for under two of its ports."""
    seen: set[int] = set()
    for slot in port_slots(spec, is_new=True):
        if slot.number in seen and slot.indexes:
            yield FieldError(slot.path, INVALID, TAKEN, slot.number)
            return
        if slot.number in ports:
            seen.add(slot.number)


def _taken_from_health(new: Json, old: Json) -> Iterator[FieldError]:
    """The first port that an update gives the number at which the Service's health was asked until now."""
    number = _health_port(old["spec"])
    if number and number not in _numbers(old["spec"]):
        for slot in port_slots(new["spec"], is_new=False):
            if slot.indexes and slot.number == number:
                yield FieldError(slot.path, INVALID, TAKEN, number)
                return


def _numbers(spec: Json) -> set[int]:
    """The node ports of a Service's ports; its health is asked at another."""
    return {slot.number for slot in port_slots(spec, is_new=False) if slot.indexes and slot.number}


def _needs_health_port(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _health_port(spec: Json) -> int:
    """The number at which the Service's health is asked, 0 for none."""
    return spec.get("healthCheckNodePort") or 0 if _needs_health_port(spec) else 0


def _no_health_port(number: int, why: str) -> errors.ApiError:
    """To upstream no mistake of the client; it is one here, in upstream's words (decisions/0063)."""
    return errors.not_internal(f"failed to allocate requested HealthCheck NodePort {number}: {why}")


def ports_of(service: Json | None) -> list[int]:
    """The numbers that a stored Service holds."""
    if service is None:
        return []
    return [slot.number for slot in port_slots(service["spec"], is_new=False) if slot.number]


def addresses_of(service: Json | None) -> list[str]:
    """The cluster addresses that a stored Service holds."""
    if service is None or service["spec"].get("type") not in _WITH_ADDRESS:
        return []
    return [address for address in service["spec"].get("clusterIPs") or () if address != families.HEADLESS]


def _wanted_addresses(spec: Json) -> list[tuple[str, str]]:
    """(family, address or "") for each address that the Service is to have."""
    if spec.get("type") not in _WITH_ADDRESS or (spec.get("clusterIPs") or [""])[0] == families.HEADLESS:
        return []
    given = list(spec.get("clusterIPs") or ())
    return [(family, given[i] if i < len(given) else "") for i, family in enumerate(spec["ipFamilies"])]


def _fill_addresses(spec: Json, addresses: Sequence[str]) -> None:
    if addresses:
        spec["clusterIPs"] = list(addresses)
        spec["clusterIP"] = addresses[0]


def _address_error(new: Json, address: str, why: Refused) -> errors.ApiError:
    problem = FieldError(
        "spec.clusterIPs", INVALID, f"failed to allocate IP {address}: {why}", new["spec"].get("clusterIPs")
    )
    return errors.invalid("", "Service", new["metadata"].get("name", ""), [problem])


def _port_error(new: Json, slots: Sequence[Slot], text: str, ports: range) -> errors.ApiError:
    """The first port that was asked for and cannot be had, by its path; 500 when none was asked for."""
    named = [slot for slot in slots if slot.number]
    outside = [slot for slot in named if slot.number not in ports]
    if text == "range is full" or not named:
        return errors.internal(f"failed to allocate a nodePort: {text}")
    slot = (outside or named)[0]
    if not slot.indexes:
        return _no_health_port(slot.number, text)
    problem = FieldError(slot.path, INVALID, text, slot.number)
    return errors.invalid("", "Service", new["metadata"].get("name", ""), [problem])
