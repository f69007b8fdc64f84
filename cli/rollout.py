"""`pykubectl rollout history|undo|restart|pause|resume`. Source: kubectl/pkg/cmd/rollout, polymorphichelpers."""

import sys
import time
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

from apimachinery import times
from apimachinery.kinds import CONTROLLERREVISIONS, DEPLOYMENTS, REPLICASETS, Kind
from apimachinery.types import Json
from cli.changing import report, send_patch, targets
from cli.describing.pod_parts import template_text
from cli.flags import UsageError
from cli.options import DryRun, FileNames, LabelSelector, Output, Recursive, Words, dry_run_suffix
from cli.pods_of import selector_text
from cli.printing import formatted, object_name
from cli.session import Session, run

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_HASH = "pod-template-hash"


async def rollouts(
    session: Session, words: list[str], files: list[str] | None, selector: str
) -> list[tuple[Kind, Json]]:
    """The objects that are meant; there must be some."""
    if not words and not files:
        raise UsageError("required resource not specified")
    return await targets(session, words, files, selector, everything=len(words) == 1, recursive=False)


async def revisions(session: Session, kind: Kind, tree: Json) -> dict[int, tuple[Json, Json]]:
    """Revision number -> (the object that keeps it, its pod template)."""
    namespace, uid = tree["metadata"]["namespace"], tree["metadata"]["uid"]
    if kind.kind == "Deployment":
        holders = await _owned(session, REPLICASETS, namespace, tree, uid)
        pairs = [(int((each["metadata"].get("annotations") or {}).get(REVISION, 0)), each) for each in holders]
        return {number: (each, each["spec"]["template"]) for number, each in sorted(pairs, key=lambda pair: pair[0])}
    if kind.kind in ("DaemonSet", "StatefulSet"):
        holders = await _owned(session, CONTROLLERREVISIONS, namespace, tree, uid)
        found = sorted(holders, key=lambda each: int(each["revision"]))
        return {int(each["revision"]): (each, each["data"]["spec"]["template"]) for each in found}
    raise UsageError(f'no history viewer has been implemented for "{kind.kind}.{kind.group}"')


async def _owned(session: Session, kind: Kind, namespace: str, tree: Json, uid: str) -> list[Json]:
    query = {"labelSelector": selector_text(tree["spec"]["selector"])}
    listing = await session.get_json(kind.path(namespace), query)
    return [
        each
        for each in listing["items"]
        if any(
            owner["uid"] == uid and owner.get("controller") for owner in each["metadata"].get("ownerReferences") or ()
        )
    ]


def history(
    words: Words = None,
    revision: Annotated[int, typer.Option(help="Show that one with its pod template.")] = 0,
    filename: FileNames = None,
    selector: LabelSelector = "",
    output: Output = "",
) -> None:
    """Show the revisions of a rollout."""
    if revision < 0:
        raise UsageError(f"revision must be a positive integer: {revision}")

    async def work(session: Session) -> None:
        for kind, tree in await rollouts(session, words or [], filename, selector):
            found = await revisions(session, kind, tree)
            if output:
                _print_revision(found, revision, output)
                continue
            name = object_name(tree, kind)
            if revision:
                if revision not in found:
                    raise UsageError("unable to find the specified revision")
                print(f"{name} with revision #{revision}\n{_template(*found[revision])}")
            else:
                rows = [[str(number), cause_of(holder)] for number, (holder, _) in found.items()]
                print(f"{name} \n{_table([['REVISION', 'CHANGE-CAUSE'], *rows])}")

    run(work)


def _print_revision(found: dict[int, tuple[Json, Json]], revision: int, output: str) -> None:
    if revision and revision not in found:
        raise UsageError(f"unable to find revision {revision}")
    for number, (holder, _) in found.items():
        if revision in (0, number):
            holder["metadata"].pop("managedFields", None)
            sys.stdout.write(formatted(holder, output) or "")


def _table(rows: list[list[str]]) -> str:
    width = max(8, *(len(row[0]) for row in rows)) + 2
    return "".join(f"{row[0].ljust(width)}{row[1]}\n" for row in rows)


def cause_of(holder: Json) -> str:
    """The change-cause annotation."""
    return str((holder["metadata"].get("annotations") or {}).get(CAUSE, "")) or "<none>"


def _template(holder: Json, template: Json) -> str:
    cause = cause_of(holder)
    if cause != "<none>":
        annotations = {**((template.get("metadata") or {}).get("annotations") or {}), CAUSE: cause}
        template = template | {"metadata": {**(template.get("metadata") or {}), "annotations": annotations}}
    return template_text(template)


