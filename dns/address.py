"""Puts the cluster's DNS address on this node's loopback device, so that what pods send there ends here.

Every node has it: a pod's question never leaves its node, and no rule has to translate it.
"""

from pyroute2 import IPRoute  # type: ignore[attr-defined]
from pyroute2.netlink.exceptions import NetlinkError

_EXISTS = 17
_NOT_THERE = 99


def ensure(address: str) -> None:
    """Adds the address where it is missing."""
    _change("add", address, _EXISTS)


def remove(address: str) -> None:
    """Takes the address away where it is there."""
    _change("delete", address, _NOT_THERE)


def _change(verb: str, address: str, harmless: int) -> None:
    with IPRoute() as routes:
        loopback = routes.link_lookup(ifname="lo")[0]
        try:
            routes.addr(verb, index=loopback, address=address, prefixlen=32)
        except NetlinkError as error:
            if error.code != harmless:
                raise
