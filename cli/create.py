"""`pykubectl create`: objects from files; and `make`, which every `create KIND` ends in.

Source: kubectl/pkg/cmd/create.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli import manifests
from cli.apply import annotated, no_match, place_of
from cli.flags import UsageError
from cli.options import DryRun, FileNames, LabelSelector, Output, Recursive, dry_run_suffix
from cli.printing import formatted, object_name
from cli.resources import catalog
from cli.session import Session, explain, run, while_doing
from cli.usage import exactly

SaveConfig = Annotated[bool, typer.Option("--save-config", help="Keep the configuration in an annotation for apply.")]
Validate = Annotated[str, typer.Option("--validate", help="strict|warn|ignore: what to do with unknown fields.")]
FieldManager = Annotated[str, typer.Option("--field-manager", help="The name that owns what is written.")]
Names = Annotated[list[str] | None, typer.Argument(help="NAME", show_default=False)]

VALIDATION = {"strict": "Strict", "true": "Strict", "warn": "Warn", "ignore": "Ignore", "false": "Ignore"}


@dataclass(frozen=True, slots=True)
class Making:
    """How an object is made and reported."""

    dry_run: str = "none"
    output: str = ""
    save_config: bool = False
    validate: str = "strict"
    manager: str = "kubectl-create"

    @property
    def query(self) -> Json:
        query = {"fieldManager": self.manager, "fieldValidation": VALIDATION.get(self.validate, "Strict")}
        return query | ({"dryRun": "All"} if self.dry_run == "server" else {})


#: How kubectl begins the text of a refusal, kind by kind.
_WHAT = {
    "ConfigMap": "configmap:",
    "CronJob": "cronjob:",
    "ClusterRoleBinding": "clusterrolebinding:",
    "Deployment": "deployment:",
    "Ingress": "ingress:",
    "Job": "job:",
    "PodDisruptionBudget": "poddisruptionbudgets:",
    "PriorityClass": "priorityclass:",
    "ResourceQuota": "quota:",
    "RoleBinding": "rolebinding:",
    "Secret": "secret",
    "Service": "service:",
    "ServiceAccount": "serviceaccount:",
}


async def submit(session: Session, kind: Kind, tree: Json, making: Making) -> Json:
    """The object as the server made it (or as it would be)."""
    dry_run_suffix(making.dry_run)
    namespace = tree.get("metadata", {}).get("namespace") or session.namespace
    if making.save_config:
        tree = annotated(tree, namespace if kind.namespaced else "")
    if making.dry_run == "client":
        return tree
    response = await session.call("POST", kind.path(namespace), query=making.query, body=msgspec.json.encode(tree))
    done: Json = response.json()
    return done


def show(tree: Json, kind: Kind, making: Making) -> None:
    """`deployment.apps/web created`, or the object in the format asked for."""
    if making.output in ("", "name"):
        suffix = "" if making.output else f" created{dry_run_suffix(making.dry_run)}"
        print(f"{object_name(tree, kind)}{suffix}")
        return
    tree.get("metadata", {}).pop("managedFields", None)
    sys.stdout.write(formatted(tree, making.output, kind) or "")


def make(kind: Kind, tree: Json, making: Making) -> None:
    """Makes one object that a command line describes."""

    async def work(session: Session) -> None:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **tree}
        if kind.namespaced and session.explicit:
            body["metadata"] = {**body["metadata"], "namespace": session.namespace}
        try:
            done = await submit(session, kind, body, making)
        except ApiError as error:
            if what := _WHAT.get(kind.kind, ""):
                raise UsageError(f"failed to create {what} {error.message}") from error
            raise
        show(done, kind, making)

    run(work)


def named(words: Sequence[str] | None, path: str) -> str:
    """The one NAME of a command line."""
    return exactly(words, 1, f"create {path}")[0]


def metadata(name: str, labels: Json | None = None) -> Json:
    """Metadata as kubectl's typed objects print it."""
    return {"creationTimestamp": None, "name": name} | ({"labels": labels} if labels else {})


def required(**flags: object) -> None:
    """Refuses a command line that lacks flags it needs."""
    missing = [f'"{name.replace("_", "-")}"' for name, value in flags.items() if not value]
    if missing:
        raise UsageError(f"required flag(s) {', '.join(missing)} not set")


def create(
    filename: FileNames = None,
    recursive: Recursive = False,
    selector: LabelSelector = "",
    dry_run: DryRun = "none",
    output: Output = "",
    save_config: SaveConfig = False,
    validate: Validate = "strict",
    field_manager: FieldManager = "kubectl-create",
    raw: Annotated[str, typer.Option(help="POST the file to a path of the server.")] = "",
) -> None:
    """Create objects from a file or stdin."""
    ctx = _context()
    if ctx.invoked_subcommand:
        return
    making = Making(dry_run, output, save_config, validate, field_manager)

    async def work(session: Session) -> int:
        if raw:
            text = manifests.text_of((filename or ["-"])[0])
            sys.stdout.write((await session.call("POST", raw, body=text.encode())).text)
            return 0
        documents = manifests.read(filename or [], recursive=recursive, selector=selector)
        known, failed = await catalog(session), 0
        for document in documents:
            try:
                await _create_one(session, known.of_manifest(document.tree), document, making)
            except ApiError as error:
                source = while_doing(error, f'error when creating "{document.source}":')
                print(explain(source), file=sys.stderr)
                failed = 1
            except UsageError as error:
                print(f"error: {error}", file=sys.stderr)
                failed = 1
        return failed

    run(work)


async def _create_one(session: Session, kind: Kind | None, document: manifests.Document, making: Making) -> None:
    if kind is None:
        raise UsageError(no_match(document))
    namespace, _ = place_of(session, kind, document.tree)
    tree = document.tree
    if kind.namespaced:
        tree = tree | {"metadata": {**(tree.get("metadata") or {}), "namespace": namespace}}
    show(await submit(session, kind, tree, making), kind, making)


def _context() -> typer.Context:
    from typer._click.globals import get_current_context  # noqa: PLC0415  (typer brings its own click)

    return get_current_context()  # type: ignore[return-value]
