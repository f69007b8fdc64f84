"""kubectl's JSONPath templates: `{range .items[*]}{.metadata.name}{end}`, filters, slices. Pure.

A template is text with expressions in braces. `find` gives the values of one expression, `render` a template's text.
Source: client-go/util/jsonpath (its dialect: `..`, `[?(@.a=="b")]`, `[0:2]`, `['a','b']`, `range`/`end`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cli.flags import UsageError

_STEP = re.compile(
    r"""\.\.(?P<deep>[\w\-]+|\*)|\.(?P<name>(?:[\w\-/]|\\\.)+|\*)|\[\?\((?P<filter>.*?)\)\]"""
    r"""|\[(?P<slice>-?\d*:-?\d*(?::-?\d+)?)\]|\[(?P<index>-?\d+(?:,-?\d+)*)\]|\[(?P<keys>'[^']*'(?:,'[^']*')*)\]|\[(?P<all>\*)\]"""
)
_COMPARISON = re.compile(r"""^\s*(@[^=!<>]*?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$""")


def render(template: str, tree: Any) -> str:
    """The template's text for `tree`; a bare path may leave the braces out."""
    if "{" not in template:
        template = f"{{{template if template.startswith(('.', '$', '[')) else '.' + template}}}"
    text, rest = _render(list(_parts(template)), tree, tree)
    if rest:
        message = "not in range, nothing to end"
        raise UsageError(message)
    return text


def _parts(template: str) -> Iterator[tuple[str, str]]:
    position = 0
    for match in re.finditer(r"""\{((?:"[^"]*"|'[^']*'|[^{}])*)\}""", template):
        if match.start() > position:
            yield "text", template[position : match.start()]
        yield "expression", match.group(1).strip()
        position = match.end()
    if position < len(template):
        yield "text", template[position:]


def _render(parts: list[tuple[str, str]], tree: Any, root: Any) -> tuple[str, list[tuple[str, str]]]:
    """The text up to the matching `end`, and what follows it."""
    text = ""
    while parts:
        (kind, content), *parts = parts
        if kind == "text":
            text += content
        elif content == "end":
            return text, [("end", ""), *parts]
        elif content.startswith("range"):
            body = parts
            after: list[tuple[str, str]] = []
            for value in _find(content.removeprefix("range").strip(), tree, root):
                produced, after = _render(body, value, root)
                text += produced
            parts = after[1:] if after else _after_end(body)
        elif content[:1] in "\"'":
            text += content[1:-1].encode().decode("unicode_escape")
        else:
            text += " ".join(_shown(value) for value in _find(content, tree, root))
    return text, parts


def _after_end(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    depth = 1
    for index, (kind, content) in enumerate(parts):
        if kind == "expression":
            depth += content.startswith("range") - (content == "end")
        if depth == 0:
            return parts[index + 1 :]
    message = "unexpected end of template: range without end"
    raise UsageError(message)


def find(expression: str, tree: Any) -> list[Any]:
    """The values of one expression, with or without braces."""
    return _find(expression.strip().removeprefix("{").removesuffix("}"), tree, tree)


def _find(expression: str, tree: Any, root: Any) -> list[Any]:
    values = [root if expression.startswith("$") else tree]
    position = 1 if expression[:1] in "$@" else 0
    if expression[position:] and expression[position] not in ".[":
        expression, position = f".{expression[position:]}", 0
    if expression[position:] == ".":
        return values
    while position < len(expression):
        match = _STEP.match(expression, position)
        if match is None:
            message = f"error parsing jsonpath {expression}, invalid syntax at {expression[position:]!r}"
            raise UsageError(message)
        values = [found for value in values for found in _step(match, value, root)]
        position = match.end()
    return values


def _step(match: re.Match[str], value: Any, root: Any) -> Sequence[Any]:
    kind = match.lastgroup
    text = match.group(kind or 0)
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
        return bool(_find(condition.strip(), item, root))
    path, operator, literal = match.groups()
    left = _find(path.strip(), item, root)
    right = _find(literal, item, root)[:1] if literal[:1] in "@$" else [_literal(literal)]
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


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
