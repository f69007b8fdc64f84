"""The patches that `kubectl apply` sends: three-way diffs between what was applied, what is wanted, and what is there.

    original   the last-applied configuration: what this user set before (deletions come from here)
    modified   the configuration to apply
    current    the object on the server (changes and additions are measured against it)

`strategic_diff` makes a strategic merge patch, for kinds with a definition; `merge_diff` a JSON merge patch, for all
others. Both are pure; an empty result means that there is nothing to do. `two_way` is the diff of an edit.
Source of behaviour: strategicpatch.CreateThreeWayMergePatch, jsonmergepatch.CreateThreeWayJSONMergePatch.
"""

from dataclasses import dataclass
from typing import Any

from apimachinery.schema import DEFINITIONS
from apimachinery.strategic import (
    DELETE_FROM,
    PATCH,
    RETAIN_KEYS,
    SET_ORDER,
    PatchField,
    combine,
    contains,
    element_type,
    find,
    key_of,
    patch_field,
    unique,
)
from apimachinery.trees import copied, same
from apimachinery.types import Json


def strategic_diff(original: Json, modified: Json, current: Json, definition: str) -> Json:
    """The strategic merge patch that brings `current` to `modified`, deleting only what `original` had set."""
    schema = DEFINITIONS[definition]
    changes = _Diff(deletions=False, set_order=True).maps(current, modified, schema)
    deletions = _Diff(additions=False, set_order=True).maps(original, modified, schema)
    return combine(copied(deletions), copied(changes), schema)


def two_way(original: Json, modified: Json, definition: str) -> Json:
    """The strategic merge patch from one object to another (`kubectl edit`, `kubectl label`)."""
    return _Diff(set_order=True).maps(copied(original), copied(modified), DEFINITIONS[definition])


def merge_diff(original: Json, modified: Json, current: Json) -> Json:
    """The JSON merge patch for the same, where no schema says how lists merge. Nulls in `modified` are kept."""
    patch = _changes(current, modified)
    _add_deletions(patch, original, modified)
    return patch


def _changes(current: Json, modified: Json) -> Json:
    patch: Json = {}
    for key, value in modified.items():
        there = current.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := _changes(there, value):
                patch[key] = inner
        elif (key not in current and value is not None) or not same(there, value):
            patch[key] = copied(value)
    return patch


def _add_deletions(patch: Json, original: Json, modified: Json) -> None:
    for key, value in original.items():
        if key not in modified:
            patch[key] = None
        elif isinstance(value, dict) and isinstance(modified[key], dict):
            inner = patch.get(key, {})
            _add_deletions(inner, value, modified[key])
            if inner:
                patch[key] = inner


@dataclass(frozen=True, slots=True, kw_only=True)
class _Diff:
    """One comparison: which differences count, and whether lists carry their order."""

    deletions: bool = True
    additions: bool = True
    set_order: bool = False

    def maps(self, original: Json, modified: Json, schema: Json, *, retain: bool = False) -> Json:
        patch: Json = {}
        for key, value in modified.items():
            if key in original:
                self.field(patch, key, original[key], value, schema)
            elif self.additions:
                patch[key] = value
        if self.deletions:
            patch |= {key: None for key in original if key not in modified}
        keys = sorted(key for key, value in modified.items() if value is not None)
        gone = any(value is not None and key not in modified for key, value in original.items())
        if retain and keys and (patch or gone):
            patch[RETAIN_KEYS] = keys
        return patch

    def field(self, patch: Json, key: str, before: Any, after: Any, schema: Json) -> None:
        rules = patch_field(schema, key)
        if isinstance(before, dict) and isinstance(after, dict) and rules.strategy != "replace":
            if inner := self.maps(before, after, rules.schema, retain=rules.retain_keys):
                patch[key] = inner
        elif isinstance(before, list) and isinstance(after, list) and rules.strategy == "merge":
            self.lists(patch, key, before, after, rules)
        elif self.additions and not same(before, after):
            patch[key] = after

    def lists(self, patch: Json, key: str, before: list[Any], after: list[Any], rules: PatchField) -> None:
        if not before:
            if after and self.additions:
                patch[key] = after
            return
        if element_type(before, after) is dict:
            changed, ordered = self.elements(before, after, rules), _order(after, rules.merge_key)
            removed: list[Any] = []
            moved = _order(before, rules.merge_key) != ordered
            counts = (self.additions and (changed or moved)) or (self.deletions and changed)
        else:
            changed, removed, ordered = self.scalars(before, after)
            counts = (self.deletions and removed) or (self.additions and not same(before, after))
        if changed:
            patch[key] = changed
        if removed:
            patch[f"{DELETE_FROM}/{key}"] = removed
        if self.set_order and counts and ordered:
            patch[f"{SET_ORDER}/{key}"] = ordered

    def elements(self, before: list[Any], after: list[Any], rules: PatchField) -> list[Any]:
        """Changed and new elements in the order wanted, then a `$patch: delete` for each that is gone."""
        merge_key, changed = rules.merge_key, []
        for item in after:
            name = key_of(item, merge_key)
            at = find(before, merge_key, name)
            if at >= 0:
                inner = self.maps(before[at], item, rules.schema, retain=rules.retain_keys)
                if inner:
                    changed.append(inner | {merge_key: name})
            elif self.additions:
                changed.append(item)
        if self.deletions:
            names = sorted((key_of(item, merge_key) for item in before), key=str)
            changed += [{merge_key: name, PATCH: "delete"} for name in names if find(after, merge_key, name) < 0]
        return changed

    def scalars(self, before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """New values, values that are gone, and the order wanted."""
        added = [value for value in after if not contains(before, value)] if self.additions else []
        removed = [value for value in unique(before) if not contains(after, value)] if self.deletions else []
        return added, sorted(removed, key=str), after


def _order(items: list[Any], merge_key: str) -> list[Json]:
    return [{merge_key: key_of(item, merge_key)} for item in items]
