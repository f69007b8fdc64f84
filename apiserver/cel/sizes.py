"""How big values can get that fit a schema: strings in characters, lists and maps in elements.

Where a schema sets no limit, the largest request that is accepted does. Estimates of what a rule costs start here.
Source: apiserver/pkg/cel/common/schemas.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apimachinery.types import Json
from apiserver.cel.schemas import escape

LARGEST_REQUEST = 3 * 1024 * 1024
_DURATION = _TIME = 32
_DATE = 12


@dataclass(frozen=True, slots=True)
class Size:
    """Of the values that a schema lets through."""

    most: int  # characters, or elements
    least_bytes: int  # of the shortest as JSON
    fields: Mapping[str, "Size"] = field(default_factory=dict)  # by the names that expressions use
    keys: "Size | None" = None
    items: "Size | None" = None  # of a list, or the values of a map

    def at(self, path: tuple[str, ...]) -> "Size | None":
        """What lies below."""
        found: Size | None = self
        for name in path:
            if found is None:
                return None
            if name in ("@items", "@values"):
                found = found.items
            elif name == "@keys":
                found = found.keys
            else:
                found = found.fields.get(name)
        return found

    @property
    def times(self) -> int:
        """How often such a value can stand in one request."""
        return LARGEST_REQUEST // (self.least_bytes + 1)


_STRING = Size(LARGEST_REQUEST - 2, 2)
#: What is never limited by a schema (the key of a map).
_ANY_STRING = Size(0, 2)
_META = Size(0, 2, {"name": _STRING, "generateName": _STRING})
_SCALARS = {"boolean": Size(0, 4), "number": Size(0, 1), "integer": Size(0, 1)}
_TIMES = {
    "duration": Size(_DURATION, 3),
    "date": Size(_DATE, _DATE),
    "date-time": Size(_TIME, 21),
}


def of(schema: Json, *, is_root: bool = False) -> Size | None:
    """The size of what fits a structural schema; None where expressions cannot see it."""
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Size(LARGEST_REQUEST - 2 if longest is None else max(longest, 0) * 4, 1)
    match schema.get("type"):
        case "array":
            return _list(schema)
        case "object":
            return _object(schema, is_root=is_root)
        case "string":
            return _string(schema)
        case scalar:
            return _SCALARS.get(scalar or "")


def _string(schema: Json) -> Size:
    longest, kind = schema.get("maxLength"), schema.get("format")
    if kind == "byte":
        return _STRING if longest is None else Size(max(longest, 0), 2)
    if kind in _TIMES:
        return _TIMES[kind]
    if longest is not None:
        return Size(max(longest, 0) * 4, 2)
    if values := schema.get("enum"):
        return Size(max((len(value.encode()) for value in values if isinstance(value, str)), default=0), 2)
    return _STRING


def _list(schema: Json) -> Size | None:
    items = schema.get("items")
    item = of(items, is_root=bool(items.get("x-kubernetes-embedded-resource"))) if isinstance(items, dict) else None
    if item is None:
        return None
    most = schema.get("maxItems")
    if most is None:
        most = (LARGEST_REQUEST - 2) // (item.least_bytes + 1)
    return Size(max(most, 0), 2, items=item)


def _object(schema: Json, *, is_root: bool) -> Size | None:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        value = of(values, is_root=bool(values.get("x-kubernetes-embedded-resource")))
        if value is None:
            return None
        most = schema.get("maxProperties")
        if most is None:
            most = (LARGEST_REQUEST - 2) // (value.least_bytes + 6)
        return Size(max(most, 0), 2, keys=_ANY_STRING, items=value)
    return _fields(schema, with_meta=is_root and not _has_meta(schema))


def _fields(schema: Json, *, with_meta: bool) -> Size:
    required, found, least = set(schema.get("required") or ()), {}, 2
    children = schema.get("properties") or {}
    for name, child in children.items():
        size = of(child, is_root=bool(child.get("x-kubernetes-embedded-resource")))
        if with_meta:
            size = _root_field(name) or size
        if size is None:
            continue
        if (escaped := escape(name)) is not None:
            found[escaped] = size
        if name in required and child.get("default") is None:
            least += len(name.encode()) + size.least_bytes + 4
    if with_meta:
        for name in ("apiVersion", "kind", "metadata"):
            if name not in children:
                size = found[name] = _root_field(name) or _STRING
                least += len(name) + size.least_bytes + 4 if name in required else 0
    return Size(0, least, found)


def _root_field(name: str) -> Size | None:
    if name == "metadata":
        return _META
    return _STRING if name in ("apiVersion", "kind") else None


def _has_meta(schema: Json) -> bool:
    """Whether a resource's schema describes apiVersion, kind and the names itself."""
    found = schema.get("properties") or {}
    meta = found.get("metadata") or {}
    named = meta.get("properties") or {}
    strings = (found.get("kind"), found.get("apiVersion"), named.get("name"), named.get("generateName"))
    return meta.get("type") == "object" and all(one is not None and one.get("type") == "string" for one in strings)
