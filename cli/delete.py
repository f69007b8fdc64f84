"""`pykubectl delete`: deletes by name, selector or file, and waits until the objects are gone."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import manifests
from cli.apply import no_match, place_of
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import (
    NO_OBJECTS,
    AllNamespaces,
    DryRun,
    FieldSelector,
    FileNames,
    LabelSelector,
    Output,
    Recursive,
    Timeout,
    dry_run_suffix,
)
from cli.printing import object_name
from cli.resources import catalog, references
from cli.session import Session, explain, run, while_doing

POLL = 0.1


def delete(
    words: Annotated[list[str] | None, typer.Argument(help="TYPE NAME ... or TYPE/NAME ...")] = None,
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",
    field_selector: FieldSelector = "",
    all_namespaces: AllNamespaces = False,
    everything: Annotated[bool, typer.Option("--all", help="Every object of the type in the namespace.")] = False,
    grace_period: Annotated[int, typer.Option(help="Seconds given to end; -1 for the object's own.")] = -1,
    force: Annotated[bool, typer.Option("--force", help="Do not wait for the node to confirm.")] = False,
    now: Annotated[bool, typer.Option("--now", help="A grace period of one second.")] = False,
    cascade: Annotated[
        str, typer.Option(help="background|orphan|foreground: what becomes of dependents.")
    ] = "background",
    ignore_not_found: Annotated[bool, typer.Option("--ignore-not-found", help="What is gone is no error.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when the objects are gone.")] = True,
    timeout: Timeout = "0s",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Delete resources by file, name or label."""
    grace = 0 if force and grace_period < 0 else 1 if now else grace_period
    options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": cascade.capitalize()}
    if grace >= 0:
        options["gracePeriodSeconds"] = grace

    async def work(session: Session) -> int:
        if force:
            print(_FORCE, file=sys.stderr)
        targets = await _targets(
            session,
            words or [],
            filename,
            {"labelSelector": selector, "fieldSelector": field_selector},
            recursive=recursive,
            everything=everything or bool(selector or field_selector),
            all_namespaces=all_namespaces,
        )
        if not targets and not ignore_not_found:
            print("No resources found", file=sys.stderr)
        failed, gone = 0, []
        for kind, namespace, name, source in targets:
            try:
                gone.append(await _delete(session, kind, namespace, name, options, dry_run=dry_run))
                _report(kind, name, output, dry_run, forced=force)
            except ApiError as error:
                if not (ignore_not_found and error.reason == "NotFound"):
                    told = while_doing(error, f'error when deleting "{source}":') if source else error
                    print(explain(told), file=sys.stderr)
                    failed = 1
        if wait and dry_run == "none" and not force:
            await wait_gone(session, gone, seconds(timeout))
        return failed

    run(work)


_FORCE = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The "
    "resource may continue to run on the cluster indefinitely."
)


async def _targets(
    session: Session,
    words: Sequence[str],
    files: Sequence[str] | None,
    query: Json,
    *,
    recursive: bool,
    everything: bool,
    all_namespaces: bool,
) -> list[tuple[Kind, str, str, str]]:
    if not words and not files:
        raise UsageError(NO_OBJECTS)
    known = await catalog(session)
    if files:
        found = []
        for document in manifests.read(files, recursive=recursive):
            kind = known.of_manifest(document.tree)
            if kind is None:
                raise ValueError(no_match(document))
            found.append((kind, *place_of(session, kind, document.tree), document.source))
        return found
    targets = []
    for reference in references(words, known):
        if reference.name:
            targets.append((reference.kind, session.namespace, reference.name, ""))
        elif everything:
            path = reference.kind.path("" if all_namespaces else session.namespace)
            listing = await session.get_json(path, {k: v for k, v in query.items() if v})
            metas = [item["metadata"] for item in listing["items"]]
            targets += [(reference.kind, meta.get("namespace", ""), meta["name"], "") for meta in metas]
        else:
            message = "resource(s) were provided, but no name was specified"
            raise ValueError(message)
    return targets


async def _delete(
    session: Session, kind: Kind, namespace: str, name: str, options: Json, *, dry_run: str
) -> tuple[Kind, str, str, str]:
    """Sends the delete; what to wait for."""
    path = kind.path(namespace, name)
    if dry_run == "client":
        return kind, namespace, name, ""
    query = {"dryRun": "All"} if dry_run == "server" else None
    tree = (await session.call("DELETE", path, query=query, body=msgspec.json.encode(options))).json()
    uid = tree.get("details", {}).get("uid") or tree.get("metadata", {}).get("uid", "")
    return kind, namespace, name, uid


def _report(kind: Kind, name: str, output: str, dry_run: str, *, forced: bool) -> None:
    resource = f"{kind.singular_name}{'.' + kind.group if kind.group else ''}"
    if output == "name":
        print(object_name({"metadata": {"name": name}}, kind))
        return
    suffix = dry_run_suffix(dry_run)
    print(f'{resource} "{name}" {"force deleted" if forced else "deleted"}{suffix}')


async def wait_gone(session: Session, targets: Sequence[tuple[Kind, str, str, str]], limit: float) -> None:
    """Returns when none of the objects (with these uids) is there; TimeoutError after `limit` seconds (0: never)."""
    try:
        async with asyncio.timeout(limit or None):
            for kind, namespace, name, uid in targets:
                while await _is_there(session, kind, namespace, name, uid):
                    await asyncio.sleep(POLL)
    except TimeoutError:
        message = "timed out waiting for the condition"
        raise ValueError(message) from None


async def _is_there(session: Session, kind: Kind, namespace: str, name: str, uid: str) -> bool:
    try:
        tree = await session.get_json(kind.path(namespace, name))
    except ApiError as error:
        if error.reason == "NotFound":
            return False
        raise
    return not uid or tree["metadata"]["uid"] == uid