def undo(
    words: Words = None,
    to_revision: Annotated[int, typer.Option(help="0: the one before.")] = 0,
    filename: FileNames = None,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Go back to an earlier revision."""
    if to_revision < 0:
        raise UsageError("invalid revision number: must be non-negative")  # pflag lets it through, the server would not

    async def work(session: Session) -> None:
        for kind, tree in await rollouts(session, words or [], filename, selector):
            await _undo(session, kind, tree, to_revision, dry_run, output)

    run(work)


async def _undo(session: Session, kind: Kind, tree: Json, revision: int, dry_run: str, output: str) -> None:
    name, namespace = tree["metadata"]["name"], tree["metadata"]["namespace"]
    if tree["spec"].get("paused"):
        raise UsageError(
            f"you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume {object_name(tree, kind)}' and try again"  # noqa: E501  (one message on one line)
        )
    found = await revisions(session, kind, tree)
    if revision and revision not in found:
        raise UsageError(f"unable to find specified revision {revision} in history")
    if not revision and len(found) < 2:
        raise UsageError(
            f'no rollout history found for deployment "{name}"'
            if kind == DEPLOYMENTS and not found
            else "no last revision to roll back to"
        )
    chosen = found[revision] if revision else found[sorted(found)[-2]]
    template = msgspec.json.decode(msgspec.json.encode(chosen[1]))
    (template.get("metadata", {}).get("labels") or {}).pop(_HASH, None)
    template.pop("$patch", None)
    if template == tree["spec"]["template"]:
        print(f"{object_name(tree, kind)} skipped rollback (current template already matches revision {revision})")
        return
    query = {"dryRun": "All"} if dry_run == "server" else None
    if dry_run != "client":
        body = [{"op": "replace", "path": "/spec/template", "value": template}]
        if kind.kind == "Deployment":
            body.append({"op": "replace", "path": "/metadata/annotations", "value": _annotations(tree, chosen[0])})
        await send_patch(session, kind, namespace, name, body, type="json", query=query)
    report(tree, kind, "rolled back", output, dry_run)


_OWN = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


def _annotations(deployment: Json, replica_set: Json) -> Json:
    """The deployment keeps what is its own and takes the rest back from the revision."""
    own = {k: v for k, v in (deployment["metadata"].get("annotations") or {}).items() if k in _OWN}
    old = {k: v for k, v in (replica_set["metadata"].get("annotations") or {}).items() if k not in _OWN}
    return own | old


def _changing(words: list[str], files: list[str] | None, selector: str, output: str, dry_run: str, verb: str,
              change: Callable[[Kind, Json], Json]) -> None:  # fmt: skip
    dry_run_suffix(dry_run)

    async def work(session: Session) -> None:
        for kind, tree in await rollouts(session, words, files, selector):
            body, name = change(kind, tree), tree["metadata"]["name"]
            query = {"dryRun": "All"} if dry_run == "server" else None
            if dry_run != "client":
                patch_type = "strategic"
                tree = await send_patch(  # noqa: PLW2901  (the object as it is now)
                    session, kind, tree["metadata"]["namespace"], name, body, type=patch_type, query=query
                )
            report(tree, kind, verb, output, dry_run)

    run(work)


def restart(
    words: Words = None,
    filename: FileNames = None,
    recursive: Recursive = False,  # noqa: ARG001  (accepted)
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Replace every pod, a few at a time."""

    def change(kind: Kind, tree: Json) -> Json:
        if kind.kind not in ("Deployment", "DaemonSet", "StatefulSet"):
            raise UsageError(
                f"{kind.plural} {tree['metadata']['name']!r} restarting is not supported".replace("'", '"')
            )
        if tree["spec"].get("paused"):
            raise UsageError("can't restart paused deployment (run rollout resume first)")
        now = times.rfc3339(time.time())
        return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}

    _changing(words or [], filename, selector, output, dry_run, "restarted", change)


def _only_deployments(kind: Kind, tree: Json, what: str) -> None:
    if kind.kind != "Deployment":
        raise UsageError(f"{object_name(tree, kind)} {what} is not supported")


def pause(
    words: Words = None,
    filename: FileNames = None,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Stop a rollout until it is resumed."""

    def change(kind: Kind, tree: Json) -> Json:
        _only_deployments(kind, tree, "pausing")
        if tree["spec"].get("paused"):
            raise UsageError(f'{kind.resource} "{tree["metadata"]["name"]}" is already paused')
        return {"spec": {"paused": True}}

    _changing(words or [], filename, selector, output, dry_run, "paused", change)


def resume(
    words: Words = None,
    filename: FileNames = None,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Go on with a paused rollout."""

    def change(kind: Kind, tree: Json) -> Json:
        _only_deployments(kind, tree, "resuming")
        if not tree["spec"].get("paused"):
            raise UsageError(f'{kind.resource} "{tree["metadata"]["name"]}" is not paused')
        return {"spec": {"paused": None}}

    _changing(words or [], filename, selector, output, dry_run, "resumed", change)
