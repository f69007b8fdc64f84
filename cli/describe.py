"""`pykubectl describe`: objects for people, with their events and relatives. Source: kubectl/pkg/cmd/describe."""

import sys
from typing import Annotated

import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import EVENTS, Kind
from apimachinery.types import Json
from cli import manifests
from cli.describing.events import event_lines
from cli.describing.generic import generic_lines
from cli.describing.kinds import DESCRIBERS
from cli.describing.writer import Writer
from cli.flags import UsageError
from cli.options import AllNamespaces, FileNames, LabelSelector, Recursive, Words
from cli.resources import Catalog, Reference, catalog, from_documents, references
from cli.session import Session, explain, run


def describe(
    words: Words = None,
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",
    all_namespaces: AllNamespaces = False,
    show_events: Annotated[bool, typer.Option("--show-events/--no-show-events", help="With their events.")] = True,
    chunk_size: Annotated[int, typer.Option(hidden=True)] = 500,  # noqa: ARG001  (accepted)
) -> None:
    """Show details of objects."""
    if not words and not filename:
        raise UsageError(
            'You must specify the type of resource to describe. Use "pykubectl api-resources" for a complete list of '
            "supported resources."
        )

    async def work(session: Session) -> int:
        known = await catalog(session)
        found, failed = [], 0
        for reference in _wanted(known, words or [], filename, recursive=recursive):
            try:
                found += await _objects(session, reference, selector, all_namespaces=all_namespaces)
            except ApiError as error:
                print(explain(error), file=sys.stderr)
                failed = 1
        for i, (kind, tree, exact) in enumerate(found):
            text = await described(session, kind, tree, events=show_events)
            sys.stdout.write(("\n\n" if i and exact else "") + text + ("" if exact else "\n"))
        if not found and not failed:
            where = "" if all_namespaces else f" in {session.namespace} namespace"
            print(f"No resources found{where}.", file=sys.stderr)
        return failed

    run(work)


def _wanted(known: Catalog, words: list[str], files: list[str] | None, *, recursive: bool) -> list[Reference]:
    if not files:
        return references(words, known)
    return from_documents(known, [document.tree for document in manifests.read(files, recursive=recursive)])


async def _objects(
    session: Session, reference: Reference, selector: str, *, all_namespaces: bool
) -> list[tuple[Kind, Json, bool]]:
    kind = reference.kind
    collection = kind.path("" if all_namespaces else session.namespace)
    if not reference.name:
        listing = await session.get_json(collection, {"labelSelector": selector} if selector else None)
        return [(kind, _typed(kind, item), True) for item in listing["items"]]
    try:
        return [
            (kind, await session.get_json(kind.path(reference.namespace or session.namespace, reference.name)), True)
        ]
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        items = (await session.get_json(collection))["items"]
        near = [_typed(kind, item) for item in items if item["metadata"]["name"].startswith(reference.name)]
        if not near:
            raise
        return [(kind, item, False) for item in near]


def _typed(kind: Kind, item: Json) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind} | item


async def described(session: Session, kind: Kind, tree: Json, *, events: bool) -> str:
    """One object's text."""
    writer = Writer()
    describer = DESCRIBERS.get((kind.group, kind.kind))
    has_events = True
    if describer:
        has_events = await describer(session, tree, writer)
    else:
        generic_lines(writer, tree)
    if events and has_events:
        event_lines(writer, await events_of(session, kind, tree))
    return writer.text()


async def events_of(session: Session, kind: Kind, tree: Json) -> list[Json]:
    """What happened to an object. Of nodes, controllers tell with the uid, kubelets with the name in its place."""
    metadata = tree["metadata"]
    named = [metadata["uid"], metadata["name"]] if kind.kind == "Node" else [metadata["uid"]]
    found: list[Json] = []
    for uid in named:
        fields = {"involvedObject.name": metadata["name"], "involvedObject.namespace": metadata.get("namespace", "")}
        fields |= {"involvedObject.kind": kind.kind, "involvedObject.uid": uid}
        text = ",".join(f"{key}={value}" for key, value in fields.items() if value)
        path = EVENTS.path(metadata.get("namespace", ""))
        found += (await session.get_json(path, {"fieldSelector": text}))["items"]
    return found
