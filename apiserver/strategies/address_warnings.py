"""What is said of addresses and ranges that are taken, but not as they should be written.

Source: apimachinery/pkg/util/validation/ip.go (GetWarningsForIP, GetWarningsForCIDR). Numbers with leading zeros are
not taken here at all, so nothing is said of them.
"""

import ipaddress


def of_address(path: str, text: str) -> list[str]:
    """Of an IP address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    if address.version == 4:
        return []
    if address.ipv4_mapped is not None:
        ending = f'will be considered invalid in a future Kubernetes release: use "{address.ipv4_mapped}"'
        return [f'{path}: non-standard IP address "{text}" {ending}']
    if str(address) != text:
        return [f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']
    return []


def of_range(path: str, text: str) -> list[str]:
    """Of a CIDR."""
    try:
        given = ipaddress.ip_interface(text)
    except ValueError:
        return []
    if given.ip != given.network.network_address:
        either = f'"{given.network}" or "{given.ip}/{given.ip.max_prefixlen}"'
        return [f'{path}: CIDR value "{text}" is ambiguous in this context (should be {either}?)']
    if given.version == 6 and str(given.network) != text:
        return [f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{given.network}")']
    return []
