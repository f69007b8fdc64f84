"""One request as it travels through the stages: what was asked, by whom, and what has been found out so far.

`Request` is filled from left to right by `REQUEST_STAGES` (see pipeline.py); a stage may rely on what stages above it
filled and on nothing below it. `User`, `Attributes` and `RequestInfo` are plain values, so that authentication and
authorization are functions of data; those made for every request are Structs, which cost a tenth of a dataclass.
Source: apiserver/pkg/endpoints/request/requestinfo.go, authorization/authorizer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from apimachinery.kinds import Kind
from apimachinery.types import Json

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
#: Subresources that hand the method itself on: upstream's CONNECT.
CONNECTS = frozenset({"exec", "attach", "portforward", "proxy"})
#: Those, and what else goes on for as long as it likes and is answered in its own form.
STREAMS = CONNECTS | {"log"}


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. Groups include system:authenticated or system:unauthenticated."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a path and a method mean. `verb` is Kubernetes' (get, list, watch, create, ...), else lower-case HTTP."""

    is_resource: bool
    path: str
    verb: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    is_nameless: bool = False  # the path says that there is a namespace, and not which: `namespaces//pods`
    plural: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()  # the path behind the name and subresource (proxy paths)


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the authorizer: may `user` do `verb` on this resource or path."""

    user: User
    verb: str
    is_resource: bool = True
    group: str = ""
    version: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    #: The fields that a list or watch is limited to, each with its one value: kubelets may see their own pods only.
    field_selector: tuple[tuple[str, str], ...] = ()
    #: Whether nothing will come of it: admission has no effects then.
    dry_run: bool = False


class Decision(msgspec.Struct, frozen=True):
    """The authorizer's answer. `reason` is appended to the 403's message."""

    allowed: bool
    reason: str = ""


class Lookup(Protocol):
    """Reads decoded objects from the watch cache: for admission, authorization, tokens. Never to be modified.

    As fresh as the cache; nothing read here may decide about a compare-and-swap.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None: ...

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Json]: ...


@dataclass(slots=True)
class Request:
    """One HTTP request. `scope` and `receive` are ASGI's; the rest is filled by the stages."""

    scope: Mapping[str, Any]
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]  # names in lower case
    id: str = ""
    info: RequestInfo | None = None
    user: User | None = None
    warnings: dict[str, None] = field(default_factory=dict)  # sent as Warning: 299 headers, each once, in order
    annotations: dict[str, str] = field(default_factory=dict)  # of the audit event
    whole_annotations: dict[str, str] = field(default_factory=dict)  # of one that has the request's body

    def annotate(self, key: str, value: str, *, whole: bool = False) -> None:
        """Add to the audit event; the first value of a key stays, as upstream has it."""
        (self.whole_annotations if whole else self.annotations).setdefault(key, value)

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default
