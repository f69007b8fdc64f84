"""A CustomResourceDefinition as the rest of this package reads it: names, versions, conditions. Pure.

Only accepted names count (`status.acceptedNames`): what a definition asks for may belong to another one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from apimachinery.kinds import Kind
from apimachinery.types import Json

NAMES_ACCEPTED = "NamesAccepted"
ESTABLISHED = "Established"
TERMINATING = "Terminating"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
#: In upstream's order; while a definition is being deleted discovery tells of fewer.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_LAST_VERBS = ("delete", "deletecollection", "get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a definition."""

    name: str
    served: bool
    storage: bool
    schema: Json
    has_status: bool
    scale: Json | None
    columns: tuple[Json, ...]
    selectable: tuple[str, ...]  # JSON paths
    deprecated: bool
    warning: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What one definition says."""

    name: str
    uid: str
    group: str
    namespaced: bool
    accepted: Json  # names
    versions: tuple[Version, ...]
    conversion: Json
    preserves: bool
    is_established: bool
    is_served: bool  # answers requests: its names are accepted, or were
    is_terminating: bool

    @property
    def storage_version(self) -> str:
        """The version in which objects are written."""
        return next(version.name for version in self.versions if version.storage)

    def kind(self, version: Version) -> Kind:
        """The row of one version."""
        names = self.accepted
        subresources = [*["scale"] * (version.scale is not None), *["status"] * version.has_status]
        return Kind(
            group=self.group,
            version=version.name,
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular", ""),
            list_kind=names.get("listKind", ""),
            namespaced=self.namespaced,
            short=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(subresources),
            verbs=_VERBS,
            prefix=f"{self.group}/{names['plural']}",
            storage_version=self.storage_version,
        )

    def listed_kind(self, version: Version) -> Kind:
        """The row of one version as discovery shows it."""
        kind = self.kind(version)
        return replace(kind, verbs=_LAST_VERBS) if self.is_terminating else kind

    def served_kinds(self) -> Iterator[tuple[Kind, Version]]:
        """The versions that answer requests."""
        return ((self.kind(version), version) for version in self.versions if version.served and self.is_served)


def read(tree: Json) -> Definition:
    """The definition of a stored tree, which validation has let in."""
    spec, status = tree["spec"], tree.get("status") or {}
    accepted = status.get("acceptedNames") or {}
    named = bool(accepted.get("plural") and accepted.get("kind"))
    return Definition(
        name=tree["metadata"]["name"],
        uid=tree["metadata"].get("uid", ""),
        group=spec["group"],
        namespaced=spec.get("scope") == "Namespaced",
        accepted=accepted,
        versions=tuple(_version(version) for version in spec.get("versions") or ()),
        conversion=spec.get("conversion") or {"strategy": "None"},
        preserves=bool(spec.get("preserveUnknownFields")),
        is_established=named and is_true(tree, ESTABLISHED),
        is_served=named and (is_true(tree, NAMES_ACCEPTED) or is_true(tree, ESTABLISHED)),
        is_terminating=is_true(tree, TERMINATING),
    )


def _version(tree: Json) -> Version:
    subresources = tree.get("subresources") or {}
    return Version(
        name=tree["name"],
        served=bool(tree.get("served")),
        storage=bool(tree.get("storage")),
        schema=(tree.get("schema") or {}).get("openAPIV3Schema") or {},
        has_status=subresources.get("status") is not None,
        scale=subresources.get("scale"),
        columns=tuple(tree.get("additionalPrinterColumns") or ()),
        selectable=tuple(field["jsonPath"] for field in tree.get("selectableFields") or ()),
        deprecated=bool(tree.get("deprecated")),
        warning=tree.get("deprecationWarning") or "",
    )


def condition(tree: Json, kind: str) -> Json | None:
    """The condition of a type, None where there is none."""
    found: list[Any] = (tree.get("status") or {}).get("conditions") or []
    return next((entry for entry in found if entry.get("type") == kind), None)


def is_true(tree: Json, kind: str) -> bool:
    """Whether a condition holds."""
    found = condition(tree, kind)
    return found is not None and found.get("status") == "True"
