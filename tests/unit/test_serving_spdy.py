"""SPDY/3.1: frames over the wire, streams of a session, windows, and what is refused."""

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import spdy
from serving.spdy_session import SpdySession

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=30)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=6).map(lambda d: list(d.items()))
IDS = st.integers(1, 0x7FFFFFFF)
WORDS = st.integers(0, 0x7FFFFFFF)
FLAG = st.booleans()
FRAME = st.one_of(
    st.builds(spdy.SynStream, IDS, HEADERS, FLAG, FLAG, WORDS, st.integers(0, 7)),
    st.builds(spdy.SynReply, IDS, HEADERS, FLAG),
    st.builds(spdy.Headers, IDS, HEADERS, FLAG),
    st.builds(spdy.RstStream, IDS, st.integers(1, 11)),
    st.builds(spdy.Settings, st.lists(st.tuples(st.integers(1, 8), WORDS, st.integers(0, 3)), max_size=4)),
    st.builds(spdy.Ping, WORDS),
    st.builds(spdy.GoAway, WORDS, st.integers(0, 2)),
    st.builds(spdy.WindowUpdate, WORDS, WORDS),
    st.builds(spdy.Data, IDS, st.binary(max_size=300), FLAG),
)


def merged(frames):
    """DATA frames may come out in pieces: join what belongs together."""
    whole = []
    for frame in frames:
        last = whole[-1] if whole else None
        if (
            isinstance(frame, spdy.Data)
            and isinstance(last, spdy.Data)
            and last.stream == frame.stream
            and not last.fin
        ):
            whole[-1] = spdy.Data(frame.stream, last.data + frame.data, frame.fin)
        else:
            whole.append(frame)
    return whole


@given(st.lists(FRAME, max_size=8), st.integers(1, 50))
def test_frames_survive_the_wire_in_any_pieces(frames, size):
    sender, receiver = spdy.Codec(), spdy.Codec()
    raw = b"".join(sender.encode(frame) for frame in frames)
    received = [frame for at in range(0, len(raw), size) for frame in receiver.feed(raw[at : at + size])]
    assert merged(received) == merged(frames)


def test_dictionary_is_the_protocols():
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_header_values_that_share_a_name_are_joined_by_nul():
    raw = spdy.Codec().encode(spdy.SynReply(1, [("A", "1"), ("a", "2")]))
    plain = zlib.decompressobj(zdict=spdy.DICTIONARY).decompress(raw[12:])
    assert plain == b"\0\0\0\1\0\0\0\1a\0\0\0\x031\x002"
    assert spdy.Codec().feed(raw) == [spdy.SynReply(1, [("a", "1"), ("a", "2")])]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x80\x02\x00\x01\x00\x00\x00\x00", id="another version"),
        pytest.param(b"\x80\x03\x00\x01\x00\xff\xff\xff", id="a control frame without end"),
        pytest.param(b"\x80\x03\x00\x02\x00\x00\x00\x08\0\0\0\1abcd", id="headers that are no zlib"),
        pytest.param(b"\x80\x03\x00\x03\x00\x00\x00\x02\0\0", id="too short"),
    ],
)
def test_nonsense_is_refused(raw):
    with pytest.raises(spdy.SpdyError):
        spdy.Codec().feed(raw)


def test_a_header_bomb_is_refused():
    bomb = spdy.Codec().encode(spdy.SynReply(1, [("a", "x" * (spdy.MAX_HEADERS + 1))]))
    with pytest.raises(spdy.SpdyError, match="too large"):
        spdy.Codec().feed(bomb)


def test_unknown_control_frames_are_ignored():
    assert spdy.Codec().feed(b"\x80\x03\x00\x63\x00\x00\x00\x02ab" + spdy.Codec().encode(spdy.Ping(1))) == [
        spdy.Ping(1)
    ]


class Pipe:
    """One end of a connection in memory; the limit makes writers wait, as a socket's buffer does."""

    def __init__(self, inward, outward):
        self._in, self._out = inward, outward

    async def read(self, n=65536):
        return await self._in.get()

    async def write(self, data):
        await self._out.put(data)

    async def close(self):
        await self._out.put(b"")

    def abort(self):
        self._out.put_nowait(b"") if not self._out.full() else None


def pair(**options):
    a, b = asyncio.Queue(4), asyncio.Queue(4)
    return SpdySession(Pipe(a, b), server=False, **options), SpdySession(Pipe(b, a), server=True, **options)


async def both(tasks, client, server):
    return [tasks.create_task(client.run()), tasks.create_task(server.run())]


@pytest.mark.parametrize("flow", [False, True])
async def test_streams_carry_data_both_ways_and_end_apart(flow):
    client, server = pair(flow_control=flow)
    payload = bytes(range(256)) * 4000
    async with asyncio.TaskGroup() as tasks:
        running = await both(tasks, client, server)
        ours = await client.open([("streamType", "data")])
        theirs = await server.accept()
        assert theirs.headers == {"streamtype": "data"}

        async def echo():
            while data := await theirs.read():
                await theirs.write(data)
            await theirs.close()

        async def send():
            await ours.write(payload)
            await ours.close()

        tasks.create_task(echo())
        tasks.create_task(send())
        assert await ours.read_all(1 << 30) == payload
        await asyncio.gather(client.close(), server.close())
        await asyncio.gather(*running)


@pytest.mark.parametrize("session_window", [spdy.INITIAL_WINDOW, 1 << 30])
async def test_flow_control_stops_a_sender_whose_reader_sleeps(session_window):
    client, server = pair(flow_control=True)
    client._window = session_window  # the smaller of the two windows holds
    async with asyncio.TaskGroup() as tasks:
        running = await both(tasks, client, server)
        ours = await client.open([])
        theirs = await server.accept()
        sending = tasks.create_task(ours.write(b"x" * (spdy.INITIAL_WINDOW + 1)))
        async with asyncio.timeout(30):
            while theirs.held < spdy.INITIAL_WINDOW:
                await asyncio.sleep(0)
        assert (theirs.held, sending.done()) == (spdy.INITIAL_WINDOW, False)
        assert len(await theirs.read(1 << 30)) == spdy.INITIAL_WINDOW
        await sending
        for task in running:
            task.cancel()


async def test_reset_ends_reading_and_writing():
    client, server = pair()
    async with asyncio.TaskGroup() as tasks:
        running = await both(tasks, client, server)
        ours = await client.open([])
        theirs = await server.accept()
        await theirs.reset()
        assert await ours.read() == b""
        with pytest.raises(ConnectionError):
            await ours.write(b"x")
        for task in running:
            task.cancel()


async def test_the_end_of_the_connection_ends_every_stream():
    client, server = pair()
    async with asyncio.TaskGroup() as tasks:
        await both(tasks, client, server)
        ours = await client.open([])
        await server.close()
        assert await ours.read() == b""
        await client.ended.wait()
        with pytest.raises(ConnectionError):
            await client.open([])
        await client.close()
    assert [stream async for stream in server.streams()][:1] != [None]


async def test_a_ping_comes_back():
    ours, theirs = asyncio.Queue(), asyncio.Queue()
    server = SpdySession(Pipe(ours, theirs), server=True)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run())
        await ours.put(spdy.Codec().encode(spdy.Ping(7)))
        assert spdy.Codec().feed(await theirs.get()) == [spdy.Ping(7)]
        running.cancel()
