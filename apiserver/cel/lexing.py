"""The words of an expression. Source: the lexer rules of cel-go/parser/gen/CEL.g4."""

import re
from typing import NamedTuple

from apiserver.cel.errors import Problem


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


_ESCAPE = r"""\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
_STRING = (
    r'(?:[rR](?:"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"[^"\n\r]*"|' + r"'[^'\n\r]*')"
    rf'|"""(?:{_ESCAPE}|[^\\])*?"""'
    rf"|'''(?:{_ESCAPE}|[^\\])*?'''"
    rf'|"(?:{_ESCAPE}|[^\\"\n\r])*"'
    rf"|'(?:{_ESCAPE}|[^\\'\n\r])*')"
)
_TOKENS = re.compile(
    "|".join(
        (
            r"(?P<SPACE>[\t \r\n\f]+|//[^\n]*)",
            rf"(?P<BYTES>[bB]{_STRING})",
            rf"(?P<STRING>{_STRING})",
            r"(?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)",
            r"(?P<NUM_UINT>0x[0-9a-fA-F]+[uU]|[0-9]+[uU])",
            r"(?P<NUM_INT>0x[0-9a-fA-F]+|[0-9]+)",
            r"(?P<ESC_IDENTIFIER>`[A-Za-z0-9_./ -]+`)",
            r"(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)",
            r"(?P<OPERATOR>==|!=|<=|>=|&&|\|\||[<>\[\]{}().,\-!?:+*/%])",
        )
    )
)
_WORDS = ("in", "true", "false", "null")


def tokens(source: str) -> tuple[list[Token], list[Problem]]:
    """The tokens, an end marker last, and what could not be read."""
    found: list[Token] = []
    problems: list[Problem] = []
    at = 0
    while at < len(source):
        match = _TOKENS.match(source, at)
        if match is None:
            problems.append(Problem(at, f"Syntax error: token recognition error at: '{_unread(source, at)}'"))
            at += len(_unread(source, at))
            continue
        kind = str(match.lastgroup)
        text = match.group()
        if kind in ("OPERATOR", "IDENTIFIER") and (kind == "OPERATOR" or text in _WORDS):
            kind = text
        if kind != "SPACE":
            found.append(Token(kind, text, at))
        at = match.end()
    found.append(Token("<EOF>", "<EOF>", len(source)))
    return found, problems


def _unread(source: str, at: int) -> str:
    """What the recognizer gives up on: an open string to its line's end, two characters of half an operator."""
    character = source[at]
    if character in "\"'":
        return source[at:].split("\n", maxsplit=1)[0]
    if character in "=&|" and at + 1 < len(source):
        return source[at : at + 2]
    return character


_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(
    r"\\(?:([0-3][0-7][0-7])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)


def unquote(text: str) -> str:
    """The value of a string literal. Raises ValueError for what is no character."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width].replace("\r\n", "\n").replace("\r", "\n")
    return body if raw or "\\" not in body else _ESCAPED.sub(_character, body)


def _character(match: "re.Match[str]") -> str:
    octal, hexadecimal, short, long, simple = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("invalid unicode code point")
    return chr(code)


def unquote_bytes(text: str) -> bytes:
    """The value of a bytes literal: hexadecimal and octal escapes are bytes, all else is UTF-8."""
    text = text[1:]
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width]
    if raw or "\\" not in body:
        return body.encode()
    parts: list[bytes] = []
    at = 0
    for match in _ESCAPED.finditer(body):
        parts.append(body[at : match.start()].encode())
        octal, hexadecimal, short, long, simple = match.groups()
        if short or long:
            raise ValueError("unable to unescape string")
        code = (octal and int(octal, 8)) or (hexadecimal and int(hexadecimal, 16))
        parts.append(bytes((code or 0,)) if simple is None else _SIMPLE.get(simple, simple).encode())
        at = match.end()
    parts.append(body[at:].encode())
    return b"".join(parts)
