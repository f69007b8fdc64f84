"""`pykubectl attach`: this terminal becomes that of a container's main process. Source: kubectl/pkg/cmd/attach."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from apimachinery.kinds import PODS
from apimachinery.types import Json
from cli.exec import Container, Quiet, RunningTimeout, Stdin, Tty, allowed_tty
from cli.flags import UsageError
from cli.pods_of import container_of, containers, pod_for
from cli.session import Session, run
from cli.streams import Streams, run_streams


def attach(
    words: Annotated[list[str] | None, typer.Argument(help="POD or TYPE/NAME")] = None,
    container: Container = "",
    stdin: Stdin = False,
    tty: Tty = False,
    quiet: Quiet = False,
    pod_running_timeout: RunningTimeout = "1m0s",
) -> None:
    """Attach to a running container."""
    given = words or []
    if not given:
        raise UsageError("at least 1 argument is required for attach")
    if len(given) > 2:
        raise UsageError(f"expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {len(given)}: {_go(given)}")

    async def work(session: Session) -> int:
        pod = await pod_for(session, "/".join(given), pod_running_timeout)
        return await attach_to(session, pod, container, stdin=stdin, tty=tty, quiet=quiet)

    run(work)


def _go(words: Sequence[str]) -> str:
    return f"[{' '.join(words)}]"


async def attach_to(session: Session, pod: Json, container: str, *, stdin: bool, tty: bool, quiet: bool) -> int:
    """Attaches to a pod's container until it ends."""
    name, phase = pod["metadata"]["name"], pod["status"].get("phase")
    if phase in ("Succeeded", "Failed"):
        raise UsageError(f"cannot attach a container in a completed pod; current phase is {phase}")
    chosen = container_of(pod, container, quiet=quiet)
    spec = next(each for each in containers(pod) if each["name"] == chosen)
    if tty and not spec.get("tty"):
        tty = False
        if not quiet:
            print(f"error: Unable to use a TTY - container {chosen} did not allocate one", file=sys.stderr)
    elif not tty and spec.get("tty") and stdin:
        tty = True
    streams = Streams(stdin=stdin, tty=allowed_tty(stdin=stdin, tty=tty, quiet=quiet), quiet=quiet)
    if not quiet:
        print("If you don't see a command prompt, try pressing enter.", file=sys.stderr)
    path = PODS.path(pod["metadata"]["namespace"], name, "attach")
    code = await run_streams(session, path, streams.query(chosen), streams)
    if stdin and streams.tty and pod["spec"].get("restartPolicy") == "Always" and not quiet:
        how = f"'pykubectl attach {name} -c {chosen} -i -t'"
        print(f"Session ended, resume using {how} command when the pod is running")
    return code
