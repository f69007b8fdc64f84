"""The node network on one Linux bridge: addresses from the node's pod CIDR, cables into sandboxes, rules, routes.

Composition: ipam.py says which address, links.py makes the cables, rules.py and iptables.py the rules, sysctls.py the
kernel's settings. Calls for one sandbox never run at the same time (its worker sees to it).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import structlog
from pyroute2.netlink.exceptions import NetlinkError

from kubelet.network import iptables, links, sysctls
from kubelet.network.ipam import Addresses, Reservation
from kubelet.network.protocol import HostPort, NetworkError
from kubelet.network.rules import Model, PortMapping
from kubelet.threads import in_thread

log = structlog.get_logger("kubelet.network")

ADDRESSES = "addresses"
SYSCTLS = "sysctls.json"
ROUTES = "routes.json"


class BridgeNetwork:
    """`NodeNetwork` on a bridge of the node's own network namespace."""

    def __init__(
        self, folder: Path, *, bridge: str, chain_prefix: str, cluster_cidr: str = "", owner: str = ""
    ) -> None:
        self._folder, self._bridge, self._prefix = folder, bridge, chain_prefix
        self._cluster_cidr, self._owner = cluster_cidr, owner
        self._addresses = Addresses(folder / ADDRESSES)
        self._held = {r.sandbox: r for r in self._addresses.all()}
        self._others: frozenset[str] = frozenset()
        self._cidr, self._mtu = "", 0
        self._applied: Model | None = None
        self._rules = asyncio.Lock()
        self._reserving = asyncio.Lock()

    async def prepare(self, pod_cidr: str) -> None:
        wanted = {**sysctls.NEEDED, f"net/ipv4/conf/{self._bridge}/route_localnet": "1"}
        self._mtu = await in_thread(links.ensure_bridge, self._bridge, pod_cidr, self._owner)
        for name in await in_thread(sysctls.require, wanted, self._folder / SYSCTLS):
            log.warning("the kernel lacks a setting", setting=name)
        self._cidr = pod_cidr
        if not await iptables.intact(self._prefix):
            self._applied = None
        await self._sync_rules()

    async def _sync_rules(self) -> None:
        async with self._rules:
            ports = [PortMapping(r.address, port) for r in list(self._held.values()) for port in r.ports]
            others = {*self._others, *([self._cluster_cidr] if self._cluster_cidr else [])}
            model = Model(
                prefix=self._prefix, pod_cidr=self._cidr, other_cidrs=tuple(sorted(others)), ports=tuple(ports)
            )
            if model == self._applied:
                return
            await iptables.apply(model)
            gone = set(self._applied.ports if self._applied else ()) ^ set(model.ports)
            self._applied = model
        for mapping in gone:
            if mapping.port.protocol == "UDP":
                await iptables.forget_udp(mapping.port.host_port)

    async def attach(self, sandbox_id: str, pid: int, ports: Sequence[HostPort] = ()) -> str:
        if not self._cidr:
            raise NetworkError("the node has no pod CIDR yet")
        async with self._reserving:
            address = await in_thread(self._reserve, sandbox_id, ports)
        await in_thread(links.connect, self._bridge, sandbox_id, pid, address, self._cidr, self._mtu)
        if ports:
            await self._sync_rules()
        return address

    def _reserve(self, sandbox_id: str, ports: Sequence[HostPort]) -> str:
        """Noted in the very moment: who is cancelled here must be able to give it back."""
        address = self._addresses.reserve(self._cidr, sandbox_id, ports)
        self._held[sandbox_id] = Reservation(address, sandbox_id, tuple(ports))
        return address

    async def detach(self, sandbox_id: str) -> None:
        try:
            await in_thread(links.disconnect, sandbox_id)
        except NetlinkError as error:
            raise NetworkError(f"cannot disconnect a pod: {error}") from error
        held = self._held.pop(sandbox_id, None)
        if held is None:
            return
        if held.ports and self._cidr:
            await self._sync_rules()  # before the address can be another's
        self._addresses.release(held.address)

    def address(self, sandbox_id: str) -> str:
        held = self._held.get(sandbox_id)
        return held.address if held else ""

    def held(self) -> Collection[str]:
        return set(self._held)

    async def sync_routes(self, routes: Mapping[str, str]) -> None:
        self._others = frozenset(routes)
        try:
            await in_thread(links.replace_routes, dict(routes), self._folder / ROUTES)
        except NetlinkError as error:
            raise NetworkError(f"cannot set the routes to other nodes: {error}") from error
        if self._cidr:
            await self._sync_rules()

    async def retain(self, sandbox_ids: Collection[str]) -> None:
        for id in set(self._held) - set(sandbox_ids):
            log.info("taking back the address of a sandbox that is gone", sandbox=id)
            await self.detach(id)


async def remove(folder: Path, *, bridge: str, chain_prefix: str) -> None:
    """Everything that a BridgeNetwork made, whether or not one still runs; settings as before."""
    await in_thread(links.remove_bridge, bridge)
    await in_thread(links.replace_routes, {}, folder / ROUTES)
    await iptables.remove(chain_prefix)
    await in_thread(sysctls.restore, folder / SYSCTLS)
