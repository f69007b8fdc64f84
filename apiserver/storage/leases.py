"""Which lease a key with a ttl hangs on: shared, since one lease per event would cost etcd more than the events.

Upstream's rule (apiserver/pkg/storage/etcd3/lease_manager.go): a lease is granted for the ttl and a little longer, at
most a minute and at most 5 % of the ttl, and is used by every key written within that little while, up to 1,000 keys.
So a key lives at least its ttl and not much longer. `choose` decides, purely; `Leases` remembers and grants.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

REUSE_SECONDS = 60
REUSE_SHARE = 0.05
MOST_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted lease: until when it certainly lives (the caller's clock), and how many keys hang on it."""

    id: int
    ends: float
    keys: int = 0


def choose(lease: Lease | None, ttl: int, now: float) -> Lease | None:
    """The lease with one key more, or None when a new one must be granted."""
    if lease is None or lease.keys >= MOST_KEYS or now + ttl > lease.ends:
        return None
    return replace(lease, keys=lease.keys + 1)


def granted_seconds(ttl: int) -> int:
    """For how long to grant a lease that shall serve keys of this ttl."""
    return ttl + math.ceil(min(REUSE_SECONDS, ttl * REUSE_SHARE))


class Leases:
    """The current lease of each ttl. `grant(seconds)` gives a new lease's id; `clock` is monotonic."""

    def __init__(self, grant: Callable[[int], Awaitable[int]], clock: Callable[[], float]) -> None:
        self._grant = grant
        self._clock = clock
        self._current: dict[int, Lease] = {}
        self._granting = asyncio.Lock()

    async def lease(self, ttl: int) -> int:
        """The id of a lease that lives at least `ttl` seconds from now."""
        async with self._granting:
            now = self._clock()  # before the grant: etcd counts from later on, so `ends` is never too late
            lease = choose(self._current.get(ttl), ttl, now)
            if lease is None:
                seconds = granted_seconds(ttl)
                lease = Lease(await self._grant(seconds), ends=now + seconds, keys=1)
            self._current[ttl] = lease
            return lease.id

    def forget(self, lease: int) -> None:
        """Drop what etcd does not know (any more)."""
        self._current = {ttl: held for ttl, held in self._current.items() if held.id != lease}
