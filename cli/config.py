"""`pykubectl config` where it only looks. Source: kubectl/pkg/cmd/config."""

import sys
from typing import Annotated, Any

import typer

from apimachinery.types import Json
from cli.flags import UsageError
from cli.kubeconfig import files, read
from cli.options import Output, Words
from cli.printing import align, formatted
from cli.session import global_flags
from cli.yaml_output import to_yaml


def merged() -> Json:
    """All kubeconfig files as one, in their own form."""
    whole: Json = {"apiVersion": "v1", "clusters": [], "contexts": [], "current-context": "", "kind": "Config",
                   "preferences": {}, "users": []}  # fmt: skip
    for file in files():
        tree = read(file)
        whole["current-context"] = whole["current-context"] or tree.get("current-context") or ""
        for part in ("clusters", "contexts", "users"):
            known = {each["name"] for each in whole[part]}
            whole[part] += [each for each in tree.get(part) or () if each["name"] not in known]
    for part in ("clusters", "contexts", "users"):
        whole[part].sort(key=lambda each: each["name"])
    return whole


def current_context() -> None:
    """Show the current context."""
    name = global_flags().context or merged()["current-context"]
    if not name:
        raise UsageError("current-context is not set")
    print(name)


def get_clusters() -> None:
    """List the clusters."""
    print("NAME")
    for each in merged()["clusters"]:
        print(each["name"])


def get_users() -> None:
    """List the users."""
    print("NAME")
    for each in merged()["users"]:
        print(each["name"])


def get_contexts(
    words: Words = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no headers.")] = False,
    output: Output = "",
) -> None:
    """List the contexts, or show some of them."""
    if output not in ("", "name"):
        raise UsageError("output must be one of '' or 'name'")
    tree = merged()
    current = global_flags().context or tree["current-context"]
    known = {each["name"]: each.get("context") or {} for each in tree["contexts"]}
    missing = [name for name in words or () if name not in known]
    names = [name for name in (words or sorted(known)) if name in known]
    if output == "name":
        print("\n".join(names)) if names else None
    else:
        rows = [] if no_headers else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
        for name in names:
            context = known[name]
            mark = "*" if name == current else ""
            rows.append([mark, name, context.get("cluster", ""), context.get("user", ""), context.get("namespace", "")])
        sys.stdout.write(align(rows))
    for name in missing:
        print(f"error: context {name} not found", file=sys.stderr)
    if missing:
        raise typer.Exit(1)


def view(
    raw: Annotated[bool, typer.Option("--raw", help="With keys and certificates.")] = False,
    minify: Annotated[bool, typer.Option("--minify", help="Only what the current context uses.")] = False,
    flatten: Annotated[bool, typer.Option("--flatten", help="Files as data.")] = False,  # noqa: ARG001  (accepted)
    output: Output = "yaml",
) -> None:
    """Show the kubeconfig."""
    tree = merged()
    if minify:
        tree = _minified(tree, global_flags().context or tree["current-context"])
    if not raw:
        _hide(tree)
    for part in ("clusters", "contexts", "users"):
        tree[part] = tree[part] or None
    sys.stdout.write(to_yaml(tree) if output == "yaml" else formatted(tree, output) or "")


def _minified(tree: Json, name: str) -> Json:
    context = next((each for each in tree["contexts"] if each["name"] == name), None)
    if context is None:
        raise UsageError(f'cannot locate context "{name}"' if name else "current-context must exist in order to minify")
    body = context.get("context") or {}
    clusters = [each for each in tree["clusters"] if each["name"] == body.get("cluster")]
    users = [each for each in tree["users"] if each["name"] == body.get("user")]
    return tree | {"contexts": [context], "clusters": clusters, "users": users, "current-context": name}


_SECRET = {"client-certificate-data": "DATA+OMITTED", "client-key-data": "DATA+OMITTED", "token": "REDACTED",
           "password": "REDACTED", "certificate-authority-data": "DATA+OMITTED"}  # fmt: skip


def _hide(tree: Json) -> None:
    bodies: list[dict[str, Any]] = [each.get("cluster") or {} for each in tree["clusters"]]
    bodies += [each.get("user") or {} for each in tree["users"]]
    for body in bodies:
        for key, text in _SECRET.items():
            if body.get(key):
                body[key] = text
