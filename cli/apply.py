"""`pykubectl apply`: makes objects what the files say, client-side by the last-applied annotation or server-side.

The three-way merge is apimachinery.patch's; this module reads, sends and reports. Source: kubectl/pkg/cmd/apply.
"""

import sys
from typing import Annotated

import msgspec
import typer

from apimachinery import apply_diff, schema
from apimachinery.errors import ApiError
from apimachinery.kinds import BY_KIND, Kind
from apimachinery.types import Json
from cli import manifests
from cli.options import DryRun, FileNames, LabelSelector, Output, Recursive
from cli.printing import formatted, object_name
from cli.resources import Catalog, catalog
from cli.session import Session, run

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FIELD_MANAGER = "kubectl-client-side-apply"


def apply(
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",  # noqa: ARG001  (prune is not here yet; kept for the flag's sake)
    dry_run: DryRun = "none",
    output: Output = "",
    server_side: Annotated[bool, typer.Option("--server-side", help="Let the server merge.")] = False,
    force_conflicts: Annotated[bool, typer.Option("--force-conflicts", help="Take fields over from others.")] = False,
    field_manager: Annotated[str, typer.Option(help="The name that owns what is applied.")] = "",
    validate: Annotated[str, typer.Option(help="strict|warn|ignore: what to do with unknown fields.")] = "strict",
) -> None:
    """Apply a configuration to objects by file or stdin."""
    query = {"fieldValidation": {"strict": "Strict", "true": "Strict", "warn": "Warn"}.get(validate, "Ignore")}
    if dry_run == "server":
        query["dryRun"] = "All"

    async def work(session: Session) -> int:
        documents = manifests.read(filename or [], recursive=recursive)
        known = await catalog(session)
        for document in documents:
            kind, tree = _resolved(known, document)
            if server_side:
                manager = field_manager or "kubectl"
                done, verb = await _server_side(session, kind, tree, query, manager, force=force_conflicts)
            else:
                done, verb = await _client_side(session, kind, tree, query, field_manager, change=dry_run != "client")
            suffix = {"server": " (server dry run)", "client": " (dry run)"}.get(dry_run, "")
            _report(done, kind, verb + suffix, output)
        return 0

    run(work)


def _resolved(known: Catalog, document: manifests.Document) -> tuple[Kind, Json]:
    kind = known.of_manifest(document.tree)
    if kind is None:
        raise ValueError(no_match(document))
    return kind, document.tree


def no_match(document: manifests.Document) -> str:
    """Kubectl's text for an apiVersion and kind that the server does not serve."""
    tree = document.tree
    group, _, version = tree.get("apiVersion", "").rpartition("/")
    name = tree.get("metadata", {}).get("name", "")
    return (
        f'resource mapping not found for name: "{name}" namespace: "{tree.get("metadata", {}).get("namespace", "")}" '
        f'from "{document.source}": no matches for kind "{tree.get("kind")}" in version '
        f'"{group + "/" if group else ""}{version}"\nensure CRDs are installed first'
    )


def place_of(session: Session, kind: Kind, tree: Json) -> tuple[str, str]:
    """The namespace and name of an object from a file; -n must not contradict the file."""
    metadata = tree.get("metadata") or {}
    namespace = metadata.get("namespace", "")
    if kind.namespaced and session.explicit and namespace and namespace != session.namespace:
        message = (
            f'the namespace from the provided object "{namespace}" does not match the namespace "{session.namespace}". '
            f"You must pass '--namespace={namespace}' to perform this operation."
        )
        raise ValueError(message)
    return namespace or session.namespace, metadata.get("name", "")


async def _server_side(
    session: Session, kind: Kind, tree: Json, query: Json, manager: str, *, force: bool
) -> tuple[Json, str]:
    namespace, name = place_of(session, kind, tree)
    response = await session.call(
        "PATCH",
        kind.path(namespace, name),
        query=query | {"fieldManager": manager, "force": str(force).lower()},
        body=msgspec.json.encode(tree),
        content_type="application/apply-patch+yaml",
    )
    return response.json(), "serverside-applied"


async def _client_side(
    session: Session, kind: Kind, tree: Json, query: Json, manager: str, *, change: bool
) -> tuple[Json, str]:
    namespace, name = place_of(session, kind, tree)
    modified = annotated(tree, namespace if kind.namespaced else "")
    query = query | {"fieldManager": manager or FIELD_MANAGER}
    try:
        current = await session.get_json(kind.path(namespace, name))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        if not change:
            return modified, "created"
        body = msgspec.json.encode(modified)
        return (await session.call("POST", kind.path(namespace), query=query, body=body)).json(), "created"
    if LAST_APPLIED not in (current["metadata"].get("annotations") or {}):
        print(_not_applied(kind, current), file=sys.stderr)
    content_type, delta = difference(kind, modified, current)
    if not delta:
        return current, "unchanged"
    if not change:
        return current, "configured"
    path, body = kind.path(namespace, name), msgspec.json.encode(delta)
    response = await session.call("PATCH", path, query=query, body=body, content_type=content_type)
    done: Json = response.json()
    same = done["metadata"].get("resourceVersion") == current["metadata"].get("resourceVersion")
    return done, "unchanged" if same else "configured"


def annotated(tree: Json, namespace: str) -> Json:
    """The object with itself, as JSON, in its last-applied annotation."""
    metadata = dict(tree.get("metadata") or {})
    if namespace:
        metadata.setdefault("namespace", namespace)
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != LAST_APPLIED}
    plain = tree | {"metadata": metadata | {"annotations": annotations}}
    text = msgspec.json.encode(plain, order="sorted").decode() + "\n"
    return tree | {"metadata": metadata | {"annotations": annotations | {LAST_APPLIED: text}}}


def difference(kind: Kind, modified: Json, current: Json) -> tuple[str, Json]:
    """The patch that takes the live object to the file's state, with its media type; empty when nothing differs."""
    last = (current["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    original = msgspec.json.decode(last) if last else {}
    built_in = BY_KIND.get((kind.api_version, kind.kind))
    definition = schema.definition(built_in) if built_in else None
    if definition is None:
        return "application/merge-patch+json", apply_diff.merge_diff(original, modified, current)
    delta = apply_diff.strategic_diff(original, modified, current, definition)
    return "application/strategic-merge-patch+json", delta


def _not_applied(kind: Kind, current: Json) -> str:
    return (
        f"Warning: resource {kind.plural}/{current['metadata']['name']} is missing the {LAST_APPLIED} annotation "
        "which is required by pykubectl apply. pykubectl apply should only be used on resources created declaratively by "
        "either pykubectl create --save-config or pykubectl apply. The missing annotation will be patched automatically."
    )


def _report(tree: Json, kind: Kind, verb: str, output: str) -> None:
    if output in ("", "wide"):
        print(f"{object_name(tree, kind)} {verb}")
    elif output == "name":
        print(object_name(tree, kind))
    else:
        sys.stdout.write(formatted(tree, output) or "")
