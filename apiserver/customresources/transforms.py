"""Objects between the version stored and the version served.

What is read is made whole first (pruned, defaulted) by the schema of the version it was stored in, then converted: by
changing apiVersion alone, or by a webhook, which is asked once for all objects that need it. An entry keeps the outcome
for each served form, so a list costs this once. What is written is converted to the storage version.
Source: pkg/apiserver/customresource_handler.go (crdConversionRESTOptionsGetter), pkg/apiserver/conversion.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from apimachinery import errors
from apimachinery.types import Json
from apiserver.customresources.versions import VersionSchema
from apiserver.resources import metadata
from apiserver.storage.entry import Entry
from apiserver.structural import embedded
from apiserver.structural.node import normal_numbers

#: How many objects are made whole before others get their turn.
_CHUNK = 64


class Converts(Protocol):
    """Turns objects into another version: all of them, in order. Raises ApiError."""

    async def convert(self, trees: Sequence[Json], api_version: str) -> Sequence[Json]: ...


class Unconverted:
    """The strategy None: all versions look alike, so only apiVersion changes."""

    async def convert(self, trees: Sequence[Json], api_version: str) -> Sequence[Json]:
        return [{**tree, "apiVersion": api_version} for tree in trees]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTransforms:
    """`Transforms` of one served version."""

    form: str
    group: str
    version: str
    storage_version: str
    schemas: Mapping[str, VersionSchema]  # by version, those not served too
    converter: Converts

    async def prepare(self, entries: Sequence[Entry]) -> None:
        """Make the served form of each entry that has none yet."""
        todo = [entry for entry in entries if not entry.has_made(self.form)]
        for start in range(0, len(todo), _CHUNK):
            await self._prepare_some(todo[start : start + _CHUNK], may_wait=start > 0)

    async def _prepare_some(self, entries: Sequence[Entry], *, may_wait: bool) -> None:
        if may_wait:
            await asyncio.sleep(0)
        foreign: list[tuple[Entry, Json]] = []
        for entry in entries:
            tree: Json = msgspec.json.decode(entry.value)
            self._make_whole(tree)
            if tree["apiVersion"] == self._api_version(self.version):
                self._keep(entry, tree)
            else:
                foreign.append((entry, tree))
        if foreign:
            converted = await self._converted([tree for _, tree in foreign], self.version)
            for (entry, _), tree in zip(foreign, converted, strict=True):
                self._keep(entry, tree)

    def _make_whole(self, tree: Json) -> None:
        """What was stored, as its own version's schema has it now."""
        schema = self.schemas.get(str(tree.get("apiVersion", "")).rpartition("/")[2])
        if schema is None:
            raise errors.internal(f"request to convert CR from an invalid group/version: {tree.get('apiVersion')}")
        schema.coerce(tree, drop_invalid=True)
        schema.default(tree)
        if not tree["metadata"].get("generation"):
            tree["metadata"]["generation"] = 1

    def _keep(self, entry: Entry, tree: Json) -> None:
        value = msgspec.json.encode(tree)
        entry.keep(self.form, entry.value if value == entry.value else value)

    def keep_as_is(self, entry: Entry) -> None:
        """That entry is in the version served already."""
        entry.keep(self.form, entry.value)

    def served(self, entry: Entry) -> bytes:
        """The object in the version served; it has been prepared."""
        made: bytes = entry.made(self.form, _unprepared)
        return made

    async def stored(self, tree: Json) -> Json:
        """An object of the version served as it is written."""
        if self.version != self.storage_version:
            (tree,) = await self._converted([tree], self.storage_version)
        else:
            self.schemas[self.storage_version].coerce(tree)
        stored: Json = metadata.stored_order(normal_numbers(tree))
        return stored

    async def adopted(self, tree: Json) -> Json:
        """An object of another version in this one; the tree given is used up."""
        (adopted,) = await self._converted([tree], self.version)
        return adopted

    async def _converted(self, trees: Sequence[Json], version: str) -> Sequence[Json]:
        converted = await self.converter.convert(trees, self._api_version(version))
        for tree in converted:
            try:
                self.schemas[version].coerce(tree)
                tree["metadata"], _ = embedded.metadata(tree["metadata"])
            except ValueError as error:
                raise errors.internal(f"conversion of {self.group} made an object that is none: {error}") from None
        return converted

    def _api_version(self, version: str) -> str:
        return f"{self.group}/{version}"


def _unprepared(entry: Entry) -> bytes:
    raise AssertionError(f"{entry.key} is shown before it was prepared")
