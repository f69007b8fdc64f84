"""How answers are put on a connection: head and body in one write where they come together."""

import asyncio

import pytest

from serving.https import JOINED_LIMIT, _Joined


class Transport:
    def __init__(self):
        self.writes = []

    def write(self, data):
        self.writes.append(data)

    def close(self):
        self.writes.append("closed")


LARGE = b"x" * (JOINED_LIMIT + 1)


@pytest.mark.parametrize(
    ("turns", "writes"),
    [
        ([[b"head", b"body"]], [b"headbody"]),
        ([[b"head", b"a", b"b"]], [b"heada", b"b"]),
        ([[b"head"], [b"a"], [b"b"]], [b"head", b"a", b"b"]),
        ([[b"head", LARGE]], [b"head", LARGE]),
        ([[b"head", "close"]], [b"head", "closed"]),
        ([[b"head", b""]], [b"head"]),
    ],
)
async def test_head_and_body_go_together(turns, writes):
    transport = Transport()
    joined = _Joined(transport)
    for turn in turns:
        for data in turn:
            joined.close() if data == "close" else joined.write(data)
        await asyncio.sleep(0)
    assert transport.writes == writes
