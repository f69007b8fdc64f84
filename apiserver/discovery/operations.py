"""Paths and operations of the served kinds, in a form that both OpenAPI versions are written from.

kubectl looks here whether PATCH of a kind has `fieldValidation` and `dryRun`; generators look at the rest.
Source: apiserver/pkg/endpoints/installer.go (operation ids, parameters, x-kubernetes-action).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from apimachinery.kinds import KNOWN, Kind
from apiserver.discovery.subresources import Subresource, subresource

PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
#: Of custom resources: no Go type says how their lists are merged. kubectl looks here for what to send.
CUSTOM_PATCH_TYPES = PATCH_TYPES[1:3] + PATCH_TYPES[:1]
_BUILT_IN = frozenset(KNOWN)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query or path parameter. `type` is OpenAPI's."""

    name: str
    type: str = "string"
    description: str = ""
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `body` and `answer` are (group, version, kind); None for none, or for plain text."""

    method: str
    id: str
    description: str
    action: str
    gvk: tuple[str, str, str]
    tag: str
    body: tuple[str, str, str] | None = None
    answer: tuple[str, str, str] | None = None
    patch_types: tuple[str, ...] = ()  # what a patch may be; none for other operations
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """One path with its operations and the parameters that all of them share."""

    path: str
    parameters: tuple[Parameter, ...]
    operations: tuple[Operation, ...] = field(default=())


PRETTY = Parameter("pretty", description="If 'true', then the output is pretty printed.")
DRY_RUN = Parameter(
    "dryRun", description="'All' processes the request whole without storing the result. The only other value is none."
)
MANAGER = Parameter("fieldManager", description="The actor or entity that makes the change; at most 128 characters.")
VALIDATION = Parameter(
    "fieldValidation",
    description="What happens to unknown and duplicate fields: Ignore drops them, Warn (the default) also warns, "
    "Strict refuses the request.",
)
FORCE = Parameter("force", "boolean", "Take over fields that others own; for apply patches only.")
LIST = (
    Parameter("allowWatchBookmarks", "boolean", "Ask for BOOKMARK events in a watch."),
    Parameter("continue", description="The token of the previous page."),
    Parameter("fieldSelector", description="Restricts the objects by their fields."),
    Parameter("labelSelector", description="Restricts the objects by their labels."),
    Parameter("limit", "integer", "The most objects to return; the rest comes with `continue`."),
    Parameter("resourceVersion", description="How fresh the answer must be, or where a watch begins."),
    Parameter("resourceVersionMatch", description="How resourceVersion is meant: NotOlderThan or Exact."),
    Parameter("sendInitialEvents", "boolean", "Begin a watch with synthetic events for what is there."),
    Parameter("timeoutSeconds", "integer", "How long the call may last."),
    Parameter("watch", "boolean", "Watch for changes and return them as a stream."),
)
DELETE = (
    DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "How long to wait before the object goes; 0 deletes at once."),
    Parameter("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "Delete what cannot be read."),
    Parameter("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    Parameter("propagationPolicy", description="What happens to dependents: Orphan, Background or Foreground."),
)
WRITE = (DRY_RUN, MANAGER, VALIDATION)
NAME = Parameter("name", description="The name of the {kind}.", where="path")
NAMESPACE = Parameter(
    "namespace", description="Object name and auth scope, such as for teams and projects.", where="path"
)
_DELETE_OPTIONS = ("", "v1", "DeleteOptions")
_STATUS = ("", "v1", "Status")


def paths(kind: Kind) -> Iterator[Path]:
    """Every path of a kind: its collections, its objects, their subresources."""
    gvk = (kind.group, kind.version, kind.kind)
    shared = (NAMESPACE, PRETTY) if kind.namespaced else (PRETTY,)
    scope = "Namespaced" if kind.namespaced else ""
    namespace = "{namespace}" if kind.namespaced else ""
    if operations := tuple(_collection(kind, gvk, scope)):
        yield Path(kind.path(namespace), shared, operations)
    if kind.namespaced and "list" in kind.verbs:
        listing = _list(kind, gvk, "", f"{kind.kind}ForAllNamespaces")
        yield Path(kind.path(), (PRETTY,), (listing,))
    if not kind.is_stored and not kind.subresources:
        return
    named = (Parameter("name", description=f"name of the {kind.kind}", where="path"), *shared)
    if operations := tuple(_object(kind, gvk, scope)):
        yield Path(kind.path(namespace, "{name}"), named, operations)
    for name in kind.subresources:
        found = subresource(kind, name)
        yield Path(kind.path(namespace, "{name}", name), named, tuple(_subresource(kind, found, scope)))


def tag(kind: Kind) -> str:
    """`apps_v1`, `core_v1`: the group as generators name their classes."""
    return f"{short(kind.group)}_{kind.version}"


def short(group: str) -> str:
    """`apps`, `rbacAuthorization`, `core`: the group in names of operations."""
    name = group.removesuffix(".k8s.io")
    for part in ("authorization", "apiserver"):
        name = name.replace(f".{part}", part.capitalize())
    return name.split(".")[0] or "core"


def _id(verb: str, kind: Kind, rest: str) -> str:
    """`readCoreV1NamespacedPod`."""
    group = short(kind.group)
    return f"{verb}{group[0].upper()}{group[1:]}{kind.version.capitalize()}{rest}"


def _list(kind: Kind, gvk: tuple[str, str, str], scope: str, rest: str = "") -> Operation:
    answer = (kind.group, kind.version, kind.list_name)
    text = f"list or watch objects of kind {kind.kind}"
    operation_id = _id("list", kind, rest or f"{scope}{kind.kind}")
    return Operation("get", operation_id, text, "list", gvk, tag(kind), None, answer, parameters=LIST)


def _collection(kind: Kind, gvk: tuple[str, str, str], scope: str) -> Iterator[Operation]:
    rest, what = f"{scope}{kind.kind}", tag(kind)
    if "list" in kind.verbs:
        yield _list(kind, gvk, scope)
    if "create" in kind.verbs:
        text = f"create a {kind.kind}"
        yield Operation("post", _id("create", kind, rest), text, "post", gvk, what, gvk, gvk, parameters=WRITE)
    if "deletecollection" in kind.verbs:
        text, parameters = f"delete collection of {kind.kind}", (*LIST[1:7], *DELETE)
        operation_id = _id("delete", kind, f"Collection{rest}")
        yield Operation(
            "delete",
            operation_id,
            text,
            "deletecollection",
            gvk,
            what,
            _DELETE_OPTIONS,
            _STATUS,
            parameters=parameters,
        )


def _object(kind: Kind, gvk: tuple[str, str, str], scope: str) -> Iterator[Operation]:
    rest, what = f"{scope}{kind.kind}", tag(kind)
    if "get" in kind.verbs:
        yield Operation("get", _id("read", kind, rest), f"read the specified {kind.kind}", "get", gvk, what, None, gvk)
    if "update" in kind.verbs:
        text = f"replace the specified {kind.kind}"
        yield Operation("put", _id("replace", kind, rest), text, "put", gvk, what, gvk, gvk, parameters=WRITE)
    if "delete" in kind.verbs:
        text = f"delete a {kind.kind}"
        operation_id = _id("delete", kind, rest)
        yield Operation("delete", operation_id, text, "delete", gvk, what, _DELETE_OPTIONS, _STATUS, parameters=DELETE)
    if "patch" in kind.verbs:
        yield _patch(kind, gvk, rest, f"partially update the specified {kind.kind}")


def _patch(kind: Kind, gvk: tuple[str, str, str], rest: str, text: str) -> Operation:
    return Operation(
        "patch",
        _id("patch", kind, rest),
        text,
        "patch",
        gvk,
        tag(kind),
        answer=gvk,
        patch_types=PATCH_TYPES if kind in _BUILT_IN else CUSTOM_PATCH_TYPES,
        parameters=(*WRITE, FORCE),
    )


_METHODS = {"get": "get", "update": "put", "patch": "patch", "create": "post", "delete": "delete"}
_WORDS = {"get": "read", "update": "replace", "create": "create", "delete": "delete"}


def _subresource(kind: Kind, found: Subresource, scope: str) -> Iterator[Operation]:
    gvk, name = found.of(kind), found.name[0].upper() + found.name[1:]
    rest = f"{scope}{kind.kind}{name}"
    connects, is_text = gvk[2].endswith("Options"), found.name == "log"
    for verb in found.verbs:
        text = f"{_WORDS.get(verb, 'partially update')} {found.name} of the specified {kind.kind}"
        if connects:
            method = _METHODS[verb]
            operation_id = _id("connect", kind, f"{method.capitalize()}{rest}")
            yield Operation(method, operation_id, f"connect to {found.name} of {kind.kind}", "connect", gvk, tag(kind))
        elif verb == "patch":
            yield _patch(kind, gvk, rest, text)
        else:
            body = gvk if verb in ("create", "update") else None
            answer = None if is_text else gvk
            parameters = WRITE if body else ()
            method = _METHODS[verb]
            action = method if verb != "get" else "get"
            operation_id = _id(_WORDS[verb], kind, rest)
            yield Operation(method, operation_id, text, action, gvk, tag(kind), body, answer, parameters=parameters)
