"""What the server is and serves: version, api-resources, api-versions, cluster-info; and top, which it does not."""

import re
import sys
from typing import Annotated

import typer

from apimachinery.kinds import SERVICES, Kind
from apimachinery.types import Json
from cli.flags import UsageError
from cli.options import Output, Words
from cli.printing import align, to_json
from cli.resources import catalog
from cli.session import Session, run
from cli.usage import see
from cli.yaml_output import to_yaml

CLIENT = "v1.34.0"
_CLIENT_INFO = {"major": "1", "minor": "34", "gitVersion": CLIENT, "platform": "linux/amd64"}


def version(
    client: Annotated[bool, typer.Option("--client", help="Of the client only, without a server.")] = False,
    output: Output = "",
    words: Words = None,
) -> None:
    """Show the versions of client and server."""
    if words:
        raise UsageError(f"unexpected arguments: [{' '.join(words)}]", see("version"))
    if output not in ("", "yaml", "json"):
        raise UsageError("--output must be 'yaml' or 'json'")
    if client:
        _show_versions(None, output)
        raise typer.Exit(0)

    async def work(connection: Session) -> None:
        _show_versions(await connection.get_json("/version"), output)

    run(work)


def _show_versions(server: Json | None, output: str) -> None:
    if output:
        tree = {"clientVersion": _CLIENT_INFO, "kustomizeVersion": "v5.5.0"} | (
            {"serverVersion": server} if server else {}
        )
        sys.stdout.write(to_yaml(tree) if output == "yaml" else to_json_two(tree))
        return
    print(f"Client Version: {CLIENT}\nKustomize Version: v5.5.0")
    if server:
        print(f"Server Version: {server['gitVersion']}")
        minor = int(re.match(r"\d+", str(server["minor"]))[0])  # type: ignore[index]
        if abs(minor - 34) > 1:
            print(
                f"WARNING: version difference between client (1.34) and server ({server['major']}.{minor}) exceeds the "
                "supported minor version skew of +/-1",
                file=sys.stderr,
            )


def to_json_two(tree: Json) -> str:
    """JSON with two spaces, as `version -o json` has it."""
    return re.sub(r"^( +)", lambda match: " " * (len(match[1]) // 2), to_json(tree), flags=re.MULTILINE)


def api_versions(words: Words = None) -> None:
    """List the group versions of the server."""
    if words:
        raise UsageError(f"unexpected arguments: [{' '.join(words)}]", see("api-versions"))

    async def work(connection: Session) -> None:
        versions = {kind.api_version for kind in (await catalog(connection)).kinds}
        print("\n".join(sorted(versions)))

    run(work)


def api_resources(
    words: Words = None,
    output: Output = "",
    namespaced: Annotated[bool, typer.Option("--namespaced/--no-namespaced", help="In namespaces, or not.")] = True,
    api_group: Annotated[str, typer.Option("--api-group", help="Of that group only.")] = "\0",
    verbs: Annotated[list[str] | None, typer.Option(help="That allow all of these.")] = None,
    categories: Annotated[list[str] | None, typer.Option(help="Of these categories.")] = None,
    sort_by: Annotated[str, typer.Option(help="name|kind")] = "",
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Print no headers.")] = False,
    cached: Annotated[bool, typer.Option("--cached", hidden=True)] = False,  # noqa: ARG001  (there is no cache)
) -> None:
    """List the kinds of objects that the server knows."""
    if words:
        raise UsageError(f"unexpected arguments: [{' '.join(words)}]", see("api-resources"))
    if output not in ("", "wide", "name"):
        raise UsageError(f"--output {output} is not available")
    if sort_by not in ("", "name", "kind"):
        raise UsageError("--sort-by accepts only name or kind")
    asked = any(each.startswith(("--namespaced", "--no-namespaced")) for each in sys.argv)

    async def work(connection: Session) -> None:
        kinds = _preferred((await catalog(connection)).kinds)
        if asked:
            kinds = [kind for kind in kinds if kind.namespaced == namespaced]
        if api_group != "\0":
            kinds = [kind for kind in kinds if kind.group == api_group]
        wanted = {part for each in verbs or () for part in each.split(",")}
        groups = {part for each in categories or () for part in each.split(",")}
        kinds = [kind for kind in kinds if wanted <= set(kind.verbs) and groups <= set(kind.categories)]
        keys = {"name": lambda kind: (kind.plural,), "kind": lambda kind: (kind.kind,)}
        kinds.sort(key=keys.get(sort_by, lambda kind: (kind.group, kind.plural)))
        sys.stdout.write(_resource_lines(kinds, output, headers=not no_headers))

    run(work)


def _preferred(kinds: tuple[Kind, ...]) -> list[Kind]:
    seen: dict[tuple[str, str], Kind] = {}
    for kind in kinds:
        if kind.verbs:
            seen.setdefault((kind.group, kind.plural), kind)
    return list(seen.values())


def _resource_lines(kinds: list[Kind], output: str, *, headers: bool) -> str:
    if output == "name":
        return "".join(f"{kind.resource}\n" for kind in kinds)
    head = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    if output == "wide":
        head += ["VERBS", "CATEGORIES"]
    rows = [head] if headers else []
    for kind in kinds:
        row = [kind.plural, ",".join(kind.short), kind.api_version, str(kind.namespaced).lower(), kind.kind]
        if output == "wide":
            row += [",".join(kind.verbs), ",".join(kind.categories)]
        rows.append(row)
    return align(rows)


def cluster_info(words: Words = None) -> None:
    """Show where the control plane and its services answer."""
    if words and words[0] == "dump":
        raise UsageError("cluster-info dump is not available in pykubectl; see pykubeadm logs")

    async def work(connection: Session) -> int:
        server = connection.client.config.server
        bold = sys.stdout.isatty()
        query = {"labelSelector": "kubernetes.io/cluster-service=true"}
        items = (await connection.get_json(SERVICES.path("kube-system"), query))["items"]
        lines = [("Kubernetes control plane", server)]
        for each in items:
            name = each["metadata"]["name"]
            labels = each["metadata"].get("labels") or {}
            port = each["spec"]["ports"][0].get("name") or ""
            path = f"/api/v1/namespaces/kube-system/services/{name}{':' + port if port else ''}/proxy"
            lines.append((labels.get("kubernetes.io/name") or name, server + path))
        for title, url in lines:
            shown = (
                f"\033[32m{title}\033[0m is running at \033[33m{url}\033[0m" if bold else f"{title} is running at {url}"
            )
            print(shown)
        print("\nTo further debug and diagnose cluster problems, use 'pykubectl cluster-info dump'.")
        return 0

    run(work)


def top(words: Words = None) -> None:  # noqa: ARG001  (there is nothing to choose from)
    """Not available: there is no metrics API."""
    raise UsageError("Metrics API not available")
