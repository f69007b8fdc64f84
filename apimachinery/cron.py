"""Cron schedules as robfig/cron reads them, which upstream uses: five fields, `@` words, `@every DURATION`.

`parse` gives a Schedule, which tells the next time after one; both work on whole seconds since 1970. Libraries of the
language differ in what matters: days by month or by week when one has a star, hours that a change to summer time skips
or repeats, and `@every`. Source: github.com/robfig/cron/v3 parser.go, spec.go, constantdelay.go; time.Date of Go.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: Bounds and names of the five fields: minute, hour, day of month, month, day of week.
_FIELDS: Sequence[tuple[int, int, Mapping[str, int]]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: i for i, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: i for i, name in enumerate(_DAYS)}),
)
_WORDS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"^(?:CRON_)?TZ=(\S+)\s+")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_YEARS = 5  # a schedule with no time in so many has none at all


def schedule_problem(text: str) -> str:
    """Why a schedule is wrong, in robfig/cron's words; empty when it is right."""
    text = _ZONE.sub("", text)
    if text.startswith("@"):
        if text in _WORDS or re.fullmatch(r"@every (\d+(\.\d+)?(h|m|s|ms|us|ns))+", text):
            return ""
        return f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            problem = _part_problem(part, low, high, names)
            if problem:
                return problem
    return ""


def _part_problem(part: str, low: int, high: int, names: Mapping[str, int]) -> str:
    span, _, step = part.partition("/")
    if part.count("/") > 1:
        return f"too many slashes: {part}"
    if part.count("-") > 1:
        return f"too many hyphens: {part}"
    if "/" in part and not _is_number(step):
        return f'failed to parse int from {step}: strconv.Atoi: parsing "{step}": invalid syntax'
    if step and int(step) == 0:
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = []
    for text in span.split("-"):
        number = names.get(text.lower(), int(text) if _is_number(text) else None)
        if number is None:
            return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        ends.append(number)
    return _range_problem(part, ends[0], ends[-1], low, high)


def _is_number(text: str) -> bool:
    """Whether a text is a number that fits 64 bits."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def _range_problem(part: str, start: int, end: int, low: int, high: int) -> str:
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {part}"
    return f"beginning of range ({start}) beyond end of range ({end}): {part}" if start > end else ""


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed time apart."""

    delay: int

    def next(self, after: float) -> float:
        return math.floor(after) + self.delay


#: Whether a field has just come round to its beginning.
_WRAPS: Sequence[Callable[[datetime], bool]] = (
    lambda now: now.month == 1,
    lambda now: now.day == 1,
    lambda now: now.hour == 0,
    lambda now: now.minute == 0,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which minutes, hours, days and months; `is_starred`: days must fit by month and by week, not by either."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_starred: bool
    zone: tzinfo = UTC

    def next(self, after: float) -> float | None:
        """The first time that fits after that one, None where there is none.

        Month, day, hour and minute in turn; a field that comes round to its beginning starts all over.
        """
        moment = math.floor(after) + 1
        last_year = self._local(moment).year + _YEARS
        moment += -moment % 60
        field, is_reset = 0, False
        while field < len(_WRAPS):
            now = self._local(moment)
            if field == 0 and now.year > last_year:
                return None
            if self._fits(field, now):
                field += 1
                continue
            moment = self._advanced(field, moment if is_reset else self._start(field, now))
            is_reset = True
            if _WRAPS[field](self._local(moment)):
                field = 0
        return moment

    def _fits(self, field: int, now: datetime) -> bool:
        if field != 1:
            return (now.month, 0, now.hour, now.minute)[field] in (self.months, (), self.hours, self.minutes)[field]
        by_month, by_week = now.day in self.days, now.isoweekday() % 7 in self.weekdays
        return by_month and by_week if self.is_starred else by_month or by_week

    def _start(self, field: int, now: datetime) -> int:
        """The beginning of the month, the day, the hour or the minute."""
        day, hour, minute = ((1, 0, 0), (now.day, 0, 0), (now.day, now.hour, 0), (now.day, now.hour, now.minute))[field]
        return self._at(now.year, now.month, day, hour, minute) if field < len(_WRAPS) - 1 else int(now.timestamp())

    def _advanced(self, field: int, moment: int) -> int:
        now = self._local(moment)
        if field == 0:
            return self._at(now.year + now.month // 12, now.month % 12 + 1, now.day, now.hour, now.minute)
        if field > 1:
            return moment + (3600 if field == 2 else 60)
        moment = self._at(now.year, now.month, now.day + 1, now.hour, now.minute)
        hour = self._local(moment).hour  # not midnight where a change of the clocks leaves none
        return moment + (24 - hour if hour > 12 else -hour) * 3600

    def _local(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment, self.zone)

    def _at(self, year: int, month: int, day: int, hour: int, minute: int) -> int:
        """A time of the zone's clocks, as Go's time.Date picks it where that does not exist or exists twice."""
        naive = int(datetime(year, month, 1, tzinfo=UTC).timestamp()) + (day - 1) * 86400 + hour * 3600 + minute * 60
        offset = self._offset(naive)
        if self._offset(naive - offset) != offset:
            offset = self._offset(naive - offset)
        return naive - offset

    def _offset(self, moment: int) -> int:
        offset = self._local(moment).utcoffset()
        return int(offset.total_seconds()) if offset else 0


def parse(text: str, zone: str = "") -> Schedule | Every:
    """What a schedule means in a time zone (UTC if none is named). Raises ValueError in robfig/cron's words."""
    if problem := schedule_problem(text):
        raise ValueError(problem)
    named = _ZONE.match(text)
    zone = named[1] if named else zone
    text = _ZONE.sub("", text)
    if text.startswith("@every "):
        parts = re.findall(r"([\d.]+)([a-z]+)", text)
        return Every(max(1, int(sum(float(number) * _UNITS[unit] for number, unit in parts))))
    fields = _WORDS.get(text, text).split()
    minutes, hours, days, months, weekdays = (_values(*each) for each in zip(fields, _FIELDS, strict=True))
    is_starred = any(_is_star(part) for field in (fields[2], fields[4]) for part in field.split(","))
    return Schedule(minutes, hours, days, months, weekdays, is_starred, ZoneInfo(zone) if zone else UTC)


def _is_star(part: str) -> bool:
    span, _, step = part.partition("/")
    return span in ("*", "?") and int(step or 1) == 1


def _values(field: str, limits: tuple[int, int, Mapping[str, int]]) -> frozenset[int]:
    low, high, names = limits
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if span in ("*", "?"):
            start, end = low, high
        else:
            ends = [names[text.lower()] if text.lower() in names else int(text) for text in span.split("-")]
            start, end = ends[0], high if slash and len(ends) == 1 else ends[-1]
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)
