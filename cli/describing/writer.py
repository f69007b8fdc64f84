"""kubectl's describe writer: levels of two spaces, and tabs that align as Go's text/tabwriter aligns them. Pure.

Source: kubectl/pkg/describe (PrefixWriter), k8s.io/cli-runtime tab writer settings, apimachinery/pkg/util/duration.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from apimachinery import times

MIN_WIDTH, PADDING = 0, 2


class Writer:
    """Collects lines with tabs; `text()` aligns them, each part between two flushes for itself."""

    def __init__(self) -> None:
        self._parts: list[list[str]] = [[]]

    def write(self, level: int, text: str) -> None:
        """Text behind `level` times two spaces, as PrefixWriter.Write."""
        self._parts[-1].append("  " * level + text)

    def line(self, text: str = "") -> None:
        """A line without prefix."""
        self._parts[-1].append(text + "\n")

    def raw(self) -> str:
        """All of it with its tabs."""
        return "".join(piece for part in self._parts for piece in part)

    def flush(self) -> None:
        """What comes is aligned anew."""
        self._parts.append([])

    def text(self) -> str:
        """All of it, aligned."""
        return "".join(tabbed("".join(part)) for part in self._parts)


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


def labels_lines(writer: Writer, title: str, values: Mapping[str, str] | None, indent: str = "") -> None:
    """`Labels:  a=b`, one below the other."""
    lines = [f"{key}={value}" for key, value in sorted((values or {}).items())] or ["<none>"]
    for i, line in enumerate(lines):
        writer.line(f"{indent}{title}:\t{line}" if i == 0 else f"{indent}\t{line}")


MAX_ANNOTATION = 140
_HIDDEN = "kubectl.kubernetes.io/last-applied-configuration"


def annotation_lines(writer: Writer, title: str, values: Mapping[str, str] | None) -> None:
    """`Annotations:  a: b`; long ones below their key, shortened."""
    shown = {key: value for key, value in sorted((values or {}).items()) if key != _HIDDEN}
    if not shown:
        writer.line(f"{title}:\t<none>")
    for i, (key, whole) in enumerate(shown.items()):
        value = whole.removesuffix("\n")
        head = f"{title}:\t" if i == 0 else "\t"
        if len(value) + len(key) + 2 > MAX_ANNOTATION or "\n" in value:
            writer.line(f"{head}{key}:")
            for part in value.split("\n"):
                writer.line(f"\t  {_shortened(part)}")
        else:
            writer.line(f"{head}{key}: {value}")


def _shortened(text: str) -> str:
    return text[: MAX_ANNOTATION - 2] + "..." if len(text) > MAX_ANNOTATION - 2 else text


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
    return f"{days[local.tm_wday]}, {local.tm_mday:02} {months[local.tm_mon - 1]} {local.tm_year} " + time.strftime(
        "%H:%M:%S %z", local
    )


def boolean(value: object) -> str:
    """`true` or `false`, as Go prints it."""
    return "true" if value else "false"


def controller(tree: Any) -> str:
    """`ReplicaSet/web-1` of the owner that controls an object."""
    for owner in tree["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']}"
    return ""


def joined(values: Sequence[Any] | None, empty: str = "") -> str:
    """`a,b`."""
    return ",".join(str(value) for value in values or ()) or empty
