"""kubectl's JSONPath templates: `{range .items[*]}{.metadata.name}{end}`, filters, slices. Pure.

A template is text with expressions in braces. `find` gives the values of one expression, `render` a template's text.
Source: client-go/util/jsonpath (its dialect: `..`, `[?(@.a=="b")]`, `[0:2]`, `['a','b']`, `range`/`end`).
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from apimachinery import jsonpath
from cli.flags import UsageError


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
    try:
        return jsonpath.find(expression, tree, root)
    except jsonpath.BadPath as error:
        raise UsageError(str(error)) from None


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
