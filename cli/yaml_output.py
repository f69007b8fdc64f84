"""YAML as kubectl prints it (sigs.k8s.io/yaml on goyaml.v2). Pure.

libyaml's emitter is the one that goyaml was translated from, so only three rules are ours: keys are in goyaml's natural
order, strings that would read back as something else are in double quotes, strings of several lines are blocks.
"""

import re
from functools import cmp_to_key
from typing import Any

import yaml

_WORDS = frozenset(
    word
    for lower in ("true", "false", "null", "y", "yes", "on", "n", "no", "off")
    for word in (lower, lower.capitalize(), lower.upper())
) | {"", "~", "<<"}
_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d{1,2}:\d\d)?)?")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml with the rules above; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def is_ambiguous(text: str) -> bool:
    """Whether a plain scalar with this text would not be read back as a string."""
    return text in _WORDS or any(pattern.fullmatch(text) for pattern in (_INT, _FLOAT, _BASE60, _TIME))


def _string(dumper: Any, value: str) -> yaml.Node:
    style = '"' if is_ambiguous(value) else "|" if "\n" in value else None
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)
    return node


_Dumper.add_representer(str, _string)


def to_yaml(tree: Any) -> str:
    """The text."""
    text: str = yaml.dump(
        _ordered(tree), Dumper=_Dumper, default_flow_style=False, sort_keys=False, width=80, allow_unicode=True
    )
    return text


def _ordered(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _ordered(tree[key]) for key in sorted(tree, key=cmp_to_key(_compare))}
    return [_ordered(item) for item in tree] if isinstance(tree, list) else tree


def _compare(a: str, b: str) -> int:
    """Natural order: numbers by value, what is no letter before letters."""
    for i, (left, right) in enumerate(zip(a, b, strict=False)):
        if left == right:
            continue
        if left.isalpha() or right.isalpha():
            if left.isalpha() and right.isalpha():
                return -1 if left < right else 1
            return -1 if right.isalpha() else 1
        numbers = _number(a, i), _number(b, i)
        if numbers[0] != numbers[1]:
            return -1 if numbers[0] < numbers[1] else 1
        return -1 if left < right else 1
    return len(a) - len(b)


def _number(text: str, start: int) -> tuple[int, int]:
    """The value of the digits from `start` (led by a 1 where they continue a number), and where they end."""
    end = start
    while end < len(text) and text[end].isdigit():
        end += 1
    first = start
    while first and text[first - 1].isdigit():
        first -= 1
    lead = "1" if text[first:start].strip("0") else ""
    digits = lead + text[start:end]
    return (int(digits) if digits else 0), end
