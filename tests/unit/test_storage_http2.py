"""HTTP/2 for etcd, frame by frame: a hand-written server's side, as RFC 9113 allows it and etcd seldom does it."""

import asyncio

import pytest
from hpack import Decoder, Encoder

from apiserver.storage.grpc_call import Call, Failed, framed
from apiserver.storage.http2 import WINDOW, Connection, header_block

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK = (("grpc-status", "0"), ("grpc-message", ""))
BLOCK = header_block([(":method", "POST"), (":path", "/etcdserverpb.KV/Range"), ("te", "trailers")])


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def setting(name, value):
    return name.to_bytes(2, "big") + value.to_bytes(4, "big")


def frames(data):
    found = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        data = data[end:]
    return found


class Wire:
    """A transport, and the server behind it."""

    def __init__(self):
        self.sent = b""
        self.lost = []
        self.is_aborted = False
        self.connection = Connection(self.lost.append)
        self.connection.connection_made(self)
        assert self.sent.startswith(PREFACE)
        self.sent = b""

    def write(self, data):
        self.sent += data

    def abort(self):
        self.is_aborted = True

    def taken(self):
        """The frames since the last look."""
        found, self.sent = frames(self.sent), b""
        return found

    def call(self, message=b"ask", *, single=True):
        call = Call(BLOCK, message, single=single)
        self.connection.start(call)
        return call

    def says(self, *answers):
        self.connection.data_received(b"".join(frame(*answer) for answer in answers))

    def ends(self, stream, trailers=OK):
        self.says((HEADERS, END_HEADERS | END_STREAM, stream, Encoder().encode(trailers)))


@pytest.fixture
async def wire():
    return Wire()


async def test_a_call_is_headers_and_one_message(wire):
    call = wire.call(b"ask")
    (kind, flags, stream, block), data = wire.taken()
    assert (kind, flags, stream) == (HEADERS, END_HEADERS, 1)
    assert Decoder().decode(block)[1] == (":path", "/etcdserverpb.KV/Range")
    assert data == (DATA, END_STREAM, 1, framed(b"ask"))
    wire.says((HEADERS, END_HEADERS, 1, Encoder().encode([(":status", "200")])), (DATA, 0, 1, framed(b"answer")))
    wire.ends(1)
    assert await call.answer() == b"answer"


async def test_what_comes_may_be_cut_anywhere(wire):
    call = wire.call(single=False)
    whole = b"".join(
        frame(DATA, 0, 1, piece)
        for piece in (framed(b"one") + framed(b"") + framed(b"three")[:2], framed(b"three")[2:] + framed(b"4" * 30_000))
    )
    for at in range(0, len(whole), 7):
        wire.connection.data_received(whole[at : at + 7])
    wire.ends(1)
    assert [await call.message() for _ in range(5)] == [b"one", b"", b"three", b"4" * 30_000, None]


async def test_padding_and_continued_headers_are_read(wire):
    call = wire.call()
    block = Encoder().encode(OK)
    wire.says(
        (DATA, PADDED, 1, b"\x03" + framed(b"answer") + b"\0\0\0"),
        (HEADERS, END_STREAM, 1, block[:3]),
        (CONTINUATION, END_HEADERS, 1, block[3:]),
    )
    assert await call.answer() == b"answer"


async def test_a_status_is_the_reason(wire):
    call = wire.call()
    wire.ends(1, [("grpc-status", "11"), ("grpc-message", "etcdserver: mvcc: required revision%20has been compacted")])
    with pytest.raises(Failed) as failed:
        await call.answer()
    assert (failed.value.code, failed.value.details) == (
        "OUT_OF_RANGE",
        "etcdserver: mvcc: required revision has been compacted",
    )
    assert failed.value.is_sent


async def test_no_more_is_sent_than_the_windows_allow(wire):
    wire.call(b"x" * 100_000)
    sent = [payload for kind, _, _, payload in wire.taken() if kind == DATA]
    assert sum(map(len, sent)) == 65_535
    assert max(map(len, sent)) == 16_384
    wire.says((WINDOW_UPDATE, 0, 1, (50_000).to_bytes(4, "big")))
    assert wire.taken() == [], "the connection's window is used up, too"
    wire.says((WINDOW_UPDATE, 0, 0, (50_000).to_bytes(4, "big")))
    rest = wire.taken()
    assert sum(len(payload) for *_, payload in rest) == 100_005 - 65_535
    assert [flags for _, flags, *_ in rest] == [0, 0, END_STREAM]


