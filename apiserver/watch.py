"""The handler of watch: a cursor into the watch cache, and two tasks that end together.

One task writes events, the other listens for the client's leaving (uvicorn cancels nothing). Events of one wake-up go
out in one send; their bytes are made once per event and shared. A slow client blocks only in its own send, which has a
time limit; what it misses meanwhile costs a position in the ring. When it falls off the ring it gets a 410 event and
lists anew.
Selectors turn changes into what the watcher sees: into view is ADDED, out of view is DELETED.
Source: apiserver/pkg/storage/cacher/cache_watcher.go (convertToWatchEvent), endpoints/handlers/watch.go.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver import framing, protobuf, warning_headers
from apiserver.alarm import Alarm, Patience
from apiserver.call import Call, Receive, Response, Send
from apiserver.connect.reverse import upgrade_of
from apiserver.negotiation import JSON, PROTOBUF, STREAM_TYPES, TABLE, YAML
from apiserver.registry import Resource
from apiserver.resources import listing, presenting
from apiserver.resources.addressing import key_of
from apiserver.resources.api import Api
from apiserver.resources.options import ListOptions, check_resource_version, list_options
from apiserver.resources.reads import WatchCount
from apiserver.resources.selecting import Selects, selector
from apiserver.storage.entry import CacheEvent, Entry
from apiserver.storage.protocol import Compacted, Progress
from apiserver.storage.ring import Cursor, Group
from apiserver.websocket_watch import over_websocket

#: Seconds between bookmarks, and before the end of a watch that has asked for them.
BOOKMARK_SECONDS = 60.0
_LAST_BOOKMARK = 2.0
#: A watch without a timeout ends after 30 to 60 minutes, so that clients spread over servers again.
_SHORTEST, _LONGEST = 1800.0, 3600.0
#: How long one send may block before the client is given up.
SEND_SECONDS = 30.0
_MEBIBYTE = 1 << 20


class Left(ConnectionError):
    """The client closed the connection."""


class TooSlow(Left):
    """The client did not take what it was sent in time."""


@dataclass(slots=True, kw_only=True)
class View:
    """How one watcher sees objects. `form` names it: watchers with an equal form share their events' bytes."""

    api: Api
    call: Call
    resource: Resource
    selects: Selects | None
    include: str
    form: tuple[str, ...]
    has_columns: bool = False  # a Table says what its columns are once, in the first event

    def frames(self, group: Group) -> list[bytes]:
        """A group's events as this watcher sees them."""
        found = []
        for event in group:
            type_ = self.type_of(event)
            if type_:
                found.append(event.made((type_, self.has_columns, self.form), partial(self.frame, type_)))
                self.has_columns = True
        return found

    async def prepare(self, groups: Sequence[Group]) -> None:
        """Make sure that the events can be shown and judged. Raises ApiError."""
        if self.resource.transforms is None:
            return
        entries: list[Entry] = []
        for event in (event for group in groups for event in group):
            if event.new is not None:
                entries.append(event.new)
            if event.old is not None and (event.new is None or self.selects is not None):
                entries += [event.old, event.gone]
        await self.resource.transforms.prepare(entries)

    def type_of(self, event: CacheEvent) -> str:
        """ADDED, MODIFIED or DELETED, "" for what does not concern the watcher."""
        selects = self.selects
        now = event.new is not None and (selects is None or selects(event.new))
        before = event.old is not None and (selects is None or selects(event.old))
        if now:
            return framing.MODIFIED if before else framing.ADDED
        return framing.DELETED if before else ""

    def frame(self, type_: str, event: CacheEvent) -> bytes:
        """The bytes of an event."""
        entry = event.gone if type_ == framing.DELETED else event.new
        assert entry is not None
        return self._framed(type_, entry, self.include)

    def initial(self, entry: Entry) -> bytes:
        """The event that shows an object which is there already."""
        framed = self._framed(framing.ADDED, entry, self.include)
        self.has_columns = True
        return framed

    def _framed(self, type_: str, entry: Entry, include: str) -> bytes:
        accepted = self.call.accepted
        if accepted.media_type == PROTOBUF:
            return protobuf.watch_frame(type_, presenting.enveloped(self.resource, accepted, entry))
        if accepted.transform == TABLE:
            metadata = {"resourceVersion": str(entry.revision)}
            tree = presenting.table(self.resource, accepted, [entry], self.api.clock(), metadata, include)
            if self.has_columns:
                tree["columnDefinitions"] = None
            return framing.made(accepted.media_type, type_, tree)
        return framing.frame(type_, presenting.item(self.resource, accepted, entry, self.api.clock(), include))

    def bookmark(self, revision: int, *, ends_initial: bool = False) -> bytes:
        """A bookmark: an empty object of what this view shows."""
        accepted, kind = self.call.accepted, self.resource.kind
        blank = {} if accepted.transform else self.resource.strategy.blank
        tree = framing.bookmark(kind.api_version, kind.kind, revision, ends_initial=ends_initial, blank=blank)
        if accepted.media_type == JSON and not accepted.transform and self.resource.is_typed:
            tree = protobuf.decode(protobuf.encode(tree))  # with the empty parts that an object of its kind has
        value = msgspec.json.encode(tree)
        entry = Entry("/", revision, value, len(value))
        if self.resource.transforms is not None:
            self.resource.transforms.keep_as_is(entry)
        # Its annotation is what the client waits for: a row shows it, whatever rows are to show.
        include = "Metadata" if ends_initial and self.include == "None" else self.include
        framed = self._framed(framing.BOOKMARK, entry, include)
        self.has_columns = True
        return framed

    def failure(self, error: ApiError) -> bytes:
        """The event that ends the watch."""
        return framing.failure(self.call.accepted.media_type, error)


