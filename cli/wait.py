"""`pykubectl wait`: until objects are in a condition, gone, or have a value. Source: kubectl/pkg/cmd/wait."""

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import jsonpath, manifests
from cli.durations import seconds
from cli.flags import UsageError
from cli.options import AllNamespaces, FieldSelector, FileNames, LabelSelector, Output, Recursive, Words
from cli.printing import formatted, object_name
from cli.resources import Reference, catalog, from_documents, references
from cli.session import Session, explain, run

Holds = Callable[[Json], bool]


def wait(
    words: Words = None,
    for_: Annotated[
        str, typer.Option("--for", help="delete|create|condition=NAME[=VALUE]|jsonpath={...}[=VALUE]")
    ] = "",
    timeout: Annotated[str, typer.Option(help="How long at most; 0 looks once, below 0 waits a week.")] = "30s",
    selector: LabelSelector = "",
    field_selector: FieldSelector = "",
    everything: Annotated[bool, typer.Option("--all", help="Every object of the type in the namespace.")] = False,
    all_namespaces: AllNamespaces = False,
    filename: FileNames = None,
    recursive: Recursive = False,
    output: Output = "",
) -> None:
    """Wait until objects are as they shall be."""
    holds = _condition(for_)
    limit = seconds(timeout)
    if limit < 0:
        limit = 7 * 24 * 3600.0

    async def work(session: Session) -> int:
        known = await catalog(session)
        if filename:
            wanted = from_documents(known, [each.tree for each in manifests.read(filename, recursive=recursive)])
        else:
            wanted = references(words or [], known)
        query = {"labelSelector": selector, "fieldSelector": field_selector}
        query = {key: value for key, value in query.items() if value}
        deadline = asyncio.get_running_loop().time() + limit
        targets, failed = await _targets(
            session, wanted, query, for_, deadline, everything=everything or bool(query), all_namespaces=all_namespaces
        )
        if not targets and not failed and for_.lower() != "delete":
            print("error: no matching resources found", file=sys.stderr)
            return 1
        for kind, namespace, name, tree in targets:
            failed |= await _wait_for(session, kind, namespace, name, tree, for_, holds, deadline, output)
        return failed

    run(work)


async def _targets(
    session: Session,
    wanted: list[Reference],
    query: Json,
    for_: str,
    deadline: float,
    *,
    everything: bool,
    all_namespaces: bool,
) -> tuple[list[tuple[Kind, str, str, Json | None]], int]:
    found: list[tuple[Kind, str, str, Json | None]] = []
    failed = 0
    for reference in wanted:
        kind, namespace = reference.kind, reference.namespace or session.namespace
        if reference.name:
            try:
                tree = await _existing(
                    session, kind, namespace, reference.name, deadline, create=for_.lower() == "create"
                )
                found.append((kind, namespace, reference.name, tree))
            except ApiError as error:
                if error.reason != "NotFound" or for_.lower() != "delete":
                    print(explain(error), file=sys.stderr)
                    failed = 1
        elif everything:
            path = kind.path("" if all_namespaces else namespace)
            items = (await session.get_json(path, query))["items"]
            found += [(kind, each["metadata"].get("namespace", ""), each["metadata"]["name"], each) for each in items]
        else:
            raise UsageError("resource(s) were provided, but no name was specified")
    return found, failed


async def _existing(session: Session, kind: Kind, namespace: str, name: str, deadline: float, *, create: bool) -> Json:
    while True:
        try:
            return await session.get_json(kind.path(namespace, name))
        except ApiError as error:
            if error.reason != "NotFound" or not create or asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(0.2)


async def _wait_for(
    session: Session,
    kind: Kind,
    namespace: str,
    name: str,
    tree: Json | None,
    for_: str,
    holds: Holds,
    deadline: float,
    output: str,
) -> int:
    what = object_name({"metadata": {"name": name}}, kind)
    try:
        async with asyncio.timeout_at(max(deadline, asyncio.get_running_loop().time() + 0.2)):
            if for_.lower() == "delete":
                await _gone(session, kind, namespace, name, (tree or {}).get("metadata", {}).get("uid", ""))
                _report(tree, what, output)
            elif for_.lower() == "create":
                _report(tree, what, output)
            else:
                _report(await _until(session, kind, namespace, name, holds), what, output)
    except TimeoutError:
        plural = kind.resource
        print(f"error: timed out waiting for the condition on {plural.partition('.')[0]}/{name}", file=sys.stderr)
        return 1
    except ApiError as error:
        print(explain(error), file=sys.stderr)
        return 1
    return 0


