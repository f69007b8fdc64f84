"""Node ports, all in one bitmap: the RangeAllocation at `/registry/ranges/servicenodeports`, as upstream keeps it.

Taking ports is one compare-and-swap of that object, all ports of a Service at once: two servers cannot both turn the
same bit on. A server that dies after taking and before its Service is stored leaves bits behind; the repair sees that
no Service has them, waits some rounds, and clears them. Other data (a port per key) would make the swap cheaper, but an
upstream server on the same etcd reads and writes this object, and must see our ports.
Source: pkg/registry/core/service/portallocator, pkg/registry/core/service/allocator/bitmap.go.
"""

import base64
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from apimachinery.types import Json
from apiserver import protobuf
from apiserver.allocation import counts
from apiserver.allocation.addresses import Refused
from apiserver.allocation.choice import order, port_band
from apiserver.storage.protocol import Storage, Stored, update
from serving.series import Counter

KEY = "/registry/ranges/servicenodeports"
#: The default of --service-node-port-range.
DEFAULT_PORTS = range(30000, 32768)
TAKEN = "provided port is already allocated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The node ports of the cluster."""

    storage: Storage
    range: range
    random: random.Random

    async def take(self, wanted: Sequence[int]) -> list[int]:
        """Take these ports at once, a free one for each 0. Raises Refused, with none taken, when one cannot be had."""
        scopes = [counts.STATIC if port else counts.DYNAMIC for port in wanted]
        try:
            taken = await self._take(wanted)
        except Refused:
            _count(counts.PORT_REFUSED, scopes)
            raise
        _count(counts.PORT_TAKEN, scopes)
        return taken

    async def _take(self, wanted: Sequence[int]) -> list[int]:
        for port in wanted:
            if port and port not in self.range:
                text = f"{self.range.start}-{self.range.stop - 1}"
                raise Refused(f"provided port is not in the valid range. The range of valid ports is {text}")
        start = self.random.randrange(len(self.range))
        taken: list[int] = []

        def change(stored: Stored | None) -> bytes:
            bits = bits_of(stored, self.range)
            taken[:] = chosen(wanted, bits, self.range, start)
            return encoded(with_ports(bits, taken, self.range), self.range)

        await update(self.storage, KEY, change)
        return taken

    async def imagine(self, wanted: Sequence[int]) -> list[int]:
        """What a dry run shows: the ports named, if nobody has them, and free ones. Takes none. Raises Refused."""
        bits = bits_of(await self.storage.get(KEY), self.range)
        outside = [port for port in wanted if port and port not in self.range]  # which upstream's does not ask for
        start = self.random.randrange(len(self.range))
        inside = iter(chosen([port for port in wanted if port not in outside], bits, self.range, start))
        return [port if port in outside else next(inside) for port in wanted]

    async def release(self, ports: Iterable[int]) -> None:
        """Give ports back. Calling it again for the same Service would free somebody else's: call it once."""
        given = [port for port in ports if port in self.range]
        if not given:
            return

        def change(stored: Stored | None) -> bytes:
            return encoded(without_ports(bits_of(stored, self.range), given, self.range), self.range)

        await update(self.storage, KEY, change)


def _count(family: Counter, scopes: Iterable[str]) -> None:
    for scope in scopes:
        family.of(scope).value += 1


def chosen(wanted: Sequence[int], bits: int, ports: range, start: int) -> list[int]:
    """The ports that a request gets: those named, then free ones that nobody named. Raises Refused."""
    named = {port for port in wanted if port}
    for port in sorted(named):
        if bits >> (port - ports.start) & 1:
            raise Refused(TAKEN)
    free = (
        ports.start + offset
        for offset in order(len(ports), port_band(len(ports)), start)
        if not bits >> offset & 1 and ports.start + offset not in named
    )
    found = [port or next(free, 0) for port in wanted]
    if 0 in found:
        raise Refused("range is full")
    return found


def with_ports(bits: int, ports: Iterable[int], within: range) -> int:
    """The bitmap with these ports taken."""
    for port in ports:
        bits |= 1 << (port - within.start)
    return bits


def without_ports(bits: int, ports: Iterable[int], within: range) -> int:
    """The bitmap with these ports free."""
    for port in ports:
        bits &= ~(1 << (port - within.start))
    return bits


def bits_of(stored: Stored | None, ports: range) -> int:
    """The bitmap as a number, 0 where there is none."""
    if stored is None:
        return 0
    return bits_of_tree(protobuf.decode_stored(stored.value), ports)


def bits_of_tree(tree: Json, ports: range) -> int:
    """The bitmap of a RangeAllocation. One for another range is moved over to ours, port by port."""
    bits = int.from_bytes(base64.b64decode(tree.get("data") or ""), "big")
    first = int((tree.get("range") or str(ports.start)).partition("-")[0])
    if first == ports.start:
        return bits & ((1 << len(ports)) - 1)
    taken = (first + i for i in range(bits.bit_length()) if bits >> i & 1)
    return with_ports(0, (port for port in taken if port in ports), ports)


def encoded(bits: int, ports: range) -> bytes:
    """The RangeAllocation as it is stored: the bitmap as the bytes of a big-endian number."""
    data = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    tree = {
        "kind": "RangeAllocation",
        "apiVersion": "v1",
        "metadata": {},
        "range": f"{ports.start}-{ports.stop - 1}",
        "data": base64.b64encode(data).decode(),
    }
    return msgspec.json.encode(tree)
