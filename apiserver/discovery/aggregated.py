"""Aggregated discovery: every group of /api or /apis with its resources in one document. Pure.

Source: api/apidiscovery/v2/types.go, apiserver/pkg/endpoints/discovery/aggregated.
"""

from collections.abc import Mapping, Sequence

from apimachinery.kinds import KNOWN, Kind
from apimachinery.types import Json
from apiserver.discovery.served import Foreign, Listed
from apiserver.discovery.subresources import subresource
from apiserver.negotiation import DISCOVERY, DISCOVERY_GROUP

_BUILT_IN = frozenset(KNOWN)


#: Of the document: ours, and one that older extension servers still speak.
VERSIONS = ("v2", "v2beta1")


def media_type(form: str, version: str = "v2") -> str:
    """The media type in which a client asks for the document, and gets it."""
    return f"{form};g={DISCOVERY_GROUP};v={version};as={DISCOVERY}"


def group_discovery_list(groups: Listed) -> Json:
    """The document over these groups."""
    items = [_group(group, versions) for group, versions in groups.items()]
    return {"kind": DISCOVERY, "apiVersion": f"{DISCOVERY_GROUP}/v2", "metadata": {}, "items": items}


def _group(group: str, versions: Mapping[str, Sequence[Kind] | Foreign]) -> Json:
    metadata = {"name": group} if group else {}
    found = [_version(version, served) for version, served in versions.items()]
    return {"metadata": metadata, "versions": found}


def _version(version: str, served: Sequence[Kind] | Foreign) -> Json:
    if isinstance(served, Foreign):
        resources, freshness = list(served.resources), "Stale" if served.is_stale else "Current"
    else:
        resources, freshness = [_resource(kind) for kind in served], "Current"
    return {"version": version, **({"resources": resources} if resources else {}), "freshness": freshness}


def _resource(kind: Kind) -> Json:
    entry: Json = {
        "resource": kind.plural,
        "responseKind": _kind(*_own(kind), kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular_name,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        entry["shortNames"] = list(kind.short)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [_subresource(kind, name) for name in sorted(kind.subresources)]
    return entry


def _subresource(parent: Kind, name: str) -> Json:
    found = subresource(parent, name)
    group, version, kind = found.of(parent)
    own = (group, version) if found.foreign else _own(parent)
    return {"subresource": name, "responseKind": _kind(*own, kind), "verbs": list(found.verbs)}


def _own(kind: Kind) -> tuple[str, str]:
    """Upstream names group and version of custom kinds only; for its own they are those of the document's place."""
    return ("", "") if kind in _BUILT_IN else (kind.group, kind.version)


def _kind(group: str, version: str, kind: str) -> Json:
    return {"group": group, "version": version, "kind": kind}
