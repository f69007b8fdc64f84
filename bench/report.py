"""The rows of the one table, and the table."""

import statistics
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `aim` is what it must stay below (None: no aim was set); `note` says how it was measured."""

    what: str
    value: float
    unit: str = "s"
    aim: float | None = None
    note: str = ""

    @property
    def result(self):
        return f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:,.2f} {self.unit}"

    @property
    def verdict(self):
        if self.aim is None:
            return ""
        return f"< {self.aim:g} {self.unit} {'[green]met[/]' if self.value < self.aim else '[red]missed[/]'}"


def median(what, values, *, aim=None, unit="s", note=""):
    """A row of several runs: the median, and in the note how far they lie apart."""
    spread = f"median of {len(values)}, {min(values):.2f} to {max(values):.2f}" if len(values) > 1 else "one run"
    return Row(what, statistics.median(values), unit, aim, "; ".join(filter(None, (spread, note))))


def table(title, rows):
    """The rows as rich prints them."""
    shown = Table("what", "result", "aim", "how", title=title, title_justify="left")
    for row in rows:
        shown.add_row(row.what, row.result, row.verdict, row.note)
    return shown
