"""One object as the watch cache holds it: the bytes that go on the wire, made once, and what is decoded on demand.

Values are stored without a resourceVersion; clients want it. `with_revision` puts `"resourceVersion":"N",` right after
`"metadata":{` without decoding anything, where that is provably right (see there); everything else is decoded and
encoded again. Values that upstream stored as protobuf are kept as they are and decoded by a hook on first use.

Trees are large (six times their bytes), so only those of the last few used entries are kept; labels and the like are
small and stay. The cache hands the same `Entry` to everybody: nobody may modify what it gives.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from apimachinery.kinds import KNOWN
from apimachinery.types import Json
from apiserver.storage.protocol import StorageError

T = TypeVar("T")
Decode = Callable[[bytes], Json]

#: What upstream puts before a protobuf value (runtime/serializer/protobuf).
PROTOBUF = b"k8s\0"
#: How many bytes of objects may have their trees in memory at a time.
TREE_BYTES = 4 << 20
#: Versions that upstream v1.34 writes, or wrote, and that are shown in another: such values have to be decoded.
SUPERSEDED = frozenset(
    {
        "apiextensions.k8s.io/v1beta1",
        "autoscaling/v1",
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "networking.k8s.io/v1beta1",
        "resource.k8s.io/v1beta1",
        "resource.k8s.io/v1beta2",
        "storage.k8s.io/v1beta1",
    }
)
#: What is told apart from custom resources: those have no defaults that later versions add.
_BUILT_IN = frozenset(kind.api_version for kind in KNOWN)
NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Undecodable(StorageError):
    """A stored value that is no object. `message` names the key: the only cure is to delete or rewrite it there."""


#: How often such a value was asked for, by the folder of its resource: `/registry/pods/`.
UNDECODABLE: Counter[str] = Counter()


def _undecodable(key: str, message: str) -> Undecodable:
    UNDECODABLE[resource_folder(key)] += 1
    return Undecodable(message)


def resource_folder(key: str) -> str:
    """`/registry/pods/` of `/registry/pods/default/web`; the resource of a group's or of services' has one more."""
    end = key.find("/", 10) + 1  # behind "/registry/"
    if "." in key[:end] or key.startswith("/registry/services/"):
        end = key.find("/", end) + 1 or end
    return key[:end]


class _Meta(msgspec.Struct, rename="camel", gc=False):
    namespace: str = ""
    labels: dict[str, str] | None = None
    resource_version: str | msgspec.UnsetType = msgspec.UNSET


class _Head(msgspec.Struct, gc=False):
    """The little that is read of most objects; msgspec skips the rest five times faster than it would build it."""

    metadata: _Meta


_head = msgspec.json.Decoder(_Head)
_tree = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


def no_protobuf(value: bytes) -> Json:
    """The hook's default."""
    if value.startswith(PROTOBUF):
        raise ValueError("the value is protobuf, as an upstream API server writes it, and no decoder was given")
    return _tree.decode(value)


