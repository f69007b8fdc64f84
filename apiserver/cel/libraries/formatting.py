"""`"%s has %d".format([name, count])`. Source: cel-go/ext/formatting.go."""

import re
from math import isfinite, isnan
from typing import Any

from apimachinery.errors import go_quoted
from apiserver.cel import values
from apiserver.cel.errors import BudgetExceeded, EvaluationError
from apiserver.cel.standard import show_double
from apiserver.cel.values import Duration, Timestamp, TypeValue, Uint, type_name

_CLAUSE = re.compile(r"%(?:%|(?:\.(\d{1,18}))?([sdfexXob]))")
_LONGEST = 10_000_000
STRINGABLE = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
_MAX_PRECISION = 1000
_SPECIAL = ("NaN", "Infinity", "-Infinity")
_RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def format_text(text: str, args: list[Any]) -> str:
    made: list[str] = []
    used = at = size = 0
    while (percent := text.find("%", at)) >= 0:
        made.append(text[at:percent])
        match = _CLAUSE.match(text, percent)
        if match is None:
            raise _unreadable(text, percent)
        at = match.end()
        if match.group() == "%%":
            made.append("%")
            continue
        if used >= len(args):
            raise EvaluationError(f"index {used} out of range")
        piece = _clause(match[2], int(match[1]) if match[1] else None, args[used])
        used += 1
        size += len(piece)
        if size > _LONGEST:
            raise BudgetExceeded
        made.append(piece)
    if used < len(args):
        raise EvaluationError(f"too many arguments supplied to string.format (expected {used}, got {len(args)})")
    return "".join([*made, text[at:]])


def clauses(text: str) -> list[str]:
    """The verbs of a format, in order; raises EvaluationError for what is none."""
    found: list[str] = []
    at = 0
    while (percent := text.find("%", at)) >= 0:
        match = _CLAUSE.match(text, percent)
        if match is None:
            raise _unreadable(text, percent)
        at = match.end()
        if match[2]:
            found.append(match[2])
    return found


def _unreadable(text: str, percent: int) -> EvaluationError:
    rest = text[percent + 1 :]
    if not rest:
        return EvaluationError("could not parse formatting clause: unexpected end of string")
    return EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{rest[0]}"')


def _clause(verb: str, precision: int | None, value: Any) -> str:
    if precision is not None and precision > _MAX_PRECISION:
        raise EvaluationError(f"precision {precision} too large")
    match verb:
        case "s":
            return shown(value)
        case "d":
            return _decimal(value)
        case "f" | "e":
            return _floating(verb, 6 if precision is None else precision, value)
        case "b":
            return _binary(value)
        case "o":
            return _octal(value)
        case _:
            return _hexadecimal(value, upper=verb == "X")


def _wrong(what: str, value: Any) -> EvaluationError:
    return EvaluationError(f"error during formatting: {what}, was given {type_name(value)}")


def shown(value: Any) -> str:
    """A value as %s shows it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
        case float():
            return show_double(value)
        case bytes():
            return value.decode(errors="replace")
        case Timestamp():
            return values.show_timestamp(value)
        case Duration():
            return values.show_duration(value)
        case TypeValue():
            return value.name
        case list():
            return f"[{', '.join(map(_element, value))}]"
        case dict():
            pairs = sorted((_key(k), _element(v)) for k, v in value.items())
            return "{" + ", ".join(f"{k}:{v}" for k, v in pairs) + "}"
        case _:
            raise _wrong(f"string clause can only be used on {STRINGABLE}", value)


def _element(value: Any) -> str:
    """A value within a list or a map: as an expression would write it."""
    match value:
        case str():
            return go_quoted(value)
        case bytes():
            return f"b{go_quoted(shown(value))}"
        case Timestamp() | Duration():
            return f"{'timestamp' if isinstance(value, Timestamp) else 'duration'}({go_quoted(shown(value))})"
        case float():
            return f"{value:.6f}" if isfinite(value) else go_quoted(shown(value))
        case None | int() | TypeValue() | list() | dict():
            return shown(value)
        case _:
            raise EvaluationError(f"error during formatting: no formatting function for {type_name(value)}")


def _key(key: Any) -> str:
    if isinstance(key, str | int):
        return _element(key)
    raise EvaluationError(f"error during formatting: no formatting function for map key of type {type_name(key)}")


def _decimal(value: Any) -> str:
    if type(value) in (int, Uint):
        return str(value)
    raise _wrong("decimal clause can only be used on integers", value)


def _floating(verb: str, precision: int, value: Any) -> str:
    """A double for English readers, as x/text shows it; the precision of %e is a width, as cel-go has it."""
    if isinstance(value, str) and value in _SPECIAL:
        value = float(value)
    if not isinstance(value, float):
        name = "fixed-point" if verb == "f" else "scientific"
        raise _wrong(f"{name} clause can only be used on doubles", value)
    text = "NaN" if isnan(value) else "\u221e" if value > 0 else "-\u221e"
    if verb == "f":
        return f"{value:,.{precision}f}" if isfinite(value) else text
    if isfinite(value):
        digits, _, exponent = f"{value:e}".partition("e")
        text = f"{digits}\u00d710{exponent.removeprefix('+').translate(_RAISED)}"
    return text.rjust(precision)


def _binary(value: Any) -> str:
    if isinstance(value, int):
        return f"{int(value):b}"
    raise _wrong("only integers and bools can be formatted as binary", value)


def _octal(value: Any) -> str:
    if type(value) in (int, Uint):
        return f"{int(value):o}"
    raise _wrong("octal clause can only be used on integers", value)


def _hexadecimal(value: Any, *, upper: bool) -> str:
    if type(value) in (int, Uint):
        text = f"{int(value):x}"
    elif isinstance(value, str | bytes):
        text = (value.encode() if isinstance(value, str) else value).hex()
    else:
        raise _wrong("only integers, byte buffers, and strings can be formatted as hex", value)
    return text.upper() if upper else text
