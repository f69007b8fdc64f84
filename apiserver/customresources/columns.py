"""The printer columns of a version as a Table. Source: pkg/registry/customresource/tableconvertor."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from apimachinery import jsonpath, times
from apimachinery.types import Json
from apiserver.tables import description_of
from apiserver.tables.ages import since
from apiserver.tables.table import NAME, Cells, Column, Table, name_of

_CREATED = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
AGE: Json = {"name": "Age", "type": "date", "description": _CREATED, "jsonPath": ".metadata.creationTimestamp"}
_DESCRIPTION = "Custom resource definition column (in JSONPath format): "


def table(columns: Sequence[Json]) -> Table:
    """The Table of a version; only the name where a path cannot be read."""
    rows = columns or (AGE,)
    try:
        for row in rows:
            jsonpath.parsed(row["jsonPath"])
    except jsonpath.BadPath:
        rows = ()
    makers = [partial(_cell, row["jsonPath"], _SHOWN.get(row["type"], _nothing)) for row in rows]

    def cells(tree: Json, now: float) -> Cells:
        return [name_of(tree), *(make(tree, now) for make in makers)]

    return Table((replace(NAME, description=description_of("Name")), *map(_column, rows)), cells)


def _column(row: Json) -> Column:
    return Column(
        row["name"],
        type=row["type"],
        format=row.get("format", ""),
        description=row.get("description") or _DESCRIPTION + row["jsonPath"],
        priority=row.get("priority", 0),
    )


def _cell(path: str, shown: Callable[[Any, float], Any], tree: Json, now: float) -> Any:
    found = jsonpath.find(path, tree)
    return shown(found[0], now) if found and found[0] is not None else None


def _nothing(_value: Any, _now: float) -> Any:
    return None


def _integer(value: Any, _now: float) -> Any:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _number(value: Any, _now: float) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _boolean(value: Any, _now: float) -> Any:
    return value if isinstance(value, bool) else None


def _text(value: Any, _now: float) -> Any:
    """As a JSONPath template prints it: text bare, the rest as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _date(value: Any, now: float) -> Any:
    if not isinstance(value, str):
        return None
    try:
        times.parse(value)
    except ValueError:
        return "<invalid>"
    return since(value, now)


_SHOWN: dict[str, Callable[[Any, float], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _text,
    "date": _date,
}
