"""kubectl's describe writer: levels of two spaces, and tabs that align as Go's text/tabwriter aligns them. Pure.

Source: kubectl/pkg/describe (PrefixWriter), k8s.io/cli-runtime tab writer settings, apimachinery/pkg/util/duration.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from apimachinery import times

MIN_WIDTH, PADDING = 0, 2


class Writer:
    """Collects lines with tabs; `text()` aligns them."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, level: int, text: str) -> None:
        """Text behind `level` times two spaces, as PrefixWriter.Write."""
        self._parts.append("  " * level + text)

    def line(self, text: str = "") -> None:
        """A line without prefix."""
        self._parts.append(text + "\n")

    def text(self) -> str:
        """All of it, aligned."""
        return tabbed("".join(self._parts))


def tabbed(text: str, *, min_width: int = MIN_WIDTH, padding: int = PADDING) -> str:
    """Go's text/tabwriter, padding with spaces: a column is a run of lines that have a cell there, ended by a tab."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[0] * (len(line) - 1) for line in lines]

    def column(start: int, stop: int, index: int) -> None:
        row = start
        while row < stop:
            if len(lines[row]) - 1 <= index:
                row += 1
                continue
            end = row
            while end < stop and len(lines[end]) - 1 > index:
                end += 1
            longest = max(len(lines[each][index]) for each in range(row, end))
            width = max(min_width, longest + padding)
            for each in range(row, end):
                widths[each][index] = width
            column(row, end, index + 1)
            row = end

    column(0, len(lines), 0)
    out = []
    for line, width in zip(lines, widths, strict=True):
        cells = [cell.ljust(width[i]) for i, cell in enumerate(line[:-1])]
        out.append("".join(cells) + line[-1])
    return "\n".join(out)


def map_lines(writer: Writer, title: str, values: Mapping[str, str] | None, level: int = 0) -> None:
    """`Labels:  a=b` with the rest below it."""
    writer.write(level, f"{title}:\t")
    if not values:
        writer.line("<none>")
        return
    for i, key in enumerate(sorted(values)):
        writer.line(f"{'' if i == 0 else '  ' * level + chr(9)}{key}={values[key]}")


def age(moment: str | None, now: float | None = None) -> str:
    """How long ago, as kubectl prints ages."""
    if not moment:
        return "<unknown>"
    return human((time.time() if now is None else now) - times.parse(moment))


def human(seconds: float) -> str:
    """duration.HumanDuration: `5s`, `3m20s`, `2d4h`."""
    if seconds < -1:
        return "<invalid>"
    total = int(seconds) if seconds > 0 else 0
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        rest = total % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = hours // 24 // 365
    if hours < 24 * 365 * 8:
        rest = days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


def rfc1123(moment: str | None) -> str:
    """`Fri, 22 Nov 2024 13:57:00 +0000`, in this machine's time zone; `<nil>`-like texts are the caller's."""
    if not moment:
        return "Mon, 01 Jan 0001 00:00:00 +0000"
    local = time.localtime(times.parse(moment))
    days, months = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), (
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    )  # fmt: skip
    return (
        f"{days[local.tm_wday]}, {local.tm_mday:02} {months[local.tm_mon - 1]} {local.tm_year} "
        + time.strftime("%H:%M:%S %z", local)
    )


def joined(values: Sequence[Any] | None, empty: str = "") -> str:
    """`a,b`."""
    return ",".join(str(value) for value in values or ()) or empty
