"""What the generated views share: names on the wire, and decoding. Generated with them."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from apimachinery.trees import without_nulls
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
    """A raw object as a typed, frozen view. Raises msgspec.ValidationError."""
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError:  # a null stands for a list that is not there: Go writes it so in places
        return msgspec.convert(without_nulls(tree), kind)


def decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Bytes of JSON as a typed, frozen view; several times faster than decoding to a tree. Raises DecodeError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        return view(msgspec.json.decode(data), kind)
