"""`url(...)` and its parts. Source: apiserver/pkg/cel/library/urls.go, net/url of Go."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.standard import traversal
from apiserver.cel.values import Opaque

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
#: What Go leaves as it is in an escaped path.
_PATH_SAFE = "/$&+,:;=@!'()*[]~"


@dataclass(frozen=True, slots=True)
class Url(Opaque):
    scheme: str
    host: str
    path: str
    query: str
    type_name = "kubernetes.URL"

    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1 : self.host.find("]")]
        return self.host.rpartition(":")[0] if ":" in self.host else self.host

    def port(self) -> str:
        tail = self.host.rpartition("]")[2]
        return tail.rpartition(":")[2] if ":" in tail else ""

    def escaped_path(self) -> str:
        decoded = unquote(self.path)
        valid = all(c.isalnum() or c in _PATH_SAFE + "-_.%" for c in self.path) and self.path.isascii()
        return self.path if valid else quote(decoded, safe=_PATH_SAFE)


def request_uri_problem(text: str) -> str | None:
    """What Go's url.ParseRequestURI says against it, None if it takes it."""
    reason = _wrong(text)
    return f'parse "{text}": {reason}' if reason else None


def _wrong(text: str) -> str | None:
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        return "net/url: invalid control character in URL"
    if not text:
        return "empty url"
    if text == "*":
        return None
    scheme = _SCHEME.match(text)
    if scheme is None and text.partition("/")[0].find(":") >= 0 and not text.startswith("/"):
        head = text.partition("/")[0]
        return "missing protocol scheme" if head.startswith(":") else "first path segment in URL cannot contain colon"
    rest = text[scheme.end() :] if scheme else text
    if not rest.startswith("/"):
        return None if scheme else "invalid URI for request"
    escape = _BAD_ESCAPE.search(rest.partition("?")[0])
    if escape:
        return f'invalid URL escape "{escape.group()}"'
    return _host_problem(rest[2:].partition("/")[0]) if scheme and rest.startswith("//") else None


def _host_problem(authority: str) -> str | None:
    host = authority.rpartition("@")[2]
    port = host.rpartition("]")[2] if host.startswith("[") else host
    if host.startswith("[") and "]" not in host:
        return "missing ']' in host"
    number = port.rpartition(":")[2] if ":" in port else ""
    if number and not number.isdigit():
        return f'invalid port ":{number}" after host'
    bad = next((c for c in host if c in ' <>"\\^`{|}'), "")
    return f'invalid character "{bad}" in host name' if bad else None


def _parse(text: str) -> Url:
    problem = request_uri_problem(text)
    if problem:
        raise EvaluationError(f"URL parse error during conversion from string: {problem}")
    try:
        parts = urlsplit(text)
    except ValueError as wrong:
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {wrong}') from None
    return Url(parts.scheme.lower(), parts.netloc.rpartition("@")[2], parts.path, parts.query)


_U = "kubernetes.URL"
LIBRARY: tuple[Overload, ...] = (
    overload(f"+url(string) -> {_U}", _parse, traversal),
    overload("+isURL(string) -> bool", lambda text: request_uri_problem(text) is None),
    overload(f"{_U}.getScheme() -> string", lambda u: u.scheme),
    overload(f"{_U}.getHost() -> string", lambda u: u.host),
    overload(f"{_U}.getHostname() -> string", Url.hostname),
    overload(f"{_U}.getPort() -> string", Url.port),
    overload(f"{_U}.getEscapedPath() -> string", Url.escaped_path),
    overload(f"{_U}.getQuery() -> map(string, list(string))", lambda u: parse_qs(u.query, keep_blank_values=True)),
)
