"""Path and method -> RequestInfo: which verb on which resource a request means. Pure.

Source of the rules: apiserver/pkg/endpoints/request/requestinfo.go. `..` and `.` segments are refused, as upstream's
path checks refuse such names.
"""

from collections.abc import Mapping, Sequence

from apimachinery import errors, selectors
from apiserver.request import RequestInfo

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: Segments behind a namespace's name that are its own subresources and not resources inside it.
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_FALSE = ("false", "0")


def request_info(method: str, path: str, segments: Sequence[str], query: Mapping[str, Sequence[str]]) -> RequestInfo:
    """What a request means. `segments` are the path's unescaped parts."""
    plain = RequestInfo(is_resource=False, path=path, verb=method.lower())
    match list(segments):
        case ["api", version, *rest] if rest:
            group = ""
        case ["apis", group, version, *rest] if rest and group:
            pass
        case _:
            return plain
    if any(part in (".", "..") for part in segments):
        raise errors.bad_request(f"invalid path: {path}")
    return _resource(method, path, (group, version), rest, query)


def _resource(
    method: str, path: str, group_version: tuple[str, str], rest: list[str], query: Mapping[str, Sequence[str]]
) -> RequestInfo:
    verb = _VERBS.get(method, "")
    watching = _true(query, "watch")
    deprecated = rest[0] == "watch" and len(rest) > 1  # /api/v1/watch/...
    if deprecated:
        rest, watching = rest[1:], True
    is_below = rest[0] == "namespaces" and len(rest) > 2
    namespace, rest = _namespaced(rest)
    plural, name, subresource = (*rest[:3], "", "", "")[:3]
    if any("/" in part for part in (namespace, plural, name, subresource)):
        raise errors.path_not_found()  # an escaped slash must not lead to another object's key
    if not name and verb in ("get", "delete"):
        verb = "deletecollection" if verb == "delete" else "watch" if watching else "list"
        name = _named_by_field(query)
    elif verb == "get" and deprecated and not subresource:
        verb = "watch"
    return RequestInfo(
        is_resource=True,
        path=path,
        verb=verb,  # none for other methods
        group=group_version[0],
        version=group_version[1],
        namespace=namespace,
        is_nameless=is_below and not namespace,
        plural=plural,
        name=name,
        subresource=subresource,
        parts=tuple(rest[3:]),
    )


def _namespaced(rest: list[str]) -> tuple[str, list[str]]:
    """The namespace, and what is left; the namespace is itself the object where nothing of its own follows."""
    if rest[0] != "namespaces" or len(rest) == 1:
        return "", rest
    if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        return rest[1], rest[2:]
    return rest[1], rest


def _named_by_field(query: Mapping[str, Sequence[str]]) -> str:
    """The name that `fieldSelector=metadata.name=x` asks for: authorizers want to know it."""
    found = query.get("fieldSelector")
    for requirement in found[0].split(",") if found else ():
        key, found, value = requirement.partition("=")
        if key == "metadata.name" and found:
            return value.removeprefix("=")
    return ""


def pinned_fields(text: str) -> tuple[tuple[str, str], ...]:
    """The fields that a field selector gives exactly one value; none where it cannot be read: that is refused later."""
    if not text:
        return ()
    try:
        found = selectors.parse_fields(text).requirements
    except ValueError:
        return ()
    return tuple((requirement.field, requirement.value) for requirement in found if requirement.equal)


def _true(query: Mapping[str, Sequence[str]], name: str) -> bool:
    values = query.get(name)
    return values is not None and values[0].lower() not in _FALSE