class Entry(msgspec.Struct, gc=False, eq=False, repr_omit_defaults=True):
    """One object at one revision.

    `gc=False`: a hundred thousand entries would slow the cyclic collector down, and an entry is never in a cycle.
    """

    key: str
    revision: int
    #: The wire's bytes or, while `decode` is set, those of the store.
    held: bytes
    #: Of the stored value; what bounds in bytes are counted by.
    size: int
    decode: Decode | None = None
    _namespace: str = ""
    _labels: Mapping[str, str] | None = None
    _made: dict[Hashable, Any] | None = None

    @property
    def value(self) -> bytes:
        """The object as JSON with its resourceVersion, ready to send. Raises Undecodable."""
        if self.decode is not None:
            self.held = _decoded(self.key, self.held, self.revision, self.decode)
            self.decode = None
        return self.held

    @property
    def tree(self) -> Json:
        """The object as a tree. Not to be modified: others get the same one."""
        return _TREES.of(self)

    def read(self) -> Json:
        """A tree of one's own, which is not kept: for what looks once, or modifies. Raises Undecodable."""
        try:
            tree: Json = _tree.decode(self.value)
        except msgspec.DecodeError as error:
            raise _undecodable(self.key, f"the value stored at {self.key} cannot be decoded: {error}") from None
        return tree

    @property
    def labels(self) -> Mapping[str, str]:
        """The object's labels."""
        if self._labels is None:
            self._read_head()
        assert self._labels is not None
        return self._labels

    @property
    def namespace(self) -> str:
        """The object's namespace, "" for none."""
        if self._labels is None:
            self._read_head()
        return self._namespace

    @property
    def name(self) -> str:
        """The last part of the key, which is the object's name."""
        return self.key[self.key.rindex("/") + 1 :]

    def made(self, form: Hashable, make: Callable[["Entry"], T]) -> T:
        """What `make` made of this entry, made once for each `form` (another version, the selectable fields, ...)."""
        if self._made is None:
            self._made = {}
        if form not in self._made:
            self._made[form] = make(self)
        made: T = self._made[form]
        return made

    def has_made(self, form: Hashable) -> bool:
        """Whether `made` would find that form."""
        return self._made is not None and form in self._made

    def keep(self, form: Hashable, value: object) -> None:
        """Have `made` find this, where making it takes more than the entry."""
        if self._made is None:
            self._made = {}
        self._made[form] = value

    def at(self, revision: int) -> "Entry":
        """The same object with another resourceVersion: how a deleted one is shown."""
        before = _METADATA + b'"resourceVersion":"%d"' % self.revision  # `value` always has it there
        after = _METADATA + b'"resourceVersion":"%d"' % revision
        return Entry(self.key, revision, self.value.replace(before, after, 1), self.size)

    def _read_head(self) -> None:
        try:
            meta = _head.decode(self.value).metadata
        except msgspec.DecodeError as error:
            raise _undecodable(self.key, f"{self.key}: {error}") from None
        self._namespace, self._labels = meta.namespace, meta.labels or NO_LABELS


def entry(key: str, value: bytes, revision: int, decode: Decode = no_protobuf) -> Entry:
    """The entry of a stored value. Never raises: what cannot be decoded says so when it is used."""
    ready = with_revision(value, revision)
    if ready:
        return Entry(key, revision, ready, len(value))
    return Entry(key, revision, value, len(value), decode)


#: The texts before `"metadata":{` and their apiVersions, "" for those not found right: each is examined once.
_HEADS: dict[bytes, str] = {}
_METADATA = b'"metadata":{'
_FURTHEST = 400  # a kind's name and a group with its version have at most 63 + 253 + 1 + 63 letters


def with_revision(value: bytes, revision: int) -> bytes:
    """The JSON with its resourceVersion spliced in, b"" where decoding is the only safe way.

    Safe means: the value begins with exactly kind and apiVersion (in either order, compact, no escapes) and then the
    metadata, so what follows can be nothing but the object's own metadata; and that has no resourceVersion yet. So
    upstream and we write. A newline ends upstream's values; on the wire it would end a watch event too early. An older
    upstream server may have known fewer fields, so its built-in kinds are decoded, which gives them today's defaults.
    """
    start = value.find(_METADATA, 0, _FURTHEST)
    if start < 0:
        return b""
    head = value[:start]
    if head not in _HEADS:
        if len(_HEADS) > 10_000:
            _HEADS.clear()
        _HEADS[head] = _version_of(head)
    api_version = _HEADS[head]
    if not api_version:
        return b""
    if value[-1] == 10:
        if api_version in _BUILT_IN:
            return b""
        value = value[:-1]
    if b"\n" in value or (b'"resourceVersion":' in value and _has_revision(value)):
        return b""
    at = start + len(_METADATA)
    comma = b"" if value[at : at + 1] == b"}" else b","
    return b'%b"resourceVersion":"%d"%b%b' % (value[:at], revision, comma, value[at:])


