"""`pykubectl set image|resources|serviceaccount`: one feature of the pod templates of objects."""

from collections.abc import Callable
from typing import Annotated

import typer

from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli.changing import report, send_patch, targets
from cli.flags import UsageError
from cli.options import NO_OBJECTS, DryRun, FileNames, LabelSelector, Output, Recursive, Words, dry_run_suffix
from cli.session import Session, run

Containers = Annotated[str, typer.Option("--containers", "-c", help="Which containers; * for all.")]
All = Annotated[bool, typer.Option("--all", help="Every object of the type in the namespace.")]


def pod_spec(kind: Kind, tree: Json) -> tuple[list[str], Json]:
    """Where an object keeps its pods' spec, and that spec."""
    places = {"Pod": ["spec"], "CronJob": ["spec", "jobTemplate", "spec", "template", "spec"]}
    path = places.get(kind.kind, ["spec", "template", "spec"])
    found: Json = tree
    for part in path:
        found = found.get(part) or {}
    if not found.get("containers"):
        raise UsageError(f"the object is not a pod or does not have a pod template: {kind.kind}.{kind.group}")
    return path, found


async def change_specs(
    session: Session,
    found: list[tuple[Kind, Json]],
    change: Callable[[Json], Json],
    verb: str,
    output: str,
    dry_run: str,
) -> None:
    """Patches every object's pod spec with what `change` gives for it; nothing where that is empty."""
    dry_run_suffix(dry_run)
    for kind, tree in found:
        path, spec = pod_spec(kind, tree)
        body = change(spec)
        if not body:
            continue
        for part in reversed(path):
            body = {part: body}
        query = {"fieldManager": "kubectl-set"} | ({"dryRun": "All"} if dry_run == "server" else {})
        metadata = tree["metadata"]
        done = tree
        if dry_run != "client":
            done = await send_patch(
                session, kind, metadata.get("namespace", ""), metadata["name"], body, type="strategic", query=query
            )
            if done["metadata"]["resourceVersion"] == metadata["resourceVersion"] and dry_run == "none":
                continue
        report(done, kind, verb, output, dry_run)


async def objects(
    session: Session, words: list[str], files: list[str] | None, selector: str, *, everything: bool
) -> list[tuple[Kind, Json]]:
    """The objects that are meant; there must be some."""
    if not words and not files:
        raise UsageError(NO_OBJECTS)
    return await targets(session, words, files, selector, everything=everything, recursive=False)


def image(
    words: Words = None,
    everything: All = False,
    selector: LabelSelector = "",
    filename: FileNames = None,
    recursive: Recursive = False,  # noqa: ARG001  (accepted)
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the images of containers."""
    named = [word for word in words or () if "=" not in word]
    images = dict(word.split("=", 1) for word in words or () if "=" in word)
    if not named and not filename:
        raise UsageError(NO_OBJECTS)
    if not images:
        raise UsageError("at least one image update is required")
    if "*" in images and len(images) > 1:
        raise UsageError(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs"
        )

    async def work(session: Session) -> None:
        found = await objects(session, named, filename, selector, everything=everything)
        for kind, tree in found:
            _, spec = pod_spec(kind, tree)
            known = [each["name"] for part in ("initContainers", "containers") for each in spec.get(part) or ()]
            for name in images:
                if name != "*" and name not in known:
                    raise UsageError(f'unable to find container named "{name}"')
        await change_specs(session, found, lambda spec: _images(spec, images), "image updated", output, dry_run)

    run(work)


def _images(spec: Json, images: dict[str, str]) -> Json:
    changed: Json = {}
    for part in ("initContainers", "containers"):
        rows = [
            {"name": each["name"], "image": images.get(each["name"], images.get("*"))}
            for each in spec.get(part) or ()
            if images.get(each["name"], images.get("*", each.get("image"))) != each.get("image")
        ]
        if rows:
            changed[part] = rows
    return changed


def _quantities(text: str) -> Json:
    pairs = [each.partition("=") for each in text.split(",")] if text else []
    for name, equals, _ in pairs:
        if not equals:
            raise UsageError(f"invalid argument syntax {name}, expected <resource>=<value>")
    return {name: None if value == "0" else value for name, _, value in pairs}


def resources(
    words: Words = None,
    limits: Annotated[str, typer.Option(help="RESOURCE=QUANTITY, several with commas.")] = "",
    requests: Annotated[str, typer.Option(help="RESOURCE=QUANTITY, several with commas.")] = "",
    containers: Containers = "*",
    everything: All = False,
    selector: LabelSelector = "",
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change what containers ask for and may use."""
    if not limits and not requests:
        raise UsageError("you must specify an update to requests or limits (in the form of --requests/--limits)")
    given = {"limits": _quantities(limits), "requests": _quantities(requests)}
    body = {key: value for key, value in given.items() if value}

    def change(spec: Json) -> Json:
        names = [each["name"] for each in spec["containers"] if containers in ("*", each["name"])]
        if not names:
            raise UsageError(f"unable to find container named {containers}")
        return {"containers": [{"name": name, "resources": body} for name in names]}

    async def work(session: Session) -> None:
        found = await objects(session, words or [], filename, selector, everything=everything)
        await change_specs(session, found, change, "resource requirements updated", output, dry_run)

    run(work)


def serviceaccount(
    words: Words = None,
    everything: All = False,
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the service account of pods."""
    given = list(words or ())
    if not given:
        raise UsageError("serviceaccount is required")
    account = given.pop()
    change = {"serviceAccountName": account, "serviceAccount": account}

    async def work(session: Session) -> None:
        found = await objects(session, given, filename, "", everything=everything)
        await change_specs(session, found, lambda _: change, "serviceaccount updated", output, dry_run)

    run(work)
