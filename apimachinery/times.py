"""Points in time as they stand on the wire: RFC 3339 text to and from seconds since 1970 (a float).

`metav1.Time` is written in whole seconds, `metav1.MicroTime` with six digits, both in UTC with a `Z`. What cannot be
read raises ValueError with the text of Go's `time.Parse`, since that is what users see in a 400. Nothing here reads a
clock. Source: apimachinery/pkg/apis/meta/v1/{time,micro_time}.go.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_ZONE = r"(Z|([+-])(\d\d):(\d\d))"
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?" + _ZONE, re.ASCII)
_CANONICAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
#: The layout's elements, in order, for Go's complaint about the first that does not fit.
_ELEMENTS = (
    (r"\d{4}", "2006"),
    ("-", "-"),
    (r"\d\d", "01"),
    ("-", "-"),
    (r"\d\d", "02"),
    ("T", "T"),
    (r"\d\d", "15"),
    (":", ":"),
    (r"\d\d", "04"),
    (":", ":"),
    (r"\d\d", "05"),
)
_RANGES = (("month", 1, 12), ("day", 1, 31), ("hour", 0, 23), ("minute", 0, 59), ("second", 0, 59))


def rfc3339(seconds: float) -> str:
    """`2024-01-01T00:00:00Z`; fractions are cut off, as upstream does."""
    return _of_second(seconds // 1)


@lru_cache(maxsize=64)
def _of_second(second: float) -> str:
    """Kept: what a server writes in one second is written many times."""
    return _format(_EPOCH + timedelta(seconds=second))


def rfc3339_micro(seconds: float) -> str:
    """`2024-01-01T00:00:00.000000Z`."""
    moment = _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    return f"{_format(moment)[:-1]}.{moment.microsecond:06d}Z"


def parse(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time in any zone, with or without a fraction."""
    return (_moment(text, _LAYOUT) - _EPOCH).total_seconds()


@lru_cache(maxsize=4096)
def normal(text: str) -> str:
    """A `metav1.Time` as it is stored: UTC, whole seconds."""
    if _CANONICAL.fullmatch(text):
        _moment(text, _LAYOUT)
        return text
    return _format(_moment(text, _LAYOUT))


@lru_cache(maxsize=4096)
def normal_micro(text: str) -> str:
    """A `metav1.MicroTime` as it is stored: UTC, six digits. Upstream takes no other number of digits."""
    moment = _moment(text, _MICRO_LAYOUT, digits=6)
    return f"{_format(moment)[:-1]}.{moment.microsecond:06d}Z"


def _format(moment: datetime) -> str:
    """Years stand in four digits, which strftime does not promise."""
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}Z"


def _moment(text: str, layout: str, digits: int = -1) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None or (digits >= 0 and len(match[7] or "") != digits):
        raise ValueError(_complaint(text, layout, digits))
    year, *parts = (int(match[i]) for i in range(1, 7))
    for value, (name, low, high) in zip(parts, _RANGES, strict=True):
        if not low <= value <= high:
            raise ValueError(f"parsing time {_quoted(text)}: {name} out of range")
    month, day, hour, minute, second = parts
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, micros, tzinfo=_zone(match))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"parsing time {_quoted(text)}: day out of range") from None


def _zone(match: re.Match[str]) -> timezone:
    if match[8] == "Z":
        return UTC
    offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
    return timezone(-offset if match[9] == "-" else offset)


def _complaint(text: str, layout: str, digits: int) -> str:
    """What `time.Parse` says: the first element of the layout that the rest of the text does not match."""
    rest, start = text, f"parsing time {_quoted(text)} as {_quoted(layout)}: cannot parse "
    for pattern, element in _ELEMENTS:
        match = re.match(pattern, rest, re.ASCII)
        if match is None:
            return f'{start}{_quoted(rest)} as "{element}"'
        rest = rest[match.end() :]
    fraction = re.match(rf"[.,]\d{{{digits}}}" if digits >= 0 else r"(?:[.,]\d+)?", rest, re.ASCII)
    if fraction is None:
        return f'{start}{_quoted(rest)} as ".{"0" * digits}"'
    rest = rest[fraction.end() :]
    zone = re.match(_ZONE, rest, re.ASCII)
    if zone is None:
        return f'{start}{_quoted(rest)} as "Z07:00"'
    return f"parsing time {_quoted(text)}: extra text: {_quoted(rest[zone.end() :])}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