def _version_of(head: bytes) -> str:
    """The apiVersion that a right head names."""
    try:
        tree = _tree.decode(head + b'"metadata":{}}')
    except msgspec.DecodeError:
        return ""
    names = list(tree)
    texts = all(isinstance(tree[name], str) for name in names[:2])
    compact = _encode({**tree, "metadata": {}}) == head + b'"metadata":{}}'
    right = texts and compact and sorted(names[:2]) == ["apiVersion", "kind"] and names[2:] == ["metadata"]
    return tree["apiVersion"] if right and tree["apiVersion"] not in SUPERSEDED else ""


def _has_revision(value: bytes) -> bool:
    """Whether the object's own metadata has one; Events and Endpoints carry those of others further down."""
    try:
        return _head.decode(value).metadata.resource_version is not msgspec.UNSET
    except msgspec.DecodeError:
        return True  # not ours to splice


def _decoded(key: str, value: bytes, revision: int, decode: Decode) -> bytes:
    try:
        tree = decode(value)
        metadata = {**tree["metadata"]}
        metadata.pop("resourceVersion", None)
        head = {"kind": tree["kind"], "apiVersion": tree["apiVersion"]}
        return _encode({**head, "metadata": {"resourceVersion": str(revision), **metadata}, **_rest(tree)})
    except (ValueError, KeyError, TypeError) as error:
        raise _undecodable(key, f"the value stored at {key} cannot be decoded: {error}") from error


def _rest(tree: Json) -> Json:
    return {name: value for name, value in tree.items() if name not in ("kind", "apiVersion", "metadata")}


class _Trees:
    """The trees used last, up to TREE_BYTES of encoded objects."""

    def __init__(self) -> None:
        self._trees: OrderedDict[tuple[str, int], tuple[Entry, Json]] = OrderedDict()
        self._bytes = 0

    def of(self, wanted: Entry) -> Json:
        where = (wanted.key, wanted.revision)
        kept = self._trees.get(where)
        # Another store in the same process may have another object at the same key and revision.
        if kept is not None and kept[0] is wanted:
            self._trees.move_to_end(where)
            return kept[1]
        tree = wanted.read()
        self._keep(where, wanted, tree)
        return tree

    def _keep(self, where: tuple[str, int], wanted: Entry, tree: Json) -> None:
        if where in self._trees:
            self._bytes -= self._trees.pop(where)[0].size
        self._trees[where] = (wanted, tree)
        self._bytes += wanted.size
        while self._bytes > TREE_BYTES and len(self._trees) > 1:
            _, (dropped, _) = self._trees.popitem(last=False)
            self._bytes -= dropped.size


_TREES = _Trees()


class CacheEvent(msgspec.Struct, gc=False, eq=False):
    """One change as watchers see it. `new` is None for a delete, `old` is None for a create."""

    revision: int
    new: Entry | None
    old: Entry | None
    _gone: Entry | None = None
    _made: dict[Hashable, Any] | None = None

    @property
    def key(self) -> str:
        """Of the object that changed."""
        entry = self.new or self.old
        assert entry is not None
        return entry.key

    @property
    def gone(self) -> Entry:
        """The old object with this event's revision: what DELETED shows, also to a watcher whose selector it left."""
        if self._gone is None:
            assert self.old is not None
            self._gone = self.old.at(self.revision)
        return self._gone

    def forget_made(self) -> None:
        """Give the memory back that `gone` and `made` took."""
        self._gone = self._made = None

    def made(self, form: Hashable, make: Callable[["CacheEvent"], T]) -> T:
        """What `make` made of this event, made once for all watchers (a watch frame, say)."""
        if self._made is None:
            self._made = {}
        if form not in self._made:
            self._made[form] = make(self)
        made: T = self._made[form]
        return made
