"""`pykubectl get`: prints what the server's Table says, or the objects themselves in another format."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import jsonpath, manifests
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import AllNamespaces, FieldSelector, FileNames, LabelSelector, Output, Recursive, ShowManagedFields
from cli.printing import align, formatted, items_of, object_name, table_rows, without_managed_fields
from cli.resources import Reference, catalog, from_documents, references
from cli.session import Session, explain, global_flags, run
from cli.usage import see

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CHUNK = 500


_NOTHING = (
    'Required resource not specified.\nUse "pykubectl explain <resource>" for a detailed description of that resource '
    "(e.g. pykubectl explain pods)."
)


@dataclass(frozen=True, slots=True)
class Look:
    """How to show what is found."""

    output: str = ""
    headers: bool = True
    all_namespaces: bool = False
    labels: tuple[str, ...] = ()
    show_kind: bool = False
    show_labels: bool = False
    sort_by: str = ""
    show_managed_fields: bool = False

    @property
    def is_table(self) -> bool:
        return self.output in ("", "wide")


def get(
    words: Annotated[list[str] | None, typer.Argument(help="TYPE[,TYPE] [NAME ...] or TYPE/NAME ...")] = None,
    output: Output = "",
    selector: LabelSelector = "",
    field_selector: FieldSelector = "",
    all_namespaces: AllNamespaces = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with changes after the list.")] = False,
    watch_only: Annotated[bool, typer.Option("--watch-only", help="Changes only, without the list.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no headers.")] = False,
    label_columns: Annotated[list[str] | None, typer.Option("--label-columns", "-L", help="Labels as columns.")] = None,
    show_labels: Annotated[bool, typer.Option("--show-labels", help="All labels as the last column.")] = False,
    show_kind: Annotated[bool, typer.Option("--show-kind", help="The kind before each name.")] = False,
    sort_by: Annotated[str, typer.Option(help="A JSONPath to sort by.")] = "",
    ignore_not_found: Annotated[bool, typer.Option("--ignore-not-found", help="Exit code 0 for what is gone.")] = False,
    raw: Annotated[str, typer.Option(help="Print the answer of a path of the server.")] = "",
    show_managed_fields: ShowManagedFields = False,
    filename: FileNames = None,
    recursive: Recursive = False,
) -> None:
    """List resources, or show some of them."""
    columns = tuple(part for one in label_columns or () for part in one.split(","))
    look = Look(output, not no_headers, all_namespaces, columns, show_kind, show_labels, sort_by, show_managed_fields)
    query = {"labelSelector": selector, "fieldSelector": field_selector}

    async def work(session: Session) -> int:
        if raw:
            sys.stdout.write((await session.call("GET", raw)).text)
            return 0
        if not words and not filename:
            print(
                'You must specify the type of resource to get. Use "pykubectl api-resources" for a complete list of '
                "supported resources.\n",
                file=sys.stderr,
            )
            raise UsageError(_NOTHING, see("get"))
        wanted = await _wanted(session, words or [], filename, recursive=recursive)
        if watch or watch_only:
            return await _watch(session, wanted, look, query, only=watch_only)
        return await _get(session, wanted, look, query, ignore_not_found=ignore_not_found)

    run(work)


async def _wanted(
    session: Session, words: Sequence[str], files: Sequence[str] | None, *, recursive: bool
) -> list[Reference]:
    known = await catalog(session)
    if not files:
        return references(words, known)
    return from_documents(known, [document.tree for document in manifests.read(files, recursive=recursive)])


def path_of(session: Session, reference: Reference, look: Look) -> str:
    """Where the object or its collection is found."""
    namespace = "" if look.all_namespaces else reference.namespace or session.namespace
    return reference.kind.path(namespace, reference.name)


async def _get(
    session: Session, wanted: Sequence[Reference], look: Look, query: Mapping[str, str], *, ignore_not_found: bool
) -> int:
    failed, shown, trees = 0, [], []
    kinds = len({reference.kind for reference in wanted})
    for reference, group in _grouped(wanted):
        answers = []
        for one in group:
            try:
                answers.append(await fetch(session, one, look, query))
            except ApiError as error:
                if not (ignore_not_found and error.reason == "NotFound"):
                    print(explain(error), file=sys.stderr)
                    failed = 1
        trees += [(reference.kind, answer) for answer in answers]
        if look.is_table and answers:
            show_kind = look.show_kind or kinds > 1 or (len(wanted) > 1 and not reference.name)
            text = table_text(_joined(answers), reference.kind, look, prefix=show_kind)
            if text:
                shown.append(text)
    if look.is_table:
        sys.stdout.write("\n".join(shown))
        if not shown and not failed and not ignore_not_found:
            where = (
                ""
                if look.all_namespaces or not any(r.kind.namespaced for r in wanted)
                else f" in {session.namespace} namespace."
            )
            print(f"No resources found{where}", file=sys.stderr)
    elif trees or len(wanted) > 1:
        _print_trees(trees, wanted, look)
    return failed


def _grouped(wanted: Sequence[Reference]) -> list[tuple[Reference, list[Reference]]]:
    groups: dict[Kind, list[Reference]] = {}
    for reference in wanted:
        groups.setdefault(reference.kind, []).append(reference)
    return [(group[0], group) for group in groups.values()]


async def fetch(session: Session, reference: Reference, look: Look, query: Mapping[str, str]) -> Json:
    """An object or a whole list, read in chunks; as a Table where one is to be shown."""
    accept = TABLE if look.is_table else "application/json"
    path, asked = path_of(session, reference, look), {k: v for k, v in query.items() if v}
    if look.is_table and (look.sort_by or look.show_labels or look.labels):
        asked["includeObject"] = "Object" if look.sort_by else "Metadata"
    if reference.name:
        tree: Json = (await session.call("GET", path, accept=accept, query=asked)).json()
        return tree
    whole: Json = {}
    continued = ""
    while True:
        page = (
            await session.call("GET", path, accept=accept, query=asked | {"limit": CHUNK} | _continue(continued))
        ).json()
        rows = "rows" if "rows" in page else "items"
        if whole:
            whole[rows] = [*(whole.get(rows) or ()), *(page.get(rows) or ())]
        else:
            whole = page
        continued = page.get("metadata", {}).get("continue", "")
        if not continued:
            return whole


def _continue(token: str) -> Json:
    return {"continue": token} if token else {}


def _joined(tables: Sequence[Json]) -> Json:
    return tables[0] | {"rows": [row for table in tables for row in table.get("rows") or ()]}


def table_text(table: Json, kind: Kind, look: Look, *, prefix: bool) -> str:
    """A Table as lines; "" for an empty one."""
    if look.sort_by:
        table = table | {
            "rows": sorted(table.get("rows") or (), key=lambda row: _sort_key(row["object"], look.sort_by))
        }
    if not table.get("rows"):
        return ""
    name = f"{kind.singular_name}{'.' + kind.group if kind.group else ''}" if prefix else ""
    namespaced = look.all_namespaces and kind.namespaced
    rows = table_rows(
        table,
        wide=look.output == "wide",
        headers=look.headers,
        namespace=namespaced,
        labels=look.labels,
        prefix=name,
    )
    if look.show_labels:
        texts = ["LABELS"] * look.headers + [_labels(row) for row in table["rows"]]
        rows = [[*row, text] for row, text in zip(rows, texts, strict=True)]
    return align(rows)


def _labels(row: Json) -> str:
    labels = (row.get("object") or {}).get("metadata", {}).get("labels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"


def _sort_key(tree: Json, path: str) -> tuple[bool, Any]:
    found = jsonpath.find(path if path.startswith("{") else f"{{{path if path.startswith('.') else '.' + path}}}", tree)
    return (not found, found[0] if found else 0)


def _print_trees(trees: Sequence[tuple[Kind, Json]], wanted: Sequence[Reference], look: Look) -> None:
    if look.output == "name":
        for kind, tree in trees:
            sys.stdout.write("".join(f"{object_name(item, kind)}\n" for item in items_of(tree)))
        return
    items = [_typed(item, kind) for kind, tree in trees for item in items_of(tree)]
    if look.sort_by:
        items.sort(key=lambda item: _sort_key(item, look.sort_by))
    if len(wanted) == 1 and wanted[0].name:
        tree = items[0]
    else:
        tree = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    sys.stdout.write(formatted(without_managed_fields(tree, keep=look.show_managed_fields), look.output) or "")


def _typed(item: Json, kind: Kind) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind} | item


async def _watch(
    session: Session, wanted: Sequence[Reference], look: Look, query: Mapping[str, str], *, only: bool
) -> int:
    if len({reference.kind for reference in wanted}) != 1:
        print("error: you may only specify a single resource type", file=sys.stderr)
        return 1
    reference = wanted[0]
    first = await fetch(session, reference, look, query)
    if not only:
        _show_one(first, reference.kind, look)
    selection = {k: v for k, v in query.items() if v}
    if reference.name:
        selection["fieldSelector"] = f"metadata.name={reference.name}"
    revision = first.get("metadata", {}).get("resourceVersion", "")
    if look.is_table and reference.name:
        revision = first["rows"][0]["object"]["metadata"]["resourceVersion"]
    collection = path_of(session, Reference(reference.kind), look)
    later = Look(
        look.output,
        headers=only and look.headers,
        all_namespaces=look.all_namespaces,
        labels=look.labels,
        show_managed_fields=look.show_managed_fields,
    )
    headers = {"Accept": TABLE if look.is_table else "application/json"}
    asked = selection | {"watch": "true", "resourceVersion": revision}
    limit = seconds(global_flags().request_timeout or "0") or None
    with contextlib.suppress(TimeoutError):  # the time is over: the watch ends as if the server had ended it
        async with asyncio.timeout(limit):
            return await _follow(session, collection, asked, headers, reference.kind, later)
    return 0


async def _follow(session: Session, path: str, asked: Json, headers: Json, kind: Kind, later: Look) -> int:
    async for line in session.client.lines(path, query=asked, extra=headers):
        event = msgspec.json.decode(line)
        if event["type"] == "BOOKMARK":
            continue
        if event["type"] == "ERROR":
            print(f"error: {event['object'].get('message')}", file=sys.stderr)
            return 1
        _show_one(event["object"], kind, later)
        later = replace(later, headers=False)
    return 0


def _show_one(tree: Json, kind: Kind, look: Look) -> None:
    if look.is_table:
        text = table_text(tree, kind, look, prefix=look.show_kind)
    elif look.output == "name":
        text = "".join(f"{object_name(item, kind)}\n" for item in items_of(tree))
    else:
        shown = without_managed_fields(_typed(tree, kind), keep=look.show_managed_fields)
        text = formatted(shown, look.output) or ""
    sys.stdout.write(text)
    sys.stdout.flush()
