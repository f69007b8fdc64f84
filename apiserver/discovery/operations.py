"""Paths and operations of the served kinds, in a form that both OpenAPI versions are written from.

kubectl looks here whether PATCH of a kind has `fieldValidation` and `dryRun`; generators look at the rest.
Source: apiserver/pkg/endpoints/installer.go (operation ids, parameters, x-kubernetes-action), groupversion.go and
discovery (the documents about groups).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from apimachinery.kinds import KNOWN, Kind
from apiserver.discovery import parameters
from apiserver.discovery.parameters import BELOW, NAMESPACE, Parameter
from apiserver.discovery.subresources import Subresource, subresource
from apiserver.negotiation import JSON, MEDIA_TYPES, STREAM_TYPES
from apiserver.strategies import strategy_of

PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
#: Of custom resources: no Go type says how their lists are merged. kubectl looks here for what to send.
CUSTOM_PATCH_TYPES = (*PATCH_TYPES[:2], PATCH_TYPES[3])
_BUILT_IN = frozenset(KNOWN)
_ANY = ("*/*",)
_TEXTS = MEDIA_TYPES[:2]  # what custom resources are spoken in
_META = ("", "v1")
_DELETE_OPTIONS = (*_META, "DeleteOptions")
_STATUS = (*_META, "Status")
WATCH_EVENT = (*_META, "WatchEvent")
_PRETTY, _LIST, _WRITE, _PATCH, _DELETE = (
    ("pretty",),
    ("list", "pretty"),
    ("pretty", "write"),
    ("pretty", "write", "patch"),
    ("pretty", "delete"),
)
_OF_MANY = ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch",
            "sendInitialEvents", "timeoutSeconds")  # fmt: skip

GroupVersionKind = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `body` and `answer` are (group, version, kind); None for none, or for plain text."""

    method: str
    id: str
    description: str
    action: str
    gvk: GroupVersionKind | None
    tag: str
    body: GroupVersionKind | None = None
    answer: GroupVersionKind | None = None
    patch_types: tuple[str, ...] = ()  # what a patch may be; none for other operations
    parameters: tuple[Parameter, ...] = ()
    codes: tuple[int, ...] = (200,)
    produces: tuple[str, ...] = MEDIA_TYPES
    consumes: tuple[str, ...] = _ANY


@dataclass(frozen=True, slots=True)
class Path:
    """One path with its operations and the parameters that all of them share, and that they then have no more."""

    path: str
    parameters: tuple[Parameter, ...]
    operations: tuple[Operation, ...] = ()


def _path(path: str, operations: Iterable[Operation], *more: Parameter) -> Iterator[Path]:
    """A path whose operations have these parameters besides their own; none where there are no operations."""
    found = [replace(op, parameters=tuple(dict.fromkeys((*op.parameters, *more)))) for op in operations]
    if found:
        shared = parameters.shared([op.parameters for op in found])
        rest = [parameters.in_order([each for each in op.parameters if each not in shared]) for op in found]
        operations = [replace(op, parameters=own) for op, own in zip(found, rest, strict=True)]
        yield Path(path, shared, tuple(operations))


def paths(kind: Kind) -> Iterator[Path]:
    """Every path of a kind: its collections, its objects, their subresources, and how they were watched once."""
    return _paths(kind, (lambda op: op) if kind in _BUILT_IN else partial(_custom, kind))


def _custom(kind: Kind, op: Operation) -> Operation:
    """An operation as upstream publishes it for a custom resource (apiextensions-apiserver/pkg/controller/openapi)."""
    op = replace(op, gvk=_gvk(kind), produces=_TEXTS, consumes=op.patch_types or _TEXTS)
    if op.action == "list":
        return replace(op, description=f"list objects of kind {kind.kind}")
    if op.action == "deletecollection":
        return replace(op, body=None, parameters=parameters.of(*_LIST))
    if op.action == "patch":
        return replace(op, codes=(200,))
    if op.action == "get":
        version = next(each for each in parameters.of("list") if each.name == "resourceVersion")
        return replace(op, parameters=(*op.parameters, version))
    return op


def _paths(kind: Kind, told: Callable[[Operation], Operation]) -> Iterator[Path]:
    where = (NAMESPACE,) if kind.namespaced else ()
    namespace = "{namespace}" if kind.namespaced else ""
    yield from _path(kind.path(namespace), map(told, _collection(kind)), *where)
    if kind.namespaced and "list" in kind.verbs:
        yield from _path(kind.path(), [told(_list(kind, f"{kind.kind}ForAllNamespaces"))])
    named = parameters.named(kind.kind)
    yield from _path(kind.path(namespace, "{name}"), map(told, _object(kind)), named, *where)
    for name in kind.subresources:
        found = subresource(kind, name)
        of = parameters.named(_named_after(kind, found)) if kind in _BUILT_IN else named
        # A subresource of namespaces is named in the namespace's place.
        path = kind.path(namespace, "{name}", name)
        yield from _path(path, map(told, _subresource(kind, found)), of, *where)
        if name == "proxy":
            yield from _path(f"{path}/{{path}}", _subresource(kind, found, "WithPath"), of, BELOW, *where)
    if "watch" in kind.verbs and kind in _BUILT_IN:
        yield from _watched(kind, namespace, where, named)


