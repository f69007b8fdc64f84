"""A SPDY session over a byte stream: streams that are read and written, as moby/spdystream has them.

`SpdySession.run()` reads the connection until it is over; run it in the owner's TaskGroup. `accept()` gives the peer's
new streams (already replied to), `open()` makes one of ours. A stream reads until the peer's FIN, RST or the end of
the connection.

Flow control: spdystream neither sends nor heeds windows, so by default neither do we, and TCP alone slows a sender:
the session stops reading the connection while a stream holds more than `STREAM_LIMIT` unread bytes. With
`flow_control=True` (both ends must) streams and the session have windows as in the draft.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from serving import spdy
from serving.raw import ByteStream
from serving.unread import Unread

log = logging.getLogger("serving.spdy")

#: Unread bytes of one stream after which the whole connection is not read on.
STREAM_LIMIT = 1 << 20
#: Seconds a peer has to accept a stream.
REPLY_TIMEOUT = 30.0
#: Streams a peer may have open at once (port-forwarding opens two for each connection).
MAX_STREAMS = 10_000


class SpdyStream:
    """One stream of a session."""

    def __init__(self, session: "SpdySession", id: int, headers: spdy.HeaderList) -> None:
        self.id = id
        self.headers = dict(headers)
        self._session = session
        self._unread = Unread()
        self.window = session.initial_window  # what we may send
        self.replied = asyncio.Event()  # or it has become clear that there will be no reply
        self.accepted = False
        self.local_closed = False
        self.was_reset = False

    # -- the session's side

    @property
    def held(self) -> int:
        """Bytes that the user has not read yet."""
        return self._unread.held

    @property
    def remote_closed(self) -> bool:
        """Whether the peer will send no more."""
        return self._unread.is_ended

    def received(self, data: bytes) -> None:
        if not self.remote_closed:
            self._unread.put(data)

    def remote_end(self) -> None:
        self._unread.end()

    def broken(self) -> None:
        """RST or the end of the connection: nothing can be sent any more; what was received stays readable."""
        self.was_reset = True
        self.local_closed = True
        self.remote_end()
        self.replied.set()

    # -- the user's side

    async def read(self, n: int = 65536) -> bytes:
        """Some bytes, at most n; b"" at the peer's end."""
        chunk = await self._unread.take(n)
        if chunk:
            await self._session.consumed(self, len(chunk))
        return chunk

    async def read_all(self, limit: int = 1 << 20) -> bytes:
        """Everything until the peer's end, at most `limit` bytes."""
        whole = bytearray()
        while len(whole) < limit and (data := await self.read()):
            whole += data
        return bytes(whole)

    async def write(self, data: bytes) -> None:
        """Send; waits for the peer. ConnectionError when the stream or the connection is over."""
        for start in range(0, len(data), spdy.MAX_DATA):
            await self._session.send_data(self, data[start : start + spdy.MAX_DATA])

    async def close(self) -> None:
        """Send our end (FIN); reading goes on. Nothing happens on a stream that is over."""
        if not self.local_closed:
            self.local_closed = True
            await self._session.finish(self)

    async def reset(self, status: int = spdy.CANCEL) -> None:
        """Tear the stream down in both directions."""
        if not (self.local_closed and self.remote_closed):
            await self._session.reset(self, status)

    def abort(self) -> None:
        """`ByteStream`'s: stop waiting; the session's end does the rest."""
        self.broken()


