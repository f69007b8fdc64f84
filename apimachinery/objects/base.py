"""What the generated views share: names on the wire, and decoding. Generated with them."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from apimachinery.types import Json

T = TypeVar("T")


def _renamed(names: Mapping[str, str]) -> Callable[[str], str]:
    """camelCase, but for the names whose acronyms it would get wrong (`hostIP`)."""

    def rename(name: str) -> str:
        if name in names:
            return names[name]
        first, *rest = name.strip("_").split("_")
        return first + "".join(part.capitalize() for part in rest)

    return rename


def view(tree: Json, kind: type[T]) -> T:
    """A raw object as a typed, frozen view."""
    return msgspec.convert(tree, kind)


def decode(data: bytes, kind: type[T]) -> T:
    """Bytes of JSON as a typed, frozen view; several times faster than decoding to a tree."""
    return msgspec.json.decode(data, type=kind)