async def watch(api: Api, call: Call, resource: Resource) -> Response:
    """GET of a collection with watch=true. Raises 400, 406, 410 and 504 before the stream begins."""
    options = list_options(call, may_begin=api.begins_watches)
    call.must_be_acceptable()
    selects = selector(resource, options)
    accepted = call.accepted
    if accepted.media_type == YAML:
        raise errors.not_acceptable(STREAM_TYPES)
    check_resource_version(options.resource_version)
    view = View(
        api=api,
        call=call,
        resource=resource,
        selects=selects,
        include=presenting.included(call),
        form=_form(call, resource),
    )
    count = api.reads.watches[call.target.group, call.target.version, call.target.plural]
    prefix = _prefix(call, resource)
    await _reach(api, options)
    is_whole = options.initial_events if options.initial_events is not None else not options.revision
    after = api.cache.revision if is_whole or not options.revision else options.revision
    initial: Sequence[Entry] = ()
    if is_whole:
        initial = await _initial(api, resource, prefix, selects)
    # What is not prepared yet cannot be judged: then every event wakes the watcher.
    judges_later = resource.transforms is not None and options.fields is not None
    wanted = None if selects is None or judges_later else lambda event: bool(view.type_of(event))
    try:
        cursor = api.cache.watch(prefix, after, wanted)
    except Compacted as error:
        # In the stream and not as an answer of its own, as upstream: clients look for it there.
        return _stream(_Watch(view, options, None, (), error.compacted, count), call)
    return _stream(_Watch(view, options, cursor, initial, after, count), call)


def _form(call: Call, resource: Resource) -> tuple[str, ...]:
    """What makes the bytes of two watchers' events differ."""
    accepted = call.accepted
    if not accepted.transform:
        return (accepted.media_type, resource.kind.api_version)
    included = presenting.included(call) if accepted.transform == TABLE else ""
    return (accepted.media_type, resource.kind.api_version, accepted.transform, accepted.version, included)


async def _initial(api: Api, resource: Resource, prefix: str, selects: Selects | None) -> Sequence[Entry]:
    """The objects there are, chosen and ready to be shown."""
    entries = api.cache.list(prefix)
    if resource.transforms is not None:
        await resource.transforms.prepare(entries)
    return [entry for entry in entries if selects is None or selects(entry)]


def _prefix(call: Call, resource: Resource) -> str:
    """The folder watched, or the one key where the request names its object."""
    if call.target.name and (not resource.kind.namespaced or call.target.namespace):
        return key_of(call, resource)
    return listing.prefix_of(call, resource)


async def _reach(api: Api, options: ListOptions) -> None:
    """Wait until the cache is as fresh as the watch must be to begin."""
    if options.revision:
        if options.initial_events:
            await api.reach(options.revision)
        # A plain watch may begin in the future: it waits for what comes after.
    elif not options.resource_version:
        await api.fresh()