def _watched(kind: Kind, namespace: str, where: tuple[Parameter, ...], named: Parameter) -> Iterator[Path]:
    """The deprecated paths."""
    rest = f"{_scope(kind)}{kind.kind}"
    yield from _path(_watching(kind.path(namespace)), [_watch_list(kind, f"{rest}List")], *where)
    if kind.namespaced:
        yield from _path(_watching(kind.path()), [_watch_list(kind, f"{kind.kind}ListForAllNamespaces")])
    text = (
        f"watch changes to an object of kind {kind.kind}. deprecated: use the 'watch' parameter with a list operation "
        "instead, filtered to a single item with the 'fieldSelector' parameter."
    )
    one = replace(_watch_list(kind, rest), action="watch", description=text)
    yield from _path(_watching(kind.path(namespace, "{name}")), [one], named, *where)


def _watching(path: str) -> str:
    """The path with `watch` behind the version."""
    parts = path.split("/")
    at = 3 if parts[1] == "api" else 4
    return "/".join([*parts[:at], "watch", *parts[at:]])


def tag(kind: Kind) -> str:
    """`apps_v1`, `core_v1`: the group as generators name their classes."""
    return f"{short(kind.group)}_{kind.version}"


def short(group: str) -> str:
    """`apps`, `rbacAuthorization`, `core`: the group in names of operations."""
    first, *rest = group.removesuffix(".k8s.io").split(".")
    return first + "".join(map(_capital, rest)) or "core"


def _scope(kind: Kind) -> str:
    return "Namespaced" if kind.namespaced else ""


def _gvk(kind: Kind) -> GroupVersionKind:
    return kind.group, kind.version, kind.kind


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _id(verb: str, kind: Kind, rest: str) -> str:
    """`readCoreV1NamespacedPod`."""
    return f"{verb}{_capital(short(kind.group))}{kind.version.capitalize()}{rest}"


def _operation(kind: Kind, method: str, id: str, text: str, action: str = "", *uses: str) -> Operation:
    """An operation on a kind itself, which answers with it."""
    gvk = _gvk(kind)
    return Operation(
        method, id, text, action or method, gvk, tag(kind), answer=gvk, parameters=parameters.of(*uses or _PRETTY)
    )


def _list(kind: Kind, rest: str) -> Operation:
    watches = "or watch " if "watch" in kind.verbs else ""
    made = _operation(
        kind, "get", _id("list", kind, rest), f"list {watches}objects of kind {kind.kind}", "list", *_LIST
    )
    return replace(made, answer=(kind.group, kind.version, kind.list_name), produces=(*MEDIA_TYPES, *STREAM_TYPES))


def _watch_list(kind: Kind, rest: str) -> Operation:
    text = (
        f"watch individual changes to a list of {kind.kind}. deprecated: use the 'watch' parameter with a list "
        "operation instead."
    )
    return replace(
        _list(kind, ""), id=_id("watch", kind, rest), description=text, action="watchlist", answer=WATCH_EVENT
    )


def _collection(kind: Kind) -> Iterator[Operation]:
    rest = f"{_scope(kind)}{kind.kind}"
    if "list" in kind.verbs:
        yield _list(kind, rest)
    if "create" in kind.verbs:
        made = _operation(kind, "post", _id("create", kind, rest), f"create {_one(kind)}", "", *_WRITE)
        yield replace(made, body=_gvk(kind), codes=(200, 201, 202))
    if "deletecollection" in kind.verbs:
        text, id = f"delete collection of {kind.kind}", _id("delete", kind, f"Collection{rest}")
        made = _operation(kind, "delete", id, text, "deletecollection", *_DELETE)
        many = tuple(each for each in parameters.of("list") if each.name in _OF_MANY)
        yield replace(made, body=_DELETE_OPTIONS, answer=_STATUS, parameters=(*made.parameters, *many))


def _one(kind: Kind) -> str:
    """`a Pod`, `an Ingress`, `Endpoints`."""
    if kind.kind.endswith("s") and not kind.kind.endswith("ss"):
        return kind.kind
    return f"{'an' if kind.kind[0] in 'AEIOU' else 'a'} {kind.kind}"


def _object(kind: Kind) -> Iterator[Operation]:
    rest, gvk = f"{_scope(kind)}{kind.kind}", _gvk(kind)
    if not kind.is_stored:
        return
    if "get" in kind.verbs:
        yield _operation(kind, "get", _id("read", kind, rest), f"read the specified {kind.kind}")
    if "update" in kind.verbs:
        made = _operation(kind, "put", _id("replace", kind, rest), f"replace the specified {kind.kind}", "", *_WRITE)
        yield replace(made, body=gvk, codes=(200, 201))
    if "delete" in kind.verbs:
        made = _operation(kind, "delete", _id("delete", kind, rest), f"delete {_one(kind)}", "", *_DELETE)
        strategy = strategy_of(kind)
        answer = made.answer if strategy.graceful or strategy.shows_deleted else _STATUS
        yield replace(made, body=_DELETE_OPTIONS, answer=answer, codes=(200, 202))
    if "patch" in kind.verbs:
        yield _patch(kind, rest, f"partially update the specified {kind.kind}")


