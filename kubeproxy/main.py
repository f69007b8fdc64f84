"""The kube-proxy process: flags, health and metrics, the loop. The rules stay when it ends: traffic flows on."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from client.client import Client
from client.config import load_kubeconfig
from kubeproxy import sysctl
from kubeproxy.cleanup import clean
from kubeproxy.loop import Proxy, run_until
from kubeproxy.rules import Config
from serving import logs, process
from serving.health import health_app
from serving.https import serve

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(epilog="Example: pykube-proxy --kubeconfig=/etc/kubernetes/proxy.conf --hostname-override=node-1")
def run(
    kubeconfig: Annotated[str, typer.Option(help="Kubeconfig file for the API server.")] = "",
    hostname_override: Annotated[str, typer.Option(help="This node's name.")] = "",
    cluster_cidr: Annotated[str, typer.Option(help="The pods' addresses; others are masqueraded.")] = "10.244.0.0/16",
    service_cidr: Annotated[str, typer.Option(help="The services' addresses; what no service takes is dropped.")] = "",
    chain_prefix: Annotated[str, typer.Option(help="What the names of the chains begin with.")] = "KUBE",
    healthz_port: Annotated[int, typer.Option(help="Port of /healthz.")] = 10256,
    metrics_port: Annotated[int, typer.Option(help="Port of /metrics, on 127.0.0.1.")] = 10249,
    sysctl_record: Annotated[Path, typer.Option(help="Where to keep the kernel settings found.")] = Path(
        "/run/pykube-proxy-sysctl.json"
    ),
    cleanup: Annotated[bool, typer.Option("--cleanup", help="Remove every rule of ours and end.")] = False,  # noqa: FBT002
) -> None:
    """Program this node's iptables so that services reach their endpoints."""
    logs.configure("kube-proxy")
    if cleanup:
        clean(chain_prefix, sysctl_record)
        return
    config = Config(cluster_cidr, chain_prefix, service_cidr)

    async def main(stop: asyncio.Event) -> None:
        sysctl.apply(sysctl_record)
        async with Client(load_kubeconfig(kubeconfig), user_agent="kube-proxy") as client:
            proxy = Proxy(client, node=hostname_override, config=config)
            health = health_app({"proxy": proxy.is_healthy})
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(serve(health, host="0.0.0.0", port=healthz_port, tls=None, stop=stop))  # noqa: S104  (load balancers ask)
                tasks.create_task(serve(health, host="127.0.0.1", port=metrics_port, tls=None, stop=stop))
                await run_until(stop, proxy)

    process.run(main)


def main() -> None:
    """The `pykube-proxy` command."""
    app()
