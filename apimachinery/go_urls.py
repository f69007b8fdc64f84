"""URLs as Go's net/url takes them: what it accepts, what it says of the rest, and the parts it finds.

Python's urlsplit accepts nearly everything; messages of upstream show Go's judgement. Texts are handled by byte, one
letter each, since escapes are bytes. Source of the rules: Go's net/url (RFC 3986 with its exceptions).
"""

import string
from dataclasses import dataclass

from apimachinery.errors import go_quoted

_LETTERS = frozenset(string.ascii_letters)
_DIGITS = frozenset(string.digits)
_PLAIN = _LETTERS | _DIGITS | set("-_.~")
_HEX = frozenset(string.hexdigits)
_LONGEST_SHOWN = 3
#: What each part of a URL may have beside letters, digits and `-_.~`.
_HOST = _PLAIN | set("!$&'()*+,;=:[]<>\"")
_PATH = _PLAIN | set("$&+,/:;=@")
_ENCODED_PATH = _PATH | set("!'()*[]%")
_USER = _PLAIN | set("!$&'()*+,;=:%@")
_ASCII = 0x80


class BadUrl(ValueError):
    """What Go says of a text that is no URL."""


@dataclass(frozen=True, slots=True)
class GoUrl:
    """The parts of a URL, unescaped; `raw_path` is the path as it was written."""

    scheme: str = ""
    user: str | None = None
    host: str = ""
    raw_path: str = ""
    query: str = ""
    fragment: str = ""

    def hostname(self) -> str:
        host = self._split()[0]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    def port(self) -> str:
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        head, colon, tail = self.host.rpartition(":")
        return (head, tail) if colon and _is_port(colon + tail) else (self.host, "")

    def escaped_path(self) -> str:
        if all(letter in _ENCODED_PATH for letter in self.raw_path):
            return self.raw_path
        return "".join(
            letter if letter in _PATH else f"%{ord(letter):02X}" for letter in _unescaped(self.raw_path, "path")
        )

    def values(self) -> dict[str, list[str]]:
        """The query, without what is not well written."""
        found: dict[str, list[str]] = {}
        for pair in self.query.split("&"):
            if not pair or ";" in pair:
                continue
            name, _, value = pair.partition("=")
            try:
                key, text = (_text(_unescaped(part.replace("+", " "), "query")) for part in (name, value))
            except BadUrl:
                continue
            found.setdefault(key, []).append(text)
        return found


def parse(text: str) -> GoUrl:
    """As url.Parse: relative references too. Raises BadUrl."""
    before, _, fragment = text.partition("#")
    try:
        found = _parsed(before, is_request=False)
        fragment = _text(_unescaped(_letters(fragment), "fragment"))
    except BadUrl as why:
        raise BadUrl(f"parse {go_quoted(before)}: {why}") from None
    return GoUrl(found.scheme, found.user, found.host, found.raw_path, found.query, fragment)


def parse_request_uri(text: str) -> GoUrl:
    """As url.ParseRequestURI: absolute, or a path; without a fragment. Raises BadUrl."""
    try:
        return _parsed(text, is_request=True)
    except BadUrl as why:
        raise BadUrl(f"parse {go_quoted(text)}: {why}") from None


def _parsed(text: str, *, is_request: bool) -> GoUrl:
    rest = _letters(text)
    if any(letter < " " or letter == "\x7f" for letter in rest):
        raise BadUrl("net/url: invalid control character in URL")
    if not rest and is_request:
        raise BadUrl("empty url")
    if rest == "*":
        return GoUrl(raw_path="*")
    scheme, rest = _scheme(rest)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return GoUrl(scheme=scheme, query=query)
        if is_request:
            raise BadUrl("invalid URI for request")
        if ":" in rest.partition("/")[0]:
            raise BadUrl("first path segment in URL cannot contain colon")
    user, host = None, ""
    if rest.startswith("//") and (scheme or (not is_request and not rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        user, host = _authority(authority)
    _unescaped(rest, "path")
    return GoUrl(scheme, user, host, rest, query)


def _scheme(text: str) -> tuple[str, str]:
    for at, letter in enumerate(text):
        if letter == ":":
            if not at:
                raise BadUrl("missing protocol scheme")
            return text[:at].lower(), text[at + 1 :]
        if letter not in _LETTERS and (not at or (letter not in _DIGITS and letter not in "+-.")):
            break
    return "", text


def _authority(text: str) -> tuple[str | None, str]:
    user, at, host = text.rpartition("@")
    host = _text(_host(host))
    if not at:
        return None, host
    if any(letter not in _USER for letter in user):
        raise BadUrl("net/url: invalid userinfo")
    _unescaped(user, "user")
    return user, host


def _host(text: str) -> str:
    opening = text.rfind("[")
    if opening > 0:
        raise BadUrl("invalid IP-literal")
    if opening == 0:
        closing = text.rfind("]")
        if closing < 0:
            raise BadUrl("missing ']' in host")
        port = text[closing + 1 :]
    else:
        _, colon, port = text.rpartition(":")
        port = colon + port if colon else ""
    if not _is_port(port):
        raise BadUrl(f"invalid port {go_quoted(_text(port))} after host")
    head, zone, tail = text.partition("%25") if not opening else (text, "", "")
    return _unescaped(head, "host") + _unescaped(zone + tail, "zone")


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and all(letter in _DIGITS for letter in text[1:]))


def _unescaped(text: str, part: str) -> str:
    """The letters that escapes stand for. Raises BadUrl for what the part of a URL may not have."""
    made, at = [], 0
    while at < len(text):
        letter = text[at]
        if letter != "%":
            if part in ("host", "zone") and ord(letter) < _ASCII and letter not in _HOST:
                raise BadUrl(f"invalid character {go_quoted(letter)} in host name")
            made.append(letter)
            at += 1
            continue
        escape = text[at : at + _LONGEST_SHOWN]
        if len(escape) < _LONGEST_SHOWN or escape[1] not in _HEX or escape[2] not in _HEX:
            raise BadUrl(f"invalid URL escape {go_quoted(_text(escape))}")
        stands_for = chr(int(escape[1:], 16))
        if escape != "%25" and (
            (part == "host" and ord(stands_for) < _ASCII)
            or (part == "zone" and stands_for != " " and stands_for not in _HOST)
        ):
            raise BadUrl(f"invalid URL escape {go_quoted(escape)}")
        made.append(stands_for)
        at += _LONGEST_SHOWN
    return "".join(made)


def _letters(text: str) -> str:
    """One letter for each byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _text(letters: str) -> str:
    return letters.encode("latin-1").decode("utf-8", "replace")
