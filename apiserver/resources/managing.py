"""Field management on the write path: the rules of `apimachinery.apply` for one resource, and who writes.

Source: endpoints/handlers/create.go (managerOrUserAgent), endpoints/handlers/fieldmanager.
"""

from dataclasses import dataclass
from functools import lru_cache

from apimachinery.apply import entries
from apimachinery.apply.elements import Malformed
from apimachinery.apply.ownership import MANAGED_FIELDS, Ownership, without_entries
from apimachinery.apply.types import Type
from apimachinery.apply.updates import NoVersion
from apimachinery.kinds import Kind
from apimachinery.meta import FIELD_MANAGER_BYTES
from apimachinery.trees import without_nulls
from apimachinery.types import Json
from apiserver.call import Call
from apiserver.registry import Resource
from apiserver.resources.options import WriteOptions
from apiserver.strategies.reset_fields import reset_fields

_AFTER_ADMISSION = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
    "admission controller; please fix your requests: "
)


@dataclass(frozen=True, slots=True)
class _Versions:
    """A resource in its versions."""

    resource: Resource

    def _kind(self, version: str) -> Kind:
        if version == self.resource.kind.api_version:
            return self.resource.kind
        found = self.resource.merging.versions(self.resource.stored).get(version)
        if found is None:
            raise NoVersion(version)
        return found

    def type_of(self, version: str) -> Type:
        """How it merges in a version. Raises NoVersion."""
        return self.resource.merging.type_of(self._kind(version))

    def convert(self, tree: Json, version: str) -> Json:
        """An object in another version. Raises NoVersion."""
        if tree["apiVersion"] == version:
            return tree
        plain = without_nulls(tree) if self.resource.is_typed else tree  # a custom object may say null
        return self.resource.merging.convert(plain, self._kind(version))


def ownership(resource: Resource, subresource: str) -> Ownership:
    """The rules for writes through a resource or one of its subresources; made once."""
    found = resource.ownerships.get(subresource)
    if found is None:
        kind, merging = resource.kind, resource.merging
        reset = reset_fields(resource.stored, subresource)
        # Of custom resources, upstream leaves the other versions out: there what is reset counts as taken away.
        versions = {kind.api_version, *(merging.versions(resource.stored) if resource.is_typed else ())}
        found = resource.ownerships[subresource] = Ownership(
            versions=_Versions(resource),
            kind=kind.kind,
            version=kind.api_version,
            blank=merging.blank(kind),
            subresource=subresource,
            ignored=dict.fromkeys(versions, reset),
        )
    return found


def manager_of(call: Call, options: WriteOptions) -> str:
    """Who writes: as the request says, else the first word of its User-Agent."""
    return options.field_manager or _first_word(call.headers.get("user-agent", ""))


@lru_cache(maxsize=256)
def _first_word(agent: str) -> str:
    found, size = "", 0
    for letter in agent.split("/", 1)[0]:
        if letter.isprintable():
            size += len(letter.encode(errors="replace"))
            if size > FIELD_MANAGER_BYTES:
                break
            found += letter
    return found


def with_entries(tree: Json, found: list[Json]) -> Json:
    """The tree with these managedFields, which is modified."""
    if found:
        tree["metadata"][MANAGED_FIELDS] = found
    else:
        tree["metadata"].pop(MANAGED_FIELDS, None)
    return tree


def keep_resets(tree: Json) -> Json:
    """The tree, with an empty list of managedFields said as upstream's other word for it, which typing keeps."""
    metadata = tree.get("metadata")
    if isinstance(metadata, dict) and metadata.get(MANAGED_FIELDS) == []:
        metadata[MANAGED_FIELDS] = [{}]
    return tree


def after_admission(call: Call, tree: Json, before: list[Json] | None) -> Json:
    """The tree; managedFields that admission has broken are as they were, and the client is told."""
    found = tree["metadata"].get(MANAGED_FIELDS)
    if found is before or found == before:
        return tree
    try:
        entries.decode(found or [])
    except Malformed as error:
        call.warn(f"{_AFTER_ADMISSION}{error}")
        return with_entries(tree, before or [])
    return tree


def without_new_times(tree: Json, old: Json) -> Json:
    """The tree, whose entries have their old times when nothing else is new: then nothing has to be written."""
    mine, theirs = tree["metadata"].get(MANAGED_FIELDS), old["metadata"].get(MANAGED_FIELDS)
    if not mine or not theirs or mine == theirs or not entries.same_but_for_times(mine, theirs):
        return tree
    if without_entries(tree) != without_entries(old):
        return tree
    return with_entries(tree, theirs)
