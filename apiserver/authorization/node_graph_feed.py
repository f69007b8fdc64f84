"""Feeds the pod graph from the watch cache: one small step per pod event, no list of all pods per question.

Values are decoded for the moment and dropped, so that the graph does not make the cache hold a tree of every pod.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from apimachinery.kinds import PODS
from apiserver.authorization.node_graph import PodGraph
from apiserver.storage.protocol import Compacted


class _Entry(Protocol):
    @property
    def value(self) -> bytes: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Event(Protocol):
    @property
    def new(self) -> _Entry | None: ...
    @property
    def old(self) -> _Entry | None: ...


class _Cache(Protocol):
    revision: int

    def list(self, prefix: str) -> Sequence[_Entry]: ...
    def watch(self, prefix: str, after: int) -> AsyncIterator[Sequence[_Event]]: ...
    async def wait_until(self, revision: int) -> None: ...


async def feed(graph: PodGraph, cache: _Cache) -> None:
    """Keeps a graph made without `version` up to date, for ever; starts over where the cache lost the thread."""
    prefix = PODS.storage_prefix()
    await cache.wait_until(1)
    while True:
        after = cache.revision
        graph.clear()
        for entry in cache.list(prefix):
            _observe(graph, entry, gone=False)
        try:
            async for group in cache.watch(prefix, after):
                for event in group:
                    if (changed := event.new or event.old) is not None:
                        _observe(graph, changed, gone=event.new is None)
        except Compacted:
            continue


def _observe(graph: PodGraph, entry: _Entry, *, gone: bool) -> None:
    graph.observe((entry.namespace, entry.name), None if gone else msgspec.json.decode(entry.value))
