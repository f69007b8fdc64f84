"""The managedFields of an object as its Scale sees them, and back: only who owns the replicas matters there.

Source: apimachinery/pkg/util/managedfields/scalehandler.go.
"""

from collections.abc import Mapping
from dataclasses import replace

from apimachinery.apply import entries, fieldset
from apimachinery.apply.elements import Malformed
from apimachinery.apply.entries import Managed, Owner
from apimachinery.apply.fieldset import Fields
from apimachinery.apply.updates import Owned
from apimachinery.types import Json

SCALE_VERSION = "autoscaling/v1"
_REPLICAS = fieldset.of([("spec", "replicas")])
_PATH = ("f:spec", "f:replicas")


def path_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """The steps of a path of field names."""
    return tuple(f"f:{name}" for name in names)


def _decoded(stored: list[Json]) -> Managed:
    try:
        return entries.decode(stored)
    except Malformed:
        return Managed()


def to_scale(stored: list[Json], replicas: Mapping[str, tuple[str, ...]]) -> list[Json]:
    """The entries of the Scale. `replicas`: by version, the names that lead to the object's replicas, () for none."""
    parent = _decoded(stored)
    owners = {
        owner: Owned(_REPLICAS, SCALE_VERSION, owned.applied)
        for owner, owned in parent.owners.items()
        if fieldset.has(owned.fields, path_of(replicas.get(owned.version, ())))
    }
    return entries.encode(Managed(owners, parent.times))


def to_parent(
    stored: list[Json], scaled: list[Json], replicas: Mapping[str, tuple[str, ...]], version: str
) -> list[Json]:
    """The object's entries after a write of its Scale through `version`."""
    parent, scale = _decoded(stored), _decoded(scaled)
    left = dict(scale.owners)  # owners of updates are others there: their version is the Scale's
    owners: dict[Owner, Owned] = {}
    for owner, owned in parent.owners.items():
        if owned.version not in replicas:
            continue
        path = path_of(replicas[owned.version])
        if not fieldset.has(owned.fields, path):
            owners[owner] = owned
        elif owner in left:
            owners[owner] = owned
            del left[owner]
        elif fields := fieldset.difference(owned.fields, _fields(path)):
            owners[owner] = owned._replace(fields=fields)
    for owner, owned in left.items():
        if fieldset.has(owned.fields, _PATH):
            owners[owner] = Owned(_fields(path_of(replicas[version])), version, owned.applied)
    return entries.encode(replace(parent, owners=owners))


def _fields(path: tuple[str, ...]) -> Fields:
    return fieldset.of([tuple(step[2:] for step in path)])
