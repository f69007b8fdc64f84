"""The ways to change an object by a patch: RFC 6902 (JSON Patch), RFC 7386 (merge patch), strategic merge.

Every function is pure: it leaves its arguments alone and returns a new tree. Malformed patches are an ApiError 400,
well-formed ones that do not apply a 422, with upstream's codes and texts (which name no operation). The strategic
kind and the diffs of `kubectl apply` live in `strategic` and `apply_diff`, and are offered here too.
Source: apiserver/pkg/endpoints/handlers/patch.go; github.com/evanphx/json-patch v4 for what an operation may do.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from apimachinery.apply_diff import merge_diff, strategic_diff, two_way
from apimachinery.errors import ApiError, bad_request, request_too_large
from apimachinery.strategic import strategic_merge
from apimachinery.trees import copied, same, without_nulls
from apimachinery.types import Json

__all__ = ["NotApplied", "json_patch", "merge_diff", "merge_patch", "strategic_diff", "strategic_merge", "two_way"]

MAX_OPERATIONS = 10_000
#: What copies may add to a document in all (upstream's JSONPatchMaxCopyBytes).
MAX_COPIED = 3 * 1024 * 1024
_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_MEMBERS = ("op", "path", "from", "value")
_OPERATION = "handlers.jsonPatchOp"
_INDEX = re.compile(r"[+-]?\d{1,9}", re.ASCII)


class NotApplied(ApiError):
    """A well-formed patch that does not apply. Upstream tells a client no more than the message; `why` says it all."""

    def __init__(self, why: str = "", *, is_test: bool = False) -> None:
        text = "the server rejected our request due to an error in our request"
        super().__init__(422, "Invalid", text, is_detailed=True)
        self.why = why  # in the words of upstream's library
        self.is_test = is_test  # a `test` did not hold


class _CannotApplyError(Exception):
    """An operation that the document, or its own form, does not allow."""


class _NowhereError(_CannotApplyError):
    """A pointer that leads through what is not there."""


class _TestError(_CannotApplyError):
    """A test that does not hold."""


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
    """RFC 6902: all operations or none. No list at all is an empty one, as for Go."""
    operations = [] if operations is None else operations
    _check_form(operations)
    if len(operations) > MAX_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise request_too_large(f"Request entity too large: {why}")
    # "" is the key of the whole document in a wrapper, so that every pointer has a parent.
    root: Json = {"": copied(document)}
    budget = [MAX_COPIED]
    try:
        for operation in operations:
            _operate(root, operation or {}, budget)
        return _find(root, [""])
    except _CannotApplyError as error:
        raise NotApplied(str(error), is_test=isinstance(error, _TestError)) from None


def _check_form(operations: Any) -> None:
    """A list of objects; all else an operation gets wrong is found when it is applied."""
    if not isinstance(operations, list):
        name = _JSON_NAMES.get(type(operations), "null")
        raise bad_request(f"error decoding patch: json: cannot unmarshal {name} into Go value of type []{_OPERATION}")
    for operation in operations:
        if operation is not None and not isinstance(operation, dict):
            name = _JSON_NAMES.get(type(operation), "null")
            raise bad_request(f"error decoding patch: json: cannot unmarshal {name} into Go value of type {_OPERATION}")


def unknown_fields(operations: Any) -> list[str]:
    """`unknown field "[0].foo"` for each member of an operation that means nothing."""
    operations = [] if operations is None else operations
    _check_form(operations)
    for operation in operations:
        _check_types(operation or {})
    return [
        f'unknown field "[{i}].{name}"'
        for i, operation in enumerate(operations)
        for name in operation or ()
        if name.lower() not in _MEMBERS
    ]


def _check_types(operation: Json) -> None:
    """Raise 400 where a member that should be a text is none."""
    for name, value in operation.items():
        if name in ("op", "path", "from") and not isinstance(value, str | None):
            why = f"cannot unmarshal {_JSON_NAMES[type(value)]} into Go struct field jsonPatchOp.{name} of type string"
            raise bad_request(f"error decoding patch: json: {why}")


def _operate(root: Json, operation: Json, budget: list[int]) -> None:
    op = operation.get("op")
    kind = op if isinstance(op, str) else "unknown"  # whose types nobody has looked at: `unknown_fields` does
    apply = _OPERATIONS.get(kind)
    if apply is None:
        raise _CannotApplyError(f"Unexpected kind: {kind}")
    apply(root, operation, budget)


@contextmanager
def _telling(nowhere: str, wrong: str) -> Iterator[None]:
    """What goes wrong within, in the words of the operation."""
    try:
        yield
    except _NowhereError:
        raise _CannotApplyError(f"{nowhere}: missing value") from None
    except _TestError:
        raise
    except _CannotApplyError as error:
        raise _CannotApplyError(f"{wrong}: {error}") from None


def _add(root: Json, operation: Json, _budget: list[int]) -> None:
    path = _pointer(operation, "add", "path")
    text = operation["path"]
    with _telling(f'add operation does not apply: doc is missing path: "{text}"', f"error in add for path: '{text}'"):
        _insert(root, path, copied(operation.get("value")))


def _remove(root: Json, operation: Json, _budget: list[int]) -> None:
    path = _pointer(operation, "remove", "path")
    text = operation["path"]
    nowhere = f'remove operation does not apply: doc is missing path: "{text}"'
    with _telling(nowhere, f"error in remove for path: '{text}'"):
        _take(root, path)


def _replace(root: Json, operation: Json, _budget: list[int]) -> None:
    path, value = _pointer(operation, "replace", "path"), copied(operation.get("value"))
    text = operation["path"]
    if not text:  # the whole document, which a scalar does not replace
        root[""] = value if isinstance(value, dict | list) else root[""]
        return
    with _telling(f"replace operation does not apply: doc is missing path: {text}", "error"):
        parent = _holder(root, path)
    if isinstance(parent, dict):
        parent[path[-1]] = value  # differs from RFC 6902 as upstream does: an absent member is added
        return
    try:
        parent[_index(path[-1], len(parent))] = value
    except _CannotApplyError:
        why = f"replace operation does not apply: doc is missing key: {text}: missing value"
        raise _CannotApplyError(why) from None


def _move(root: Json, operation: Json, _budget: list[int]) -> None:
    source, path = _pointer(operation, "move", "from"), _pointer(operation, "move", "path")
    if len(path) > len(source) and path[: len(source)] == source:
        raise _CannotApplyError(_into_itself(operation))
    nowhere = f"move operation does not apply: doc is missing from path: {operation['from']}"
    with _telling(nowhere, f"error in move for path: '{source[-1]}'"):
        value = _take(root, source)
    nowhere = f"move operation does not apply: doc is missing destination path: {operation['path']}"
    with _telling(nowhere, f"error in move for path: '{operation['path']}'"):
        _insert(root, path, value)


def _into_itself(operation: Json) -> str:
    return f"move operation does not apply: doc is missing destination path: {operation['path']}: missing value"


def _copy(root: Json, operation: Json, budget: list[int]) -> None:
    source, path = _pointer(operation, "copy", "from"), _pointer(operation, "copy", "path")
    nowhere = f"copy operation does not apply: doc is missing from path: {operation['from']}"
    with _telling(nowhere, f"error in copy for from: '{operation['from']}'"):
        value = copied(_found_or_null(root, source))
    budget[0] -= len(msgspec.json.encode(value))
    if budget[0] < 0:
        raise _CannotApplyError(
            f"Unable to complete the copy, the accumulated size increase of copy is {MAX_COPIED - budget[0]}, "
            f"exceeding the limit {MAX_COPIED}"
        )
    nowhere = f"copy operation does not apply: doc is missing destination path: {operation['path']}"
    with _telling(nowhere, "error while adding value during copy"):
        _insert(root, path, value)


def _test(root: Json, operation: Json, _budget: list[int]) -> None:
    """An absent member counts as null, as upstream's library has it."""
    path, wanted = _pointer(operation, "test", "path"), operation.get("value")
    text = operation["path"]
    with _telling(f"test operation does not apply: is missing path: {text}", f"error in test for path: '{text}'"):
        parent = _parent(root, path)
        found = parent.get(path[-1]) if isinstance(parent, dict) else parent[_index(path[-1], len(parent))]
        if not same(found, wanted):
            raise _TestError(f"testing value {text} failed: test failed")