def _stream(watching: "_Watch", call: Call) -> Response:
    upgrade = upgrade_of(call)
    if upgrade is not None and upgrade.protocol == "websocket":
        return over_websocket(upgrade, call.accepted.media_type, watching.run)

    async def run(receive: Receive, send: Send) -> None:
        headers = [
            (b"audit-id", call.id.encode()),
            (b"cache-control", b"no-cache, private"),
            (b"content-type", _content_type(call).encode()),
            *warning_headers.headers(list(call.warnings)),
            *call.marks,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        has_left = False
        try:
            async with asyncio.TaskGroup() as tasks:
                listener = tasks.create_task(_until_gone(receive))
                await watching.run(send)
                listener.cancel()
        except* Left:
            has_left = True
        if not has_left:
            await send({"type": "http.response.body", "body": b""})

    return Response(stream=run)


def _content_type(call: Call) -> str:
    media_type = call.accepted.media_type
    return media_type if media_type == JSON else f"{media_type};stream=watch"


async def _until_gone(receive: Receive) -> None:
    """Raise Left when the client closes the connection."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Left


@dataclass(slots=True, eq=False)
class _Watch:
    """One running watch."""

    view: View
    options: ListOptions
    cursor: Cursor | None
    initial: Sequence[Entry]
    revision: int  # of the initial objects; without a cursor, how far back the history reaches
    count: WatchCount
    is_over: bool = False
    patience: Patience = field(init=False)  # with its client, which may be slow

    def end(self) -> None:
        """Let it end as if its time were up: the server goes."""
        self.is_over = True
        if self.cursor is not None:
            self.cursor.interrupt()

    async def run(self, send: Send) -> None:
        """Write events until the time is up, the client leaves or the cursor falls off the ring."""
        watches = self.view.api.watches
        watches.add(self)
        self.patience = Patience()
        try:
            await self._run(send)
        finally:
            self.patience.over()
            watches.discard(self)

    async def _run(self, send: Send) -> None:
        if self.cursor is None:
            await self._send(send, [self.view.failure(self._too_old(self.revision))])
            return
        if self.options.timeout < 0:
            return  # its time was up before it began, as upstream sees it
        ending = self.view.resource.ending
        if ending is not None:
            ending.listen(self, self.cursor.interrupt)
        try:
            await self._initial(send)
            await self._follow(send, self.cursor)
        except Compacted as error:
            self.count.terminated += 1
            await self._send(send, [self.view.failure(self._too_old(error.compacted))])
        except TooSlow:
            self.count.terminated += 1
            raise
        except ApiError as error:
            await self._send(send, [self.view.failure(error)])
        finally:
            if ending is not None:
                ending.forget(self)

    def _too_old(self, floor: int) -> ApiError:
        """The history reaches back to `floor` only."""
        return errors.expired(f"too old resource version: {self.options.revision} ({floor})")

    async def _initial(self, send: Send) -> None:
        began = asyncio.get_running_loop().time()
        for start in range(0, len(self.initial), listing.CHUNK):
            part = self.initial[start : start + listing.CHUNK]
            await self._events(send, [self.view.initial(entry) for entry in part])
            self.count.initial += len(part)
        self.initial = ()
        if self.options.initial_events and self.options.bookmarks:
            await self._send(send, [self.view.bookmark(self.revision, ends_initial=True)])
            self.count.began(_scope(self.view.call), asyncio.get_running_loop().time() - began)

    async def _follow(self, send: Send, cursor: Cursor) -> None:
        alarm = Alarm(asyncio.get_running_loop(), cursor.interrupt)
        try:
            await self._until_over(send, cursor, alarm)
        finally:
            alarm.cancel()

    async def _until_over(self, send: Send, cursor: Cursor, alarm: Alarm) -> None:
        loop = alarm.loop
        ends = loop.time() + (self.options.timeout or self.view.api.random.uniform(_SHORTEST, _LONGEST))
        marks = self._next_mark(loop.time(), ends)
        while True:
            now = loop.time()
            if now >= ends or self.is_over:
                return
            if now >= marks:
                await self._send(send, [self.view.bookmark(cursor.revision)])
                marks = self._next_mark(now, ends)
            if self._is_over():
                ends = now  # what there is comes first
            alarm.set(min(ends, marks))
            group = await cursor.next()
            if isinstance(group, Progress):
                continue
            groups = [group, *cursor.ready()]
            await self.view.prepare(groups)
            frames = [frame for group in groups for frame in self.view.frames(group)]
            if frames:
                await self._events(send, frames)

    async def _events(self, send: Send, frames: Sequence[bytes]) -> None:
        await self._send(send, frames)
        for frame in frames:
            self.count.sizes.add(len(frame))

    async def _send(self, send: Send, frames: Sequence[bytes]) -> None:
        """Write frames; give the client up when it does not take them in time."""
        body = frames[0] if len(frames) == 1 else b"".join(frames)
        message = {"type": "http.response.body", "body": body, "more_body": True}
        try:
            await self.patience.wait(send(message), SEND_SECONDS + len(body) / _MEBIBYTE)
        except TimeoutError:
            raise TooSlow from None

    def _is_over(self) -> bool:
        """Whether the resource is served no more, or otherwise than when the watch began."""
        ending = self.view.resource.ending
        return ending is not None and ending.is_over

    def _next_mark(self, now: float, ends: float) -> float:
        """When the next bookmark is due: each minute, and a moment before the end."""
        if not self.options.bookmarks:
            return ends
        last = ends - _LAST_BOOKMARK
        return min(now + BOOKMARK_SECONDS, last) if now < last else ends


def _scope(call: Call) -> str:
    info = call.target
    return "resource" if info.name else "namespace" if info.namespace else "cluster"
