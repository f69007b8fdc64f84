"""`pykubectl auth can-i|whoami`. Source: kubectl/pkg/cmd/auth."""

import sys
from typing import Annotated

import msgspec
import typer

from apimachinery.types import Json
from cli.describing.writer import tabbed
from cli.flags import UsageError
from cli.options import AllNamespaces, Output, Words
from cli.printing import align, formatted
from cli.resources import Catalog, catalog
from cli.session import Session, run

_API = "authorization.k8s.io/v1"


def can_i(
    words: Words = None,
    all_namespaces: AllNamespaces = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the exit code.")] = False,
    subresource: Annotated[str, typer.Option(help="Of the resource.")] = "",
    listing: Annotated[bool, typer.Option("--list", help="Everything that is allowed.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no headers.")] = False,
) -> None:
    """Ask whether something is allowed."""
    given = list(words or ())
    if not listing and len(given) not in (2, 3):
        raise UsageError(
            "you must specify two arguments: verb resource or verb resource/resourceName.\n"
            "See 'pykubectl auth can-i -h' for help and examples."
        )

    async def work(session: Session) -> int:
        namespace = "" if all_namespaces else session.namespace
        if listing:
            return await _list(session, namespace, headers=not no_headers)
        known = await catalog(session)
        spec = _attributes(known, given, namespace, subresource)
        body = {"apiVersion": _API, "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": spec}
        path = f"/apis/{_API}/selfsubjectaccessreviews"
        status = (await session.call("POST", path, body=msgspec.json.encode(body))).json()["status"]
        if not quiet:
            text = "yes" if status.get("allowed") else "no"
            if status.get("reason") and not status.get("allowed"):
                text += f" - {status['reason']}"
            if status.get("evaluationError"):
                text += f" - {status['evaluationError']}"
            print(text)
        return 0 if status.get("allowed") else 1

    run(work)


def _attributes(known: Catalog, words: list[str], namespace: str, subresource: str) -> Json:
    verb, what = words[0], words[1]
    if what.startswith("/"):
        return {"nonResourceAttributes": {"verb": verb, "path": what}}
    resource, _, name = what.partition("/")
    if len(words) == 3:
        name = words[2]
    group, plural = "", resource
    if resource != "*":
        try:
            kind = known.find(resource)
            group, plural = kind.group, kind.plural
            if not kind.namespaced and namespace:
                print(
                    f"Warning: resource '{kind.plural}' is not namespace scoped{f' in group {chr(39)}{group}{chr(39)}' if group else ''}\n",  # noqa: E501  (one message on one line)
                    file=sys.stderr,
                )
                namespace = ""
        except UsageError as error:
            print(f"Warning: {error}\n", file=sys.stderr)
            plural, _, group = resource.partition(".")
    found = {"namespace": namespace, "verb": verb, "group": group, "resource": plural, "name": name,
             "subresource": subresource}  # fmt: skip
    return {"resourceAttributes": {key: value for key, value in found.items() if value}}


async def _list(session: Session, namespace: str, *, headers: bool) -> int:
    body = {
        "apiVersion": _API,
        "kind": "SelfSubjectRulesReview",
        "metadata": {},
        "spec": {"namespace": namespace or "default"},
    }
    path = f"/apis/{_API}/selfsubjectrulesreviews"
    status = (await session.call("POST", path, body=msgspec.json.encode(body))).json()["status"]
    rows = [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]] if headers else []
    found = []
    for rule in status.get("resourceRules") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                plural, slash, sub = resource.partition("/")
                full = f"{plural}.{group}{slash}{sub}" if group else resource
                found.append(
                    [full, "[]", f"[{' '.join(rule.get('resourceNames') or ())}]", f"[{' '.join(rule['verbs'])}]"]
                )
    for rule in status.get("nonResourceRules") or ():
        found += [["", f"[{url}]", "[]", f"[{' '.join(rule['verbs'])}]"] for url in rule.get("nonResourceURLs") or ()]
    found.sort(key=lambda row: (row[3], row[0], row[1]))
    sys.stdout.write(align([*rows, *found]))
    return 0


def whoami(output: Output = "") -> None:
    """Show who the server takes you for."""

    async def work(session: Session) -> None:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = (await session.call("POST", path, body=msgspec.json.encode(body))).json()
        if output:
            sys.stdout.write(formatted(answer, output) or "")
            return
        user = (answer.get("status") or {}).get("userInfo") or {}
        rows = [("ATTRIBUTE", "VALUE"), ("Username", user.get("username", ""))]
        if user.get("uid"):
            rows.append(("UID", user["uid"]))
        if user.get("groups"):
            rows.append(("Groups", f"[{' '.join(user['groups'])}]"))
        for key, values in sorted((user.get("extra") or {}).items()):
            rows.append((f"Extra: {key}", f"[{' '.join(values)}]"))
        sys.stdout.write(tabbed("".join(f"{key}\t{value}\n" for key, value in rows), min_width=6, padding=3))

    run(work)
