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
from cli.flags import UsageError
from cli.options import DryRun, FileNames, LabelSelector, Output, Recursive, ShowManagedFields, dry_run_suffix
from cli.printing import formatted, object_name, without_managed_fields
from cli.resources import Catalog, catalog
from cli.session import Session, explain, run, while_doing

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FIELD_MANAGER = "kubectl-client-side-apply"
SERVER_SIDE_MANAGER = "kubectl"
_ADVICE = """Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"""


def apply(
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
    server_side: Annotated[bool, typer.Option("--server-side", help="Let the server merge.")] = False,
    force_conflicts: Annotated[bool, typer.Option("--force-conflicts", help="Take fields over from others.")] = False,
    field_manager: Annotated[str, typer.Option(help="The name that owns what is applied.")] = "",
    validate: Annotated[str, typer.Option(help="strict|warn|ignore: what to do with unknown fields.")] = "strict",
    show_managed_fields: ShowManagedFields = False,
) -> None:
    """Apply a configuration to objects by file or stdin."""
    if force_conflicts and not server_side:
        raise UsageError("--force-conflicts only works with --server-side")
    if server_side and dry_run == "client":
        raise UsageError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
    query = {"fieldValidation": {"strict": "Strict", "true": "Strict", "warn": "Warn"}.get(validate, "Ignore")}
    if dry_run == "server":
        query["dryRun"] = "All"

    suffix = dry_run_suffix(dry_run)

    async def work(session: Session) -> int:
        documents = manifests.read(filename or [], recursive=recursive, selector=selector)
        known, failed = await catalog(session), 0
        applied: list[Json] = []
        for document in documents:
            try:
                kind, tree = _resolved(known, document)
                if server_side:
                    manager = field_manager or SERVER_SIDE_MANAGER
                    done, verb = await _server_side(session, kind, tree, query, manager, force=force_conflicts)
                else:
                    change = dry_run != "client"
                    done, verb = await _client_side(session, kind, document, query, field_manager, change=change)
            except (ApiError, ValueError) as error:
                print(_told(error, server_side=server_side), file=sys.stderr)
                failed = 1
                continue
            applied.append(done)
            if output in ("", "wide", "name"):
                print(object_name(done, kind) + ("" if output == "name" else f" {verb}{suffix}"))
        if applied and output not in ("", "wide", "name"):
            _show(applied, output, keep=show_managed_fields)
        return failed

    run(work)


def _told(error: ApiError | ValueError, *, server_side: bool) -> str:
    if not isinstance(error, ApiError):
        return f"error: {error}"
    if server_side and error.reason == "Conflict":
        return f"error: {error.message}\n{_ADVICE}"
    return explain(error)


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
    session: Session, kind: Kind, document: manifests.Document, query: Json, manager: str, *, change: bool
) -> tuple[Json, str]:
    tree = document.tree
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
        try:
            return (await session.call("POST", kind.path(namespace), query=query, body=body)).json(), "created"
        except ApiError as refused:
            raise while_doing(refused, f'error when creating "{document.source}":') from refused
    if LAST_APPLIED not in (current["metadata"].get("annotations") or {}):
        print(_not_applied(kind, current), file=sys.stderr)
    content_type, delta = difference(kind, modified, current)
    if not delta:
        return current, "unchanged"
    if not change:
        return current, "configured"
    path, body = kind.path(namespace, name), msgspec.json.encode(delta)
    try:
        response = await session.call("PATCH", path, query=query, body=body, content_type=content_type)
    except ApiError as refused:
        raise while_doing(refused, _patching(document, kind, current, body)) from refused
    done: Json = response.json()
    same = done["metadata"].get("resourceVersion") == current["metadata"].get("resourceVersion")
    return done, "unchanged" if same else "configured"


def _patching(document: manifests.Document, kind: Kind, current: Json, body: bytes) -> str:
    group = f"{kind.group}/" if kind.group else "/"
    version = f"{group}{kind.version}"
    metadata = current["metadata"]
    return (
        f"error when applying patch:\n{body.decode()}\nto:\n"
        f'Resource: "{version}, Resource={kind.plural}", GroupVersionKind: "{version}, Kind={kind.kind}"\n'
        f'Name: "{metadata["name"]}", Namespace: "{metadata.get("namespace", "")}"\n'
        f'for: "{document.source}": error when patching "{document.source}":'
    )


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
        "which is required by pykubectl apply. pykubectl apply should only be used on resources created declaratively by "  # noqa: E501  (one message on one line)
        "either pykubectl create --save-config or pykubectl apply. The missing annotation will be patched automatically."  # noqa: E501  (one message on one line)
    )


def _show(trees: list[Json], output: str, *, keep: bool) -> None:
    for tree in trees:
        without_managed_fields(tree, keep=keep)
    whole = trees[0] if len(trees) == 1 else {"apiVersion": "v1", "items": trees, "kind": "List", "metadata": {}}
    sys.stdout.write(formatted(whole, output) or "")