_OPERATIONS: dict[str, Callable[[Json, Json, list[int]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _pointer(operation: Json, name: str, member: str) -> list[str]:
    """The keys from the wrapper down: `/a/b` is ["", "a", "b"]."""
    text = operation.get(member)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _CannotApplyError(f"{name} operation failed to decode {member}: missing value")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _parent(root: Json, path: list[str]) -> Any:
    """The container that holds the last key of a pointer."""
    node: Any = root
    for key in path[:-1]:
        try:
            node = _step(node, key)
        except _CannotApplyError:
            raise _NowhereError from None
    if not isinstance(node, (dict, list)):
        raise _NowhereError
    return node


def _step(node: Any, key: str) -> Any:
    if isinstance(node, dict) and key in node:
        return node[key]
    if isinstance(node, list):
        return node[_index(key, len(node))]
    raise _CannotApplyError(f"Unable to remove nonexistent key: {key}: missing value")


def _find(root: Json, path: list[str]) -> Any:
    return _step(_parent(root, path), path[-1])


def _found_or_null(root: Json, path: list[str]) -> Any:
    """What stands there; upstream's library copies a member that an object does not have as null."""
    parent = _parent(root, path)
    return parent.get(path[-1]) if isinstance(parent, dict) else _step(parent, path[-1])


def _take(root: Json, path: list[str]) -> Any:
    parent = _parent(root, path)
    value = _step(parent, path[-1])
    del parent[path[-1] if isinstance(parent, dict) else _index(path[-1], len(parent))]
    return value


def _holder(root: Json, path: list[str]) -> Any:
    """The parent of a place to write to, which the whole document is not (upstream refuses that)."""
    if len(path) == 1:
        raise _NowhereError
    return _parent(root, path)


def _insert(root: Json, path: list[str], value: Any) -> None:
    parent = _holder(root, path)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    else:
        parent.insert(_index(path[-1], len(parent) + 1, "value was not a proper array index: '{}': "), value)


def _index(key: str, size: int, improper: str = "") -> int:
    """A place in a list; negative ones count from the end, which upstream's library allows."""
    if not _INDEX.fullmatch(key):
        raise _CannotApplyError(f'{improper.format(key)}strconv.Atoi: parsing "{key}": invalid syntax')
    index = int(key)
    if not -size <= index < size:
        raise _CannotApplyError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index % size
