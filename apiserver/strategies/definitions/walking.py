"""Walks over an OpenAPI schema as a CRD has it: every schema in it, and questions about all of them."""

from collections.abc import Callable, Iterator
from typing import Any

from apimachinery.types import Json

#: Schemas in a list, in a map, alone: where schemas hold schemas.
_LISTS = ("allOf", "anyOf", "oneOf")
_MAPS = ("properties", "patternProperties", "definitions")
_SINGLE = ("not", "additionalProperties", "additionalItems")


def schemas(schema: Json) -> Iterator[Json]:
    """The schema itself and every schema in it."""
    yield schema
    for inner in children(schema):
        yield from schemas(inner)


def children(schema: Json) -> Iterator[Json]:
    """The schemas directly in a schema."""
    items = schema.get("items")
    if isinstance(items, dict):
        yield items
    elif isinstance(items, list):
        yield from (item for item in items if isinstance(item, dict))
    for name in _LISTS:
        yield from schema.get(name) or ()
    for name in _MAPS:
        yield from (schema.get(name) or {}).values()
    for name in _SINGLE:
        if isinstance(schema.get(name), dict):
            yield schema[name]
    yield from (inner for inner in (schema.get("dependencies") or {}).values() if isinstance(inner, dict))


def any_of(schema: Json | None, holds: Callable[[Json], Any]) -> bool:
    """Whether something holds for a schema or one in it."""
    return schema is not None and any(holds(inner) for inner in schemas(schema))
