"""`pykubectl events`: the events of a namespace or of one object. Source: kubectl/pkg/cmd/events."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from apimachinery.kinds import EVENTS
from apimachinery.types import Json
from cli.describing.writer import age
from cli.flags import UsageError
from cli.options import AllNamespaces, Output
from cli.printing import align, formatted
from cli.resources import catalog
from cli.session import Session, run


def events(
    for_: Annotated[str, typer.Option("--for", help="TYPE/NAME: of that object only.")] = "",
    types: Annotated[list[str] | None, typer.Option(help="Normal, Warning.")] = None,
    all_namespaces: AllNamespaces = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with what comes.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no headers.")] = False,
    chunk_size: Annotated[int, typer.Option(hidden=True)] = 500,  # noqa: ARG001  (accepted)
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,  # noqa: ARG001  (kubectl ignores them)
    output: Output = "",
) -> None:
    """List events."""
    wanted = [each for one in types or () for each in one.split(",")]
    for each in wanted:
        if each.lower() not in ("normal", "warning"):
            raise UsageError("valid --types are Normal or Warning")

    async def work(session: Session) -> int:
        query: dict[str, str] = {"fieldSelector": await _fields(session, for_)} if for_ else {}
        path = EVENTS.path("" if all_namespaces else session.namespace)
        listing = await session.get_json(path, query)
        items = [each for each in listing["items"] if _is_wanted(each, wanted)]
        items.sort(key=lambda event: last_seen(event) or "")
        if not items and not watch:
            where = "" if all_namespaces else f" in {session.namespace} namespace"
            print(f"No events found{where}.", file=sys.stderr)
            return 0
        if output:
            return _print(items, output, session)
        _table(items, headers=not no_headers, namespaces=all_namespaces)
        if watch:
            revision = listing["metadata"]["resourceVersion"]
            namespace = "" if all_namespaces else session.namespace
            async for kind, event in session.client.watch(
                EVENTS, namespace, resource_version=revision, fields=query.get("fieldSelector", ""), bookmarks=False
            ):
                if kind != "DELETED" and _is_wanted(event, wanted):
                    _table([event], headers=False, namespaces=all_namespaces)
                    sys.stdout.flush()
        return 0

    run(work)


def _print(items: Sequence[Json], output: str, session: Session) -> int:  # noqa: ARG001
    for item in items:
        item["metadata"].pop("managedFields", None)
    rows: list[Json] = [{"apiVersion": "v1", "kind": "Event", **item} for item in items]
    tree = {"apiVersion": "v1", "items": rows, "kind": "EventList", "metadata": {"resourceVersion": ""}}
    if output == "name":
        sys.stdout.write("".join(f"event/{item['metadata']['name']}\n" for item in rows))
        return 0
    sys.stdout.write(formatted(tree, output) or "")
    return 0


async def _fields(session: Session, text: str) -> str:
    type_, slash, name = text.partition("/")
    if not slash or not name:
        raise UsageError("--for must be in resource/name form")
    kind = (await catalog(session)).find(type_)
    version = f"involvedObject.apiVersion={kind.api_version},"
    return f"{version}involvedObject.kind={kind.kind},involvedObject.name={name}"


def _is_wanted(event: Json, types: Sequence[str]) -> bool:
    return not types or event.get("type", "").lower() in [each.lower() for each in types]


def last_seen(event: Json) -> str:
    """When an event happened last."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(
        series
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def interval(event: Json) -> str:
    """`5s`, or `5s (x3 over 2m)`."""
    series = event.get("series") or {}
    first = event.get("firstTimestamp") or event.get("eventTime")
    if series:
        return f"{age(series.get('lastObservedTime'))} (x{series.get('count')} over {age(first)})"
    if event.get("count", 0) > 1:
        return f"{age(event.get('lastTimestamp'))} (x{event['count']} over {age(event.get('firstTimestamp'))})"
    return age(first)


def _table(items: Sequence[Json], *, headers: bool, namespaces: bool) -> None:
    head = [*(["NAMESPACE"] if namespaces else []), "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    rows = [head] if headers else []
    for event in items:
        about = event.get("involvedObject") or {}
        where = [event["metadata"].get("namespace", "")] if namespaces else []
        what = f"{about.get('kind', '')}/{about.get('name', '')}"
        text = [interval(event), event.get("type", ""), event.get("reason", ""), what, event.get("message", "").strip()]
        rows.append([*where, *text])
    sys.stdout.write(align(rows))
