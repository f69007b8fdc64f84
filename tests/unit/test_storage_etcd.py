"""The pure parts of the etcd store: grouping, intervals, pieces, and what its errors mean."""

import aetcd.rpc as rpc
import grpc
import pytest

from apiserver.storage import etcd
from apiserver.storage.etcd_channel import never_sent, translated
from apiserver.storage.protocol import Compacted, Full, StorageError, TooLarge, Unavailable


def event(revision, key, *, deleted=False):
    return rpc.Event(type=int(deleted), kv=rpc.KeyValue(key=key.encode(), mod_revision=revision))


def test_changes_of_one_revision_come_together_and_repeated_ones_not_at_all():
    events = [event(3, "a"), event(4, "b"), event(5, "c"), event(5, "d", deleted=True), event(7, "e")]
    groups = [[(c.revision, (c.new or c.old).key) for c in group] for group in etcd.grouped(events, seen=3)]
    assert groups == [[(4, "b")], [(5, "c"), (5, "d")], [(7, "e")]]
    assert list(etcd.grouped([], seen=3)) == []


@pytest.mark.parametrize(
    ("prefix", "interval"), [("", (b"\0", b"\0")), ("/a/", (b"/a/", b"/a0")), ("é", (b"\xc3\xa9", b"\xc3\xaa"))]
)
def test_a_prefix_is_an_interval(prefix, interval):
    assert etcd._interval(prefix) == interval


@pytest.mark.parametrize(
    ("piece", "keys", "size", "following"),
    [
        (500, 500, 500_000, 2000),  # small objects: four times as many
        (500, 500, 500 * 1_500_000, 1),  # large ones: about two megabytes
        (8000, 8000, 800_000, 10_000),
        (1, 1, 1 << 30, 1),
    ],
)
def test_pieces_of_a_list_are_of_a_size(piece, keys, size, following):
    assert etcd._next_piece(piece, keys, size) == following


@pytest.mark.parametrize(
    ("code", "details", "error", "text"),
    [
        ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", Full, "etcd at U is full"),
        ("INVALID_ARGUMENT", "etcdserver: request is too large", TooLarge, "request is too large"),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (5 vs. 2)", TooLarge, "request is too large"),
        ("RESOURCE_EXHAUSTED", "etcdserver: too many requests", Unavailable, "too many requests"),
        ("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted", Compacted, "compacted"),
        ("UNAVAILABLE", "failed to connect to all addresses", Unavailable, "etcd at U cannot be reached"),
        ("UNAVAILABLE", "etcdserver: leader changed", Unavailable, "may have been applied"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", Unavailable, "did not answer in time"),
        ("PERMISSION_DENIED", "etcdserver: permission denied", StorageError, "permission denied"),
    ],
)
def test_errors_are_said_in_our_words(code, details, error, text):
    nothing = grpc.aio.Metadata()
    found = translated(grpc.aio.AioRpcError(grpc.StatusCode[code], nothing, nothing, details), "U")
    assert type(found) is error
    assert text in found.message == str(found)


@pytest.mark.parametrize(
    ("details", "never"), [("failed to connect to all addresses; x", True), ("Socket closed", False)]
)
def test_only_a_call_that_was_never_sent_is_repeated(details, never):
    nothing = grpc.aio.Metadata()
    assert never_sent(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, details)) == never
