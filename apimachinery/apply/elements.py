"""One step of a field's path: its text in FieldsV1, its order, and how messages show it.

    f:NAME          a field of an object
    k:{"key":...}   the element of a list that has these keys
    v:VALUE         an element of a set
    i:INDEX         an element by its place

A step is kept as that text, in one spelling for each step, so that equal steps are equal strings. Numbers are written
as Go writes them, and `<`, `>`, `&` in strings escaped as Go escapes them: the text is compared by other servers too.
Source: structured-merge-diff/fieldpath/{element,serialize-pe}.go, value/value.go (Compare, ToString).
"""

from functools import lru_cache
from typing import Any

import msgspec

_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"},
)


class Malformed(ValueError):
    """Text that is no step of a path."""


def text_of(value: Any) -> str:
    """A value as the JSON that stands in a step."""
    if value.__class__ is float and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    return msgspec.json.encode(value, order="sorted").decode().translate(_ESCAPES)


@lru_cache(maxsize=4096, typed=True)
def by_value(value: Any) -> str:
    """The step to an element of a set."""
    return f"v:{text_of(value)}"


@lru_cache(maxsize=4096, typed=True)
def by_keys(names: tuple[str, ...], *values: Any) -> str:
    """The step to the element of a list that has these keys. Names are sorted."""
    inner = ",".join(f"{text_of(name)}:{text_of(value)}" for name, value in zip(names, values, strict=True))
    return f"k:{{{inner}}}"


def parsed(step: str) -> str | None:
    """The step in its one spelling; None for a type of step that a later version may know. Raises Malformed."""
    if len(step) < 2:
        raise Malformed("key must be 2 characters long:")
    if step[1] != ":":
        raise Malformed(f"missing colon: {step}")
    kind, text = step[0], step[2:]
    if kind == "f":
        return step
    if kind == "i":
        return f"i:{_index(text)}"
    if kind == "v":
        return f"v:{text_of(_value(text))}"
    if kind == "k":
        return _canonical_keys(_value(text))
    return None


def _index(text: str) -> int:
    if not (text.lstrip("+-").isdigit() and text.isascii()) or len(text) > 20:
        raise Malformed(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Malformed(str(error)) from None


def _canonical_keys(keys: Any) -> str:
    if not isinstance(keys, dict):
        raise Malformed("keys must be an object")
    inner = ",".join(f"{text_of(name)}:{text_of(keys[name])}" for name in sorted(keys))
    return f"k:{{{inner}}}"


def shown(step: str) -> str:
    """The step as it stands in a path for people: `.name`, `[name="web"]`, `[="value"]`, `[0]`."""
    kind, text = step[0], step[2:]
    if kind == "f":
        return f".{text}"
    if kind == "i":
        return f"[{text}]"
    value = _value(text)
    if kind == "v":
        return f"[={_shown_value(value)}]"
    return "[" + ",".join(f"{name}={_shown_value(value[name])}" for name in sorted(value)) + "]"


def _shown_value(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"{name}={_shown_value(value[name])}" for name in sorted(value))
    if isinstance(value, list):
        return "[" + ",".join(map(_shown_value, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return msgspec.json.encode(value).decode()


@lru_cache(maxsize=4096)
def order(step: str) -> Any:
    """What steps are sorted by: fields, keys, values, indexes; within these by value."""
    kind, text = step[0], step[2:]
    if kind == "f":
        return (0, text)
    if kind == "k":
        keys = _value(text)
        return (1, tuple((name, *_comparable(keys[name])) for name in sorted(keys)))
    if kind == "v":
        return (2, *_comparable(_value(text)))
    return (3, int(text)) if kind == "i" else (-1, "")  # the path itself comes first


def _comparable(value: Any) -> tuple[Any, ...]:
    """Something in Go's total order of values: numbers, strings, booleans, lists, objects, null."""
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, (int, float)):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, list):
        return (3, tuple(_comparable(item) for item in value))
    if isinstance(value, dict):
        return (4, tuple((name, *_comparable(value[name])) for name in sorted(value)))
    return (5,)
