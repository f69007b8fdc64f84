"""JSONPath expressions of Kubernetes' dialect over plain trees: kubectl's templates, a CRD's printer columns. Pure.

The dialect is client-go's: `..`, `[?(@.a=="b")]`, `[0:2]`, `['a','b']`, escaped dots in names. A path is taken apart
once and kept. Source: client-go/util/jsonpath.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

_STEP = re.compile(
    r"""\.\.(?P<deep>[\w\-]+|\*)|\.(?P<name>(?:[\w\-/]|\\\.)+|\*)|\[\?\((?P<filter>.*?)\)\]"""
    r"""|\[(?P<slice>-?\d{0,18}:-?\d{0,18}(?::-?\d{1,18})?)\]|\[(?P<index>-?\d{1,18}(?:,-?\d{1,18})*)\]|\[(?P<keys>'[^']*'(?:,'[^']*')*)\]|\[(?P<all>\*)\]"""
)
_COMPARISON = re.compile(r"""^\s*(@[^=!<>]*?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$""")


class BadPath(ValueError):
    """An expression that is no path."""


def find(expression: str, tree: Any, root: Any = None) -> list[Any]:
    """The values of one expression, without braces; `$` in it stands for `root`. Raises BadPath."""
    root = tree if root is None else root
    from_root, steps = parsed(expression)
    values = [root if from_root else tree]
    for kind, text in steps:
        values = [found for value in values for found in _step(kind, text, value, root)]
    return values


@lru_cache(maxsize=4096)
def parsed(expression: str) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether the path starts at the root, and its steps. Raises BadPath."""
    position = 1 if expression[:1] in ("$", "@") else 0
    from_root = expression.startswith("$")
    if expression[position:] and expression[position] not in ".[":
        expression, position = f".{expression[position:]}", 0
    if expression[position:] == ".":
        return from_root, ()
    steps: list[tuple[str, str]] = []
    while position < len(expression):
        match = _STEP.match(expression, position)
        if match is None:
            raise BadPath(f"error parsing jsonpath {expression}, invalid syntax at {expression[position:]!r}")
        kind = match.lastgroup
        assert kind is not None
        steps.append((kind, match.group(kind)))
        position = match.end()
    return from_root, tuple(steps)


def _step(kind: str, text: str, value: Any, root: Any) -> Sequence[Any]:
    if kind == "name":
        name = text.replace("\\.", ".")
        if name == "*":
            return _children(value)
        return [value[name]] if isinstance(value, dict) and name in value else []
    if kind == "all":
        return _children(value)
    if kind == "deep":
        everything = list(_descendants(value))
        return everything if text == "*" else [v[text] for v in everything if isinstance(v, dict) and text in v]
    if kind == "keys":
        names = re.findall(r"'([^']*)'", text)
        return [value[name] for name in names if isinstance(value, dict) and name in value]
    if not isinstance(value, list):
        return []
    if kind == "index":
        return [value[int(i)] for i in text.split(",") if -len(value) <= int(i) < len(value)]
    if kind == "slice":
        return value[slice(*(int(part) if part else None for part in text.split(":")))]
    return [item for item in value if _holds(text, item, root)]


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descendants(child)


def _holds(condition: str, item: Any, root: Any) -> bool:
    match = _COMPARISON.match(condition)
    if match is None:
        return bool(find(condition.strip(), item, root))
    path, operator, literal = match.groups()
    left = find(path.strip(), item, root)
    right = find(literal, item, root)[:1] if literal[:1] in "@$" else [_literal(literal)]
    if not left or not right:
        return False
    if operator in ("==", "!="):
        return bool((left[0] == right[0]) == (operator == "=="))
    if type(left[0]) is not type(right[0]):
        return False
    comparisons = {
        "<": left[0] < right[0],
        ">": left[0] > right[0],
        "<=": left[0] <= right[0],
        ">=": left[0] >= right[0],
    }
    return bool(comparisons[operator])


def _literal(text: str) -> Any:
    if text[:1] in "\"'":
        return text[1:-1]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
