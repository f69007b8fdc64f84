"""The node network in memory, for tests of what uses it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from kubelet.network.ipam import gateway
from kubelet.network.protocol import HostPort, NetworkError


class FakeNetwork:
    """`NodeNetwork` without a network. `failing` makes every attach fail with that message."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.ports: dict[str, Sequence[HostPort]] = {}
        self.routes: Mapping[str, str] = {}
        self.failing = ""
        self._cidr = ""
        self._given = 0

    async def prepare(self, pod_cidr: str) -> None:
        self._cidr = pod_cidr

    async def attach(self, sandbox_id: str, pid: int, ports: Sequence[HostPort] = ()) -> str:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.failing:
            raise NetworkError(self.failing)
        if not self._cidr:
            raise NetworkError("the node has no pod CIDR yet")
        if sandbox_id not in self.addresses:
            self._given += 1
            head, _, last = gateway(self._cidr).rpartition(".")
            self.addresses[sandbox_id] = f"{head}.{int(last) + self._given}"
            self.ports[sandbox_id] = ports
        return self.addresses[sandbox_id]

    async def detach(self, sandbox_id: str) -> None:
        await asyncio.sleep(0)
        self.addresses.pop(sandbox_id, None)
        self.ports.pop(sandbox_id, None)

    def address(self, sandbox_id: str) -> str:
        return self.addresses.get(sandbox_id, "")

    def held(self) -> Collection[str]:
        return set(self.addresses)

    async def sync_routes(self, routes: Mapping[str, str]) -> None:
        self.routes = dict(routes)

    async def retain(self, sandbox_ids: Collection[str]) -> None:
        for id in set(self.addresses) - set(sandbox_ids):
            await self.detach(id)
