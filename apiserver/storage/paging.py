r"""Lists in pages, all of one revision: `limit`, `continue` and `remainingItemCount`.

A continue token says where to go on and at which revision: `{"v":"meta.k8s.io/v1","rv":123,"start":"ns/name\0"}` in
unpadded URL-safe base64, upstream's own (storage/continue.go), so a client may go on with the other server.
Pages come from the watch cache while the resource has not changed since the first page, else from the store's history.
Where that is compacted, 410 comes with a token that goes on in the present (rv -1), if the client accepts a list of two
moments. `cut`, `encode` and `decode` are pure; `page` asks.
"""

import base64
import binascii
import posixpath
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from apimachinery.errors import ApiError, bad_request, expired
from apimachinery.types import Json
from apiserver.storage.entry import Decode, Entry, entry, no_protobuf
from apiserver.storage.protocol import Compacted, Page, Storage
from apiserver.storage.watchcache import WatchCache

VERSION = "meta.k8s.io/v1"
#: In a token: whatever the revision is by then.
NOW = -1
Wanted = Callable[[Entry], bool]

# Upstream's texts (etcd3/errors.go).
LIST_EXPIRED = "The resourceVersion for the provided list is too old."
CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(eq=False)
class ContinueExpired(ApiError):
    """410 with a token to go on in the present."""

    token: str = ""

    def status(self) -> Json:
        """The Status; the token stands in its metadata."""
        return super().status() | {"metadata": {"continue": self.token}}


@dataclass(frozen=True, slots=True)
class Slice:
    """A page. `token` is "" on the last one; `remaining` is None where it is not known (a selector)."""

    items: Sequence[Entry]
    revision: int
    token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a list goes on: with the first key above `after`, as of `revision` (or NOW)."""

    after: str
    revision: int


class _Token(msgspec.Struct):
    v: str = ""
    rv: int = 0
    start: str = ""


def encode(after: str, prefix: str, revision: int) -> str:
    """The token that goes on after the key `after`."""
    token = msgspec.json.encode(_Token(VERSION, revision, after.removeprefix(prefix) + "\0"))
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode(token: str, prefix: str) -> Position:
    """The position a token stands for. Raises ApiError 400 with upstream's text."""
    problem = "continue key is not valid"
    try:
        read = msgspec.json.decode(_unbase64(token), type=_Token)
    except (binascii.Error, ValueError) as error:
        raise _bad(f"{problem}: {error}") from None
    if read.v != VERSION:
        raise _bad(f"{problem}: server does not recognize this encoded version {read.v}")
    if read.rv == 0:
        raise _bad(f"{problem}: incorrect encoded start resourceVersion (version {VERSION})")
    if not read.start:
        raise _bad(f"{problem}: encoded start key empty (version {VERSION})")
    start = "/" + read.start.removeprefix("/")
    # What a client sends must not lead out of the prefix it may list.
    if posixpath.normpath(start) != start or not start.endswith("\0"):
        raise _bad(f"{problem}: {read.start}")
    return Position(prefix + start[1:-1], read.rv)


def _bad(why: str) -> ApiError:
    return bad_request(f"invalid continue token: {why}")


def _unbase64(token: str) -> bytes:
    return base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)


def cut(
    entries: Sequence[Entry], prefix: str, revision: int, limit: int, *, after: str = "", wanted: Wanted | None = None
) -> Slice:
    """A page out of the whole list of a prefix. `limit` 0 is no limit."""
    start = bisect_right(entries, after, key=_key) if after else 0
    end = min(start + limit, len(entries)) if limit else len(entries)
    if wanted is None:
        items = entries[start:end]
    else:
        items, end = _filtered(entries, start, limit, wanted)
    left = len(entries) - end
    if not left:
        return Slice(items, revision)
    token = encode(entries[end - 1].key, prefix, revision)
    return Slice(items, revision, token, left if wanted is None else None)


def _filtered(entries: Sequence[Entry], start: int, limit: int, wanted: Wanted) -> tuple[Sequence[Entry], int]:
    """The first `limit` wanted ones from `start`, and where the next page begins."""
    found = []
    for i in range(start, len(entries)):
        if wanted(entries[i]):
            found.append(entries[i])
            if len(found) == limit:
                return found, i + 1
    return found, len(entries)


async def page(
    storage: Storage,
    cache: WatchCache,
    prefix: str,
    *,
    limit: int,
    token: str = "",
    at: int = 0,
    wanted: Wanted | None = None,
    decode_value: Decode = no_protobuf,
) -> Slice:
    """A page of the prefix: where `token` goes on, or as of `at`, or (neither) of the cache as it is now.

    For a consistent first page the caller makes the cache fresh before. Raises ApiError 400 and 410.
    """
    after = ""
    if token:
        position = decode(token, prefix)
        after, at = position.after, max(position.revision, 0)
    if (not at and not token) or (at and cache.shows(prefix, at)):
        return cut(cache.list(prefix), prefix, at or cache.revision, limit, after=after, wanted=wanted)
    try:
        return await _stored_page(storage, prefix, limit, after, at, wanted, decode_value)
    except Compacted:
        if not token:
            raise expired(LIST_EXPIRED) from None
        raise ContinueExpired(410, "Expired", CONTINUE_EXPIRED, token=encode(after, prefix, NOW)) from None


async def _stored_page(
    storage: Storage, prefix: str, limit: int, after: str, at: int, wanted: Wanted | None, decode_value: Decode
) -> Slice:
    """Read on until the page is full; with a selector that may take several reads."""
    items: list[Entry] = []
    while True:
        part = await storage.list(prefix, after=after, limit=limit, at=at)
        at = part.revision
        found = [entry(item.key, item.value, item.revision, decode_value) for item in part.items]
        if wanted is None:
            return Slice(found, at, _next(part, prefix), part.remaining or None)
        some, end = _filtered(found, 0, limit - len(items) if limit else 0, wanted)
        items += some
        if limit and len(items) == limit:
            more = end < len(found) or part.more
            return Slice(items, at, encode(found[end - 1].key, prefix, at) if more else "")
        if not part.more:
            return Slice(items, at)
        after = part.items[-1].key


def _next(part: Page, prefix: str) -> str:
    return encode(part.items[-1].key, prefix, part.revision) if part.more else ""


def _key(item: Entry) -> str:
    return item.key
