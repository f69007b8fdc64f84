"""Why a text is not JSON, in the words of Go's encoding/json.

Only run on text that a real decoder has refused: it finds the first byte that cannot be, and says what was expected
there. Empty when the text is well-formed JSON after all (a decoder may refuse it for other reasons).
Source: the state machine of encoding/json/scanner.go, as behaviour.
"""

import re
from typing import NoReturn

_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}
#: Inside these, Go tells the end by feeding its machine one space more, and complains about that.
_TOKENS = ("in literal", "numeric literal", "escape")
_END = "unexpected end of JSON input"


class _BadSyntaxError(Exception):
    """What is wrong, as its only argument."""


def complaint(data: bytes) -> str:
    """`invalid character '}' looking for beginning of value`; "" for JSON that is well-formed."""
    try:
        end = _space(data, _document(data))
        if end < len(data):
            _unexpected(data, end, "after top-level value")
    except _BadSyntaxError as problem:
        return str(problem)
    return ""


def _document(data: bytes) -> int:
    """The end of the first value. A stack of closing brackets instead of recursion: depth costs nothing."""
    stack: list[bytes] = []
    at = _value(data, _space(data, 0), stack)
    while stack:
        at = _space(data, at)
        closing = stack[-1]
        mark = data[at : at + 1]
        if mark == closing:
            stack.pop()
            at += 1
        elif mark == b",":
            at = _space(data, at + 1)
            at = _value(data, _key(data, at) if closing == b"}" else at, stack)
        else:
            _unexpected(data, at, "after object key:value pair" if closing == b"}" else "after array element")
    return at


def _value(data: bytes, at: int, stack: list[bytes]) -> int:
    """Behind the scalar that begins at `at`, having gone into as many containers as it takes to meet one."""
    while (mark := data[at : at + 1]) in (b"{", b"["):
        closing = b"}" if mark == b"{" else b"]"
        stack.append(closing)
        at = _space(data, at + 1)
        if data[at : at + 1] == closing:
            return at
        if closing == b"}":
            at = _key(data, at)
    if mark == b'"':
        return _string(data, at + 1)
    if mark in _LITERALS:
        return _literal(data, at, _LITERALS[mark])
    if mark != b"-" and not mark.isdigit():
        _unexpected(data, at, "looking for beginning of value")
    return _number(data, at)


def _key(data: bytes, at: int) -> int:
    """The beginning of the value that belongs to the key at `at`."""
    if data[at : at + 1] != b'"':
        _unexpected(data, at, "looking for beginning of object key string")
    at = _space(data, _string(data, at + 1))
    if data[at : at + 1] != b":":
        _unexpected(data, at, "after object key")
    return _space(data, at + 1)


def _string(data: bytes, at: int) -> int:
    while True:
        at = _skip(_PLAIN, data, at)
        mark = data[at : at + 1]
        if mark == b'"':
            return at + 1
        if mark != b"\\":
            _unexpected(data, at, "in string literal")
        at += 1
        if data[at : at + 1] == b"u":
            for _ in range(4):
                at += 1
                if data[at : at + 1] not in tuple(b"%c" % c for c in b"0123456789abcdefABCDEF"):
                    _unexpected(data, at, "in \\u hexadecimal character escape")
        elif data[at : at + 1] not in tuple(b"%c" % c for c in b'bfnrt\\/"'):
            _unexpected(data, at, "in string escape code")
        at += 1


def _literal(data: bytes, at: int, word: bytes) -> int:
    for i, letter in enumerate(word):
        if data[at + i : at + i + 1] != bytes((letter,)):
            _unexpected(data, at + i, f"in literal {word.decode()} (expecting '{letter:c}')")
    return at + len(word)


def _number(data: bytes, at: int) -> int:
    if data[at : at + 1] == b"-":
        at += 1
        if not data[at : at + 1].isdigit():
            _unexpected(data, at, "in numeric literal")
    at = at + 1 if data[at : at + 1] == b"0" else _skip(_DIGITS, data, at)
    if data[at : at + 1] == b".":
        at = _digits(data, at + 1, "after decimal point in numeric literal")
    if data[at : at + 1] in (b"e", b"E"):
        at += 2 if data[at + 1 : at + 2] in (b"+", b"-") else 1
        at = _digits(data, at, "in exponent of numeric literal")
    return at


def _digits(data: bytes, at: int, where: str) -> int:
    end = _skip(_DIGITS, data, at)
    if end == at:
        _unexpected(data, at, where)
    return end


def _space(data: bytes, at: int) -> int:
    return _skip(_SPACE, data, at)


def _skip(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    assert match is not None  # both patterns match nothing, too
    return match.end()


def _unexpected(data: bytes, at: int, where: str) -> NoReturn:
    if at >= len(data) and not any(token in where for token in _TOKENS):
        raise _BadSyntaxError(_END)
    found = _shown(data[at]) if at < len(data) else "' '"
    raise _BadSyntaxError(f"invalid character {found} {where}")


def _shown(byte: int) -> str:
    """Go's way to quote one byte."""
    if byte == ord("'"):
        return r"'\''"
    names = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 92: r"\\"}
    if byte in names:
        return f"'{names[byte]}'"
    if byte < 32 or byte == 127:
        return f"'\\x{byte:02x}'"
    return f"'{byte:c}'"
