"""Strategic merge patch: lists merge by a key and by directives, as the OpenAPI definitions say.

    $patch: replace | delete | merge      in an object, or as an element of a merged list
    $retainKeys: [...]                    keeps only these keys of an object
    $deleteFromPrimitiveList/NAME: [...]  takes values out of a list of scalars
    $setElementOrder/NAME: [...]          the order of a merged list; what only the server has keeps its place

`strategic_merge` applies a patch to an object. `_Merge(combining=True)` instead merges two patches into one, which is
the last step of the three-way diff in `apply_diff`: directives then stay in the result and nulls mean deletion.
Source of behaviour and texts: apimachinery/pkg/util/strategicpatch/patch.go, mergepatch/errors.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.errors import ApiError, bad_request, unconverted
from apimachinery.schema import DEFINITIONS, resolved
from apimachinery.trees import copied, same, without_nulls
from apimachinery.types import Json

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM = "$deleteFromPrimitiveList"
SET_ORDER = "$setElementOrder"

_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"


@dataclass(frozen=True, slots=True)
class PatchField:
    """How one field takes part in a merge. `schema` is that of the field's objects, or of the items of its list."""

    schema: Json
    strategy: str = ""
    merge_key: str = ""
    retain_keys: bool = False


def patch_field(schema: Json, key: str) -> PatchField:
    """The rules for a field; a field that the schema does not know merges as plain JSON."""
    found = schema.get("properties", {}).get(key)
    if found is None:
        more = schema.get("additionalProperties")
        return PatchField(resolved(more) if isinstance(more, dict) else {})
    inner = resolved(found)
    strategies = found.get("x-kubernetes-patch-strategy", "").split(",")
    return PatchField(
        resolved(inner["items"]) if "items" in inner else inner,
        next((s for s in strategies if s != "retainKeys"), ""),
        found.get("x-kubernetes-patch-merge-key", ""),
        "retainKeys" in strategies,
    )


def strategic_merge(document: Json, patch: Json, definition: str) -> Json:
    """The document after a patch, sharing what the patch leaves alone. `definition`: the kind's OpenAPI definition."""
    if not isinstance(patch, dict):
        raise bad_request("invalid JSON document")
    return _Merge(combining=False).maps(document, copied(patch), DEFINITIONS[definition])


def combine(deletions: Json, changes: Json, schema: Json) -> Json:
    """Two patches as one. Both are used up."""
    return _Merge(combining=True).maps(deletions, changes, schema)


def failed(message: str) -> ApiError:
    """Upstream lets these errors out unconverted, and so they reach people without a reason."""
    return unconverted(message)


