"""`pykubectl logs`: what containers print. Source: kubectl/pkg/cmd/logs."""

import asyncio
import sys
from typing import Annotated
from urllib.parse import urlencode

import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from apimachinery.types import Json
from cli.durations import seconds
from cli.exec import Container
from cli.flags import UsageError
from cli.options import LabelSelector
from cli.pods_of import container_of, containers, find, pods_for
from cli.session import Session, explain, run
from cli.streams import target
from cli.usage import see
from client.client import Unreachable
from serving.dialer import ask


def logs(
    words: Annotated[list[str] | None, typer.Argument(help="POD or TYPE/NAME [CONTAINER]")] = None,
    container: Container = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container's last run.")] = False,
    all_containers: Annotated[bool, typer.Option("--all-containers", help="Of every container.")] = False,
    all_pods: Annotated[bool, typer.Option("--all-pods", help="Of every pod of the workload.")] = False,
    prefix: Annotated[bool, typer.Option("--prefix", help="The pod and container before each line.")] = False,
    selector: LabelSelector = "",
    since: Annotated[str, typer.Option(help="Newer than this, e.g. 5m.")] = "0s",
    since_time: Annotated[str, typer.Option(help="Newer than this time (RFC 3339).")] = "",
    tail: Annotated[int, typer.Option(help="So many lines; -1 for all.")] = -1,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="A time before each line.")] = False,
    limit_bytes: Annotated[int, typer.Option(help="So many bytes at most.")] = 0,
    ignore_errors: Annotated[bool, typer.Option("--ignore-errors", help="Go on when one container fails.")] = False,
    max_log_requests: Annotated[int, typer.Option(help="How many may be followed at once.")] = 5,
    insecure_skip: Annotated[bool, typer.Option("--insecure-skip-tls-verify-backend", hidden=True)] = False,
    pod_running_timeout: Annotated[str, typer.Option(hidden=True)] = "20s",  # noqa: ARG001  (accepted)
) -> None:
    """Print the logs of a container."""
    given = words or []
    if not given and not selector:
        message = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command"  # noqa: E501  (one message on one line)
        raise UsageError(message, see("logs"))
    if selector and given:
        raise UsageError("only a selector (-l) or a POD name is allowed", see("logs"))
    if len(given) > 2:
        raise UsageError("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'", see("logs"))
    if since != "0s" and since_time:
        raise UsageError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if len(given) == 2 and container:
        raise UsageError("only one of -c or an inline [CONTAINER] arg is allowed")
    if tail < -1:
        raise UsageError("TailLines must be greater than or equal to -1")
    options = {
        "follow": "true" if follow else "",
        "previous": "true" if previous else "",
        "timestamps": "true" if timestamps else "",
        "sinceSeconds": int(seconds(since)) or "",
        "sinceTime": since_time,
        "tailLines": tail if tail >= 0 else 10 if selector and tail == -1 else "",
        "limitBytes": limit_bytes or "",
        "insecureSkipTLSVerifyBackend": "true" if insecure_skip else "",
    }
    query = {key: value for key, value in options.items() if value != ""}
    asked = container or (given[1] if len(given) == 2 else "")

    async def work(session: Session) -> int:
        pods = await _pods(session, given, selector, everything=all_pods)
        targets = [(pod, name) for pod in pods for name in _containers(pod, asked, everything=all_containers)]
        if follow and len(targets) > max_log_requests:
            raise UsageError(
                f"you are attempting to follow {len(targets)} log streams, but maximum allowed concurrency is "
                f"{max_log_requests}, use --max-log-requests to increase the limit"
            )

        async def one(pod: Json, name: str) -> int:
            mark = f"[pod/{pod['metadata']['name']}/{name}] " if prefix or (all_pods and len(targets) > 1) else ""
            try:
                await print_log(session, pod, name, query, mark)
            except ApiError as error:
                if not ignore_errors:
                    raise
                print(explain(error), file=sys.stderr)
            return 0

        if follow and len(targets) > 1:
            await asyncio.gather(*(one(*pair) for pair in targets))
        else:
            for pair in targets:
                await one(*pair)
        return 0

    run(work)


async def _pods(session: Session, given: list[str], selector: str, *, everything: bool) -> list[Json]:
    if selector:
        items: list[Json] = (await session.get_json(PODS.path(session.namespace), {"labelSelector": selector}))["items"]
        if not items:
            print(f"No resources found in {session.namespace} namespace.", file=sys.stderr)
        return items
    try:
        kind, tree = await find(session, given[0])
    except ApiError as error:
        if error.reason == "NotFound":
            text = f'error from server (NotFound): {error.message} in namespace "{session.namespace}"'
            raise UsageError(text) from error
        raise
    if kind.kind not in ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service",
                         "ReplicationController"):  # fmt: skip
        raise UsageError(f"cannot get the logs from *unstructured.Unstructured: {kind.kind}")
    pods = await pods_for(session, kind, tree, troubled_first=True)
    if not pods:
        raise UsageError("timed out waiting for the condition")
    if everything or len(pods) == 1:
        return pods
    print(f"Found {len(pods)} pods, using pod/{pods[0]['metadata']['name']}", file=sys.stderr)
    return pods[:1]


def _containers(pod: Json, asked: str, *, everything: bool) -> list[str]:
    if everything:
        return [each["name"] for each in containers(pod)]
    if asked and asked not in [each["name"] for each in containers(pod)]:
        raise UsageError(f"container {asked} is not valid for pod {pod['metadata']['name']}")
    return [container_of(pod, asked)]


async def print_log(session: Session, pod: Json, container: str, query: Json | None = None, mark: str = "") -> None:
    """Prints a container's log as it comes; every line behind `mark`."""
    path = PODS.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "log")
    at_line_start = True
    asked = f"{path}?{urlencode((query or {}) | {'container': container})}"
    try:
        answer = await ask(target(session), "GET", asked, [("Accept", "*/*"), ("Connection", "close")])
    except OSError as error:
        raise Unreachable(f"{session.client.config.server}: {error}") from error
    if answer.code >= 400:
        raise await answer.error()
    async for chunk in answer.chunks():
        text = chunk
        if mark:
            pieces = text.splitlines(keepends=True)
            head = mark.encode()
            text = b"".join((head if at_line_start or i else b"") + piece for i, piece in enumerate(pieces))
            at_line_start = chunk.endswith(b"\n")
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
