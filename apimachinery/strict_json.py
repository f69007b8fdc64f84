"""Bytes of JSON or YAML to a plain tree, strictly: one document, bounded depth, duplicate fields reported.

What cannot be read is an ApiError 400 in upstream's words. Duplicate fields are no error here (the last one counts,
as in Go): their descriptions are returned, for `fieldValidation` to decide about, and looked for only when asked.
Which fields an object may have is the business of `schema`. YAML is read as sigs.k8s.io/yaml reads it: YAML 1.1
booleans, no timestamps, no base-60 numbers, keys made strings, merges and aliases resolved.
differs: bytes that are not UTF-8 are refused; Go replaces them.
"""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from apimachinery.errors import ApiError, bad_request
from apimachinery.json_syntax import complaint
from apimachinery.trees import MAX_DEPTH, is_deeper
from apimachinery.yaml_loader import YamlError, load_all, load_first

#: How many problems upstream reports at most (sigs.k8s.io/json).
MAX_PROBLEMS = 100
#: Marks of spellings that hide a key's colon from a plain search.
_ODD_SPELLINGS = (b"\\u", b" :", b"\t:", b"\n:", b"\r:")


class _Doubled(dict[str, Any]):
    """An object some of whose keys stood there twice."""

    doubled: tuple[str, ...] = ()


def decode(
    data: bytes, *, is_yaml: bool = False, duplicates: bool = False, expected: str = ""
) -> tuple[Any, list[str]]:
    """The tree of one document, and what was duplicated (`duplicate field "spec.replicas"`).

    `expected` is the Kind that a body should be, for the message of the 400; leave it out for patches.
    """
    read = decode_yaml if is_yaml else decode_json
    return read(data, duplicates=duplicates, expected=expected)


def decode_json(data: bytes, *, duplicates: bool = False, expected: str = "") -> tuple[Any, list[str]]:
    """See `decode`. Costs little more than msgspec unless there is something to report."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(_why(data, error), data, expected)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_deeper(tree, MAX_DEPTH):
        _refuse("exceeded max depth", data, expected)
    if duplicates and _may_have_duplicates(data, tree):
        return tree, _duplicates(data)
    return tree, []


def decode_yaml(data: bytes, *, duplicates: bool = False, expected: str = "") -> tuple[Any, list[str]]:
    """See `decode`. The first document of the stream counts, as upstream reads it."""
    try:
        tree, doubled = load_first(data)
    except YamlError as error:
        raise unrecognized(str(error), data, expected) if expected else bad_request(str(error)) from None
    return tree, doubled if duplicates else []


def documents(text: str) -> Iterator[Any]:
    """Every document of a stream of YAML or JSON that is not empty (manifests given to the CLI).

    Raises ValueError with Go's text where the stream is broken.
    """
    return (tree for tree in load_all(text) if tree is not None)


def unrecognized(why: str, data: bytes, expected: str) -> ApiError:
    """The 400 for a body that is no object of the API at all."""
    return bad_request(f"the object provided is unrecognized (must be of type {expected}): {why} ({summary(data)})")


def summary(data: bytes, most: int = 30) -> str:
    """The beginning of a body, as upstream shows it: text of what looks like JSON, hex of the rest."""
    if not data:
        return "<empty>"
    head = data[:most]
    shown = head.decode(errors="replace") if data.startswith(b"{") else head.hex()
    return f"{shown} ..." if len(data) > most else shown


def _refuse(why: str, data: bytes, expected: str) -> NoReturn:
    if expected:
        raise unrecognized(f"couldn't get version/kind; json parse error: {why}", data, expected)
    raise bad_request(f"error decoding patch: {why}")


def _why(data: bytes, error: Exception) -> str:
    """Go's complaint; what only we refuse (surrogates, depth, numbers without end) keeps the decoder's words."""
    if isinstance(error, RecursionError):
        return "exceeded max depth"
    return complaint(data) or str(error)


def _may_have_duplicates(data: bytes, tree: Any) -> bool:
    """A few microseconds that rule duplicates out: a lost key is a lost `":` once the tree is written again."""
    written = msgspec.json.encode(tree)
    if written == data.strip():
        return False
    if any(mark in data for mark in _ODD_SPELLINGS):
        return True
    return data.count(b'":') != written.count(b'":')


def _duplicates(data: bytes) -> list[str]:
    """The long way: every object is built from its pairs."""
    marked = False

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal marked
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        marked = True
        found = _Doubled(plain)
        seen: set[str] = set()
        found.doubled = tuple(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        return found

    tree = json.loads(data, object_pairs_hook=build)
    return list(_located(tree, ""))[:MAX_PROBLEMS] if marked else []


def _located(node: Any, path: str) -> Iterator[str]:
    """`duplicate field "spec.ports[0].name"`, once for each repetition."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _located(item, f"{path}[{i}]")
    elif isinstance(node, dict):
        dot = f"{path}." if path else ""
        doubled = dict.fromkeys(node.doubled) if isinstance(node, _Doubled) else {}
        for key in doubled:
            yield f'duplicate field "{dot}{key}"'
        for key, item in node.items():
            yield from _located(item, f"{dot}{key}")


def in_order(data: bytes, problems: list[str]) -> list[str]:
    """Problems that name a field (`unknown field "spec.x"`, `duplicate field "spec.y"`), as they follow in a JSON body.

    Go meets both in one pass. What the body does not name, or is no JSON, stays where it is.
    """
    try:
        pairs = json.loads(data, object_pairs_hook=_Pairs)
    except ValueError:
        return problems
    places: dict[str, int] = {}
    for place, (path, again) in enumerate(_walked(pairs, "")):
        places.setdefault(f'{"duplicate" if again else "unknown"} field "{path}"', place)
    return sorted(problems, key=lambda problem: places.get(problem, len(places)))


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, with what stands there twice."""


def _walked(node: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Every field's path as the body names it, and whether it was there before."""
    if isinstance(node, _Pairs):
        seen: set[str] = set()
        dot = f"{path}." if path else ""
        for key, item in node:
            yield f"{dot}{key}", key in seen
            seen.add(key)
            yield from _walked(item, f"{dot}{key}")
    elif isinstance(node, list):
        for i, item in enumerate(node):
            yield from _walked(item, f"{path}[{i}]")
