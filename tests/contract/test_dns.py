"""Cluster DNS on real sockets and the event loop it runs on in earnest."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from dnslib import RCODE, DNSRecord

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Service
from dns import zone
from dns.server import Resolver, listen
from tests.ports import free_port

WEB = view(
    {"metadata": {"name": "web", "namespace": "d"}, "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}]}},
    Service,
)
QUESTION = bytes(DNSRecord.question("web.d.svc.cluster.local").pack())


@asynccontextmanager
async def serving():
    resolver = Resolver("cluster.local", ["10.96.0.0/16"], Path("/dev/null"), "")
    resolver.replace(zone.build("cluster.local", [WEB], [], ["d"]))
    port = free_port()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listen(resolver, "127.0.0.1", port, stop))
        yield port
        stop.set()


async def ask_datagram(port, packet):
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            client.connect(("127.0.0.1", port))
            while True:
                try:
                    client.send(packet)
                    return DNSRecord.parse(client.recv(4096))
                except ConnectionRefusedError:  # not listening yet
                    continue

    return await asyncio.to_thread(ask)


async def exchange():
    async with serving() as port:
        by_datagram = await ask_datagram(port, QUESTION)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(len(QUESTION).to_bytes(2, "big") + QUESTION)
        size = int.from_bytes(await reader.readexactly(2), "big")
        by_stream = DNSRecord.parse(await reader.readexactly(size))
        writer.close()
        elsewhere = await ask_datagram(port, bytes(DNSRecord.question("example.com").pack()))
    return by_datagram, by_stream, elsewhere


def test_datagrams_and_streams_are_answered():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        by_datagram, by_stream, elsewhere = runner.run(exchange())
    assert str(by_datagram.rr[0].rdata) == str(by_stream.rr[0].rdata) == "10.96.0.9"
    assert elsewhere.header.rcode == RCODE.SERVFAIL, "no name server to ask: said so, not silence"