def key_of(item: Any, merge_key: str) -> Any:
    """The value by which an element of a merged list is known."""
    if not isinstance(item, dict):
        raise failed(f"expected a map, but received a {_kind(item)}")
    if merge_key not in item:
        raise failed(f"map: {_go(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def element_type(*lists: Sequence[Any]) -> type | None:
    """The one type of all elements; lists of lists and mixed lists cannot be merged."""
    types = {type(item) for items in lists for item in items}
    if list in types:
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
    if len(types) > 1:
        raise failed(f"list element types are not identical: {_go([list(items) for items in lists])}")
    return types.pop() if types else None


def find(items: Sequence[Any], merge_key: str, value: Any) -> int:
    """Where the element with this key stands, -1 for nowhere."""
    for i, item in enumerate(items):
        if isinstance(item, dict) and merge_key in item and same(item[merge_key], value):
            return i
    return -1


@dataclass(frozen=True, slots=True)
class _Merge:
    """One merge. A patch is private to it and used up, an original is left as it is. `combining`: see the module."""

    combining: bool

    def maps(self, original: Json, patch: Json, schema: Json) -> Json:
        if PATCH in patch:
            return _directive(patch)
        original = dict(original)
        self.retain(original, patch)
        self.order(original, patch, schema)
        for key, value in patch.items():
            if key.startswith(DELETE_FROM):
                self.delete_from(original, key, value, schema)
            elif value is None and not self.combining:
                original.pop(key, None)
            else:
                original[key] = self.value(original, key, value, schema)
                if original[key] is _GONE:
                    del original[key]
        return original

    def value(self, original: Json, key: str, value: Any, schema: Json) -> Any:
        """What a field becomes."""
        there = original.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            rules = patch_field(schema, key)
            return value if rules.strategy == "replace" else self.maps(there, value, rules.schema)
        if isinstance(there, list) and isinstance(value, list):
            rules = patch_field(schema, key)
            return self.lists(there, value, rules) if rules.strategy == "merge" else value
        return self.cleaned(value)

    def cleaned(self, value: Any) -> Any:
        """A value that meets nothing to merge with."""
        return value if self.combining else _plain(without_nulls(value))

    def retain(self, original: Json, patch: Json) -> None:
        keys = patch.pop(RETAIN_KEYS, _GONE)
        if keys is _GONE or (self.combining and keys is None):
            return
        if self.combining:
            original[RETAIN_KEYS] = keys
            return
        if not isinstance(keys, list):
            raise bad_request(_BAD_RETAIN_KEYS)
        for key, value in patch.items():
            if value is not None and key not in keys and not key.startswith((DELETE_FROM, SET_ORDER)):
                raise bad_request(_BAD_RETAIN_KEYS)
        for key in [key for key in original if key not in keys]:
            del original[key]

    def delete_from(self, original: Json, key: str, values: Any, schema: Json) -> None:
        _, slash, name = key.partition("/")
        if not slash:
            raise bad_request("invalid patch format of primitive list")
        if values is None:
            original.pop(name, None)
        elif isinstance(there := original.get(name), list) and isinstance(values, list):
            if element_type(there, values) is dict:  # for upstream, elements to merge like any others
                original[name] = self.lists(there, values, patch_field(schema, name))
            else:
                original[name] = [item for item in there if not contains(values, item)]

    def order(self, original: Json, patch: Json, schema: Json) -> None:
        """Lists whose order the patch sets are merged here, and taken out of the patch."""
        for key in [key for key in patch if key.startswith(SET_ORDER)]:
            wanted = patch.pop(key)
            if self.combining:
                original[key] = wanted  # deletions and changes ask for the same order: that of what is wanted
            _, slash, name = key.partition("/")
            if not slash:
                raise bad_request(_BAD_ORDER)
            self.ordered(original, patch, name, wanted, patch_field(schema, name))

    def ordered(self, original: Json, patch: Json, name: str, wanted: Any, rules: PatchField) -> None:
        there, items = original.get(name), patch.get(name)
        for value in (wanted, there, items):
            if value is not None and not isinstance(value, list):
                raise failed(f"expected a []interface {{}}, but received a {_type(value)}")
        wanted = wanted or []  # for Go a null list is an empty one
        _check_order(items or [], wanted, rules.merge_key)
        if there is None and items is None:
            return
        merged, before = there or [], there or []
        if there is None:
            merged = self.cleaned(items)
        elif items is not None:
            merged = self.lists(there, items, rules) if rules.strategy == "merge" else items
            before = _reused(there, merged, rules.merge_key)
        if not rules.merge_key and any(isinstance(item, dict) for item in merged):
            raise failed(f"map: {_go(merged[0])} does not contain declared merge key: ")
        original[name] = _interleaved(merged, wanted, before, rules.merge_key)
        patch.pop(name, None)

    def lists(self, original: list[Any], patch: list[Any], rules: PatchField) -> list[Any]:
        of = element_type(original, patch)
        if of is not dict:
            merged = unique([*original, *patch])
            return _interleaved(merged, patch, original, "")
        if not rules.merge_key:
            raise failed("cannot merge lists without merge key for struct")
        original, patch = _special(original, patch, rules.merge_key)
        return _interleaved(self.elements(original, patch, rules), patch, original, rules.merge_key)

    def elements(self, original: list[Any], patch: list[Any], rules: PatchField) -> list[Any]:
        merged = list(original)
        for item in patch:
            at = find(merged, rules.merge_key, key_of(item, rules.merge_key))
            if at < 0:
                merged.append(item)  # as it is, nulls and directives with it
            else:
                merged[at] = self.maps(merged[at], item, rules.schema)
        return merged


_GONE = object()


def _directive(patch: Json) -> Json:
    """`$patch` in an object: the rest of the patch replaces it, or it becomes empty."""
    what = patch.pop(PATCH)
    if what == "replace":
        return patch
    if what == "delete":
        return {}
    raise failed(f"unknown patch type: {_as_text(what)} in map: {_go({PATCH: what, **patch})}")


def _plain(value: Any) -> Any:
    """What is left of a new value without what has a `$patch`, _GONE for nothing. Other directives become fields."""
    if isinstance(value, dict):
        if PATCH in value:
            return _GONE
        kept = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not _GONE}
    if isinstance(value, list):
        return [item for item in map(_plain, value) if item is not _GONE]
    return value


