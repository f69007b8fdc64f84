"""Which resource a word means: `po`, `pods`, `deploy/web`, `deployments.v1.apps`, `all`, by the server's discovery.

`Resource` is a row of discovery as a `Kind`, so that custom resources work like built-in ones. Resolution is pure over
the rows; one aggregated request brings them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apimachinery.kinds import Kind
from apimachinery.types import Json
from cli.flags import UsageError
from cli.session import Session

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Reference:
    """One object that the command line names; `name` is "" for all of its kind, `namespace` that of a file."""

    kind: Kind
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything the server serves: preferred versions first."""

    kinds: tuple[Kind, ...]

    def find(self, word: str) -> Kind:
        """The kind that a word means; raises UsageError as kubectl words it."""
        name, _, group = word.partition(".")
        version, dot, rest = group.partition(".")
        for kind in self.kinds:
            if _is_called(kind, name) and (not group or group == kind.group or kind.group.startswith(f"{group}.")):
                return kind
            if dot and _is_called(kind, name) and version == kind.version and rest == kind.group:
                return kind
            if _is_called(kind, name) and not dot and group == kind.version and not kind.group:
                return kind
        message = f'the server doesn\'t have a resource type "{word}"'
        raise UsageError(message)

    def of_manifest(self, tree: Json) -> Kind | None:
        """The kind of an object by its apiVersion and kind."""
        wanted = tree.get("apiVersion"), tree.get("kind")
        return next((kind for kind in self.kinds if (kind.api_version, kind.kind) == wanted), None)

    def category(self, name: str) -> Sequence[Kind]:
        """The kinds of a category such as `all`; empty when there is no such category."""
        found = [kind for kind in self.kinds if name in kind.categories]
        seen: dict[tuple[str, str], Kind] = {}
        for kind in found:
            seen.setdefault((kind.group, kind.plural), kind)
        return tuple(seen.values())

    def several(self, words: str) -> Sequence[Kind]:
        """The kinds of `po,svc` or of a category."""
        kinds: list[Kind] = []
        for word in words.split(","):
            kinds += self.category(word) or (self.find(word),)
        return tuple(dict.fromkeys(kinds))


def _is_called(kind: Kind, word: str) -> bool:
    return word.lower() in (kind.plural, kind.singular_name, kind.kind.lower(), *kind.short)


async def catalog(session: Session) -> Catalog:
    """What the server serves, in two requests."""
    kinds: list[Kind] = []
    for path in ("/api", "/apis"):
        listing = (await session.call("GET", path, accept=_AGGREGATED)).json()
        for group in listing.get("items", ()):
            for version in group.get("versions", ()):
                name = group.get("metadata", {}).get("name", "")
                kinds += [_kind(name, version["version"], row) for row in version.get("resources", ())]
    return Catalog(tuple(kinds))


def _kind(group: str, version: str, row: Json) -> Kind:
    return Kind(
        group=group,
        version=version,
        kind=(row.get("responseKind") or {}).get("kind", ""),
        plural=row["resource"],
        singular=row.get("singularResource", ""),
        namespaced=row.get("scope") == "Namespaced",
        short=tuple(row.get("shortNames", ())),
        categories=tuple(row.get("categories", ())),
        subresources=tuple(sub["subresource"] for sub in row.get("subresources", ())),
        verbs=tuple(row.get("verbs", ())),
    )


def from_documents(known: Catalog, trees: Sequence[Json]) -> list[Reference]:
    """The objects that files name; what the server does not serve is an error."""
    found = []
    for tree in trees:
        kind = known.of_manifest(tree)
        if kind is None:
            message = f'no matches for kind "{tree.get("kind")}" in version "{tree.get("apiVersion", "")}"'
            raise UsageError(message)
        metadata = tree.get("metadata") or {}
        found.append(Reference(kind, metadata.get("name", ""), metadata.get("namespace", "")))
    return found


def references(words: Sequence[str], known: Catalog) -> list[Reference]:
    """The objects that `TYPE`, `TYPE NAME...` or `TYPE/NAME...` name."""
    if not words:
        message = 'You must specify the type of resource to get. Use "pykubectl api-resources" for a complete list.'
        raise UsageError(message)
    if any("/" in word for word in words):
        if not all(word.count("/") == 1 for word in words):
            message = (
                "there is no need to specify a resource type as a separate argument when passing arguments in "
                "resource/name form (e.g. 'pykubectl get resource/<resource_name>' instead of 'pykubectl get resource "
                "resource/<resource_name>'"
            )
            raise UsageError(message)
        pairs = [word.split("/") for word in words]
        return [Reference(known.find(kind), name) for kind, name in pairs]
    kinds = known.several(words[0])
    names = list(words[1:])
    return [Reference(kind, name) for kind in kinds for name in (names or [""])]
