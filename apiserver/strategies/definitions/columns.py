"""Printer columns, the paths of /scale, selectable fields. Source: apiextensions/validation/validation.go."""

from collections.abc import Iterator, Sequence

from apimachinery.errors import TOO_MANY, FieldError
from apimachinery.types import Json
from apiserver.strategies.problems import Problems, duplicate, invalid, required
from apiserver.structural.paths import resolved

_TYPES = ("boolean", "date", "integer", "number", "string")
_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MOST_SELECTABLE = 8


def check_column(path: str, column: Json) -> Problems:
    """One printer column."""
    if not column.get("name"):
        yield required(f"{path}.name")
    kind, format_, where = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
    if not kind:
        yield required(f"{path}.type", f"must be one of {','.join(_TYPES)}")
    elif kind not in _TYPES:
        yield invalid(f"{path}.type", kind, f"must be one of {','.join(_TYPES)}")
    if format_ and format_ not in _FORMATS:
        yield invalid(f"{path}.format", format_, f"must be one of {','.join(_FORMATS)}")
    if not where:
        yield required(f"{path}.JSONPath")
    else:
        yield from _simple_path(f"{path}.JSONPath", where)


def _simple_path(path: str, where: str) -> Problems:
    if not where:
        yield invalid(path, where, "must not be empty")
    elif not where.startswith("."):
        yield invalid(path, where, "must be a simple json path starting with .")


def check_subresources(path: str, subresources: Json | None) -> Problems:
    """The paths of /scale."""
    scale = (subresources or {}).get("scale")
    if scale is None:
        return
    for name, part in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        here, where = f"{path}.scale.{name}", scale.get(name) or ""
        if not where:
            yield required(here)
        elif problems := [*_simple_path(here, where)]:
            yield from problems
        elif not where.startswith(f"{part}."):
            yield invalid(here, where, f"should be a json path under {part}")
    if where := scale.get("labelSelectorPath"):
        here = f"{path}.scale.labelSelectorPath"
        if problems := [*_simple_path(here, where)]:
            yield from problems
        elif not where.startswith((".spec.", ".status.")):
            yield invalid(here, where, "should be a json path under either .spec or .status")


def check_selectable(path: str, fields: Sequence[Json], schema: Json) -> Iterator[FieldError]:
    """Selectable fields lead to scalars outside metadata, each once, and are few."""
    seen = set[str]()
    for i, field in enumerate(fields):
        here, where = f"{path}[{i}].jsonPath", field.get("jsonPath") or ""
        if not where:
            yield required(here)
            continue
        try:
            found, target = resolved(where, schema, brackets=False)
        except ValueError as error:
            yield invalid(here, where, f"is an invalid path: {error}")
            continue
        if found == "metadata" or found.startswith(("metadata.", "metadata[")):
            yield invalid(here, where, "must not point to fields in metadata")
        if target.get("type") not in ("string", "boolean", "integer"):
            yield invalid(
                here,
                where,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed.",
            )
        if found in seen:
            yield duplicate(here, where)
        seen.add(found)
    if len(seen) > MOST_SELECTABLE:
        yield FieldError(path, TOO_MANY, f"must have at most {MOST_SELECTABLE} items", len(seen))