def _patch(kind: Kind, rest: str, text: str) -> Operation:
    types = PATCH_TYPES if kind in _BUILT_IN else CUSTOM_PATCH_TYPES
    made = _operation(kind, "patch", _id("patch", kind, rest), text, "", *_PATCH)
    return replace(made, patch_types=types, consumes=types, codes=(200, 201))


_METHODS = {"get": "get", "update": "put", "patch": "patch", "create": "post", "delete": "delete"}
_WORDS = {"get": "read", "update": "replace", "patch": "partially update"}
#: Methods of a proxy that have no verb of their own.
_CONNECTED = {"proxy": ("get", "put", "post", "delete", "options", "head", "patch")}


def _named_after(kind: Kind, found: Subresource) -> str:
    """Whose name a subresource's path has: that of what it speaks."""
    return found.of(kind)[2]


def _subresource(kind: Kind, found: Subresource, suffix: str = "") -> Iterator[Operation]:
    gvk = found.of(kind)
    rest = f"{_scope(kind)}{kind.kind}{_capital(found.name)}"
    if gvk[2].endswith("Options"):
        for method in _CONNECTED.get(found.name) or [_METHODS[verb] for verb in found.verbs]:
            id = _id("connect", kind, f"{method.capitalize()}{rest}{suffix}")
            text = f"connect {method.upper()} requests to {found.name} of {kind.kind}"
            yield Operation(
                method, id, text, "connect", gvk, tag(kind), parameters=parameters.of(gvk[2]), produces=_ANY
            )
        return
    for verb in found.verbs:
        yield _part(kind, found, gvk, rest, verb)


def _part(kind: Kind, found: Subresource, gvk: GroupVersionKind, rest: str, verb: str) -> Operation:
    """A subresource read or written as an object."""
    if verb == "patch":
        made = _patch(kind, rest, f"partially update {found.name} of the specified {kind.kind}")
        return replace(made, gvk=gvk, answer=gvk)
    if verb == "create":
        text = f"create {found.name} of a {kind.kind}"
        made = _operation(kind, "post", _id("create", kind, rest), text, "", *_WRITE)
        return replace(made, gvk=gvk, answer=gvk, body=gvk, codes=(200, 201, 202))
    text = f"{_WORDS[verb]} {found.name} of the specified {kind.kind}"
    if verb == "update":
        made = _operation(kind, "put", _id("replace", kind, rest), text, "", *_WRITE)
        return replace(made, gvk=gvk, answer=gvk, body=gvk, codes=(200, 201))
    made = replace(_operation(kind, "get", _id("read", kind, rest), text), gvk=gvk, answer=gvk)
    if found.name == "log":
        own = parameters.of("log", *_PRETTY)
        return replace(made, answer=None, parameters=own, produces=("text/plain", *MEDIA_TYPES))
    return made


def _plain(path: str, id: str, text: str, tag: str, answer: str, types: tuple[str, ...] = MEDIA_TYPES) -> Path:
    """A path that says what there is, and is no resource."""
    kind = (*_META, answer) if answer else None
    op = Operation("get", id, text, "", None, tag, answer=kind, produces=types, consumes=types if answer else ())
    return Path(path, (), (op,))


def of_version(group: str, version: str) -> Path:
    """What asks which resources a group version has."""
    root = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    name = short(group)
    id = f"get{_capital(name)}{version.capitalize()}APIResources"
    return _plain(root, id, "get available resources", f"{name}_{version}", "APIResourceList")


def of_group(group: str) -> Path:
    """What asks which versions a group has."""
    name = short(group)
    return _plain(f"/apis/{group}/", f"get{_capital(name)}APIGroup", "get information of a group", name, "APIGroup")


#: Which versions, groups and keys there are, by the names of their OpenAPI v3 documents.
OTHERS = {
    "api": _plain("/api/", "getCoreAPIVersions", "get available API versions", "core", "APIVersions"),
    "apis": _plain("/apis/", "getAPIVersions", "get available API versions", "apis", "APIGroupList"),
    "version": _plain(
        "/version/", "getCodeVersion", "get the version information for this server", "version", "Info", (JSON,)
    ),
    ".well-known/openid-configuration": _plain(
        "/.well-known/openid-configuration/",
        "getServiceAccountIssuerOpenIDConfiguration",
        "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        "WellKnown",
        "",
        (JSON,),
    ),
    "openid/v1/jwks": _plain(
        "/openid/v1/jwks/",
        "getServiceAccountIssuerOpenIDKeyset",
        "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
        "openid",
        "",
        ("application/jwk-set+json",),
    ),
}
