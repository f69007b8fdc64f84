"""The values between a controller's decision and the shell that carries it out.

    Plan     what to write, in order, and when to look again
    Write    Create, Patch, Delete; an Event between them is told once the writes before it are done
    View     what a controller may read: the caches, and how its last attempt on this key failed
    Watch    a kind whose changes matter, and how a change finds the keys to reconcile

All are plain values, so a controller is tested with data alone. In messages of `done` and `failed`, `{name}` stands for
the name of the object written (a server may have made it up) and `{error}` for the server's refusal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from apimachinery.errors import ApiError
from apimachinery.kinds import Kind
from apimachinery.types import Json
from client.client import Client


@dataclass(frozen=True, slots=True)
class Key:
    """The name of an object; namespace "" for cluster-scoped kinds."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell about an object. `regarding` is an ObjectReference (see client.events.reference)."""

    regarding: Json
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object, or a subresource of the object `name`."""

    kind: Kind
    namespace: str
    body: Json
    done: Event | None = None
    failed: Event | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """Change what `body` names, of that very object (`uid`), and only as of `resource_version` where one is given."""

    kind: Kind
    key: Key
    uid: str
    body: Json
    subresource: str = ""
    type: str = "merge"
    resource_version: str = ""
    done: Event | None = None
    failed: Event | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete that very object: never a namesake that came later."""

    kind: Kind
    key: Key
    uid: str
    propagation: str = ""
    grace_period: int | None = None
    done: Event | None = None
    failed: Event | None = None


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Delete everything of a kind in a namespace."""

    kind: Kind
    namespace: str
    propagation: str = "Background"


@dataclass(frozen=True, slots=True)
class Replace:
    """A full update of a raw tree as it was read (never of a view): for subresources that know no patch (finalize)."""

    kind: Kind
    body: Json
    subresource: str = ""


Write: TypeAlias = Create | Patch | Delete | DeleteAll | Replace


@dataclass(frozen=True, slots=True)
class Plan:
    """What should happen. `again_in` seconds is for time-driven work only; errors come back by themselves."""

    writes: Sequence[Write | Event] = ()
    again_in: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The write that ended the last attempt on a key."""

    write: Write
    error: ApiError


class View(Protocol):
    """What is known. Objects are the frozen views of the caches."""

    @property
    def failure(self) -> Failure | None:
        """How the last attempt on this key failed; None once one went through."""
        ...

    def get(self, kind: Kind, key: Key) -> Any: ...

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Any]: ...

    def by(self, kind: Kind, index: str, value: str) -> Sequence[Any]: ...


KeysOf: TypeAlias = Callable[[Any, View], Iterable[Key]]
#: For a change (kind, old, new) of anything at all; of most kinds the metadata alone is known.
KeysOfAny: TypeAlias = Callable[[Kind, Any, Any, View], Iterable[Key]]


def itself(item: Any, _view: View) -> Iterable[Key]:
    """The changed object is the one to reconcile."""
    return (key_of(item),)


@dataclass(frozen=True, slots=True)
class OwnerOf:
    """The object of `kind` that controls the changed one."""

    kind: Kind

    def __call__(self, item: Any, _view: View) -> Iterable[Key]:
        for owner in item.metadata.owner_references:
            if owner.controller and owner.kind == self.kind.kind:
                yield Key(item.metadata.namespace if self.kind.namespaced else "", owner.name)


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind whose changes matter. `keys` is asked for the old and for the new state of an object."""

    kind: Kind
    keys: KeysOf = itself
    #: Whether a change from old to new matters at all (heartbeats do not); None stands for "not there".
    matters: Callable[[Any, Any], bool] = lambda _old, _new: True


class Controller(Protocol):
    """A declaration of what is watched, and a pure function from what is known to what should happen.

    One that works by the clock may have `at_start`: keys to plan once without any change. One to which every kind
    matters, custom ones too, may have `keys_of_any` (a KeysOfAny).
    """

    @property
    def name(self) -> str: ...
    @property
    def watches(self) -> Sequence[Watch]: ...

    def plan(self, key: Key, view: View, now: float) -> Plan: ...


@runtime_checkable
class Looking(Protocol):
    """A controller that must ask the server before it can plan (what no cache holds): `look`, then `plan` with it."""

    @property
    def name(self) -> str: ...
    @property
    def watches(self) -> Sequence[Watch]: ...

    async def look(self, client: Client, key: Key, view: View) -> Any: ...

    def plan(self, key: Key, view: View, now: float, seen: Any) -> Plan: ...


def key_of(item: Any) -> Key:
    """The key of a view."""
    return Key(item.metadata.namespace, item.metadata.name)
