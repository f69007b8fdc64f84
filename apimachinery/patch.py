"""The ways to change an object by a patch: RFC 6902 (JSON Patch), RFC 7386 (merge patch), strategic merge.

Every function is pure: it leaves its arguments alone and returns a new tree. Malformed patches are an ApiError 400,
well-formed ones that do not apply a 422, with upstream's codes and texts (which name no operation). The strategic
kind and the diffs of `kubectl apply` live in `strategic` and `apply_diff`, and are offered here too.
Source: apiserver/pkg/endpoints/handlers/patch.go; github.com/evanphx/json-patch v4 for what an operation may do.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from apimachinery.apply_diff import merge_diff, strategic_diff, two_way
from apimachinery.errors import ApiError, bad_request, request_too_large
from apimachinery.strategic import strategic_merge
from apimachinery.trees import copied, same, without_nulls
from apimachinery.types import Json

__all__ = ["json_patch", "merge_diff", "merge_patch", "strategic_diff", "strategic_merge", "two_way"]

MAX_OPERATIONS = 10_000
#: What copies may add to a document in all (upstream's JSONPatchMaxCopyBytes).
MAX_COPIED = 3 * 1024 * 1024
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_INDEX = re.compile(r"[+-]?\d{1,9}", re.ASCII)


class _CannotApplyError(Exception):
    """An operation that the document, or its own form, does not allow."""


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null deletes, everything else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged: Json = copied(document) if isinstance(document, dict) else {}
    _merge_into(merged, patch)
    return merged


def _merge_into(merged: Json, patch: Json) -> None:
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            if not isinstance(inner, dict):
                inner = merged[key] = {}
            _merge_into(inner, value)
        else:
            merged[key] = without_nulls(value)  # upstream's library prunes objects in lists, too


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902: all operations or none."""
    _check_form(operations)
    if len(operations) > MAX_OPERATIONS:
        raise request_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    # "" is the key of the whole document in a wrapper, so that every pointer has a parent.
    root: Json = {"": copied(document)}
    budget = [MAX_COPIED]
    try:
        for operation in operations:
            _operate(root, operation, budget)
        return _find(root, [""])
    except _CannotApplyError:
        raise cannot_apply() from None


def cannot_apply() -> ApiError:
    """The 422 for a patch that does not apply; upstream says no more than this."""
    text = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", text, is_detailed=True)


def _check_form(operations: Any) -> None:
    """A list of objects; all else an operation gets wrong is found when it is applied."""
    if not isinstance(operations, list):
        name = _JSON_NAMES.get(type(operations), "null")
        raise bad_request(f"json: cannot unmarshal {name} into Go value of type jsonpatch.Patch")
    for operation in operations:
        if not isinstance(operation, dict):
            name = _JSON_NAMES.get(type(operation), "null")
            raise bad_request(f"json: cannot unmarshal {name} into Go value of type jsonpatch.Operation")


def _operate(root: Json, operation: Json, budget: list[int]) -> None:
    apply = _OPERATIONS.get(operation.get("op", ""))
    if apply is None:
        raise _CannotApplyError
    apply(root, operation, budget)


def _add(root: Json, operation: Json, _budget: list[int]) -> None:
    _insert(root, _pointer(operation, "path"), copied(operation.get("value")))


def _remove(root: Json, operation: Json, _budget: list[int]) -> None:
    _take(root, _pointer(operation, "path"))


def _replace(root: Json, operation: Json, _budget: list[int]) -> None:
    path, value = _pointer(operation, "path"), copied(operation.get("value"))
    parent = _holder(root, path)
    if isinstance(parent, list):
        parent[_index(path[-1], len(parent))] = value
    else:
        parent[path[-1]] = value  # differs from RFC 6902 as upstream does: an absent member is added


def _move(root: Json, operation: Json, _budget: list[int]) -> None:
    source, path = _pointer(operation, "from"), _pointer(operation, "path")
    if len(path) > len(source) and path[: len(source)] == source:
        raise _CannotApplyError  # into itself
    _insert(root, path, _take(root, source))


def _copy(root: Json, operation: Json, budget: list[int]) -> None:
    value = copied(_find(root, _pointer(operation, "from")))
    budget[0] -= len(msgspec.json.encode(value))
    if budget[0] < 0:
        raise _CannotApplyError
    _insert(root, _pointer(operation, "path"), value)


def _test(root: Json, operation: Json, _budget: list[int]) -> None:
    """An absent member counts as null, as upstream's library has it."""
    path, wanted = _pointer(operation, "path"), operation.get("value")
    parent = _parent(root, path)
    found = parent.get(path[-1]) if isinstance(parent, dict) else parent[_index(path[-1], len(parent))]
    if not same(found, wanted):
        raise _CannotApplyError


_OPERATIONS: dict[Any, Callable[[Json, Json, list[int]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _pointer(operation: Json, name: str) -> list[str]:
    """The keys from the wrapper down: `/a/b` is ["", "a", "b"]."""
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _CannotApplyError
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _parent(root: Json, path: list[str]) -> Any:
    """The container that holds the last key of a pointer."""
    node: Any = root
    for key in path[:-1]:
        node = _step(node, key)
    if not isinstance(node, (dict, list)):
        raise _CannotApplyError
    return node


def _step(node: Any, key: str) -> Any:
    if isinstance(node, dict) and key in node:
        return node[key]
    if isinstance(node, list):
        return node[_index(key, len(node))]
    raise _CannotApplyError


def _find(root: Json, path: list[str]) -> Any:
    return _step(_parent(root, path), path[-1])


def _take(root: Json, path: list[str]) -> Any:
    parent = _parent(root, path)
    value = _step(parent, path[-1])
    del parent[path[-1] if isinstance(parent, dict) else _index(path[-1], len(parent))]
    return value


def _holder(root: Json, path: list[str]) -> Any:
    """The parent of a place to write to, which the whole document is not (upstream refuses that)."""
    if len(path) == 1:
        raise _CannotApplyError
    return _parent(root, path)


def _insert(root: Json, path: list[str], value: Any) -> None:
    parent = _holder(root, path)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    else:
        parent.insert(_index(path[-1], len(parent) + 1), value)


def _index(key: str, size: int) -> int:
    """A place in a list; negative ones count from the end, which upstream's library allows."""
    if not _INDEX.fullmatch(key):
        raise _CannotApplyError
    index = int(key)
    if not -size <= index < size:
        raise _CannotApplyError
    return index % size
