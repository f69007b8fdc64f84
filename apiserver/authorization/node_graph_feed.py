"""Keeps the pod graph up to date from the watch cache: one small step per changed pod, taken when a question comes.

Taken then and not by a task of its own, so that an answer is never behind the cache: a kubelet reads a pod's secrets
in the moment that it sees the pod. Where nobody has asked for so long that the cache has forgotten the changes, all
pods are read once. Values are decoded for the moment and dropped: the cache shall not hold a tree of every pod.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from apimachinery.kinds import PODS
from apiserver.authorization.node_graph import PodGraph
from apiserver.storage.entry import CacheEvent, Entry
from apiserver.storage.protocol import Compacted


class _Cursor(Protocol):
    def ready(self) -> Sequence[Sequence[CacheEvent]]: ...


class _Cache(Protocol):
    revision: int

    def list(self, prefix: str) -> Sequence[Entry]: ...
    def watch(self, prefix: str, after: int) -> _Cursor: ...


class PodFeed:
    """Called with the graph before each question."""

    def __init__(self, cache: _Cache) -> None:
        self._cache = cache
        self._prefix = PODS.storage_prefix()
        self._cursor: _Cursor | None = None

    def __call__(self, graph: PodGraph) -> None:
        """Take in what has changed since the last call."""
        try:
            while self._cursor is not None and (groups := self._cursor.ready()):
                for event in (event for group in groups for event in group):
                    if (changed := event.new or event.old) is not None:
                        _observe(graph, changed, gone=event.new is None)
        except Compacted:
            self._cursor = None
        if self._cursor is None:
            self._start_over(graph)

    def _start_over(self, graph: PodGraph) -> None:
        graph.clear()
        self._cursor = self._cache.watch(self._prefix, self._cache.revision)
        for entry in self._cache.list(self._prefix):
            _observe(graph, entry, gone=False)


def _observe(graph: PodGraph, entry: Entry, *, gone: bool) -> None:
    graph.observe((entry.namespace, entry.name), None if gone else msgspec.json.decode(entry.value))
