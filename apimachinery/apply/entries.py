"""`metadata.managedFields`: entries to owners and back.

An owner is a manager with what it did: `Apply`, or `Update` through one version; and through which subresource. What is
not changed between decoding and encoding keeps its very entry, so that most writes decode and encode next to nothing.
Source: apimachinery/pkg/util/managedfields/internal/managedfields.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from apimachinery.apply import fieldset, typed
from apimachinery.apply.elements import Malformed
from apimachinery.apply.types import Type
from apimachinery.apply.updates import NoVersion, Owned, Owners, Versions
from apimachinery.types import Json

APPLY, UPDATE = "Apply", "Update"
_FIELDS_V1 = "FieldsV1"


class Owner(NamedTuple):
    """Who owns fields. Who applies is the same in every version: its `version` is ""."""

    manager: str
    operation: str
    version: str = ""
    subresource: str = ""

    def identifier(self) -> bytes:
        """Upstream's text for it, which is what owners are sorted by."""
        parts = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.version,
            "subresource": self.subresource,
        }
        return msgspec.json.encode({name: value for name, value in parts.items() if value})

    def shown(self) -> str:
        """How a conflict names it."""
        text = msgspec.json.encode(self.manager).decode()
        if self.subresource:
            text += f" with subresource {msgspec.json.encode(self.subresource).decode()}"
        return f"{text} using {self.version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Managed:
    """Who owns what, and since when. `kept`: the entries that owners came from."""

    owners: Owners[Owner] = field(default_factory=dict)
    times: dict[Owner, str] = field(default_factory=dict)
    kept: dict[Owner, tuple[Owned, str, Json]] = field(default_factory=dict)


def decode(entries: Sequence[Any]) -> Managed:
    """The owners that entries of any origin stand for. Raises Malformed."""
    managed = Managed()
    for i, entry in enumerate(entries):
        owner = _checked(entry, i)
        try:
            fields = fieldset.decode(entry.get("fieldsV1"))
        except Malformed as error:
            raise Malformed(f"error decoding versioned set from {owner.shown()}: error decoding set: {error}") from None
        managed.owners[owner] = Owned(fields, entry["apiVersion"], owner.operation == APPLY)
        if entry.get("time"):
            managed.times[owner] = entry["time"]
    return managed


def decode_stored(entries: Sequence[Any], versions: Versions) -> Managed:
    """The same of entries that a server stored: what this process has seen before is taken as it is.

    Owners whose version is gone are left out, and fields are those that the schema of today knows as such.
    """
    managed = Managed()
    for i, entry in enumerate(entries):
        owner = _checked(entry, i)
        version, tree = entry["apiVersion"], entry.get("fieldsV1")
        try:
            kind = versions.type_of(version)
        except NoVersion:
            continue
        if isinstance(tree, dict) and _is_as_written(kind, msgspec.json.encode(tree)):
            fields = tree
        else:
            fields = typed.reconciled(kind, fieldset.decode(tree))
        owned = managed.owners[owner] = Owned(fields, version, owner.operation == APPLY)
        time = entry.get("time") or ""
        if time:
            managed.times[owner] = time
        if fields is tree:
            managed.kept[owner] = (owned, time, entry)
    return managed


@lru_cache(maxsize=1024)
def _is_as_written(kind: Type, data: bytes) -> bool:
    """Whether a stored set needs no change: one spelling, and no list or object became atomic since."""
    tree = msgspec.json.decode(data)
    try:
        return bool(typed.reconciled(kind, fieldset.decode(tree)) == tree)
    except Malformed:
        return False


def _checked(entry: Any, i: int) -> Owner:
    if not isinstance(entry, dict):
        raise Malformed("managed fields entries must be objects")
    operation, version = entry.get("operation"), entry.get("apiVersion")
    if operation not in (APPLY, UPDATE):
        raise Malformed("operation must be `Apply` or `Update`")
    if not isinstance(version, str) or not version:
        raise Malformed("apiVersion must not be empty")
    kind = entry.get("fieldsType") or ""
    if not kind:
        raise Malformed(f"missing fieldsType in managed fields entry {i}")
    if kind != _FIELDS_V1:
        raise Malformed(f"invalid fieldsType {msgspec.json.encode(kind).decode()} in managed fields entry {i}")
    identifier = "" if operation == APPLY else version
    return Owner(entry.get("manager") or "", operation, identifier, entry.get("subresource") or "")


def encode(managed: Managed) -> list[Json]:
    """The entries, sorted as upstream sorts them: applied ones first, then by age and name."""
    found = [_entry(managed, owner, owned) for owner, owned in managed.owners.items()]
    found.sort(
        key=lambda e: (
            e["operation"],
            e.get("time", ""),
            e.get("manager", ""),
            e["apiVersion"],
            e.get("subresource", ""),
        )
    )
    return found


def _entry(managed: Managed, owner: Owner, owned: Owned) -> Json:
    time = managed.times.get(owner, "")
    if (kept := managed.kept.get(owner)) is not None and kept[0] is owned and kept[1] == time:
        return kept[2]
    entry: Json = {"manager": owner.manager} if owner.manager else {}
    entry |= {"operation": owner.operation, "apiVersion": owned.version}
    if time:
        entry["time"] = time
    entry |= {"fieldsType": _FIELDS_V1, "fieldsV1": owned.fields}
    if owner.subresource:
        entry["subresource"] = owner.subresource
    return entry


def same_but_for_times(left: Sequence[Json], right: Sequence[Json]) -> bool:
    """Whether two lists of entries differ in nothing but when."""
    return len(left) == len(right) and all(
        one == other or {**one, "time": ""} == {**other, "time": ""} for one, other in zip(left, right, strict=True)
    )