def _report(tree: Json | None, what: str, output: str) -> None:
    if output and tree:
        tree["metadata"].pop("managedFields", None)
        sys.stdout.write(formatted(tree, output) or "")
    else:
        print(f"{what} condition met", flush=True)


async def _seen(session: Session, kind: Kind, namespace: str, name: str) -> tuple[Json | None, str]:
    """The object, and the revision of the list that showed it: its own may be too old to watch from."""
    found = await session.get_json(kind.path(namespace), {"fieldSelector": f"metadata.name={name}"})
    head = {"kind": kind.kind, "apiVersion": kind.api_version}  # upstream's lists leave it out
    return next(({**head, **item} for item in found["items"]), None), found["metadata"]["resourceVersion"]


async def _gone(session: Session, kind: Kind, namespace: str, name: str, uid: str) -> None:
    while True:
        tree, revision = await _seen(session, kind, namespace, name)
        if tree is None or (uid and tree["metadata"]["uid"] != uid):
            return
        async for event, _ in session.client.watch(
            kind, namespace, resource_version=revision, fields=f"metadata.name={name}", timeout=60
        ):
            if event == "DELETED":
                return


async def _until(session: Session, kind: Kind, namespace: str, name: str, holds: Holds) -> Json:
    while True:
        tree, revision = await _seen(session, kind, namespace, name)
        if tree is None:
            raise errors.not_found(kind.group, kind.plural, name)
        if holds(tree):
            return tree
        async for event, now in session.client.watch(
            kind, namespace, resource_version=revision, fields=f"metadata.name={name}", bookmarks=False, timeout=60
        ):
            if event == "DELETED":
                raise UsageError(f"the server could not find the requested resource: {kind.plural}/{name} was deleted")
            if holds(now):
                return now


def _condition(text: str) -> Holds:
    """What `--for` asks; raises UsageError when it asks nothing that is known."""
    lower = text.lower()
    if lower in ("delete", "create"):
        return lambda _: True
    if lower.startswith("condition="):
        name, _, value = text[len("condition=") :].partition("=")
        wanted = (value or "true").lower()
        return lambda tree: _has(tree, name.lower(), wanted)
    if lower.startswith("jsonpath="):
        return _json_path(text[len("jsonpath=") :])
    raise UsageError(f'unrecognized condition: "{text}"')


def _has(tree: Json, name: str, wanted: str) -> bool:
    status = tree.get("status") or {}
    for each in status.get("conditions") or ():
        if each.get("type", "").lower() == name:
            generation = tree["metadata"].get("generation")
            seen = each.get("observedGeneration") or status.get("observedGeneration")
            if generation and seen and seen < generation:
                return False
            return bool(each.get("status", "").lower() == wanted)
    return False


def _json_path(text: str) -> Holds:
    text = text.strip("'\"")
    close = text.rfind("}")
    path, rest = (
        (text[: close + 1], text[close + 1 :])
        if close >= 0
        else (text.partition("=")[0], text[len(text.partition("=")[0]) :])
    )
    if rest and (not rest.startswith("=") or len(rest) == 1):
        raise UsageError(
            "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'"  # noqa: E501  (one message on one line)
        )
    wanted = rest[1:].strip("'\"") if rest else None
    template = path if path.startswith("{") else f"{{{path if path.startswith('.') else '.' + path}}}"

    def holds(tree: Json) -> bool:
        found = jsonpath.find(template, tree)
        if not found:
            return False
        if wanted is None:
            return True
        value = found[0]
        return (value if isinstance(value, str) else msgspec.json.encode(value).decode()) == wanted

    return holds
