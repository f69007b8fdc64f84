"""What the printer of a kind is: its columns, and the cells of one object. The tables of kinds are made of these."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.types import Json
from apiserver.tables.ages import since

NONE = "<none>"
Cells = list[Any]
Printer = Callable[[Json, float], Cells]  # (object, now) -> the cells behind the name
Conditions = Callable[[Json], Sequence[Json]]  # what `kubectl get` may hide a row for
Order = Callable[[Json], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `wide` ones show with `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    wide: bool = False
    description: str = ""
    priority: int = 0

    def definition(self, description: str | None = None) -> Json:
        """The TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description if description is None else description,
            "priority": self.priority or int(self.wide),
        }


NAME = Column("Name", format="name")
AGE = Column("Age")
CREATED_AT = Column("Created At", type="date")


def text(name: str) -> Column:
    return Column(name)


def number(name: str) -> Column:
    return Column(name, type="integer")


def truth(name: str) -> Column:
    return Column(name, type="boolean")


def wide(name: str) -> Column:
    return Column(name, wide=True)


@dataclass(frozen=True, slots=True)
class Table:
    """A kind's table: the columns, and the function that gives a row's cells, in the columns' order."""

    columns: Sequence[Column]
    cells: Printer
    conditions: Conditions | None = None
    order: Order | None = None  # of the rows, where it is not that of the list

    def definitions(self) -> list[Json]:
        """The TableColumnDefinitions."""
        return [column.definition() for column in self.columns]


def table(*columns: Column, cells: Printer, conditions: Conditions | None = None, order: Order | None = None) -> Table:
    """A table whose first column is the name."""

    def row(tree: Json, now: float) -> Cells:
        return [name_of(tree), *cells(tree, now)]

    return Table((NAME, *columns), row, conditions, order)


def name_of(tree: Json) -> str:
    return str((tree.get("metadata") or {}).get("name", ""))


def spec_of(tree: Json) -> Json:
    return tree.get("spec") or {}


def status_of(tree: Json) -> Json:
    return tree.get("status") or {}


def age(tree: Json, now: float) -> str:
    """How long ago the object was made."""
    return since((tree.get("metadata") or {}).get("creationTimestamp"), now)


def labels(values: Mapping[str, str] | None) -> str:
    """`a=1,b=2`, or `<none>`."""
    return ",".join(f"{key}={values[key]}" for key in sorted(values)) if values else NONE


def selector(tree: Json | None) -> str:
    """A metav1.LabelSelector as kubectl writes it."""
    if tree is None:
        return NONE
    parts = [f"{key}={value}" for key, value in (tree.get("matchLabels") or {}).items()]
    for term in tree.get("matchExpressions") or ():
        key, operator = term.get("key", ""), term.get("operator", "")
        values = ",".join(sorted(term.get("values") or ()))
        shown = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(shown.get(operator, key))
    return ",".join(sorted(parts)) or NONE


def containers(template: Json | None) -> tuple[str, str]:
    """The names and the images of a template's containers, each as one cell."""
    entries = ((template or {}).get("spec") or {}).get("containers") or ()
    return ",".join(c.get("name", "") for c in entries), ",".join(c.get("image", "") for c in entries)


def joined(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in values)


def condition(tree: Json, kind: str) -> Json:
    """The status condition of a type, {} when there is none."""
    return next((c for c in status_of(tree).get("conditions") or () if c.get("type") == kind), {})


def is_true(tree: Json, kind: str) -> bool:
    return bool(condition(tree, kind).get("status") == "True")
