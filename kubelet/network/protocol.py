"""The node network's door: give a sandbox an address, take it back, keep the node's rules and routes true.

Addresses survive the kubelet: what was attached stays attached, and `address` still knows it after a restart.
Implemented by bridge.py for real and by fake.py in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads into a pod."""

    protocol: str  # TCP, UDP, SCTP
    host_port: int
    container_port: int
    host_ip: str = ""


class NetworkError(Exception):
    """The network cannot do what was asked; the message is for people."""


class NodeNetwork(Protocol):
    async def prepare(self, pod_cidr: str) -> None:
        """Bridge, rules and sysctls for the node's pod CIDR; again whenever something may have been flushed."""
        ...

    async def attach(self, sandbox_id: str, pid: int, ports: Sequence[HostPort] = ()) -> str:
        """Wire the sandbox whose process is `pid`; its address. Twice for one sandbox gives the same address."""
        ...

    async def detach(self, sandbox_id: str) -> None: ...

    def address(self, sandbox_id: str) -> str:
        """The address of an attached sandbox, or ""."""
        ...

    def held(self) -> Collection[str]:
        """The sandboxes that have an address."""
        ...

    async def sync_routes(self, routes: Mapping[str, str]) -> None:
        """Exactly these routes to other nodes' pods: pod CIDR -> the node's address."""
        ...

    async def retain(self, sandbox_ids: Collection[str]) -> None:
        """Take back the address of every sandbox but these."""
        ...
