"""`pykubectl edit`: an object in the editor, what was changed as a patch. Source: kubectl/pkg/cmd/util/editor."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli.changing import targets
from cli.flags import UsageError
from cli.options import NO_OBJECTS, FileNames, Output, Recursive, ShowManagedFields, Words
from cli.printing import object_name, to_json, without_managed_fields
from cli.session import Session, explain, run
from cli.yaml_output import to_yaml

_HEADER = (
    "# Please edit the object below. Lines beginning with a '#' will be ignored,\n"
    "# and an empty file will abort the edit. If an error occurs while saving this file will be\n"
    "# reopened with the relevant failures.\n#\n"
)
_TRIES = 5


def edit(
    words: Words = None,
    filename: FileNames = None,
    recursive: Recursive = False,
    subresource: Annotated[str, typer.Option(help="status, scale, ...")] = "",
    output: Output = "yaml",
    validate: Annotated[str, typer.Option("--validate", help="strict|warn|ignore")] = "strict",
    show_managed_fields: ShowManagedFields = False,
) -> None:
    """Change objects in an editor ($KUBE_EDITOR, $EDITOR, vi)."""
    if not words and not filename:
        raise UsageError(NO_OBJECTS)

    async def work(session: Session) -> int:
        found = await targets(session, words or [], filename, "", everything=True, recursive=recursive)
        failed = 0
        for kind, tree in found:
            without_managed_fields(tree, keep=show_managed_fields)
            failed |= await _edit(session, kind, tree, subresource, output, validate)
        return failed

    run(work)


async def _edit(session: Session, kind: Kind, tree: Json, subresource: str, output: str, validate: str) -> int:
    before = to_json(tree) if output == "json" else to_yaml(tree)
    text, trouble = before, ""
    for _ in range(_TRIES):
        comment = "".join(f"# {line}\n" for line in trouble.splitlines())
        edited = _edited(
            _HEADER + comment + ("#\n" if comment else "") + text, ".json" if output == "json" else ".yaml"
        )
        body = "".join(line for line in edited.splitlines(keepends=True) if not line.startswith("#"))
        if not body.strip():
            print("error: Edit cancelled, saved file was empty.", file=sys.stderr)
            return 1
        if body == text:
            print("Edit cancelled, no changes made." if not trouble else "Edit cancelled, no valid changes were saved.")
            return 0 if not trouble else 1
        text = body
        try:
            after = yaml.load(body, Loader=yaml.CSafeLoader)
            if not isinstance(after, dict):
                raise UsageError("the edited file is not an object")
            await _send(session, kind, tree, after, subresource, validate)
        except yaml.YAMLError as error:
            trouble = f"The edited file had a syntax error: {error}"
        except ApiError as error:
            trouble = explain(error)
            print(
                f"error: {object_name(tree, kind)} is invalid" if error.reason == "Invalid" else trouble,
                file=sys.stderr,
            )
        else:
            print(f"{object_name(tree, kind)} edited")
            return 0
    kept = Path(tempfile.gettempdir()) / f"pykubectl-edit-{os.getpid()}.yaml"
    kept.write_text(text)
    print(
        f'A copy of your changes has been stored to "{kept}"\nerror: Edit cancelled, no valid changes were saved.',
        file=sys.stderr,
    )
    return 1


async def _send(session: Session, kind: Kind, before: Json, after: Json, subresource: str, validate: str) -> None:
    metadata = before["metadata"]
    path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource)
    delta = _merge_diff(before, after)
    query = {
        "fieldManager": "kubectl-edit",
        "fieldValidation": {"warn": "Warn", "ignore": "Ignore"}.get(validate, "Strict"),
    }
    media = "application/merge-patch+json"
    await session.call("PATCH", path, query=query, body=msgspec.json.encode(delta), content_type=media)


def _merge_diff(before: Json, after: Json) -> Json:
    """The JSON merge patch from one tree to the other."""
    delta: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            delta[key] = value
        elif isinstance(value, dict) and isinstance(before[key], dict):
            if inner := _merge_diff(before[key], value):
                delta[key] = inner
        elif value != before[key]:
            delta[key] = value
    return delta


def _edited(text: str, ending: str) -> str:
    program = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w", prefix="pykubectl-edit-", suffix=ending, delete=False) as file:
        file.write(text)
    path = Path(file.name)
    try:
        done = subprocess.run([*shlex.split(program), str(path)], check=False)
        if done.returncode:
            raise UsageError(f'there was a problem with the editor "{program}"')
        return path.read_text()
    finally:
        path.unlink(missing_ok=True)
