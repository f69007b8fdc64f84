"""`pykubectl taint`: taints of nodes. Source: kubectl/pkg/cmd/taint."""

import re
from typing import Annotated

import typer

from apimachinery.kinds import NODES
from apimachinery.types import Json
from cli.changing import report, send_patch
from cli.flags import UsageError
from cli.options import DryRun, LabelSelector, Output, Words
from cli.resources import catalog
from cli.session import Session, run
from cli.usage import see

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_SPEC = re.compile(r"(?P<key>[^=:]+?)(=(?P<value>[^:]*))?(:(?P<effect>[A-Za-z]+))?(?P<minus>-)?")


def taint(
    words: Words = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Change what is there already.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every node.")] = False,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the taints of nodes."""
    given = list(words or ())
    specs = [word for word in given if "=" in word or ":" in word or word.endswith("-")]
    objects = [word for word in given if word not in specs]
    names = [part for word in objects[:1] for part in word.split("/")[1:]] + objects[1:]
    if not objects:
        raise UsageError("one or more resources must be specified as <resource> <name>")
    if not specs:
        raise UsageError("at least one taint update is required")
    added, removed = _parsed(specs)

    async def work(session: Session) -> None:
        kind = (await catalog(session)).find(objects[0].split("/")[0])
        if kind.kind != "Node":
            raise UsageError(f"invalid resource type {kind.plural}, only node types are supported")
        nodes = [await session.get_json(NODES.path("", name)) for name in names]
        if selector or everything:
            nodes = (await session.get_json(NODES.path(), {"labelSelector": selector} if selector else None))["items"]
        if not nodes:
            raise UsageError(
                "at least one resource name must be specified since 'all' parameter is not set"
                if not names
                else "no nodes found"
            )
        for node in nodes:
            await _taint(session, node, added, removed, dry_run, output, overwrite=overwrite)

    run(work)


def _parsed(specs: list[str]) -> tuple[list[Json], list[tuple[str, str]]]:
    added: list[Json] = []
    removed: list[tuple[str, str]] = []
    for text in specs:
        match = _SPEC.fullmatch(text)
        if match is None:
            raise UsageError(f"invalid taint spec: {text}", see("taint"))
        key, effect = match["key"], match["effect"] or ""
        if text.endswith("-"):
            if effect and effect not in _EFFECTS:
                raise UsageError(f"invalid taint effect: {effect}, unsupported taint effect", see("taint"))
            removed.append((key, effect))
            continue
        if not effect:
            raise UsageError(f"invalid taint spec: {text}", see("taint"))
        if effect not in _EFFECTS:
            raise UsageError(f"invalid taint effect: {effect}, unsupported taint effect", see("taint"))
        added.append({"key": key, "effect": effect} | ({"value": match["value"]} if match["value"] else {}))
    return added, removed


async def _taint(
    session: Session, node: Json, added: list[Json], removed: list[tuple[str, str]], dry_run: str, output: str, *, overwrite: bool  # noqa: E501  (one message on one line)
) -> None:  # fmt: skip
    name = node["metadata"]["name"]
    before = node["spec"].get("taints") or []
    for new in added:
        clash = any((each["key"], each["effect"]) == (new["key"], new["effect"]) for each in before)
        if clash and not overwrite:
            raise UsageError(
                f"node {name} already has {new['key']} taint(s) with same effect(s) and --overwrite is false"
            )
    for key, effect in removed:
        if not any(each["key"] == key and effect in ("", each["effect"]) for each in before):
            shown = f"{key}:{effect}" if effect else key
            raise UsageError(f'taint "{shown}" not found')
    gone = [*removed, *((each["key"], each["effect"]) for each in added)]
    kept = [
        each
        for each in before
        if not any(each["key"] == key and effect in ("", each["effect"]) for key, effect in gone)
    ]
    after = [*added, *kept]
    if dry_run != "client":
        query = {"dryRun": "All"} if dry_run == "server" else None
        body = {"spec": {"taints": after or None}}
        node = await send_patch(session, NODES, "", name, body, query=query)
    word = "modified" if added and removed else "tainted" if added else "untainted"
    report(node, NODES, word, output, dry_run)
