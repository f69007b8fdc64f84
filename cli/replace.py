"""`pykubectl replace`: objects as the files have them. Source: kubectl/pkg/cmd/replace."""

import sys
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.types import Json
from cli import manifests
from cli.apply import annotated, no_match, place_of
from cli.create import VALIDATION, FieldManager, SaveConfig, Validate
from cli.delete import wait_gone
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import DryRun, FileNames, Output, Recursive, Timeout, dry_run_suffix
from cli.printing import formatted, object_name
from cli.resources import catalog
from cli.session import Session, explain, run, while_doing


def replace(
    filename: FileNames = None,
    recursive: Recursive = False,
    force: Annotated[bool, typer.Option("--force", help="Delete and create anew.")] = False,
    grace_period: Annotated[int, typer.Option(help="Seconds given to end, with --force.")] = -1,
    cascade: Annotated[str, typer.Option(help="background|orphan|foreground, with --force.")] = "background",
    subresource: Annotated[str, typer.Option(help="status, scale, ...")] = "",
    timeout: Timeout = "0s",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-replace",
) -> None:
    """Replace objects by a file or stdin."""
    suffix = dry_run_suffix(dry_run)
    query = {"fieldManager": field_manager, "fieldValidation": VALIDATION.get(validate, "Strict")}
    if dry_run == "server":
        query["dryRun"] = "All"

    async def work(session: Session) -> int:
        documents = manifests.read(filename or [], recursive=recursive)
        known, failed = await catalog(session), 0
        for document in documents:
            kind = known.of_manifest(document.tree)
            if kind is None:
                raise UsageError(no_match(document))
            namespace, name = place_of(session, kind, document.tree)
            metadata = {**document.tree["metadata"]} | ({"namespace": namespace} if kind.namespaced else {})
            tree: Json = document.tree | {"metadata": metadata}
            if save_config:
                tree = annotated(tree, namespace if kind.namespaced else "")
            path = kind.path(namespace, name)
            try:
                if force:
                    options: Json = {
                        "apiVersion": "v1",
                        "kind": "DeleteOptions",
                        "propagationPolicy": cascade.capitalize(),
                    }
                    options |= {"gracePeriodSeconds": grace_period} if grace_period >= 0 else {}
                    try:
                        await session.call("DELETE", path, body=msgspec.json.encode(options))
                        print(f'{object_name(tree, kind).partition("/")[0]} "{name}" deleted')
                        await wait_gone(session, [(kind, namespace, name, "")], seconds(timeout) or 300)
                    except ApiError as error:
                        if error.reason != "NotFound":
                            raise
                    done = (
                        await session.call("POST", kind.path(namespace), query=query, body=msgspec.json.encode(tree))
                    ).json()
                elif dry_run == "client":
                    done = tree
                else:
                    where = kind.path(namespace, name, subresource)
                    done = (await session.call("PUT", where, query=query, body=msgspec.json.encode(tree))).json()
            except ApiError as error:
                print(explain(while_doing(error, f'error when replacing "{document.source}":')), file=sys.stderr)
                failed = 1
                continue
            if output in ("", "name"):
                print(object_name(done, kind) + ("" if output else f" replaced{suffix}"))
            else:
                done["metadata"].pop("managedFields", None)
                sys.stdout.write(formatted(done, output) or "")
        return failed

    run(work)
