"""In which order to try the members of a range: purely, from a random start.

Upstream keeps the lower band of a range for addresses and ports that people choose by hand, and gives the upper band
away first; only when that is full the lower band follows.
Sources: pkg/registry/core/service/ipallocator/ipallocator.go, portallocator/allocator.go (calculateRangeOffset).
"""

import ipaddress
from collections.abc import Iterator

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def band(size: int, *, step: int, most: int, least: int = 16) -> int:
    """How many members at the bottom are left for choices by hand: none in a small range."""
    if size <= least:
        return 0
    return min(max(least, size // step), most)


def address_band(size: int) -> int:
    """How many addresses at the beginning are left for who asks for a certain one."""
    return band(size, step=16, most=256)


def port_band(size: int) -> int:
    """The same for node ports."""
    return band(size, step=32, most=128)


def order(size: int, reserved: int, start: int) -> Iterator[int]:
    """Every offset once: the upper band from `start` on and around, then the lower band in the same way."""
    upper = size - reserved
    for i in range(upper):
        yield reserved + (start + i) % upper
    for i in range(reserved):
        yield (start + i) % reserved


def usable(network: Network) -> tuple[int, int]:
    """The first usable offset of a network and how many there are: not the network's own nor the broadcast address."""
    size = min(network.num_addresses, 2**62)
    if network.version == 4:
        return 1, max(size - 2, 0)
    return 1, size - 1