class SpdySession:
    """One connection's streams."""

    def __init__(self, raw: ByteStream, *, server: bool, flow_control: bool = False) -> None:
        self._raw = raw
        self._codec = spdy.Codec()
        self._streams: dict[int, SpdyStream] = {}
        self._next_id = 2 if server else 1
        self._last_remote = 0
        self._accepted: asyncio.Queue[SpdyStream | None] = asyncio.Queue()
        self._flow = flow_control
        self.initial_window = spdy.INITIAL_WINDOW
        self._window = spdy.INITIAL_WINDOW
        self._unacknowledged = 0
        self._changed = asyncio.Event()  # windows, held bytes or states: whoever waits looks again
        self._sending = asyncio.Lock()
        self._goaway_sent = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Read until the connection is over; then every stream is over too."""
        try:
            while data := await self._raw.read():
                for frame in self._codec.feed(data):
                    await self._handle(frame)
        except spdy.SpdyError:
            await self._farewell(spdy.GOAWAY_PROTOCOL_ERROR)
        except ConnectionError:
            pass
        finally:
            for stream in self._streams.values():
                stream.broken()
            self._streams.clear()
            self.ended.set()
            self._accepted.put_nowait(None)
            self._changed.set()

    async def streams(self) -> AsyncIterator[SpdyStream]:
        """The streams that the peer opens, until the connection is over."""
        while (stream := await self.accept()) is not None:
            yield stream

    async def accept(self) -> SpdyStream | None:
        """The next stream the peer opens; None when the connection is over."""
        if self.ended.is_set() and self._accepted.empty():
            return None
        return await self._accepted.get()

    async def open(self, headers: spdy.HeaderList) -> SpdyStream:
        """Open a stream and wait until the peer has accepted it; ConnectionError when it refuses."""
        if self.ended.is_set():
            raise ConnectionResetError("the session is over")
        stream = SpdyStream(self, self._next_id, headers)
        self._next_id += 2
        self._streams[stream.id] = stream
        await self._send(spdy.SynStream(stream.id, headers))
        await asyncio.wait_for(stream.replied.wait(), REPLY_TIMEOUT)
        if not stream.accepted:
            raise ConnectionRefusedError("the peer refused the stream")
        return stream

    async def close(self, wait: float = 0.0) -> None:
        """End every stream, say GOAWAY, give the peer `wait` seconds to close the connection, close it.

        Streams that we have finished are left to the peer's reading; others are reset, as spdystream does it.
        """
        try:
            for stream in list(self._streams.values()):
                if not stream.local_closed:
                    await self.reset(stream, spdy.CANCEL)
            await self._farewell(spdy.GOAWAY_OK)
            if wait:
                await asyncio.wait_for(self.ended.wait(), wait)
        except (ConnectionError, TimeoutError) as error:
            log.debug("the peer did not hear the end of %d streams: %s", len(self._streams), str(error) or "time is up")
        await self._raw.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._raw.abort()

    # -- what streams ask for

    async def send_data(self, stream: SpdyStream, data: bytes) -> None:
        while data:
            if stream.local_closed or self.ended.is_set():
                raise ConnectionResetError("the stream is closed")
            room = await self._room(stream, len(data)) if self._flow else len(data)
            if not room:
                continue
            await self._send(spdy.Data(stream.id, data[:room]))
            data = data[room:]

    async def _room(self, stream: SpdyStream, wanted: int) -> int:
        """How much may be sent now; waits while it is nothing. 0 when the stream ended meanwhile."""
        while min(stream.window, self._window) <= 0:
            if stream.local_closed or self.ended.is_set():
                return 0
            await self._change()
        room = min(stream.window, self._window, wanted)
        stream.window -= room
        self._window -= room
        return room

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def consumed(self, stream: SpdyStream, count: int) -> None:
        """The user has read: let the connection be read on, and tell the peer's windows."""
        if stream.held <= STREAM_LIMIT:
            self._changed.set()
        if not self._flow or self.ended.is_set():
            return
        try:
            if not stream.remote_closed:
                await self._send(spdy.WindowUpdate(stream.id, count))
            self._unacknowledged += count
            if self._unacknowledged >= spdy.INITIAL_WINDOW // 2:
                count, self._unacknowledged = self._unacknowledged, 0
                await self._send(spdy.WindowUpdate(0, count))
        except ConnectionError:
            return  # reading goes on with what is there

    async def finish(self, stream: SpdyStream) -> None:
        self._forget_if_over(stream)
        if not self.ended.is_set():
            await self._send(spdy.Data(stream.id, b"", fin=True))

    async def reset(self, stream: SpdyStream, status: int) -> None:
        self._streams.pop(stream.id, None)
        stream.broken()
        self._changed.set()
        if not self.ended.is_set():
            await self._send(spdy.RstStream(stream.id, status))

    # -- frames

    async def _handle(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Data(id, data, fin):
                await self._data(id, data, fin=fin)
            case spdy.SynStream():
                await self._syn_stream(frame)
            case spdy.SynReply(id, _, fin):
                if (stream := self._streams.get(id)) is not None:
                    stream.accepted = True
                    stream.replied.set()
                    self._remote_end(stream, fin=fin)
            case spdy.Headers(id, headers, fin):
                if (stream := self._streams.get(id)) is not None:
                    stream.headers |= dict(headers)
                    self._remote_end(stream, fin=fin)
            case spdy.RstStream(id, _):
                self._was_reset(id)
            case spdy.Ping(id):
                if id % 2 != self._next_id % 2:
                    await self._send(frame)
            case spdy.Settings(values):
                self._settings(values)
            case spdy.WindowUpdate(id, delta):
                self._window_update(id, delta)
            case spdy.GoAway():
                pass  # the peer opens no more streams; it closes the connection when it is done

    async def _data(self, id: int, data: bytes, *, fin: bool) -> None:
        stream = self._streams.get(id)
        if stream is None:
            return  # a stream that we reset: the peer did not know yet
        if data:
            stream.received(data)
        self._remote_end(stream, fin=fin)
        if not self._flow:
            while stream.held > STREAM_LIMIT and not stream.was_reset:
                await self._change()

    async def _syn_stream(self, frame: spdy.SynStream) -> None:
        wrong = frame.stream <= self._last_remote or frame.stream % 2 == self._next_id % 2
        if wrong or len(self._streams) >= MAX_STREAMS or self._goaway_sent:
            await self._send(spdy.RstStream(frame.stream, spdy.PROTOCOL_ERROR if wrong else spdy.REFUSED_STREAM))
            return
        self._last_remote = frame.stream
        stream = SpdyStream(self, frame.stream, frame.headers)
        stream.replied.set()
        stream.local_closed = frame.unidirectional
        self._streams[frame.stream] = stream
        self._remote_end(stream, fin=frame.fin)
        if not frame.unidirectional:
            await self._send(spdy.SynReply(frame.stream))
        self._accepted.put_nowait(stream)

    def _was_reset(self, id: int) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            stream.broken()
            self._changed.set()

    def _settings(self, values: Sequence[tuple[int, int, int]]) -> None:
        for key, value, _ in values:
            if key == spdy.SETTING_INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self.initial_window
                self.initial_window = value

    def _window_update(self, id: int, delta: int) -> None:
        if id == 0:
            self._window += delta
        elif (stream := self._streams.get(id)) is not None:
            stream.window += delta
        self._changed.set()

    def _remote_end(self, stream: SpdyStream, *, fin: bool) -> None:
        if fin:
            stream.remote_end()
            self._forget_if_over(stream)

    def _forget_if_over(self, stream: SpdyStream) -> None:
        if stream.local_closed and stream.remote_closed:
            self._streams.pop(stream.id, None)

    # -- sending

    async def _send(self, frame: spdy.Frame) -> None:
        # Encoding and writing are one step: header blocks must travel in the order they were compressed.
        async with self._sending:
            await self._raw.write(self._codec.encode(frame))

    async def _farewell(self, status: int) -> None:
        if not self._goaway_sent and not self.ended.is_set():
            self._goaway_sent = True
            await self._send(spdy.GoAway(self._last_remote, status))
