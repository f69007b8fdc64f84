"""What the server serves: one `Resource` per kind and version, found by group, version and plural.

A resource joins the `Kind` (coordinates), the `Strategy` (rules of the write path), the kind it is stored as, and its
subresources. Generic code asks the resource and never looks at a kind's name. Rows come and go at run time: that is how
custom resources are served.

    Handler      answers one verb of a resource or subresource
    Virtual      a create-only resource that is computed and forgotten (reviews): one function from body to answer
    Deletion     what, besides finalizers, keeps a deleted object (namespaces), and how it is marked meanwhile
    Transforms   how an object changes between the store and the wire, where each one may change differently
    Ending       tells watches that their resource is served no more, or otherwise than before
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol, TypeAlias

from apimachinery import conversion, errors
from apimachinery.apply import blanks, types
from apimachinery.apply.ownership import Ownership
from apimachinery.kinds import BY_RESOURCE, KNOWN, Kind
from apimachinery.types import Json
from apiserver.call import Call, Response
from apiserver.request import Request, User
from apiserver.storage.entry import Entry
from apiserver.strategies.strategy import Strategy
from apiserver.tables.table import Table

Handler: TypeAlias = Callable[[Call, "Resource"], Awaitable[Response]]
#: From the body sent to the object answered; raises ApiError.
Virtual: TypeAlias = Callable[[Request, Json], Awaitable[Json]]
Convert: TypeAlias = Callable[[Json, Kind], Json]


class Grant(Protocol):
    """What one write has taken out of a shared stock."""

    async def keep(self) -> None: ...

    async def undo(self) -> None: ...


class Reserves(Protocol):
    """A stock that objects of a kind share (addresses, ports): taken just before the write, given back after the end.

    `settle` fills what is clear before the object is judged. `allocate` fills the rest; it runs after all write stages,
    so that only a write that is about to happen takes.
    """

    def settle(self, new: Json, old: Json | None) -> None: ...

    async def allocate(self, new: Json, old: Json | None, *, dry_run: bool = False) -> Grant: ...

    async def release(self, gone: Json) -> None: ...


class Transforms(Protocol):
    """Between the store and the wire, for objects that may each be stored in another version (custom resources).

    `prepare` makes `served` possible, for all entries at once where a webhook is asked; an entry keeps what was made,
    under `form`; `keep_as_is` instead keeps what is in the version served already (a bookmark). `adopted` is an object
    of another version in this one; the tree given is used up.
    """

    @property
    def form(self) -> str: ...

    async def prepare(self, entries: Sequence[Entry]) -> None: ...

    def keep_as_is(self, entry: Entry) -> None: ...

    def served(self, entry: Entry) -> bytes: ...

    async def stored(self, tree: Json) -> Json: ...

    async def adopted(self, tree: Json) -> Json: ...


class Ending:
    """Whether a resource, as it was served, is over; who waits for that is called once."""

    def __init__(self) -> None:
        self.is_over = False
        self._calls: dict[object, Callable[[], None]] = {}

    def listen(self, who: object, call: Callable[[], None]) -> None:
        """Have `call` called when it is over."""
        self._calls[who] = call

    def forget(self, who: object) -> None:
        """Do not call any more."""
        self._calls.pop(who, None)

    def end(self) -> None:
        """It is over."""
        self.is_over = True
        for call in list(self._calls.values()):
            call()


def _nothing_holds(_tree: Json) -> bool:
    return False


def _as_it_is(tree: Json) -> Json:
    return tree


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a kind's objects go. `holds`: something besides metadata.finalizers keeps the object. `mark` records it.

    `is_own`: upstream's kind has a delete of its own, with words of its own where a precondition does not hold.
    `propagates`: the delete that marks the object heeds the propagation policy.
    """

    holds: Callable[[Json], bool] = _nothing_holds
    mark: Callable[[Json], Json] = _as_it_is
    is_own: bool = False
    propagates: bool = True


@cache
def _versions(stored: Kind) -> Mapping[str, Kind]:
    return {kind.api_version: kind for kind in KNOWN if stored_kind(kind) is stored}


def _replicas(stored: Kind) -> Mapping[str, tuple[str, ...]]:
    return dict.fromkeys(_versions(stored), ("spec", "replicas"))


