"""Paths of fields and map keys through a schema: `.spec['a.b'].c`. Source: apiserver/schema/cel/validation.go."""

import re

from apimachinery.types import Json

_TOKENS = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def resolved(where: str, schema: Json, *, brackets: bool = True) -> tuple[str, Json]:
    """A path of fields and map keys, in a field error's form, with the schema it leads to. Raises ValueError."""
    path, tokens = "", _TOKENS.findall(where)
    while tokens:
        found, *tokens = tokens
        if found == "[":
            if not brackets:
                raise ValueError("array notation is not allowed")
            if not tokens:
                raise ValueError("unexpected end of JSON path")
            quoted, *tokens = tokens
            if len(quoted) < 2 or quoted[0] != "'" or quoted[-1] != "'":
                raise ValueError(f"expected single quoted string but got {quoted}")
            path, schema = _step(path, schema, _unescaped(quoted[1:-1]))
            if not tokens:
                raise ValueError("unexpected end of JSON path")
            closing, *tokens = tokens
            if closing != "]":
                raise ValueError(f"expected ] but got {closing}")
        elif found == ".":
            if not tokens:
                raise ValueError("unexpected end of JSON path")
            name, *tokens = tokens
            path, schema = _step(path, schema, name)
        else:
            raise ValueError(f"expected [ or . but got: {found}")
    return path, schema


def _step(path: str, schema: Json, name: str) -> tuple[str, Json]:
    properties, more = schema.get("properties"), schema.get("additionalProperties")
    if properties:
        if name not in properties:
            raise ValueError("does not refer to a valid field")
        return f"{path}.{name}" if path else name, properties[name]
    if more is None:
        raise ValueError("does not refer to a valid field")
    return f"{path}[{name}]", more if isinstance(more, dict) else {}


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise ValueError(f"invalid string literal: invalid escape char {match[0]}")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", character, text)
