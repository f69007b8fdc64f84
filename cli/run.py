"""`pykubectl run`: one pod from an image, and its terminal if wanted. Source: kubectl/pkg/cmd/run."""

import sys
from typing import Annotated

import msgspec
import typer

from apimachinery.kinds import PODS, SERVICES
from apimachinery.patch import merge_patch
from apimachinery.types import Json
from cli.attach import attach_to
from cli.create import Making, Names, SaveConfig, required, show, submit
from cli.exec import Quiet, Stdin, Tty
from cli.flags import UsageError
from cli.logs import print_log
from cli.options import DryRun, Output
from cli.pods_of import until
from cli.session import Session
from cli.session import run as run_work
from cli.usage import command_line, see


def run(
    words: Names = None,
    image: Annotated[str, typer.Option("--image", help="The image to run.")] = "",
    image_pull_policy: Annotated[str, typer.Option(help="Always|IfNotPresent|Never")] = "",
    command: Annotated[
        bool, typer.Option("--command", help="What is behind -- is the command, not arguments.")
    ] = False,
    env: Annotated[list[str] | None, typer.Option(help="KEY=VALUE")] = None,
    labels: Annotated[str, typer.Option("--labels", "-l", help="KEY=VALUE, several with commas.")] = "",
    annotations: Annotated[list[str] | None, typer.Option(help="KEY=VALUE")] = None,
    port: Annotated[str, typer.Option(help="The port that the container serves.")] = "",
    expose: Annotated[bool, typer.Option("--expose", help="Make a service for --port as well.")] = False,
    restart: Annotated[str, typer.Option(help="Always|OnFailure|Never")] = "Always",
    overrides: Annotated[str, typer.Option(help="JSON to merge into the pod.")] = "",
    privileged: Annotated[bool, typer.Option("--privileged", help="With every right.")] = False,
    stdin: Stdin = False,
    tty: Tty = False,
    quiet: Quiet = False,
    attach: Annotated[bool, typer.Option("--attach", help="Wait for the pod and attach to it.")] = False,
    remove: Annotated[bool, typer.Option("--rm", help="Delete the pod when it has ended.")] = False,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    pod_running_timeout: Annotated[str, typer.Option(hidden=True)] = "1m0s",  # noqa: ARG001  (accepted)
) -> None:
    """Run an image in a pod."""
    required(image=image)
    given = list(words or ())
    behind = command_line() or []
    if not given:
        raise UsageError("NAME is required for run", see("run"))
    if tty and not stdin:
        raise UsageError("-i/--stdin is required for containers with -t/--tty=true")
    attached = attach or stdin
    if remove and not attached:
        raise UsageError("--rm should only be used for attached containers")
    if attached and dry_run != "none":
        raise UsageError(
            "--dry-run=server can't be used with attached containers options (--attach, --stdin, or --tty)"
            if dry_run == "server"
            else "--dry-run can't be used with attached containers options (--attach, --stdin, or --tty)"
        )
    if expose and not port:
        raise UsageError("--port must be set when exposing a service", see("run"))
    if restart not in ("Always", "OnFailure", "Never"):
        raise UsageError(f"invalid restart policy: {restart}")
    name = given[0]
    container: Json = {"image": image, "name": name, "resources": {}}
    behind = [*given[1:], *behind]
    if behind:
        container["command" if command else "args"] = behind
    if image_pull_policy:
        container["imagePullPolicy"] = image_pull_policy
    if env:
        container["env"] = [_variable(text) for text in env]
    if port:
        container["ports"] = [{"containerPort": int(port)}]
    if stdin:
        container |= {"stdin": True} | ({"stdinOnce": True} if attached else {})
    if tty:
        container["tty"] = True
    if privileged:
        container["securityContext"] = {"privileged": True}
    chosen = dict(each.split("=", 1) for each in labels.split(",")) if labels else {"run": name}
    head: Json = {"creationTimestamp": None, "labels": chosen, "name": name}
    if annotations:
        head["annotations"] = dict(each.split("=", 1) for each in annotations)
    spec = {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart}
    tree: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": spec, "status": {}}
    if overrides:
        tree = merge_patch(tree, msgspec.json.decode(overrides))
    making = Making(dry_run, output, save_config, manager="kubectl-run")

    async def work(session: Session) -> int:
        if session.explicit:
            tree["metadata"]["namespace"] = session.namespace
        done = await submit(session, PODS, tree, making)
        if expose:
            await _expose(session, name, int(port), chosen, making)
        if not attached:
            show(done, PODS, making)
            return 0
        try:
            return await _attached(session, name, restart, stdin=stdin, tty=tty, quiet=quiet)
        finally:
            if remove:
                await session.call("DELETE", PODS.path(session.namespace, name))
                if not quiet:
                    print(f'pod "{name}" deleted')

    run_work(work)


def _variable(text: str) -> Json:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"invalid env: {text}")
    return {"name": name, "value": value}


async def _expose(session: Session, name: str, port: int, labels: Json, making: Making) -> None:
    spec = {"ports": [{"port": port, "protocol": "TCP", "targetPort": port}], "selector": labels}
    head = {"creationTimestamp": None, "name": name}
    tree = {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec, "status": {"loadBalancer": {}}}
    show(await submit(session, SERVICES, tree, making), SERVICES, making)


async def _attached(session: Session, name: str, restart: str, *, stdin: bool, tty: bool, quiet: bool) -> int:
    """Attaches as soon as the pod runs; shows its log where it was faster."""
    pod = await until(session.client, session.namespace, name, _has_run)
    if pod["status"].get("phase") in ("Succeeded", "Failed"):
        await print_log(session, pod, name)
    else:
        code = await attach_to(session, pod, name, stdin=stdin, tty=tty, quiet=quiet)
        if restart == "Always":
            return code
    pod = await until(session.client, session.namespace, name, _has_ended)
    return _code(pod)


def _has_run(pod: Json) -> bool:
    return _has_ended(pod) or (
        pod["status"].get("phase") == "Running"
        and all("running" in (each.get("state") or {}) for each in pod["status"].get("containerStatuses") or ())
    )


def _has_ended(pod: Json) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _code(pod: Json) -> int:
    """The exit code of a pod that has ended, said as kubectl says it."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    if pod["status"].get("phase") == "Succeeded":
        return 0
    for each in pod["status"].get("containerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode"):
            print(f"pod {namespace}/{name} terminated ({ended.get('reason', '')})", file=sys.stderr)
            return int(ended["exitCode"])
    return 1
