"""The APIServices of what this server serves itself, which mark a group version as local. Pure.

Those of built-in kinds are synced when a server starts ("onstart"), those of custom resources all the time ("true");
one without the label is a user's and left alone. Sources: kube-aggregator/pkg/controllers/autoregister (its table),
pkg/controlplane/controller/crdregistration.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.discovery.priorities import CUSTOM, GROUPS, priority

LABEL = "kube-aggregator.kubernetes.io/automanaged"
ON_START = "onstart"
ALWAYS = "true"


@dataclass(frozen=True, slots=True)
class Writes:
    """What must be written so that what is becomes what shall be."""

    creates: Sequence[Json] = field(default_factory=list)
    updates: Sequence[Json] = field(default_factory=list)  # whole objects with the resourceVersion they were read at
    deletes: Sequence[Json] = field(default_factory=list)


def name_of(group: str, version: str) -> str:
    """The one name that the APIService of a group version can have."""
    return f"{version}.{group}"


def group_version_of(name: str) -> tuple[str, str]:
    """The group and version that an APIService's name says."""
    version, _, group = name.partition(".")
    return group, version


def desired(kinds: Iterable[Kind], custom: Iterable[Json]) -> dict[str, Json]:
    """By name, the APIServices for the built-in kinds and for the CustomResourceDefinitions `custom`."""
    found: dict[str, Json] = {}
    for definition in custom:
        spec = definition["spec"]
        for version in spec.get("versions") or ():
            if version.get("served"):
                tree = _local(spec["group"], version["name"], CUSTOM, ALWAYS)
                found[tree["metadata"]["name"]] = tree
    for group, version in {(kind.group, kind.version): None for kind in kinds}:
        if group in GROUPS:
            tree = _local(group, version, priority(group, version), ON_START)
            found[tree["metadata"]["name"]] = tree
    return found


def _local(group: str, version: str, priorities: tuple[int, int], managed: str) -> Json:
    return {
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": name_of(group, version), "labels": {LABEL: managed}},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": priorities[0],
            "versionPriority": priorities[1],
        },
    }


def plan(wanted: Mapping[str, Json], existing: Sequence[Json], *, starting: bool) -> Writes:
    """The writes. `starting` is true until they were made once: only then are "onstart" ones looked at."""
    creates: list[Json] = []
    updates: list[Json] = []
    deletes: list[Json] = []
    there = {tree["metadata"]["name"]: tree for tree in existing}
    for name, tree in wanted.items():
        if name not in there and (starting or _managed(tree) == ALWAYS):
            creates.append(tree)
    for name, tree in there.items():
        managed = _managed(tree)
        if managed not in (ON_START, ALWAYS) or (managed == ON_START and not starting):
            continue
        if name not in wanted:
            deletes.append(tree)
        elif tree.get("spec") != wanted[name]["spec"] and (starting or _managed(wanted[name]) == ALWAYS):
            updates.append({**tree, "spec": wanted[name]["spec"]})
    return Writes(creates, updates, deletes)


def _managed(tree: Json) -> str:
    return str((tree["metadata"].get("labels") or {}).get(LABEL, ""))
