"""Asks other name servers about names that are not the cluster's: those of the node's /etc/resolv.conf.

Packets go through unread. The servers are asked in turn; one that does not answer in time is passed over.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

TIMEOUT = 2.0


def name_servers(resolv_conf: Path, *, ours: str) -> tuple[str, ...]:
    """The IPv4 name servers of a resolv.conf, without our own address (a loop)."""
    try:
        lines = resolv_conf.read_text().splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    found = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and ":" not in w[1]]
    return tuple(address for address in found if address != ours)


async def ask(packet: bytes, servers: Sequence[str], *, stream: bool) -> bytes | None:
    """The answer of the first server that gives one; None when none does."""
    for server in servers:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await (_ask_stream(packet, server) if stream else _ask_datagram(packet, server))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            continue
    return None


async def _ask_stream(packet: bytes, server: str) -> bytes:
    reader, writer = await asyncio.open_connection(server, 53)
    try:
        writer.write(len(packet).to_bytes(2, "big") + packet)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.close()


class _Exchange(asyncio.DatagramProtocol):
    def __init__(self, packet: bytes, answered: "asyncio.Future[bytes]") -> None:
        self.packet = packet
        self.answered = answered

    def datagram_received(self, data: bytes, _address: object) -> None:
        if data[:2] == self.packet[:2] and not self.answered.done():
            self.answered.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


async def _ask_datagram(packet: bytes, server: str) -> bytes:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Exchange(packet, answered), remote_addr=(server, 53))
    try:
        transport.sendto(packet)
        return await answered
    finally:
        transport.close()
