"""Verbs that patch objects: patch, label, annotate, scale, cordon, uncordon, taint-free and small."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import typer
import yaml

from apimachinery.errors import ApiError
from apimachinery.kinds import BY_KIND, NODES, Kind
from apimachinery.types import Json
from cli import manifests
from cli.flags import UsageError
from cli.options import NO_OBJECTS, AllNamespaces, DryRun, FileNames, LabelSelector, Output, Recursive, dry_run_suffix
from cli.printing import formatted, object_name
from cli.resources import catalog, from_documents, references
from cli.session import Session, run
from cli.usage import see

MEDIA = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


async def send_patch(
    session: Session,
    kind: Kind,
    namespace: str,
    name: str,
    body: Any,
    *,
    type: str = "merge",
    query: Json | None = None,
    subresource: str = "",
) -> Json:
    """A patch; the object as it is then."""
    tree: Json = (
        await session.call(
            "PATCH",
            kind.path(namespace, name, subresource),
            query=query,
            body=msgspec.json.encode(body),
            content_type=MEDIA[type],
        )
    ).json()
    return tree


async def targets(
    session: Session,
    words: Sequence[str],
    files: Sequence[str] | None,
    selector: str,
    *,
    everything: bool,
    recursive: bool,
    all_namespaces: bool = False,
) -> list[tuple[Kind, Json]]:
    """The objects that names, files or a selector choose, as they are now."""
    if not words and not files:
        raise UsageError(NO_OBJECTS)
    known = await catalog(session)
    documents = manifests.read(files, recursive=recursive) if files else []
    chosen = from_documents(known, [document.tree for document in documents])
    chosen += references(words, known) if words else []
    found = []
    for reference in chosen:
        if reference.name:
            path = reference.kind.path(reference.namespace or session.namespace, reference.name)
            found.append((reference.kind, await session.get_json(path)))
        elif everything or selector:
            query = {"labelSelector": selector} if selector else None
            listing = await session.get_json(reference.kind.path("" if all_namespaces else session.namespace), query)
            found += [(reference.kind, item) for item in listing["items"]]
    if not found and not selector:
        message = "resource(s) were provided, but no name was specified"
        raise UsageError(message)
    return found


def patch(
    words: Annotated[list[str] | None, typer.Argument(help="TYPE NAME or TYPE/NAME")] = None,
    patch: Annotated[str, typer.Option("--patch", "-p", help="The patch, JSON or YAML.")] = "",
    patch_file: Annotated[str, typer.Option(help="A file with the patch.")] = "",
    type: Annotated[str, typer.Option(help="json|merge|strategic")] = "strategic",
    subresource: Annotated[str, typer.Option(help="status, scale, ...")] = "",
    filename: FileNames = None,
    recursive: Recursive = False,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Update fields of an object."""

    async def work(session: Session) -> int:
        text = patch
        if patch_file:
            with open(patch_file, encoding="utf-8") as file:  # noqa: ASYNC230, PTH123  (one small file)
                text = file.read()
        if not text:
            message = "must specify --patch or --patch-file containing the contents of the patch"
            raise UsageError(message)
        try:
            body = yaml.load(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise UsageError(f"unable to parse {msgspec.json.encode(text).decode()}: {error}") from error
        for kind, tree in await targets(session, words or [], filename, "", everything=False, recursive=recursive):
            chosen = "merge" if type == "strategic" and (kind.api_version, kind.kind) not in BY_KIND else type
            namespace, name = tree["metadata"].get("namespace", ""), tree["metadata"]["name"]
            query = {"dryRun": "All"} if dry_run == "server" else None
            done = await send_patch(
                session, kind, namespace, name, body, type=chosen, query=query, subresource=subresource
            )
            changed = done["metadata"].get("resourceVersion") != tree["metadata"].get("resourceVersion")
            report(done, kind, "patched" if changed else "patched (no change)", output)
        return 0

    run(work)


def report(tree: Json, kind: Kind, verb: str, output: str, dry_run: str = "none") -> None:
    """`deployment.apps/web patched`, or the object in the format asked for."""
    suffix = dry_run_suffix(dry_run)
    if output in ("", "wide"):
        print(f"{object_name(tree, kind)} {verb}{suffix}")
    elif output == "name":
        print(object_name(tree, kind))
    else:
        tree.get("metadata", {}).pop("managedFields", None)
        sys.stdout.write(formatted(tree, output) or "")


def assignments(words: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """Objects and `key=value` / `key-` changes, apart."""
    objects = [word for word in words if "=" not in word and not (word.endswith("-") and len(word) > 1)]
    changes: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            changes[key] = value
        elif word.endswith("-") and word not in objects:
            changes[word[:-1]] = None
    return objects, changes


def _change_map(field: str, verb: str, words: list[str], options: Mapping[str, Any]) -> None:
    objects, changes = assignments(words)

    async def work(session: Session) -> int:
        if not objects and not options["filename"]:
            message = "one or more resources must be specified as <resource> <name> or <resource>/<name>"
            raise UsageError(message)
        if not changes:
            message = f"at least one {field[:-1]} update is required"
            raise UsageError(message)
        found = await targets(
            session,
            objects,
            options["filename"],
            options["selector"],
            everything=options["all"] or options["all_namespaces"],
            recursive=False,
            all_namespaces=options["all_namespaces"],
        )
        for kind, tree in found:
            present = tree["metadata"].get(field) or {}
            _refuse_overwrites(field, present, changes, overwrite=options["overwrite"])
            namespace, name = tree["metadata"].get("namespace", ""), tree["metadata"]["name"]
            after = {k: v for k, v in {**present, **changes}.items() if v is not None}
            if field == "labels":
                for key in [key for key, value in changes.items() if value is None and key not in present]:
                    print(f'label "{key}" not found.')
            if after == present:
                word = "not " + verb
                report(tree, kind, word, options["output"])
                continue
            query = {"dryRun": "All"} if options["dry_run"] == "server" else None
            body = {"metadata": {field: changes}}
            if options["dry_run"] != "client":
                tree = await send_patch(session, kind, namespace, name, body, query=query)  # noqa: PLW2901
            word = "un" + verb if all(value is None for value in changes.values()) and field == "labels" else verb
            report(tree, kind, word, options["output"], options["dry_run"])
        return 0

    run(work)


def _refuse_overwrites(
    field: str, present: Mapping[str, str], changes: Mapping[str, str | None], *, overwrite: bool
) -> None:
    clashes = [k for k, v in changes.items() if v is not None and k in present and present[k] != v]
    if clashes and not overwrite:
        key = clashes[0]
        message = f"'{key}' already has a value ({present[key]}), and --overwrite is false"
        if field == "annotations":
            message = (
                "--overwrite is false but found the following declared annotation(s): "
                f"'{key}' already has a value ({present[key]})"
            )
        raise UsageError(message)


Words = Annotated[list[str] | None, typer.Argument(help="TYPE NAME KEY=VALUE ... KEY- ...")]
Overwrite = Annotated[bool, typer.Option("--overwrite/--no-overwrite", help="Change what has a value already.")]
All = Annotated[bool, typer.Option("--all", help="Every object of the type in the namespace.")]


def label(
    words: Words = None,
    overwrite: Overwrite = False,
    everything: All = False,
    selector: LabelSelector = "",
    filename: FileNames = None,
    all_namespaces: AllNamespaces = False,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the labels of objects."""
    options = {"overwrite": overwrite, "all": everything, "selector": selector, "filename": filename}
    _change_map(
        "labels",
        "labeled",
        words or [],
        options | {"dry_run": dry_run, "output": output, "all_namespaces": all_namespaces},
    )


def annotate(
    words: Words = None,
    overwrite: Overwrite = False,
    everything: All = False,
    selector: LabelSelector = "",
    filename: FileNames = None,
    all_namespaces: AllNamespaces = False,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Change the annotations of objects."""
    options = {"overwrite": overwrite, "all": everything, "selector": selector, "filename": filename}
    _change_map(
        "annotations",
        "annotated",
        words or [],
        options | {"dry_run": dry_run, "output": output, "all_namespaces": all_namespaces},
    )


def scale(
    words: Annotated[list[str] | None, typer.Argument(help="TYPE NAME or TYPE/NAME")] = None,
    replicas: Annotated[int, typer.Option(help="How many there shall be.")] = -1,
    current_replicas: Annotated[int, typer.Option(help="Only if there are that many now.")] = -1,
    selector: LabelSelector = "",
    everything: All = False,
    filename: FileNames = None,
    dry_run: DryRun = "none",
    output: Output = "",
) -> None:
    """Set how many replicas there shall be."""
    if replicas < 0:
        raise UsageError('required flag(s) "replicas" not set')

    async def work(session: Session) -> int:
        if replicas < 0:
            message = 'required flag(s) "replicas" not set'
            raise UsageError(message)
        try:
            found = await targets(session, words or [], filename, selector, everything=everything, recursive=False)
        except ApiError as error:
            if error.reason == "NotFound":
                raise UsageError(f"no objects passed to scale {error.message}") from error
            raise
        for kind, tree in found:
            namespace, name = tree["metadata"].get("namespace", ""), tree["metadata"]["name"]
            now = tree.get("spec", {}).get("replicas", 0)
            if current_replicas >= 0 and now != current_replicas:
                message = f"Expected replicas to be {current_replicas}, was {now}"
                raise UsageError(message)
            query = {"dryRun": "All"} if dry_run == "server" else None
            if dry_run != "client":
                body = {"spec": {"replicas": replicas}}
                await send_patch(session, kind, namespace, name, body, query=query, subresource="scale")
            report(tree, kind, "scaled", output, dry_run)
        return 0

    run(work)


def _schedulable(words: list[str], selector: str, dry_run: str, *, unschedulable: bool) -> None:
    word = "cordoned" if unschedulable else "uncordoned"

    if not words and not selector:
        raise UsageError(f"USAGE: {word[:-2]} NODE [flags]", see(word[:-2]))

    async def work(session: Session) -> int:
        found = await targets(session, ["nodes", *words], None, selector, everything=False, recursive=False)
        for kind, tree in found:
            if bool(tree["spec"].get("unschedulable")) == unschedulable:
                report(tree, kind, f"already {word}", "")
                continue
            if dry_run == "none":
                body = {"spec": {"unschedulable": unschedulable or None}}
                await send_patch(session, NODES, "", tree["metadata"]["name"], body)
            report(tree, kind, word, "", dry_run)
        return 0

    run(work)


NodeNames = Annotated[list[str] | None, typer.Argument(help="NODE ...")]


def cordon(nodes: NodeNames = None, selector: LabelSelector = "", dry_run: DryRun = "none") -> None:
    """Mark nodes as unschedulable."""
    _schedulable(nodes or [], selector, dry_run, unschedulable=True)


def uncordon(nodes: NodeNames = None, selector: LabelSelector = "", dry_run: DryRun = "none") -> None:
    """Mark nodes as schedulable."""
    _schedulable(nodes or [], selector, dry_run, unschedulable=False)
