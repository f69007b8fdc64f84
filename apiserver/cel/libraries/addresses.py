"""What Go's net/netip says of a text that is no address: in its words, and of the first thing that is wrong.

Python's ipaddress finds the address itself. Source of the rules: Go's net/netip (ParseAddr, ParsePrefix).
"""

import string

from apimachinery.errors import go_quoted

_DIGITS, _HEX = frozenset(string.digits), frozenset(string.hexdigits)
_OCTETS, _MOST_OCTET = 4, 255
_BYTES, _LAST_BYTES = 16, 12
_LONGEST_GROUP = 4
_IPV4_BITS, _IPV6_BITS = 32, 128
_MOST_DIGITS = 18


class _Wrong(ValueError):
    def __init__(self, why: str, at: str = "") -> None:
        super().__init__(why + (f" (at {go_quoted(at)})" if at else ""))


def refusal(text: str) -> str:
    """Why a text is no address; "" for one that is."""
    kind = next((letter for letter in text if letter in ".:%"), "")
    try:
        _JUDGES[kind](text)
    except _Wrong as why:
        return f"ParseAddr({go_quoted(text)}): {why}"
    return ""


def prefix_refusal(text: str) -> str:
    """Why a text is no prefix of addresses; "" for one that is."""
    head, slash, bits = text.rpartition("/")
    why = refusal(head) if slash else "no '/'"
    if not why and "%" in head:
        why = "IPv6 zones cannot be present in a prefix"
    if not why and not _is_number(bits):
        why = f"bad bits after slash: {go_quoted(bits)}"
    if not why and int(bits) > (_IPV6_BITS if ":" in head else _IPV4_BITS):
        why = "prefix length out of range"
    return f"netip.ParsePrefix({go_quoted(text)}): {why}" if why else ""


def _is_number(bits: str) -> bool:
    digits = 0 < len(bits) <= _MOST_DIGITS and all(letter in _DIGITS for letter in bits)
    return digits and (len(bits) == 1 or bits[0] != "0")


def _ipv4(text: str) -> None:
    """Four octets. Raises _Wrong."""
    value, digits, octets = 0, 0, 1
    for i, letter in enumerate(text):
        if letter in _DIGITS:
            if digits == 1 and value == 0:
                raise _Wrong("IPv4 field has octet with leading zero")
            value, digits = value * 10 + int(letter), digits + 1
            if value > _MOST_OCTET:
                raise _Wrong("IPv4 field has value >255")
        elif letter == ".":
            if i in (0, len(text) - 1) or text[i - 1] == ".":
                raise _Wrong("IPv4 field must have at least one digit", text[i:])
            if octets == _OCTETS:
                raise _Wrong("IPv4 address too long")
            value, digits, octets = 0, 0, octets + 1
        else:
            raise _Wrong("unexpected character", text[i:])
    if octets < _OCTETS:
        raise _Wrong("IPv4 address too short")


def _ipv6(text: str) -> None:
    """Groups of hexadecimal digits, once left out, perhaps with an IPv4 address at the end. Raises _Wrong."""
    rest, percent, zone = text.partition("%")
    if percent and not zone:
        raise _Wrong("zone must be a non-empty string")
    shortened = rest.startswith("::")
    rest = rest[2:] if shortened else rest
    if shortened and not rest:
        return
    used = 0
    while used < _BYTES:
        group = _group(rest)
        if rest[group:].startswith("."):
            used, rest = _embedded(rest, used, shortened=shortened), ""
            break
        used, rest = used + 2, rest[group:]
        if not rest:
            break
        if rest[0] != ":":
            raise _Wrong("unexpected character, want colon", rest)
        if len(rest) == 1:
            raise _Wrong("colon must be followed by more characters", rest)
        rest = rest[1:]
        if rest[0] == ":":
            if shortened:
                raise _Wrong("multiple :: in address", rest)
            shortened, rest = True, rest[1:]
            if not rest:
                break
    _complete(rest, used, shortened=shortened)


def _group(rest: str) -> int:
    length = next((i for i, letter in enumerate(rest) if letter not in _HEX), len(rest))
    if length > _LONGEST_GROUP:
        raise _Wrong("each group must have 4 or less digits", rest)
    if not length:
        raise _Wrong("each colon-separated field must have at least one digit", rest)
    return length


def _embedded(rest: str, used: int, *, shortened: bool) -> int:
    if not shortened and used != _LAST_BYTES:
        raise _Wrong("embedded IPv4 address must replace the final 2 fields of the address", rest)
    if used + _OCTETS > _BYTES:
        raise _Wrong("too many hex fields to fit an embedded IPv4 at the end of the address", rest)
    _ipv4(rest)
    return used + _OCTETS


def _complete(rest: str, used: int, *, shortened: bool) -> None:
    if rest:
        raise _Wrong("trailing garbage after address", rest)
    if used < _BYTES and not shortened:
        raise _Wrong("address string too short")
    if used == _BYTES and shortened:
        raise _Wrong("the :: must expand to at least one field of zeros")


def _none(_text: str) -> None:
    raise _Wrong("unable to parse IP")


def _only_zone(_text: str) -> None:
    raise _Wrong("missing IPv6 address")


#: By the first letter that tells what a text means to be.
_JUDGES = {".": _ipv4, ":": _ipv6, "%": _only_zone, "": _none}
