"""JSON trees as YAML, byte for byte as Kubernetes writes it (goyaml v2 behind sigs.k8s.io/yaml), by PyYAML's C emitter.

The emitters are ports of one another, so only three choices have to be made as Go makes them: which texts are quoted
(those that would be read as something else; twice, not once), that several lines become a block, and the order of keys.
Source: go.yaml.in/yaml/v2 (encode.go, resolve.go, sorter.go).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from typing import Any

import yaml

from apimachinery.yaml_loader import OTHER_THAN_TEXT

_TAG = "tag:yaml.org,2002:"
_MOMENT = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ ]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}.*)?"
_BASE_60 = r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
_QUOTED = re.compile(rf"(?:{OTHER_THAN_TEXT}|{_MOMENT}|{_BASE_60})", re.ASCII)
_IS_PLAIN = re.compile(r"[A-Za-z]*").fullmatch


def dumped(tree: Any) -> bytes:
    """The document's bytes."""
    text: str = yaml.dump(tree, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    return text.encode()


class _Dumper(yaml.CSafeDumper):
    """PyYAML's C dumper with Go's choices."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else '"' if _QUOTED.fullmatch(value) else None
    return dumper.represent_scalar(f"{_TAG}str", value, style=style)


def _float(dumper: Any, value: float) -> Any:
    text = repr(value)
    mantissa, mark, power = text.partition("e")
    if mark and len(power) < 3:
        text = f"{mantissa}e{power[0]}0{power[1:]}"
    return dumper.represent_scalar(f"{_TAG}float", text)


def _mapping(dumper: Any, value: Mapping[str, Any]) -> Any:
    return dumper.represent_mapping(f"{_TAG}map", [(key, value[key]) for key in ordered(value)])


def ordered(keys: Mapping[str, Any]) -> Sequence[str]:
    """The keys in Go's order: of letters by code, letters behind all else, numbers by what they count."""
    if all(map(_IS_PLAIN, keys)):
        return sorted(keys)
    return sorted(keys, key=cmp_to_key(_compared))


def _compared(one: str, other: str) -> int:
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return len(one) - len(other)
    a, b = one[at], other[at]
    if a.isalpha() and b.isalpha():
        return -1 if a < b else 1
    if a.isalpha() or b.isalpha():
        return -1 if b.isalpha() else 1
    lead = int("0" in (a, b) and _follows_a_count(one, at))
    left, right = _digits(one, at), _digits(other, at)
    x, y = _count(f"{lead}{left}"), _count(f"{lead}{right}")
    return -1 if (x, len(left), a) < (y, len(right), b) else 1


def _follows_a_count(text: str, at: int) -> bool:
    """Whether a zero here stands within a number that has begun."""
    for letter in reversed(text[:at]):
        if not letter.isdecimal():
            return False
        if letter != "0":
            return True
    return False


def _digits(text: str, at: int) -> str:
    found = re.match(r"[0-9]*", text[at:])
    return found[0] if found else ""


def _count(digits: str) -> int:
    """What Go's int64 comes to, which wraps. Digits further left count for nothing: 2**64 divides 10**64."""
    wrapped = int(digits[-64:]) & (1 << 64) - 1
    return wrapped - (1 << 64) if wrapped >> 63 else wrapped


_Dumper.add_implicit_resolver(f"{_TAG}float", re.compile(r"-?[0-9.]+e[-+][0-9]+\Z"), list("-0123456789"))
_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)
_Dumper.add_representer(dict, _mapping)
