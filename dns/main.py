"""The pykube-dns process: flags, the DNS address, health and metrics, the sockets."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from client.client import Client
from client.config import load_kubeconfig
from dns import address as dns_address
from dns.server import Resolver, follow, listen
from serving import logs, process
from serving.health import health_app
from serving.https import serve

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(epilog="Example: pykube-dns --kubeconfig=/etc/kubernetes/dns.conf --address=10.96.0.10")
def run(
    kubeconfig: Annotated[str, typer.Option(help="Kubeconfig file for the API server.")] = "",
    address: Annotated[str, typer.Option(help="The cluster's DNS address; put on the loopback device.")] = "10.96.0.10",
    port: Annotated[int, typer.Option(help="Port for UDP and TCP.")] = 53,
    cluster_domain: Annotated[str, typer.Option(help="The cluster's domain.")] = "cluster.local",
    service_cidr: Annotated[str, typer.Option(help="Addresses of services (for reverse names).")] = "10.96.0.0/16",
    pod_cidr: Annotated[str, typer.Option(help="Addresses of pods (for reverse names).")] = "10.244.0.0/16",
    resolv_conf: Annotated[Path, typer.Option(help="Where other names are asked.")] = Path("/etc/resolv.conf"),
    health_port: Annotated[int, typer.Option(help="Port of /healthz, /readyz and /metrics.")] = 8181,
) -> None:
    """Answer the cluster's names on this node, forward all others."""
    logs.configure("dns")
    dns_address.ensure(address)  # before the event loop: netlink has one of its own

    async def main(stop: asyncio.Event) -> None:
        ready = asyncio.Event()
        resolver = Resolver(cluster_domain, (service_cidr, pod_cidr), resolv_conf, address)

        async def zone_known() -> None:
            if not ready.is_set():
                message = "the services are not known yet"
                raise RuntimeError(message)

        health = health_app({"zone": zone_known})
        async with Client(load_kubeconfig(kubeconfig), user_agent="pykube-dns") as client, asyncio.TaskGroup() as tasks:
            following = tasks.create_task(follow(resolver, client, ready))
            tasks.create_task(serve(health, host="0.0.0.0", port=health_port, tls=None, stop=stop))  # noqa: S104  (as CoreDNS does)
            await listen(resolver, address, port, stop)
            following.cancel()

    process.run(main)


def main() -> None:
    """The `pykube-dns` command."""
    app()
