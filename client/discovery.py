"""Which kinds a server has, custom ones included: for the garbage collector, the namespace controller and the CLI.

Asks for the aggregated documents (two requests) and falls back on the plain ones. Gives each resource once, in the
version the server prefers. A group that cannot be discovered (its server is away) is named, not guessed.
Source: k8s.io/client-go/discovery, apidiscovery.k8s.io/v2.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from client.client import Client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Discovered:
    """The kinds of a server in their preferred versions, and the group versions that could not be asked."""

    kinds: tuple[Kind, ...]
    failed: tuple[str, ...] = ()

    def find(self, group: str, kind: str) -> Kind | None:
        """The kind of that name in a group, whatever its version."""
        return next((each for each in self.kinds if (each.group, each.kind) == (group, kind)), None)


async def discover(client: Client) -> Discovered:
    """Ask the server what it has."""
    kinds: list[Kind] = []
    failed: list[str] = []
    for path in ("/api", "/apis"):
        answer = await client.request("GET", path, headers={"Accept": AGGREGATED})
        tree = msgspec.json.decode(answer.content)
        if tree.get("kind") == "APIGroupDiscoveryList":
            for group in tree.get("items") or ():
                _aggregated(group, kinds, failed)
        else:
            await _plain(client, tree, kinds, failed)
    return Discovered(tuple(kinds), tuple(failed))


def _aggregated(group: Json, kinds: list[Kind], failed: list[str]) -> None:
    name = group.get("metadata", {}).get("name", "")
    seen: set[str] = set()
    for version in group.get("versions") or ():
        if version.get("freshness") == "Stale":
            failed.append(f"{name}/{version['version']}" if name else version["version"])
        for resource in version.get("resources") or ():
            if resource["resource"] in seen:
                continue
            seen.add(resource["resource"])
            kinds.append(
                Kind(
                    group=name,
                    version=version["version"],
                    kind=(resource.get("responseKind") or {}).get("kind", ""),
                    plural=resource["resource"],
                    singular=resource.get("singularResource") or "",
                    namespaced=resource.get("scope") == "Namespaced",
                    short=tuple(resource.get("shortNames") or ()),
                    categories=tuple(resource.get("categories") or ()),
                    subresources=tuple(each["subresource"] for each in resource.get("subresources") or ()),
                    verbs=tuple(resource.get("verbs") or ()),
                )
            )


async def _plain(client: Client, tree: Json, kinds: list[Kind], failed: list[str]) -> None:
    """The documents of old: /api lists versions, /apis groups, and each group version its resources."""
    if tree.get("kind") == "APIVersions":
        versions = [("", version) for version in tree.get("versions") or ()]
    else:
        versions = [(group["name"], version) for group in tree.get("groups") or () for version in _preferred(group)]
    seen: set[tuple[str, str]] = set()
    for group, version in versions:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            document = msgspec.json.decode((await client.request("GET", path)).content)
        except ApiError:
            failed.append(f"{group}/{version}" if group else version)
            continue
        for resource in document.get("resources") or ():
            if "/" not in resource["name"] and (group, resource["name"]) not in seen:
                seen.add((group, resource["name"]))
                kinds.append(_from_plain(group, version, resource, document["resources"]))


def _preferred(group: Json) -> Iterable[str]:
    first = (group.get("preferredVersion") or {}).get("version", "")
    every = [each["version"] for each in group.get("versions") or ()]
    return [first, *(version for version in every if version != first)] if first else every


def _from_plain(group: str, version: str, resource: Json, every: Iterable[Json]) -> Kind:
    prefix = f"{resource['name']}/"
    return Kind(
        group=group,
        version=version,
        kind=resource["kind"],
        plural=resource["name"],
        singular=resource.get("singularName") or "",
        namespaced=bool(resource.get("namespaced")),
        short=tuple(resource.get("shortNames") or ()),
        categories=tuple(resource.get("categories") or ()),
        subresources=tuple(each["name"].removeprefix(prefix) for each in every if each["name"].startswith(prefix)),
        verbs=tuple(resource.get("verbs") or ()),
    )
