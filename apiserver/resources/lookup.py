"""Decoded objects from the watch cache for admission, authorization and tokens: as fresh as the cache, read-only."""

from collections.abc import Sequence

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.registry import stored_kind
from apiserver.storage.protocol import Compacted
from apiserver.storage.ring import Cursor
from apiserver.storage.watchcache import WatchCache


class CacheLookup:
    """`Lookup` over the watch cache. The trees belong to the cache: never modify them."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """One object in the version stored, None when the cache has none."""
        if not name or (kind.namespaced and not namespace):
            return None
        entry = self._cache.get(stored_kind(kind).storage_key(namespace, name))
        return entry.tree if entry is not None else None

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Json]:
        """All objects of a kind, or those in one namespace, sorted by key."""
        prefix = stored_kind(kind).storage_prefix()
        if namespace and kind.namespaced:
            prefix += f"{namespace}/"
        return [entry.tree for entry in self._cache.list(prefix)]


class ChangeCounter:
    """A number that grows whenever an object of some kinds changes: what others rebuild their indexes by."""

    def __init__(self, cache: WatchCache, kinds: Sequence[Kind]) -> None:
        self._cache = cache
        self._prefixes = [stored_kind(kind).storage_prefix() for kind in kinds]
        self._cursors: list[Cursor] = []
        self._count = 0

    def __call__(self) -> int:
        """The number as of now."""
        try:
            changed = [True for cursor in self._cursors if cursor.ready()]
        except Compacted:
            changed = [True]
            self._cursors = []
        if not self._cursors:
            after = self._cache.revision
            self._cursors = [self._cache.watch(prefix, after) for prefix in self._prefixes]
            changed = [True]
        self._count += bool(changed)
        return self._count
