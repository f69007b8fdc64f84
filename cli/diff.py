"""`pykubectl diff`: what apply would change, by diff(1). Exit code 1: differences. Source: kubectl/pkg/cmd/diff."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import manifests
from cli.apply import FIELD_MANAGER, SERVER_SIDE_MANAGER, annotated, difference, no_match, place_of
from cli.flags import UsageError
from cli.options import FileNames, LabelSelector, Recursive, ShowManagedFields
from cli.resources import catalog
from cli.session import Session, explain, run
from cli.yaml_output import to_yaml


def diff(
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",
    server_side: Annotated[bool, typer.Option("--server-side", help="As apply --server-side.")] = False,
    force_conflicts: Annotated[bool, typer.Option("--force-conflicts", help="Take fields over from others.")] = False,
    field_manager: Annotated[str, typer.Option(help="The name that owns what is applied.")] = "",
    show_managed_fields: ShowManagedFields = False,
) -> None:
    """Show what apply would change."""

    async def work(session: Session) -> int:
        try:
            documents = manifests.read(filename or [], recursive=recursive, selector=selector)
            known = await catalog(session)
            pairs = []
            for document in documents:
                kind = known.of_manifest(document.tree)
                if kind is None:
                    raise UsageError(no_match(document))  # noqa: TRY301  (both end in the same exit code)
                manager = field_manager or (SERVER_SIDE_MANAGER if server_side else FIELD_MANAGER)
                pairs.append(
                    await _pair(session, kind, document.tree, manager, server=server_side, force=force_conflicts)
                )
            return _compared(pairs, keep=show_managed_fields)
        except ApiError as error:
            print(explain(error), file=sys.stderr)
        except UsageError as error:
            print(f"error: {error}", file=sys.stderr)
        return 2  # more than 1 is trouble, as with diff(1)

    run(work)


async def _pair(
    session: Session, kind: Kind, tree: Json, manager: str, *, server: bool, force: bool
) -> tuple[str, Json | None, Json]:
    """(a file's name, the object as it is, as it would be)."""
    namespace, name = place_of(session, kind, tree)
    path = kind.path(namespace, name)
    query: Json = {"dryRun": "All", "fieldManager": manager}
    group = f"{kind.group}." if kind.group else ""
    file = f"{group}{kind.version}.{kind.kind}.{namespace if kind.namespaced else ''}.{name}"
    try:
        now = await session.get_json(path)
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        now = None
    if server:
        query["force"] = str(force).lower()
        media, body = "application/apply-patch+yaml", tree
        return (
            file,
            now,
            (await session.call("PATCH", path, query=query, body=msgspec.json.encode(body), content_type=media)).json(),
        )
    modified = annotated(tree, namespace if kind.namespaced else "")
    if now is None:
        created = await session.call("POST", kind.path(namespace), query=query, body=msgspec.json.encode(modified))
        return file, None, created.json()
    media, delta = difference(kind, modified, now)
    if not delta:
        return file, now, now
    return (
        file,
        now,
        (await session.call("PATCH", path, query=query, body=msgspec.json.encode(delta), content_type=media)).json(),
    )


def _compared(pairs: list[tuple[str, Json | None, Json]], *, keep: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="LIVE-") as live, tempfile.TemporaryDirectory(prefix="MERGED-") as merged:
        for file, now, then in pairs:
            for folder, tree in ((live, now), (merged, then)):
                text = to_yaml(_cleaned(tree, keep=keep)) if tree else ""
                (Path(folder) / file).write_text(text)
        program = os.environ.get("KUBECTL_EXTERNAL_DIFF", "")
        command = shlex.split(program) if program else ["diff", "-u", "-N"]
        return subprocess.run([*command, live, merged], check=False).returncode


def _cleaned(tree: Json, *, keep: bool) -> Json:
    metadata = {key: value for key, value in tree["metadata"].items() if keep or key != "managedFields"}
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key != "kubectl.kubernetes.io/last-applied-configuration"
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    cleaned = tree | {"metadata": metadata}
    if tree.get("kind") == "Secret" and tree.get("data"):
        cleaned["data"] = dict.fromkeys(tree["data"], "***")
    return cleaned
