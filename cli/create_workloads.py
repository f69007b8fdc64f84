"""`create deployment`, `create job`, `create cronjob`: workloads that a command line describes."""

from typing import Annotated

import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import CRONJOBS, DEPLOYMENTS, JOBS
from apimachinery.types import Json
from cli.create import FieldManager, Making, Names, SaveConfig, Validate, make, metadata, named, required, show, submit
from cli.flags import UsageError
from cli.options import DryRun, Output
from cli.session import Session, run
from cli.usage import command_line

Image = Annotated[list[str] | None, typer.Option("--image", help="The image to run.")]
Restart = Annotated[str, typer.Option("--restart", help="Never|OnFailure")]


def deployment(
    words: Names = None,
    image: Image = None,
    replicas: Annotated[int, typer.Option("--replicas", "-r", help="How many pods.")] = 1,
    port: Annotated[int, typer.Option(help="The port that the container serves.")] = -1,
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a deployment."""
    required(image=image)
    name, images, command = (
        named(words, "deployment"),
        [i for each in image or () for i in each.split(",")],
        command_line(),
    )
    if len(images) > 1 and command:
        raise UsageError("cannot specify multiple --image options and command")
    containers: list[Json] = [{"image": each, "name": container_name(each), "resources": {}} for each in images]
    if command:
        containers[0]["command"] = command
    if port >= 0:
        containers[0]["ports"] = [{"containerPort": port}]
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "strategy": {},
        "template": {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": {"containers": containers}},
    }
    tree = {"metadata": metadata(name, labels), "spec": spec, "status": {}}
    make(DEPLOYMENTS, tree, Making(dry_run, output, save_config, validate, field_manager))


def container_name(image: str) -> str:
    """A container's name from its image's: the last part, without tag and digest."""
    name = image.rpartition("/")[2]
    return name.partition("@")[0].partition(":")[0].lower().replace("_", "-")


def _job_spec(name: str, image: str, command: list[str] | None, restart: str) -> Json:
    container: Json = {"image": image, "name": name, "resources": {}}
    if command:
        container["command"] = command
    pod = {"containers": [container], "restartPolicy": restart}
    return {"template": {"metadata": {"creationTimestamp": None}, "spec": pod}}


def job(
    words: Names = None,
    image: Annotated[str, typer.Option("--image", help="The image to run.")] = "",
    from_: Annotated[str, typer.Option("--from", help="cronjob/NAME: run that one now.")] = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a job."""
    name, command = named(words, "job"), command_line()
    if not image and not from_:
        raise UsageError("either --image or --from must be specified")
    if from_ and (image or command):
        raise UsageError(
            "cannot specify --from with --image or command" if command else "either --image or --from must be specified"
        )
    making = Making(dry_run, output, save_config, validate, field_manager)
    if image:
        tree = {"metadata": metadata(name), "spec": _job_spec(name, image, command, "Never"), "status": {}}
        make(JOBS, tree, making)
    kind, _, source = from_.partition("/")
    if kind not in ("cronjob", "cronjobs", "cj", "cronjob.batch", "cronjobs.batch"):
        raise UsageError(f"from must be an existing cronjob: no kind {kind!r}")

    async def work(session: Session) -> None:
        cron = await session.get_json(CRONJOBS.path(session.namespace, source))
        template = cron["spec"]["jobTemplate"]
        body = {
            "apiVersion": JOBS.api_version,
            "kind": JOBS.kind,
            "metadata": metadata(name, (template.get("metadata") or {}).get("labels")) | {
                "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}
                | ((template.get("metadata") or {}).get("annotations") or {}),
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "CronJob", "name": source, "uid": cron["metadata"]["uid"],
                     "controller": True},
                ],
            },
            "spec": template["spec"],
            "status": {},
        }  # fmt: skip
        try:
            show(await submit(session, JOBS, body, making), JOBS, making)
        except ApiError as error:
            raise UsageError(f"failed to create job: {error.message}") from error

    run(work)


def cronjob(
    words: Names = None,
    image: Annotated[str, typer.Option("--image", help="The image to run.")] = "",
    schedule: Annotated[str, typer.Option(help="When, in cron's form.")] = "",
    restart: Restart = "OnFailure",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
) -> None:
    """Create a cron job."""
    required(image=image, schedule=schedule)
    name = named(words, "cronjob")
    template = {"metadata": metadata(name), "spec": _job_spec(name, image, command_line(), restart)}
    spec = {"jobTemplate": template, "schedule": schedule}
    tree = {"metadata": metadata(name), "spec": spec, "status": {}}
    make(CRONJOBS, tree, Making(dry_run, output, save_config, validate, field_manager))
