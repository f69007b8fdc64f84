"""The sockets of cluster DNS: UDP and TCP on one address, answers from the zone, the rest forwarded.

Guarantees: a question never waits for the caches (the zone is a snapshot); packed answers are kept by the question's
bytes and forgotten when the zone changes, at most `REMEMBERED` of them; garbage gets FORMERR or silence, never an
error.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import structlog
from dnslib import RCODE, DNSError, DNSRecord

from apimachinery.kinds import ENDPOINTSLICES, NAMESPACES, SERVICES
from apimachinery.objects.core_v1 import Namespace, Service
from apimachinery.objects.discovery_v1 import EndpointSlice
from client.cache import Cache
from client.client import Client
from dns import forward, zone
from dns.answer import answer

REMEMBERED = 10_000
DATAGRAM = 512  # what a client without EDNS takes
SETTLE = 0.02
STREAM_IDLE = 10.0
MAX_FORWARDS = 500

_log = structlog.get_logger("dns")


class Resolver:
    """Packets in, packets out. Holds the zone and the answers already packed."""

    def __init__(self, domain: str, networks: Sequence[str], resolv_conf: Path, ours: str) -> None:
        self.zone = zone.Zone(domain=domain)
        self.serial = 1
        self.counts: Counter[str] = Counter()
        self._networks = [ipaddress.IPv4Network(network) for network in networks]
        self._resolv_conf, self._ours = resolv_conf, ours
        self._packed: dict[tuple[bytes, bool], bytes] = {}
        self._forwards = asyncio.Semaphore(MAX_FORWARDS)

    def replace(self, new: zone.Zone) -> None:
        """Answers from `new` from now on."""
        self.zone = new
        self.serial += 1
        self._packed.clear()

    def resolve_nowait(self, packet: bytes, *, stream: bool) -> bytes | None:
        """The answer where the cluster has one, b"" for what deserves none, None where others must be asked."""
        known = self._packed.get((packet[2:], stream))
        if known is not None:
            return packet[:2] + known
        try:
            query = DNSRecord.parse(packet)
        except (DNSError, ValueError, IndexError):
            self.counts["malformed"] += 1
            return b""
        if query.header.qr or len(query.questions) != 1:
            return b""
        reply = answer(query, self.zone, self._networks, self.serial)
        if reply is None:
            return None
        return self._pack(packet, query, reply, stream=stream)

    def _pack(self, packet: bytes, query: DNSRecord, reply: DNSRecord, *, stream: bool) -> bytes:
        limit = max([DATAGRAM, *(record.rclass for record in query.ar if record.rtype == 41)])
        data = bytes(reply.pack())
        if not stream and len(data) > limit:
            data = bytes(reply.truncate().pack())
        if len(self._packed) >= REMEMBERED:
            self._packed.clear()
        self._packed[packet[2:], stream] = data[2:]
        self.counts["answered"] += 1
        return data

    async def resolve(self, packet: bytes, *, stream: bool) -> bytes:
        """The answer, from here or from elsewhere; SERVFAIL where nobody answers; b"" for none."""
        data = self.resolve_nowait(packet, stream=stream)
        if data is not None:
            return data
        self.counts["forwarded"] += 1
        servers = forward.name_servers(self._resolv_conf, ours=self._ours)
        async with self._forwards:
            data = await forward.ask(packet, servers, stream=stream)
        if data is None:
            reply = DNSRecord.parse(packet).reply(ra=1, aa=0)
            reply.header.rcode = RCODE.SERVFAIL
            data = bytes(reply.pack())
        return data


class Datagrams(asyncio.DatagramProtocol):
    """The UDP side. Answers at once where it can; forwarded questions are tasks of their own group."""

    def __init__(self, resolver: Resolver, tasks: asyncio.TaskGroup) -> None:
        self.resolver, self.tasks = resolver, tasks

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        reply = self.resolver.resolve_nowait(data, stream=False)
        if reply is None:
            self.tasks.create_task(self._forward(data, address))
        elif reply:
            self.transport.sendto(reply, address)

    async def _forward(self, data: bytes, address: tuple[str, int]) -> None:
        reply = await self.resolver.resolve(data, stream=False)
        if reply and not self.transport.is_closing():
            self.transport.sendto(reply, address)


async def _serve_stream(resolver: Resolver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One TCP connection: question after question until the client is done or idle."""
    try:
        while True:
            async with asyncio.timeout(STREAM_IDLE):
                size = int.from_bytes(await reader.readexactly(2), "big")
                packet = await reader.readexactly(size)
            reply = await resolver.resolve(packet, stream=True)
            if not reply:
                return
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def listen(resolver: Resolver, host: str, port: int, stop: asyncio.Event) -> None:
    """Serves TCP and UDP on host:port until `stop`; who has an answer by UDP can ask by TCP."""
    async with asyncio.TaskGroup() as tasks:
        loop = asyncio.get_running_loop()
        async with await asyncio.start_server(lambda r, w: _serve_stream(resolver, r, w), host, port):
            where = (host, port)
            transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(resolver, tasks), local_addr=where)
            try:
                await stop.wait()
            finally:
                transport.close()


async def follow(resolver: Resolver, client: Client, ready: asyncio.Event) -> None:
    """Keeps the zone true to the cluster; sets `ready` when it is for the first time. Runs until cancelled."""
    services = Cache(client, SERVICES, Service)
    slices = Cache(client, ENDPOINTSLICES, EndpointSlice)
    namespaces = Cache(client, NAMESPACES, Namespace)
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for cache in (services, slices, namespaces):
            cache.subscribe(lambda _old, _new: changed.set())
            tasks.create_task(cache.run())
        for cache in (services, slices, namespaces):
            await cache.wait_synced()
        while True:
            changed.clear()
            names = [namespace.metadata.name for namespace in namespaces.list()]
            resolver.replace(zone.build(resolver.zone.domain, services.list(), slices.list(), names))
            ready.set()
            await changed.wait()
            await asyncio.sleep(SETTLE)  # a change seldom comes alone
