"""Decoded objects from the watch cache for admission, authorization and tokens: as fresh as the cache, read-only."""

from collections.abc import Sequence

from apimachinery.kinds import Kind
from apimachinery.types import Json
from apiserver.registry import stored_kind
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
