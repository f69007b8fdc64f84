"""The controllers' process: flags, leader election, health and metrics, and a selection of the controllers."""

import asyncio
import os
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer

from client import config
from client.client import Client
from client.events import EventRecorder
from client.lease import LeaderElection
from controllers.catalog import NAMES, Controllers, Settings, select
from controllers.certificates import authority
from serving import logs, process
from serving.health import health_app
from serving.https import ServerTLS, serve

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

LEASE = "kube-controller-manager"


@app.command(
    epilog="Example: pykube-controller-manager --kubeconfig=/etc/kubernetes/controller-manager.conf "
    "--cluster-cidr=10.244.0.0/16 --root-ca-file=/etc/kubernetes/pki/ca.crt"
)
def run(
    kubeconfig: Annotated[str, typer.Option(help="Kubeconfig file for the API server.")] = "",
    controllers: Annotated[
        str, typer.Option(help=f"Which to run: * for all, NAME, -NAME for all but that. Known: {', '.join(NAMES)}")
    ] = "*",
    cluster_cidr: Annotated[str, typer.Option(help="The pods' network, of which each node gets a part.")] = (
        "10.244.0.0/16"
    ),
    node_cidr_mask_size: Annotated[int, typer.Option(help="The size of each node's part.")] = 24,
    root_ca_file: Annotated[str, typer.Option(help="The CA to publish in every namespace.")] = "",
    cluster_signing_cert_file: Annotated[str, typer.Option(help="The CA that signs approved requests.")] = "",
    cluster_signing_key_file: Annotated[str, typer.Option(help="The key of that CA.")] = "",
    node_monitor_grace_period: Annotated[
        float, typer.Option(help="Seconds of silence after which a node counts as unreachable.")
    ] = 40.0,
    terminated_pod_gc_threshold: Annotated[int, typer.Option(help="Finished pods to keep; 0 for all.")] = 12500,
    leader_elect: Annotated[bool, typer.Option(help="Work only while holding the Lease.")] = True,  # noqa: FBT002
    leader_elect_identity: Annotated[
        str, typer.Option(help="This candidate's name; a fixed one lets its next start go on at once.")
    ] = "",
    leader_elect_resource_name: Annotated[str, typer.Option(help="The Lease, for processes that share work.")] = LEASE,
    bind_address: Annotated[str, typer.Option(help="Where to serve /healthz and /metrics.")] = "127.0.0.1",
    secure_port: Annotated[int, typer.Option(help="Port of /healthz and /metrics.")] = 10257,
    tls_cert_file: Annotated[str, typer.Option(help="Certificate for that port; without one it is plain HTTP.")] = "",
    tls_private_key_file: Annotated[str, typer.Option(help="Key of that certificate.")] = "",
) -> None:
    """Bring the cluster to what its objects say: deployments, endpoints, nodes, namespaces, garbage."""
    logs.configure(LEASE)
    try:
        names = select([each.strip() for each in controllers.split(",") if each.strip()])
        root_ca = Path(root_ca_file).read_text() if root_ca_file else ""
        signing = None
        if cluster_signing_cert_file and cluster_signing_key_file:
            signing = authority(
                Path(cluster_signing_cert_file).read_bytes(), Path(cluster_signing_key_file).read_bytes()
            )
        where = config.load_kubeconfig(kubeconfig) if kubeconfig else config.load()
    except (ValueError, OSError, config.ConfigError) as error:
        raise typer.BadParameter(str(error)) from error
    settings = Settings(
        cluster_cidr=cluster_cidr,
        node_mask=node_cidr_mask_size,
        root_ca=root_ca,
        signing=signing,
        node_grace=node_monitor_grace_period,
        terminated_threshold=terminated_pod_gc_threshold,
    )
    tls = ServerTLS(tls_cert_file, tls_private_key_file) if tls_cert_file else None

    async def main(stop: asyncio.Event) -> None:
        async with Client(where, user_agent=LEASE) as client, asyncio.TaskGroup() as tasks:
            working = Controllers(client, settings, names)
            recorder = EventRecorder(client, LEASE)
            telling = tasks.create_task(recorder.run())
            election = LeaderElection(
                client,
                "kube-system",
                leader_elect_resource_name,
                leader_elect_identity or _identity(),
                recorder=recorder,
            )
            work = tasks.create_task(election.run(working.run) if leader_elect else working.run())
            # A lost lease ends the process (the work's error does): the supervisor starts a fresh candidate.
            await serve(health_app({}), host=bind_address, port=secure_port, tls=tls, stop=stop)
            work.cancel()
            telling.cancel()

    process.run(main)


def _identity() -> str:
    """Different for each start: a process started anew must wait until its old lease runs out or was released."""
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"


def main() -> None:
    """The `pykube-controller-manager` command."""
    app()


if __name__ == "__main__":
    main()
