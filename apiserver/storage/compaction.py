"""Keeping etcd small: the history older than five minutes is forgotten, by whichever server comes first.

Upstream's protocol (storage/etcd3/compact.go), so that PyKube's and upstream's API servers can share one etcd:
the key `compact_rev_key` holds the revision to compact to, and its VERSION is a logical clock. Each server, once an
interval, puts the revision it saw an interval ago if the version is still the one it saw last; who succeeds compacts,
the others learn the new version and the store's revision, and wait another interval. So what is compacted is always at
least one interval old, and a watch or a paged list has five to ten minutes to come back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from apiserver.storage.protocol import Compacted, StorageError

log = structlog.get_logger(__name__)

KEY = "compact_rev_key"
INTERVAL_SECONDS = 300.0


class Compactable(Protocol):
    """What compaction needs of a store beyond the protocol; `EtcdStorage` has it."""

    async def swap_version(self, key: str, value: bytes, *, version: int) -> tuple[bool, int, int]:
        """Put if the key was written `version` times: whether so, the key's version now, the store's revision."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget the history below `revision`."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round leaves for the next: the key's version, and the store's revision at that time."""

    version: int = 0
    revision: int = 0


async def compact_once(storage: Compactable, seen: Seen) -> tuple[Seen, int]:
    """One round; also the revision compacted to, 0 when another server's turn came or there is nothing old yet."""
    ours, version, revision = await storage.swap_version(KEY, b"%d" % seen.revision, version=seen.version)
    if not ours or not seen.revision:
        return Seen(version, revision), 0
    try:
        await storage.compact(seen.revision)
    except Compacted:
        return Seen(version, revision), 0  # by hand, or by etcd's own auto-compaction, and further than we would
    return Seen(version, revision), seen.revision


async def run(
    storage: Compactable,
    *,
    interval: float = INTERVAL_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """A round every `interval` seconds, for ever; 0 turns compaction off. A failed round is tried again next time."""
    if interval <= 0:
        return
    seen = Seen()
    while True:
        await sleep(interval)
        try:
            seen, compacted = await compact_once(storage, seen)
        except StorageError as error:
            log.warning("the store's history was not compacted", error=error.message)
        else:
            if compacted:
                log.info("the store's history is compacted", revision=compacted)
