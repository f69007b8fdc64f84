"""What the generated views share: names on the wire, and decoding. Generated with them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

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
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(tree), kind)


def decode(data: bytes, kind: type[T]) -> T:
    """Bytes of JSON as a typed, frozen view; several times faster than decoding to a tree."""
    return decoder(kind)(data)


def decoder(kind: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """What decodes many objects of one type. Go writes `null` for an empty list: a view has none there."""
    strict = msgspec.json.Decoder(kind).decode

    def lenient(data: bytes | msgspec.Raw) -> T:
        try:
            return strict(data)
        except msgspec.ValidationError:
            return msgspec.convert(_without_nulls(msgspec.json.decode(data)), kind)

    return lenient


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
