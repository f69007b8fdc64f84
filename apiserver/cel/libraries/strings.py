"""The extended string functions, version 2 of cel-go/ext/strings.go, and jsonpatch.escapeKey.

No result may grow past a limit: `replace` within `replace` would else fill the memory at a modest cost.
"""

from collections.abc import Sequence
from typing import Any

from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import BudgetExceeded, EvaluationError
from apiserver.cel.libraries.formatting import format_text
from apiserver.cel.standard import tenth, traversal

_LONGEST = 10_000_000
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
#: What Go's TrimSpace takes away.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"} | {
    '"': '\\"'
}


def _twice(args: Sequence[Any], _result: Any) -> int:
    return tenth(2 * len(args[0]))


def _result_twice(_args: Sequence[Any], result: Any) -> int:
    return tenth(2 * len(result))


def _first_tenth(args: Sequence[Any], _result: Any) -> int:
    return len(args[0]) // 10


def _out(index: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out(index)
    return text[index : index + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if not part:
        return offset
    if offset < 0:
        raise _out(offset)
    return text.find(part, offset)


def _last_index_of(text: str, part: str) -> int:
    return text.rfind(part) if part else len(text)


def _last_index_from(text: str, part: str, offset: int) -> int:
    if not part:
        return offset
    if offset < 0:
        raise _out(offset)
    return -1 if offset >= len(text) else text.rfind(part, 0, offset + len(part))


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = len(text) + 1 if not old else text.count(old)
    if count >= 0:
        times = min(times, count)
    if len(text) + times * len(new) > _LONGEST:
        raise BudgetExceeded
    return text.replace(old, new, count)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit > len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise _out(start)
    if end is not None and not 0 <= end <= len(text):
        raise _out(end)
    return text[start:end]


def _join(items: list[Any], separator: str = "") -> str:
    for item in items:
        if not isinstance(item, str):
            raise EvaluationError(f"join: invalid input: {item}")
    if sum(map(len, items)) + len(separator) * len(items) > _LONGEST:
        raise BudgetExceeded
    return separator.join(items)


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(c, c) for c in text) + '"'


def _escape_key(key: str) -> str:
    return key.translate({ord("/"): "~1", ord("~"): "~0"})


LIBRARY: tuple[Overload, ...] = (
    overload("string.charAt(int) -> string", _char_at),
    overload("string.indexOf(string) -> int", _index_of, _first_tenth),
    overload("string.indexOf(string, int) -> int", _index_of, _first_tenth),
    overload("string.lastIndexOf(string) -> int", _last_index_of, _first_tenth),
    overload("string.lastIndexOf(string, int) -> int", _last_index_from, _first_tenth),
    overload("string.lowerAscii() -> string", lambda s: s.translate(_LOWER), traversal),
    overload("string.upperAscii() -> string", lambda s: s.translate(_UPPER), traversal),
    overload("string.replace(string, string) -> string", _replace, _twice),
    overload("string.replace(string, string, int) -> string", _replace, _twice),
    overload("string.split(string) -> list(string)", _split, _twice),
    overload("string.split(string, int) -> list(string)", _split, _twice),
    overload("string.substring(int) -> string", _substring, traversal),
    overload("string.substring(int, int) -> string", _substring, traversal),
    overload("string.trim() -> string", lambda s: s.strip(_SPACE), traversal),
    overload("string.format(list(dyn)) -> string", format_text, traversal),
    overload("+strings.quote(string) -> string", _quote, traversal),
    overload("list(string).join() -> string", _join, _result_twice),
    overload("list(string).join(string) -> string", _join, _result_twice),
)

#: For mutation only.
JSON_PATCH: tuple[Overload, ...] = (overload("+jsonpatch.escapeKey(string) -> string", _escape_key, traversal),)
