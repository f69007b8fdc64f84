"""What every handler works with: the store, its cache, the clock and the dice. Time and randomness come from outside.

The two rules of freshness are here: `fresh()` for consistent reads, `reach(revision)` for reads not older than one.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from apimachinery import errors
from apimachinery.types import Json
from apiserver.admission.subject import Subject
from apiserver.registry import Registry
from apiserver.request import Attributes, Decision, Lookup
from apiserver.resources.reads import Reads
from apiserver.storage.entry import Decode, no_protobuf
from apiserver.storage.protocol import Storage
from apiserver.storage.watchcache import WatchCache

#: How long a read waits for the cache to reach a revision (cacher.go, blockTimeout).
CACHE_WAIT = 3.0
#: Upstream's alphabet and length for generateName (util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
#: RFC 9562: where a UUID is random, and what stands in the rest of one of version 4.
_UUID_FIXED = 4 << 76 | 2 << 62
_UUID_RANDOM = ~(0xF << 76 | 0x3 << 62)
_LONGEST_BASE = 63 - _SUFFIX


Warn = Callable[[str], None]


class Admission(Protocol):
    """The chain of admission plugins as the write path sees it. Both raise ApiError to refuse."""

    async def mutate(
        self,
        attributes: Attributes,
        new: Json,
        old: Json | None,
        lookup: Lookup,
        warn: Warn,
        subject: Callable[[], Subject] | None = None,
    ) -> Json: ...

    async def validate(
        self,
        attributes: Attributes,
        new: Json | None,
        old: Json | None,
        lookup: Lookup,
        warn: Warn,
        subject: Callable[[], Subject] | None = None,
    ) -> None: ...

    async def review(self, subject: Callable[[], Subject], tree: Json, warn: Warn) -> Json: ...


class Ends(Protocol):
    """Something that runs until it is told to end."""

    def end(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Api:
    """The parts that handlers share. One per server process."""

    storage: Storage
    cache: WatchCache
    registry: Registry
    lookup: Lookup
    clock: Callable[[], float]  # epoch seconds
    random: random.Random
    admission: Admission = field(init=False)  # reads through this Api, so it comes after it
    watches: set[Ends] = field(default_factory=set)  # those that run
    reads: Reads = field(default_factory=Reads)  # what was read, counted
    authorize: Callable[[Attributes], Decision] | None = None  # of a write that turns out to be a create; None: all may
    begins_watches: bool = True  # whether a watch may begin with what is there (sendInitialEvents)
    decode: Decode = no_protobuf  # of values that an upstream server stored as protobuf
    #: Has the registry follow what the cache has: definitions of resources may be younger than what is served.
    catch_up: Callable[[], None] = lambda: None

    async def fresh(self) -> None:
        """Wait until the cache holds all that was committed before now: reads from it are then linearizable."""
        try:
            await self.cache.wait_fresh(CACHE_WAIT)
        except TimeoutError:
            raise errors.timeout("the watch cache did not catch up with the store in time", 1) from None

    async def reach(self, revision: int) -> None:
        """Wait until the cache has a revision. Raises 504 for one from the future."""
        if self.cache.revision >= revision:
            return
        try:
            await self.cache.wait_until(revision, CACHE_WAIT)
        except TimeoutError:
            raise errors.too_large_resource_version(revision, self.cache.revision) from None

    async def follow(self, revision: int) -> None:
        """Wait until the cache has what was just written, for a while: the write has happened whether or not."""
        with contextlib.suppress(errors.ApiError):
            await self.reach(revision)

    def new_uid(self) -> str:
        """A version 4 UUID: random but for the version and the variant."""
        bits = self.random.getrandbits(128) & _UUID_RANDOM | _UUID_FIXED
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def name_after(self, base: str) -> str:
        """A name for generateName: the base, cut to leave room, and five random letters."""
        return base[:_LONGEST_BASE] + "".join(self.random.choices(_ALPHABET, k=_SUFFIX))
