"""`pykubectl exec`: runs a command in a container. Source: kubectl/pkg/cmd/exec."""

import sys
from typing import Annotated

import typer

from apimachinery.kinds import PODS
from cli import terminal
from cli.flags import UsageError
from cli.options import FileNames
from cli.pods_of import container_of, pod_for
from cli.session import Session, run
from cli.streams import Streams, run_streams
from cli.usage import command_line, see

Stdin = Annotated[bool, typer.Option("--stdin", "-i", help="Pass standard input to the container.")]
Tty = Annotated[bool, typer.Option("--tty", "-t", help="Standard input is a terminal.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what the container says.")]
Container = Annotated[str, typer.Option("--container", "-c", help="Which container; default: the first.")]
RunningTimeout = Annotated[str, typer.Option("--pod-running-timeout", help="How long to wait for a pod.")]


def execute(
    words: Annotated[list[str] | None, typer.Argument(help="POD or TYPE/NAME, then -- COMMAND ...")] = None,
    container: Container = "",
    stdin: Stdin = False,
    tty: Tty = False,
    quiet: Quiet = False,
    filename: FileNames = None,
    pod_running_timeout: RunningTimeout = "1m0s",
) -> None:
    """Run a command in a container."""
    given, command = words or [], command_line()
    if not given and not filename:
        raise UsageError("pod, type/name or --filename must be specified")
    if len(given) > 1 or (len(given) == 1 and command is None and filename):
        message = "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"
        raise UsageError(message, see("exec"))
    if not command:
        raise UsageError("you must specify at least one command for the container")
    if filename and not given:
        from cli import manifests  # noqa: PLC0415  (rare)

        tree = manifests.read(filename)[0].tree
        given = [f"{tree['kind'].lower()}/{tree['metadata']['name']}"]

    async def work(session: Session) -> int:
        pod = await pod_for(session, given[0], pod_running_timeout)
        name, phase = pod["metadata"]["name"], pod["status"].get("phase")
        if phase in ("Succeeded", "Failed"):
            raise UsageError(f"cannot exec into a container in a completed pod; current phase is {phase}")
        chosen = container or container_of(pod, "", quiet=quiet)
        streams = Streams(stdin=stdin, tty=allowed_tty(stdin=stdin, tty=tty, quiet=quiet), quiet=quiet)
        query = [*(("command", word) for word in command), *streams.query(chosen)]
        path = PODS.path(pod["metadata"].get("namespace", session.namespace), name, "exec")
        return await run_streams(session, path, query, streams)

    run(work)


def allowed_tty(*, stdin: bool, tty: bool, quiet: bool) -> bool:
    """Whether there will be a terminal: it takes one on this side too."""
    if tty and stdin and not terminal.is_terminal():
        if not quiet:
            print("Unable to use a TTY - input is not a terminal or the right kind of file", file=sys.stderr)
        return False
    return tty
