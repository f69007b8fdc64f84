"""Go's durations as text: `1h5m30s`. Source: Go's time.ParseDuration, whose words the errors are in."""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LARGEST = 2**63 - 1
_PART = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")


class BadDuration(ValueError):
    """A text that is no duration."""


def parse(text: str) -> int:
    """The nanoseconds. Raises BadDuration."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        assert match is not None  # matches nothing, too
        whole, fraction, unit = match[1], (match[2] or "")[1:19], match[3]
        if not (whole or fraction) or len(whole) > 20:
            raise BadDuration(f"time: invalid duration {_quoted(text)}")
        if not unit:
            raise BadDuration(f"time: missing unit in duration {_quoted(text)}")
        size = _UNITS.get(unit)
        if size is None:
            raise BadDuration(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
        total += int(whole or "0") * size + (int(fraction) * size // 10 ** len(fraction) if fraction else 0)
        at = match.end()
    if not rest or total > _LARGEST:
        raise BadDuration(f"time: invalid duration {_quoted(text)}")
    return sign * total


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
