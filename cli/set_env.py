"""`pykubectl set env`: environment variables of the pod templates of objects.

Source: kubectl/pkg/cmd/set/set_env.go.
"""

import re
import sys
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from apimachinery.kinds import CONFIGMAPS, SECRETS
from apimachinery.types import Json
from cli.flags import UsageError
from cli.options import DryRun, FileNames, LabelSelector, Output, Words
from cli.session import Session, run
from cli.set_image import All, Containers, change_specs, objects, pod_spec

_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def env(
    words: Words = None,
    set_: Annotated[list[str] | None, typer.Option("--env", "-e", help="KEY=VALUE")] = None,
    from_: Annotated[str, typer.Option("--from", help="configmap/NAME or secret/NAME: all of its keys.")] = "",
    prefix: Annotated[str, typer.Option(help="Before the names that --from gives.")] = "",
    keys: Annotated[list[str] | None, typer.Option(help="Only these of --from.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show the variables.")] = False,
    resolve: Annotated[bool, typer.Option("--resolve", hidden=True)] = False,  # noqa: ARG001  (accepted)
    overwrite: Annotated[bool, typer.Option("--overwrite/--no-overwrite", help="Change what is there.")] = True,
    containers: Containers = "*",
    everything: All = False,
    selector: LabelSelector = "",
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the environment of containers."""
    given = list(words or ())
    named = [word for word in given if "=" not in word and not word.endswith("-")]
    if not named and not filename:
        raise UsageError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    changes = _changes([*(word for word in given if word not in named), *(set_ or ())])

    async def work(session: Session) -> None:
        found = await objects(session, named, filename, selector, everything=everything)
        if from_:
            chosen = [part for each in keys or () for part in each.split(",")]
            changes.update(await _from(session, from_, prefix, chosen))
        if listing:
            for kind, tree in found:
                _list(f"{kind.kind} {tree['metadata']['name']}", pod_spec(kind, tree)[1], containers)
            return
        if not changes:
            raise UsageError("at least one environment variable must be provided")

        def change(spec: Json) -> Json:
            return _changed(spec, changes, containers, overwrite=overwrite)

        await change_specs(session, found, change, "env updated", output, dry_run)

    run(work)


def _changes(words: list[str]) -> dict[str, Json | None]:
    """By name: its entry; None for what shall go."""
    found: dict[str, Json | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            if not _NAME.fullmatch(name):
                raise UsageError(
                    f'"{name}" is not a valid key name: a valid environment variable name must consist of '
                    "alphabetic characters, digits, '_', '-', or '.', and must not start with a digit "
                    "(e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation "
                    "is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
                )
            found[name] = {"name": name, "value": value}
        else:
            found[word.removesuffix("-")] = None
    return found


async def _from(session: Session, text: str, prefix: str, keys: list[str]) -> dict[str, Json]:
    type_, _, name = text.partition("/")
    kind, reference = {
        "configmap": (CONFIGMAPS, "configMapKeyRef"),
        "cm": (CONFIGMAPS, "configMapKeyRef"),
        "secret": (SECRETS, "secretKeyRef"),
    }.get(type_.lower().removesuffix("s") if type_ != "cms" else "cm", (None, ""))
    if kind is None:
        raise UsageError(f"unsupported resource specified in --from: {text}")
    tree = await session.get_json(kind.path(session.namespace, name))
    found = {}
    for key in sorted({**(tree.get("data") or {}), **(tree.get("binaryData") or {})}):
        if not keys or key in keys:
            variable = prefix + re.sub(r"[^a-zA-Z0-9_]", "_", key).upper()
            found[variable] = {"name": variable, "valueFrom": {reference: {"name": name, "key": key}}}
    return found


def _changed(spec: Json, changes: dict[str, Json | None], containers: str, *, overwrite: bool) -> Json:
    body: Json = {}
    for part in ("initContainers", "containers"):
        rows = []
        for container in spec.get(part) or ():
            if not fnmatchcase(container["name"], containers):
                continue
            known = {each["name"]: each for each in container.get("env") or ()}
            if not overwrite:
                for name, entry in changes.items():
                    if entry and name in known:
                        raise UsageError(
                            f"'{name}' already has a value ({known[name].get('value', '')}), and --overwrite is false"
                        )
            env_rows: list[Json] = []
            for name, entry in changes.items():
                if entry is not None:
                    env_rows.append(
                        entry
                        if "valueFrom" in entry
                        else entry | ({"valueFrom": None} if "valueFrom" in known.get(name, {}) else {})
                    )
                elif name in known:
                    env_rows.append({"name": name, "$patch": "delete"})
            if env_rows:
                rows.append({"name": container["name"], "env": env_rows})
        if rows:
            body[part] = rows
    if not body and not any(fnmatchcase(each["name"], containers) for each in spec["containers"]):
        print(f"warning: no containers match {containers!r}".replace("'", '"'), file=sys.stderr)
    return body


def _list(name: str, spec: Json, containers: str) -> None:
    for container in spec["containers"]:
        if not fnmatchcase(container["name"], containers):
            continue
        print(f"# {name}, container {container['name']}")
        for each in container.get("env") or ():
            source = each.get("valueFrom")
            if not source:
                print(f"{each['name']}={each.get('value', '')}")
            elif ref := source.get("configMapKeyRef"):
                print(f"# {each['name']} from configmap {ref['name']}, key {ref['key']}")
            elif ref := source.get("secretKeyRef"):
                print(f"# {each['name']} from secret {ref['name']}, key {ref['key']}")
            elif ref := source.get("fieldRef"):
                print(f"# {each['name']} from field path {ref['fieldPath']}")
