"""`pykubectl autoscale`: a horizontal pod autoscaler for an object. Source: kubectl/pkg/cmd/autoscale."""

from typing import Annotated

import typer

from apimachinery.kinds import BY_KIND
from apimachinery.types import Json
from cli.create import Making, SaveConfig, required, submit
from cli.create import show as show_made
from cli.flags import UsageError
from cli.options import DryRun, FileNames, Output, Words, dry_run_suffix
from cli.printing import object_name
from cli.session import Session, run
from cli.set_image import objects

_SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")


def autoscale(
    words: Words = None,
    min_: Annotated[int, typer.Option("--min", help="At least so many pods.")] = -1,
    max_: Annotated[int, typer.Option("--max", help="At most so many pods.")] = -1,
    cpu_percent: Annotated[int, typer.Option(help="The load to aim for, in percent of the request.")] = -1,
    name: Annotated[str, typer.Option(help="The autoscaler's name; default: the object's.")] = "",
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
) -> None:
    """Let the load decide how many pods there are."""
    required(max=max_ + 1)
    if max_ < 1:
        raise UsageError(f"--max=MAXPODS is required and must be at least 1, max: {max_}")
    if max_ < min_:
        raise UsageError(f"--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max_}, min: {min_}")
    kind = BY_KIND["autoscaling/v1", "HorizontalPodAutoscaler"]
    making = Making(dry_run, output, save_config, manager="kubectl-autoscale")

    async def work(session: Session) -> None:
        for target, tree in await objects(session, words or [], filename, "", everything=False):
            if target.kind not in _SCALED:
                raise UsageError(f"cannot autoscale a {target.kind}")
            reference = {"apiVersion": target.api_version, "kind": target.kind, "name": tree["metadata"]["name"]}
            spec: Json = {"maxReplicas": max_, "scaleTargetRef": reference}
            if min_ > 0:
                spec["minReplicas"] = min_
            if cpu_percent >= 0:
                spec["targetCPUUtilizationPercentage"] = cpu_percent
            head = {"creationTimestamp": None, "name": name or tree["metadata"]["name"]}
            body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": head, "spec": spec}
            body["status"] = {"currentReplicas": 0, "desiredReplicas": 0}
            done = await submit(session, kind, body, making)
            if output:
                show_made(done, kind, making)
            else:
                print(f"{object_name(done, kind)} autoscaled{dry_run_suffix(dry_run)}")

    run(work)
