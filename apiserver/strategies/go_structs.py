"""Values as upstream shows them in messages: in the form of its internal Go types, and the lines in which two differ.

Internal types have no JSON names: every field is shown by Go's name, in the order of the struct, nothing left out. The
fields are in go_structs.json (scripts/generate_go_structs.py). Source: apimachinery/pkg/util/diff, field.Invalid.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from apimachinery.types import Json

_Rows = Sequence[tuple[str, str, str]]  # Go's name ("" for an embedded type), the name in v1, the type
_NOTHING: Mapping[str, Any] = {"string": "", "number": 0, "bool": False, "quantity": "0"}
_HOST = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_CONTEXT = 3
#: Of both values together, up to which it is found what of them is the same.
_MOST_LINES = 3000


class _Map(dict[str, Any]):
    """A Go map, where other dicts are structs."""


def shown(type_: str, tree: Any) -> Any:
    """A value of an internal type (`core.PodTemplateSpec`), from how v1 has it: for the value of a field error."""
    text = json.dumps(_value(type_, tree), ensure_ascii=False, separators=(",", ":"))
    return msgspec.Raw(text.encode())


def equal(type_: str, one: Json | None, other: Json | None) -> bool:
    """Whether two values are the same to Go: nothing and an empty list are, nothing and an empty struct may not be."""
    return one == other or bool(_emptied(_value(type_, one)) == _emptied(_value(type_, other)))


def difference(type_: str, old: Json, new: Json) -> str:
    """The lines in which two values of an internal type differ."""
    values = [_value(type_, tree) for tree in (old, new)]
    texts = [json.dumps(value, ensure_ascii=False, indent=1).split("\n") for value in values]
    before, after = ([f"{line}\n" for line in lines] for lines in texts)
    if len(before) + len(after) > _MOST_LINES:
        return _replaced(before, after)
    return "".join([*difflib.unified_diff(before, after, n=_CONTEXT)][2:])  # behind the names of files


def _replaced(before: Sequence[str], after: Sequence[str]) -> str:
    """All lines between the first and the last that differ. To find which of them are the same takes long for many."""
    start, end, shorter = 0, 0, min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    head = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@\n"
    return head + "".join([*(f"-{line}" for line in old), *(f"+{line}" for line in new)])


def _emptied(value: Any) -> Any:
    """Without the difference between an empty list or map and none."""
    if isinstance(value, _Map):
        return {key: _emptied(item) for key, item in value.items()} or None
    if isinstance(value, dict):
        return {name: _emptied(item) for name, item in value.items()}
    return [_emptied(item) for item in value] or None if isinstance(value, list) else value


@cache
def _structs() -> Mapping[str, _Rows]:
    text = files(__package__).joinpath("go_structs.json").read_text()
    loaded: Mapping[str, _Rows] = json.loads(text)
    return loaded


def _value(type_: str, value: Any) -> Any:
    if type_.startswith("*"):
        return None if value is None else _value(type_[1:], value)
    if type_.startswith("[]"):
        return None if value is None else [_value(type_[2:], item) for item in value]
    if type_.startswith("map[string]"):
        inner = type_.removeprefix("map[string]")
        return None if value is None else _Map((key, _value(inner, value[key])) for key in sorted(value))
    rows = _structs().get(type_)
    if rows is None:
        return _NOTHING.get(type_) if value is None else value
    tree: Json = value or {}
    if type_ == "core.PodSpec":  # the internal type has these one level further down
        shared = {name: tree[name] for name in _HOST if name in tree}
        tree = {**tree, "securityContext": {**(tree.get("securityContext") or {}), **shared}}
    return _tagged(rows, tree) if type_.startswith("metav1.") else _struct(rows, tree)


def _struct(rows: _Rows, tree: Json) -> Json:
    found: Json = {}
    for name, key, type_ in rows:
        if name:
            found[name] = _value(type_, tree.get(key))
        else:
            found |= _value(type_, tree.get(key) if key else tree)
    return found


def _tagged(rows: _Rows, tree: Json) -> Json:
    """A type of the machinery, which has JSON names and leaves out what is empty."""
    return {key: _value(type_, tree[key]) for _, key, type_ in rows if tree.get(key) not in (None, [], {})}
