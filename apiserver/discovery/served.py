"""The served kinds in upstream's order: groups by priority, then by name; versions the most stable first.

The order decides what a short name means in kubectl (`events`: the core group before events.k8s.io).
Source: pkg/controlplane/apiserver (group priorities), apimachinery/pkg/version/helpers.go (versions).
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

from apimachinery.kinds import Kind

_GROUPS = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)
_PLACES = {group: place for place, group in enumerate(_GROUPS)}
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}

Groups = dict[str, dict[str, list[Kind]]]


def by_group(kinds: Iterable[Kind]) -> Groups:
    """Group -> version -> kinds by plural, in the order of the documents."""
    found: Groups = {}
    for kind in kinds:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    ordered = sorted(found, key=lambda group: (_PLACES.get(group, len(_PLACES)), group))
    return {group: _versions(found[group]) for group in ordered}


def _versions(versions: dict[str, list[Kind]]) -> dict[str, list[Kind]]:
    names = sorted(versions, key=version_order)
    return {name: sorted(versions[name], key=lambda kind: kind.plural) for name in names}


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
    text = f"{group}/{kind.storage_version or kind.version}/{kind.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def root_paths(groups: Groups) -> Sequence[str]:
    """What `/` lists."""
    paths = ["/.well-known/openid-configuration", "/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2"]
    paths += ["/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/readyz", "/version"]
    for group, versions in groups.items():
        if group:
            paths.append(f"/apis/{group}")
        paths += [f"/apis/{group}/{version}" if group else f"/api/{version}" for version in versions]
    return sorted(paths)
