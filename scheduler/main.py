"""The scheduler process: flags, leader election, health and metrics, the loop."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from client.client import Client
from client.config import load_kubeconfig
from client.events import EventRecorder
from client.lease import LeaderElection
from scheduler import metrics
from scheduler.configuration import Configuration, Wrong, load
from scheduler.loop import Scheduler
from scheduler.views import SCHEDULER_NAME
from serving import logs, process
from serving.health import health_app
from serving.https import ServerTLS, serve

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(epilog="Example: pykube-scheduler --kubeconfig=/etc/kubernetes/scheduler.conf")
def run(
    kubeconfig: Annotated[str, typer.Option(help="Kubeconfig file for the API server.")] = "",
    config: Annotated[str, typer.Option(help="KubeSchedulerConfiguration file; it goes before flags.")] = "",
    leader_elect: Annotated[bool, typer.Option(help="Work only while holding the Lease.")] = True,  # noqa: FBT002
    leader_elect_identity: Annotated[
        str, typer.Option(help="This candidate's name; a fixed one lets its next start go on at once.")
    ] = "",
    secure_port: Annotated[int, typer.Option(help="Port of /healthz and /metrics, on 127.0.0.1.")] = 10259,
    tls_cert_file: Annotated[str, typer.Option(help="Certificate for that port; without one it is plain HTTP.")] = "",
    tls_private_key_file: Annotated[str, typer.Option(help="Key of that certificate.")] = "",
) -> None:
    """Give every pod without a node a node."""
    logs.configure("kube-scheduler")
    tls = ServerTLS(tls_cert_file, tls_private_key_file) if tls_cert_file else None
    chosen = _configuration(config) if config else Configuration(leader_elect=leader_elect)

    async def main(stop: asyncio.Event) -> None:
        async with Client(load_kubeconfig(chosen.kubeconfig or kubeconfig), user_agent="kube-scheduler") as client:
            identity = leader_elect_identity or f"{socket.gethostname()}_{os.getpid()}"
            await _serve(client, stop, secure_port, tls, chosen, identity=identity if chosen.leader_elect else "")

    process.run(main)


def _configuration(path: str) -> Configuration:
    try:
        return load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, Wrong) as error:
        typer.echo(f"Error: {path}: {error}", err=True)
        raise typer.Exit(1) from error


async def _serve(
    client: Client, stop: asyncio.Event, port: int, tls: ServerTLS | None, chosen: Configuration, *, identity: str
) -> None:
    recorders = {name: EventRecorder(client, name) for name in {SCHEDULER_NAME, *chosen.profiles}}
    scheduler = Scheduler(client, recorders[SCHEDULER_NAME], profiles=chosen.profiles, recorders=recorders)
    metrics.watch(scheduler.backlog.sizes, scheduler.held)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(recorder.run()) for recorder in recorders.values()]
        if identity:
            recorder = recorders[SCHEDULER_NAME]
            election = LeaderElection(client, "kube-system", "kube-scheduler", identity, recorder=recorder)
            work.append(tasks.create_task(election.run(scheduler.run)))
        else:
            work.append(tasks.create_task(scheduler.run()))
        await serve(health_app({}), host="127.0.0.1", port=port, tls=tls, stop=stop)
        for task in work:
            task.cancel()


def main() -> None:
    """The `pykube-scheduler` command."""
    app()