async def test_a_smaller_window_holds_for_what_is_under_way(wire):
    wire.says((SETTINGS, 0, 0, setting(4, 10) + setting(5, 20_000)))
    assert wire.taken() == [(SETTINGS, ACK, 0, b"")]
    wire.call(b"x" * 20)
    assert len(wire.taken()[1][3]) == 10
    wire.says((SETTINGS, 0, 0, setting(4, 100)))
    assert [len(payload) for kind, _, _, payload in wire.taken() if kind == DATA] == [15]


async def test_calls_wait_for_fewer_streams(wire):
    wire.says((SETTINGS, 0, 0, setting(3, 1)))
    first, second = wire.call(), wire.call()
    assert {stream for _, _, stream, _ in wire.taken() if stream} == {1}
    wire.says((DATA, 0, 1, framed(b"1")))
    wire.ends(1)
    assert {stream for _, _, stream, _ in wire.taken()} == {3}
    wire.says((DATA, 0, 3, framed(b"2")))
    wire.ends(3)
    assert [await first.answer(), await second.answer()] == [b"1", b"2"]


async def test_who_reads_says_so(wire):
    wire.call(single=False)
    wire.taken()
    for _ in range(WINDOW // 2 // 16_384):
        wire.says((DATA, 0, 1, b"\0" * 16_384))
    assert [(kind, stream, int.from_bytes(p, "big")) for kind, _, stream, p in wire.taken()] == [
        (WINDOW_UPDATE, 0, WINDOW // 2),
        (WINDOW_UPDATE, 1, WINDOW // 2),
    ]


async def failure(call):
    with pytest.raises(Failed) as failed:
        await call.answer()
    return failed.value


async def test_a_server_that_goes_ends_what_it_has_seen_and_gives_the_rest_back(wire):
    seen, unseen = wire.call(), wire.call()
    wire.says((GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4)))
    assert wire.lost == [wire.connection], "new calls want another connection"
    assert not (await failure(unseen)).is_sent
    wire.says((DATA, 0, 1, framed(b"answer")))
    wire.ends(1)
    assert await seen.answer() == b"answer"


@pytest.mark.parametrize(("code", "is_sent"), [(7, False), (2, True)])
async def test_a_refused_call_was_not_seen(wire, code, is_sent):
    call = wire.call()
    wire.says((RESET, 0, 1, code.to_bytes(4, "big")))
    assert (await failure(call)).is_sent is is_sent


async def test_a_lost_connection_ends_every_call(wire):
    wire.says((SETTINGS, 0, 0, setting(3, 1)))
    sent, waits = wire.call(), wire.call()
    wire.connection.connection_lost(ConnectionResetError("reset"))
    assert (await failure(sent)).is_sent
    assert not (await failure(waits)).is_sent
    assert not (await failure(wire.call())).is_sent
    assert wire.connection.is_closed


async def test_a_cancelled_call_is_told_and_forgotten(wire):
    call = wire.call()
    wire.taken()
    wire.connection.cancel(call, Failed("DEADLINE_EXCEEDED", "too late"))
    assert wire.taken() == [(RESET, 0, 1, (8).to_bytes(4, "big"))]
    wire.says((DATA, 0, 1, framed(b"answer")))
    wire.ends(1)
    assert (await failure(call)).code == "DEADLINE_EXCEEDED"


async def test_pings_are_answered_and_an_unanswered_one_ends_the_connection(wire):
    wire.says((PING, 0, 0, b"12345678"))
    assert wire.taken() == [(PING, ACK, 0, b"12345678")]
    wire.connection._ping()
    assert wire.taken() == [], "etcd takes pings without calls for abuse"
    call = wire.call()
    wire.taken()
    wire.connection._ping()
    assert [kind for kind, *_ in wire.taken()] == [PING]
    timer = wire.connection._timer
    wire.says((PING, ACK, 0, b"pykube42"))
    assert timer.cancelled()
    wire.connection.close()
    assert wire.is_aborted
    assert (await failure(call)).code == "UNAVAILABLE"
    await asyncio.sleep(0)
