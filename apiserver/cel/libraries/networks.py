"""`ip(...)` and `cidr(...)`. Source: apiserver/pkg/cel/library/ip.go and cidr.go, net/netip."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.errors import go_quoted
from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.libraries import addresses
from apiserver.cel.standard import tenth, traversal
from apiserver.cel.values import Opaque

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), 0xFF02)


@dataclass(frozen=True, slots=True)
class Ip(Opaque):
    address: _Address
    type_name = "net.IP"


@dataclass(frozen=True, slots=True)
class Cidr(Opaque):
    prefix: _Interface
    type_name = "net.CIDR"


def _parsed_ip(text: str) -> _Address:
    if why := addresses.refusal(text):
        raise EvaluationError(f"IP Address {go_quoted(text)} parse error during conversion from string: {why}")
    if "%" in text:  # before Python sees it, which takes fewer zones than Go
        raise EvaluationError(f"IP address {go_quoted(text)} with zone value is not allowed")
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise EvaluationError(f"IPv4-mapped IPv6 address {go_quoted(text)} is not allowed")
    return address


def _parsed_cidr(text: str) -> _Interface:
    failed = "network address parse error during conversion from string: "
    if why := addresses.prefix_refusal(text):
        raise EvaluationError(f"{failed}{failed}{why}")
    prefix = ipaddress.ip_interface(text)
    if isinstance(prefix, ipaddress.IPv6Interface) and prefix.ip.ipv4_mapped:
        raise EvaluationError(f"{failed}IPv4-mapped IPv6 address {go_quoted(text)} is not allowed")
    return prefix


def _is(parse: Any) -> Any:
    def run(text: str) -> bool:
        try:
            parse(text)
        except EvaluationError:
            return False
        return True

    return run


def _link_local_multicast(ip: Ip) -> bool:
    network, head = _LINK_LOCAL_MULTICAST
    if ip.address.version == 4:
        return ip.address in network
    return int(ip.address) >> 112 & 0xFF0F == head


def _global_unicast(ip: Ip) -> bool:
    """Go's sense: all that is nothing special, private addresses included."""
    a = ip.address
    special = a.is_unspecified or a.is_loopback or a.is_multicast or a.is_link_local
    return not special and str(a) != "255.255.255.255"


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return cidr.prefix.version == ip.address.version and ip.address in cidr.prefix.network


def _contains_cidr(cidr: Cidr, other: Cidr) -> bool:
    mine, theirs = cidr.prefix.network, other.prefix.network
    return mine.version == theirs.version and mine.overlaps(theirs) and mine.prefixlen <= theirs.prefixlen


def _masked(cidr: Cidr) -> Cidr:
    return Cidr(ipaddress.ip_interface(cidr.prefix.network.with_prefixlen))


def _canonical(text: str) -> bool:
    return str(_parsed_ip(text)) == text


def _twice(args: Sequence[Any], _result: Any) -> int:
    return tenth(2 * len(args[0]))


def _bytes(value: Any) -> int:
    """The size of a CIDR as upstream counts it: its prefix in bytes (cidr.go, Size)."""
    return -(-value.prefix.network.prefixlen // 8) if isinstance(value, Cidr) else len(value)


def _ip_cost(args: Sequence[Any], _result: Any) -> int:
    cost = tenth(2 * _bytes(args[0]))
    return cost + tenth(len(args[1])) if isinstance(args[1], str) else cost


def _cidr_cost(args: Sequence[Any], result: Any) -> int:
    return _ip_cost(args, result) + tenth(_bytes(args[0])) + 1


LIBRARY: tuple[Overload, ...] = (
    overload("+ip(string) -> net.IP", lambda s: Ip(_parsed_ip(s)), traversal),
    overload("+isIP(string) -> bool", _is(_parsed_ip), traversal),
    overload("+ip.isCanonical(string) -> bool", _canonical, _twice),
    overload("+string(net.IP) -> string", lambda ip: str(ip.address)),
    overload("net.IP.family() -> int", lambda ip: ip.address.version),
    overload("net.IP.isUnspecified() -> bool", lambda ip: ip.address.is_unspecified),
    overload("net.IP.isLoopback() -> bool", lambda ip: ip.address.is_loopback),
    overload("net.IP.isLinkLocalMulticast() -> bool", _link_local_multicast),
    overload("net.IP.isLinkLocalUnicast() -> bool", lambda ip: ip.address.is_link_local),
    overload("net.IP.isGlobalUnicast() -> bool", _global_unicast),
    overload("+cidr(string) -> net.CIDR", lambda s: Cidr(_parsed_cidr(s)), traversal),
    overload("+isCIDR(string) -> bool", _is(_parsed_cidr), traversal),
    overload("+string(net.CIDR) -> string", lambda c: c.prefix.with_prefixlen),
    overload("net.CIDR.ip() -> net.IP", lambda c: Ip(c.prefix.ip)),
    overload("net.CIDR.prefixLength() -> int", lambda c: c.prefix.network.prefixlen),
    overload("net.CIDR.masked() -> net.CIDR", _masked),
    overload("net.CIDR.containsIP(string) -> bool", lambda c, s: _contains_ip(c, Ip(_parsed_ip(s))), _ip_cost),
    overload("net.CIDR.containsIP(net.IP) -> bool", _contains_ip, _ip_cost),
    overload(
        "net.CIDR.containsCIDR(string) -> bool", lambda c, s: _contains_cidr(c, Cidr(_parsed_cidr(s))), _cidr_cost
    ),
    overload("net.CIDR.containsCIDR(net.CIDR) -> bool", _contains_cidr, _cidr_cost),
)
