"""The plain discovery documents: APIVersions, APIGroupList, APIGroup, APIResourceList. Pure.

Source: apiserver/pkg/endpoints/discovery.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from apimachinery.kinds import KNOWN, Kind
from apimachinery.types import Json
from apiserver.discovery.served import storage_version_hash
from apiserver.discovery.subresources import subresource


def api_versions(versions: Sequence[str], address: str) -> Json:
    """What /api answers."""
    by_client = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": list(versions), "serverAddressByClientCIDRs": by_client}


def api_group_list(groups: Mapping[str, Iterable[str]]) -> Json:
    """What /apis answers."""
    found = [_group(group, list(versions)) for group, versions in groups.items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def api_group(group: str, versions: Sequence[str]) -> Json:
    """What /apis/G answers."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}


def _group(group: str, versions: Sequence[str]) -> Json:
    found = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": found, "preferredVersion": found[0]}


def api_resource_list(group_version: str, kinds: Collection[Kind], *, hashes: bool = True) -> Json:
    """What /api/v1 and /apis/G/V answer; `hashes`: with those of the versions stored."""
    resources = [entry for kind in kinds for entry in _entries(kind, hashes=hashes)]
    by_name = sorted(resources, key=lambda entry: str(entry["name"]))
    ordered = by_name if all(kind in KNOWN for kind in kinds) else sorted(by_name, key=_custom_place)
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": ordered}


def _custom_place(entry: Json) -> tuple[str, int]:
    """Upstream puts a custom resource's status before its scale."""
    plural, _, subresource = str(entry["name"]).partition("/")
    return plural, ("", "status", "scale").index(subresource)


def _entries(kind: Kind, *, hashes: bool) -> list[Json]:
    entry: Json = {
        "name": kind.plural,
        "singularName": kind.singular_name,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        entry["shortNames"] = list(kind.short)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if hashes and kind.is_stored and "create" in kind.verbs:
        entry["storageVersionHash"] = storage_version_hash(kind)
    return [entry, *(_subresource(kind, name) for name in kind.subresources)]


def _subresource(parent: Kind, name: str) -> Json:
    found = subresource(parent, name)
    group, version, kind = found.of(parent)
    entry: Json = {"name": f"{parent.plural}/{name}", "singularName": "", "namespaced": parent.namespaced}
    if found.foreign:
        entry |= {"group": group, "version": version}
    return {**entry, "kind": kind, "verbs": list(found.verbs)}