def _special(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Elements that are directives done; what is left of both lists."""
    plain, replace = [], False
    for item in patch:
        what = item.get(PATCH)
        if what is None:
            plain.append(item)
        elif what == "delete":
            value = key_of(item, merge_key)
            original = [o for o in original if not (merge_key in o and same(o[merge_key], value))]
        elif what == "replace":
            replace = True
        elif what == "merge":
            raise failed("merging lists cannot yet be specified in the patch")
        else:
            raise failed(f"unknown patch type: {_as_text(what)} in map: {_go(item)}")
    return (plain, []) if replace else (original, plain)


def _check_order(items: list[Any], wanted: list[Any], merge_key: str) -> None:
    """The elements of a patch stand in the order that it asks for; an empty order asks for nothing."""
    if not wanted:
        return
    names = [key_of(i, merge_key) if merge_key else i for i in items if not (isinstance(i, dict) and PATCH in i)]
    order = iter(key_of(w, merge_key) if merge_key else w for w in wanted)
    if not all(any(same(name, other) for other in order) for name in names):
        raise failed(f"The order in patch list:\n{_go(items)}\n doesn't match {SET_ORDER} list:\n{_go(wanted)}\n")


def _interleaved(merged: list[Any], wanted: list[Any], server: list[Any], merge_key: str) -> list[Any]:
    """Elements that the patch orders, in its order; those only the server has, each before what followed it there."""

    def place(items: list[Any], item: Any) -> int:
        if merge_key:
            return find(items, merge_key, key_of(item, merge_key))
        return next((i for i, other in enumerate(items) if same(other, item)), -1)

    ranked = [(place(wanted, item), place(server, item), item) for item in merged]
    ours = sorted((row for row in ranked if row[0] >= 0), key=lambda row: row[0])
    theirs = sorted((row for row in ranked if row[0] < 0), key=lambda row: row[1])
    result: list[Any] = []
    while ours and theirs:
        server_first = 0 <= theirs[0][1] < ours[0][1]
        result.append((theirs if server_first else ours).pop(0)[2])
    return result + [row[2] for row in ours + theirs]


def _reused(before: list[Any], merged: list[Any], merge_key: str) -> list[Any]:
    """The server's order, as upstream sees it after a merge: new elements fill the room of those deleted."""
    if not merge_key:
        return before
    kept = [item for item in before if find(merged, merge_key, key_of(item, merge_key)) >= 0]
    new = [item for item in merged if find(before, merge_key, key_of(item, merge_key)) < 0]
    return (kept + new)[: len(before)]


def unique(items: list[Any]) -> list[Any]:
    """The first of items that are the same, in order."""
    found: list[Any] = []
    for item in items:
        if not contains(found, item):
            found.append(item)
    return found


def contains(items: Sequence[Any], item: Any) -> bool:
    """Whether one that is the same is there: `in` would take 1 for True."""
    return any(same(item, other) for other in items)


def _kind(value: Any) -> str:
    names: Mapping[type, str] = {dict: "map", list: "slice", str: "string", bool: "bool", float: "float64"}
    return names.get(type(value), "int64")


def _type(value: Any) -> str:
    """Go's `%T`."""
    names: Mapping[type, str] = {dict: "map[string]interface {}", list: "[]interface {}"}
    return names.get(type(value)) or _kind(value)


def _as_text(value: Any) -> str:
    """Go's `%s`, which is meant for text."""
    if value is None:
        return "%!s(<nil>)"
    return value if isinstance(value, str) else f"%!s({_kind(value)}={_go(value)})"


def _go(value: Any) -> str:
    """Go's `%v`: `map[a:1 b:[2 3]]`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)