@dataclass(frozen=True, slots=True)
class Merging:
    """How a kind's objects merge under server-side apply. The defaults are those of the built-in kinds."""

    type_of: Callable[[Kind], types.Type] = types.built_in
    blank: Callable[[Kind], Json] = blanks.blank  # what there is before a create
    #: The kind in every version that is served, by apiVersion; given the version stored.
    versions: Callable[[Kind], Mapping[str, Kind]] = _versions
    convert: Convert = conversion.convert
    #: The names that lead to the count of replicas, by apiVersion; for kinds with a Scale. () where a version has none.
    replicas: Callable[[Kind], Mapping[str, tuple[str, ...]]] = _replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as served in one version."""

    kind: Kind
    stored: Kind  # the row that etcd holds; the same as `kind` but for kinds with several versions
    strategy: Strategy
    deletion: Deletion = Deletion()
    respond: Virtual | None = None
    subresources: Mapping[str, Mapping[str, Handler]] = field(default_factory=dict)  # name -> verb -> handler
    convert: Convert | None = None  # to the version asked for; None where there is only one
    guard: Callable[[User, Json, Json | None], None] | None = None  # who may write what; raises 403 (roles)
    #: What the user may not have written, as problems of an object that is good otherwise (parameters of policies).
    authorizes: Callable[[User, Json, Json | None], list[errors.FieldError]] | None = None
    #: What the object's namespace does not admit, from the object, the old one and the subresource (access to devices).
    admits: Callable[[Json, Json | None, str], list[errors.FieldError]] | None = None
    reserves: Reserves | None = None
    ttl: int = 0  # seconds an object lives, 0 for ever (events)
    #: The server itself acts by its objects (webhooks): a write is answered when the cache, which it reads, has it.
    is_obeyed: bool = False
    merging: Merging = Merging()
    #: The rules of field management by subresource, made when first needed (see `resources.managing`).
    ownerships: dict[str, Ownership] = field(default_factory=dict, compare=False, repr=False)
    transforms: Transforms | None = None
    #: What the schema keeps of a tree, and the unknown fields when asked; None: the built-in definitions decide.
    decode: Callable[[Json, bool], tuple[Json, list[str]]] | None = None
    #: The same of what an apply has made of a custom resource: its nulls stay, and are judged.
    decode_applied: Callable[[Json, bool], tuple[Json, list[str]]] | None = None
    schema: Json | None = None  # the openAPIV3Schema of a custom resource
    table: Table | None = None  # None: that of the kind
    warnings: tuple[str, ...] = ()  # told with every answer (deprecated versions)
    ending: Ending | None = None  # None: it is never over

    @property
    def is_typed(self) -> bool:
        """Whether the kind is a Go type for upstream: then strategic merge patches know it."""
        return self.decode is None

    @property
    def is_converted(self) -> bool:
        """Whether what is stored differs from what is served."""
        return self.kind is not self.stored

    def to_served(self, tree: Json) -> Json:
        """A stored tree in the version served; the same tree where they do not differ."""
        return self.convert(tree, self.kind) if self.convert and self.is_converted else tree

    def to_stored(self, tree: Json) -> Json:
        """A tree of the version served as it is stored; the same tree where they do not differ."""
        return self.convert(tree, self.stored) if self.convert and self.is_converted else tree

    def for_applying(self) -> "Resource":
        """The resource as an apply writes it."""
        return replace(self, decode=self.decode_applied) if self.decode_applied is not None else self

    def not_found(self, name: str) -> errors.ApiError:
        """404 for an object of this resource."""
        return errors.not_found(self.kind.group, self.kind.plural, name)

    def already_exists(self, name: str) -> errors.ApiError:
        """409 for a taken name."""
        return errors.already_exists(self.kind.group, self.kind.plural, name)

    def conflict(self, name: str, why: str = errors.OPTIMISTIC_LOCK) -> errors.ApiError:
        """409 for a lost race."""
        return errors.conflict(self.kind.group, self.kind.plural, name, why)

    def method_not_allowed(self, verb: str) -> errors.ApiError:
        """405: the resource exists, the verb does not."""
        return errors.method_not_allowed(self.kind.group, self.kind.plural, verb)


def stored_kind(kind: Kind) -> Kind:
    """The row under which a kind's objects are stored."""
    group = kind.group if kind.storage_group is None else kind.storage_group
    return BY_RESOURCE.get((group, kind.storage_version or kind.version, kind.plural), kind)


class Registry:
    """The resources served now."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._rows: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve it, in place of what was served there."""
        kind = resource.kind
        self._rows[kind.group, kind.version, kind.plural] = resource

    def remove(self, kind: Kind) -> None:
        """Stop serving it."""
        self._rows.pop((kind.group, kind.version, kind.plural), None)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path, None for 404."""
        return self._rows.get((group, version, plural))

    def has_built_in(self, group: str) -> bool:
        """Whether a kind of the API group is served that is no custom one: only then upstream has a router for it."""
        return any(row.kind.group == group and row.is_typed for row in self._rows.values())

    def of(self, kind: Kind) -> Resource:
        """The resource of a kind that is known to be served."""
        return self._rows[kind.group, kind.version, kind.plural]

    def resources(self) -> list[Resource]:
        """Every resource served now."""
        return list(self._rows.values())

    def stored(self) -> list[Kind]:
        """The kind of each folder in the store, in the version stored."""
        rows = (row.stored for row in self._rows.values() if row.kind.is_stored)
        return list({kind.storage_prefix(): kind for kind in rows}.values())

    def kinds(self) -> list[Kind]:
        """Every kind served, in the order added: what discovery lists."""
        return [resource.kind for resource in self._rows.values()]
