"""What is served, in upstream's order: groups by priority, then by name; versions by priority, the most stable first.

A group version is either ours (kinds) or another server's (`Foreign`, told by an APIService). Sources: kube-aggregator/
pkg/apis/apiregistration/v1/helper (order), apimachinery/pkg/version/helpers.go (versions).
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery.priorities import priority

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}

#: differs: v1.34 still stores these in a beta version, we in v1; a migrator shall not see a difference.
_UPSTREAM_STORES = {
    ("storage.k8s.io", "volumeattributesclasses"): "v1beta1",
    ("apiextensions.k8s.io", "customresourcedefinitions"): "v1beta1",
    **{
        ("resource.k8s.io", name): "v1beta2"
        for name in ("deviceclasses", "resourceclaims", "resourceclaimtemplates", "resourceslices")
    },
}

Groups = dict[str, dict[str, list[Kind]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A group version that an extension server serves, and what is known of it."""

    group: str
    version: str
    priority: tuple[int, int]  # of the group, of the version
    resources: Sequence[Json] = ()  # as aggregated discovery lists them
    is_stale: bool = True  # its server could not be asked, or not yet
    openapi_v2: Json | None = None  # paths and definitions of this group version alone
    openapi_v3: Json | None = None  # its row in the index of /openapi/v3


#: Group -> version -> our kinds, or another server's: everything that is listed, in the order of the documents.
Listed: TypeAlias = Mapping[str, Mapping[str, "Sequence[Kind] | Foreign"]]


def by_group(kinds: Iterable[Kind]) -> Groups:
    """Group -> version -> kinds by plural, in the order of the documents."""
    found: Groups = {}
    for kind in kinds:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    ranked = {(group, version): priority(group, version) for group, versions in found.items() for version in versions}
    return {
        group: {version: sorted(found[group][version], key=lambda kind: kind.plural) for version in versions}
        for group, versions in ordered(ranked).items()
    }


def listed(groups: Groups, foreign: Sequence[Foreign]) -> Listed:
    """Ours and theirs in one order. Where both serve a group version, an APIService has sent it to them."""
    if not foreign:
        return groups
    ranked = {(group, version): priority(group, version) for group, versions in groups.items() for version in versions}
    theirs = {(row.group, row.version): row for row in foreign}
    ranked |= {key: row.priority for key, row in theirs.items()}
    return {
        group: {version: theirs.get((group, version)) or groups[group][version] for version in versions}
        for group, versions in ordered(ranked).items()
    }


def ordered(ranked: Mapping[tuple[str, str], tuple[int, int]]) -> dict[str, list[str]]:
    """Groups with their versions, from each group version's priorities.

    A group stands where its most important version puts it; equals by the name of their APIServices.
    """
    found: dict[str, list[str]] = {}
    for group, version in sorted(ranked, key=lambda gv: (-ranked[gv][0], f"{gv[1]}.{gv[0]}")):
        found.setdefault(group, []).append(version)
    return {
        group: sorted(versions, key=lambda v, g=group: (-ranked[g, v][1], version_order(v)))  # type: ignore[misc]
        for group, versions in found.items()
    }


def version_order(version: str) -> tuple[int, int, int, str]:
    """A key that sorts v2, v1, v2beta1, v1beta2, v1beta1, v1alpha1, then other names alphabetically."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, version)
    major, word, minor = match.groups()
    return (-_STABILITY[word], -int(major), -int(minor or 0), version)


def storage_version_hash(kind: Kind) -> str:
    """Names the version that is stored, so that migrators notice a change."""
    group = kind.storage_group if kind.storage_group is not None else kind.group
    version = _UPSTREAM_STORES.get((kind.group, kind.plural)) or kind.storage_version or kind.version
    text = f"{group}/{version}/{kind.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def root_paths(groups: Listed, others: Sequence[str] = ()) -> Sequence[str]:
    """What `/` lists."""
    paths = ["/.well-known/openid-configuration", "/api", "/apis", "/apis/", "/metrics", "/metrics/slis", *others]
    paths += ["/openapi/v2", "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/version"]
    for group, versions in groups.items():
        if group:
            paths.append(f"/apis/{group}")
        paths += [f"/apis/{group}/{version}" if group else f"/api/{version}" for version in versions]
    return sorted(paths)
