"""How large values of a schema can be, in a request of at most 3 MiB: what estimates of costs start from.

Source: apiserver/pkg/cel/common/schemas.go, apiserver/pkg/cel/limits.go, apiextensions' schema/cel/compilation.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.types import Json
from apiserver.cel.schemas import escape, with_meta

MAX_REQUEST = 3 * 1024 * 1024
_DURATION, _DATETIME, _DATE = (3, 32), (21, 32), (12, 12)  # smallest and largest serialized size
_FORMATS = {"duration": _DURATION, "date": _DATE, "date-time": _DATETIME}


@dataclass(frozen=True, slots=True)
class Sized:
    """The most elements (characters, items, entries) a value may have, and the least bytes it takes in JSON."""

    elements: int
    least: int
    item: "Sized | None" = None  #: of lists and maps
    key: "Sized | None" = None  #: of maps
    fields: Mapping[str, "Sized"] = field(default_factory=dict)
    any_field: "Sized | None" = None  #: of maps whose keys are said as fields

    def at(self, path: Sequence[str]) -> "Sized | None":
        """What lies at a path of `@items`, `@values`, `@keys` and fields."""
        found: Sized | None = self
        for name in path:
            if found is None:
                return None
            if name in ("@items", "@values"):
                found = found.item
            elif name == "@keys":
                found = found.key
            else:
                found = found.fields.get(name, found.any_field)
        return found

    def cardinality(self) -> int:
        """How often it can be in one request."""
        return MAX_REQUEST // (self.least + 1)


_UNLIMITED = MAX_REQUEST - 2
_KEY = Sized(0, 2)  # upstream gives map keys no size of their own
#: Of scalars: one element is what every estimate takes them for.
_BOOL, _NUMBER = Sized(0, 4), Sized(0, 1)


def sized(schema: Json, *, root: bool = False) -> Sized | None:
    """The sizes of a structural schema; None where no type is known."""
    if schema.get("x-kubernetes-int-or-string"):
        return Sized(4 * _length(schema) if "maxLength" in schema else _UNLIMITED, 1)
    if root:
        schema = with_meta(schema)
    match schema.get("type"):
        case "array":
            return _list(schema)
        case "object":
            return _object(schema)
        case "string":
            return _string(schema)
        case "boolean":
            return _BOOL
        case "number" | "integer":
            return _NUMBER
    return None


def _length(schema: Json) -> int:
    return max(0, int(schema["maxLength"]))


def _embedded(schema: Json) -> Sized | None:
    return sized(schema, root=bool(schema.get("x-kubernetes-embedded-resource")))


def _list(schema: Json) -> Sized | None:
    items = schema.get("items")
    item = _embedded(items) if isinstance(items, dict) else None
    if item is None:
        return None
    most = schema.get("maxItems")
    return Sized(max(0, most) if most is not None else _UNLIMITED // (item.least + 1), 2, item)


def _object(schema: Json) -> Sized | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        item = _embedded(additional)
        if item is None:
            return None
        most = schema.get("maxProperties")
        return Sized(max(0, most) if most is not None else _UNLIMITED // (item.least + 6), 2, item, _KEY)
    required = schema.get("required") or ()
    fields: dict[str, Sized] = {}
    least = 2
    for name, property in (schema.get("properties") or {}).items():
        found = _embedded(property)
        if found is None:
            continue
        if (escaped := escape(name)) is not None:
            fields[escaped] = found
        if name in required and property.get("default") is None:
            least += len(name) + found.least + 4
    return Sized(0, least, fields=fields)


def _string(schema: Json) -> Sized:
    format = schema.get("format", "")
    if format in _FORMATS:
        return Sized(_FORMATS[format][1], _FORMATS[format][0])
    if format == "byte":
        return Sized(_length(schema) if "maxLength" in schema else _UNLIMITED, 2)
    if "maxLength" in schema:
        return Sized(4 * _length(schema), 2)
    if schema.get("enum"):
        return Sized(max((len(v.encode()) for v in schema["enum"] if isinstance(v, str)), default=0), 2)
    return Sized(_UNLIMITED, 2)
