"""`url(...)` and its parts. Source: apiserver/pkg/cel/library/urls.go."""

from dataclasses import dataclass

from apimachinery import go_urls
from apimachinery.go_urls import BadUrl, GoUrl
from apiserver.cel.environment import Overload, overload
from apiserver.cel.errors import EvaluationError
from apiserver.cel.standard import traversal
from apiserver.cel.values import Opaque


@dataclass(frozen=True, slots=True)
class Url(Opaque):
    parts: GoUrl
    type_name = "kubernetes.URL"


def _parse(text: str) -> Url:
    try:
        return Url(go_urls.parse_request_uri(text))
    except BadUrl as why:
        raise EvaluationError(f"URL parse error during conversion from string: {why}") from None


def _is_url(text: str) -> bool:
    try:
        go_urls.parse_request_uri(text)
    except BadUrl:
        return False
    return True


_U = "kubernetes.URL"
LIBRARY: tuple[Overload, ...] = (
    overload(f"+url(string) -> {_U}", _parse, traversal),
    overload("+isURL(string) -> bool", _is_url),
    overload(f"{_U}.getScheme() -> string", lambda u: u.parts.scheme),
    overload(f"{_U}.getHost() -> string", lambda u: u.parts.host),
    overload(f"{_U}.getHostname() -> string", lambda u: u.parts.hostname()),
    overload(f"{_U}.getPort() -> string", lambda u: u.parts.port()),
    overload(f"{_U}.getEscapedPath() -> string", lambda u: u.parts.escaped_path()),
    overload(f"{_U}.getQuery() -> map(string, list(string))", lambda u: u.parts.values()),
)
