"""How defaults are set: a value that is absent (or at Go's zero value, where upstream keeps no pointer) is filled."""

from collections.abc import Iterable
from typing import Any

from apimachinery.types import Json


def fill(tree: Json, name: str, value: Any) -> None:
    """Set a field that is absent, null or the empty text."""
    if tree.get(name) in (None, ""):
        tree[name] = value


def fill_absent(tree: Json, name: str, value: Any) -> None:
    """Set a field that upstream keeps a pointer to: the empty text is a value, if a wrong one."""
    if tree.get(name) is None:
        tree[name] = value


def fill_zero(tree: Json, name: str, value: int) -> None:
    """Set a number that is absent or zero (upstream's fields without a pointer)."""
    if not tree.get(name):
        tree[name] = value


def part(tree: Json, name: str) -> Json:
    """A sub-tree to fill, made where it is absent."""
    if tree.get(name) is None:
        tree[name] = {}
    member: Json = tree[name]
    return member


def items(tree: Json, *lists: str) -> Iterable[Json]:
    """Every element of the named lists of a tree."""
    for name in lists:
        yield from tree.get(name) or ()
