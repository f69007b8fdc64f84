"""Whether a cron schedule can be read: the five fields and the `@` words of robfig/cron, which upstream uses."""

import re
from collections.abc import Mapping, Sequence

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
_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def schedule_problem(text: str) -> str:
    """Why a schedule is wrong, in robfig/cron's words; empty when it is right."""
    text = re.sub(r"^(CRON_)?TZ=\S+\s+", "", text)
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
    if "/" in part and not step.isdigit():
        return f'failed to parse int from {step}: strconv.Atoi: parsing "{step}": invalid syntax'
    if step and int(step) == 0:
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = []
    for text in span.split("-"):
        number = names.get(text.lower(), int(text) if text.isdigit() else None)
        if number is None:
            return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        ends.append(number)
    return _range_problem(part, ends[0], ends[-1], low, high)


def _range_problem(part: str, start: int, end: int, low: int, high: int) -> str:
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if end > high:
        return f"end of range ({end}) above maximum ({high}): {part}"
    return f"beginning of range ({start}) beyond end of range ({end}): {part}" if start > end else ""
