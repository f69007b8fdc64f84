"""Go's durations on the command line (`90s`, `1m30s`, `0`) as seconds."""

import re

from cli.flags import UsageError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float:
    """Seconds; a bare number counts as seconds, as kubectl's own flags read it."""
    negative, digits = text.startswith("-"), text.lstrip("+-")
    if re.fullmatch(r"\d+(\.\d*)?", digits):
        return -float(digits) if negative else float(digits)
    if not digits or _PART.sub("", digits):
        message = f'invalid argument: time: invalid duration "{text}"'
        raise UsageError(message)
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(digits))
    return -total if negative else total
