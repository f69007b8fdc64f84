"""What only a real etcd shows: being away, being full, several endpoints, shared leases, large watches, compaction."""

import asyncio
import itertools
import os
import signal

import pytest
from aetcd import rpc

from apiserver.storage import compaction
from apiserver.storage.compaction import Seen, compact_once
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.etcd_channel import EtcdTLS
from apiserver.storage.protocol import ABSENT, Compacted, Full, StorageError, Unavailable
from tests.contract.storage_servers import EtcdServer
from tests.ports import free_port

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory):
    server = EtcdServer(tmp_path_factory.mktemp("etcd")).start()
    yield server
    server.end()


@pytest.fixture
async def storage(etcd):
    async with etcd.storage() as storage:
        yield storage


@pytest.fixture
def at():
    number = next(NUMBERS)
    return lambda name="": f"/registry/t{number}/ns/{name}"


def nobody() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_an_etcd_that_is_away_is_named():
    url = nobody()
    async with EtcdStorage([url]) as storage:
        for call in (storage.get("x"), storage.put("x", b"", expect=ABSENT), anext(storage.watch("x", after=0))):
            with pytest.raises(Unavailable, match=f"etcd at {url} (cannot be reached|is not available)"):
                await call


async def test_a_frozen_etcd_ends_in_a_time_limit(tmp_path):
    server = EtcdServer(tmp_path).start()
    try:
        async with server.storage(timeout=5) as storage:  # a busy machine answers within that
            await storage.get("x")
            server.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)  # a thread on another core may answer once more before
            with pytest.raises(Unavailable, match="did not answer in time"):
                await storage.get("x")
    finally:
        server.end()


async def test_the_next_endpoint_is_used(etcd, at):
    async with EtcdStorage([nobody(), nobody(), etcd.url]) as storage:
        written = await storage.put(at("x"), b"", expect=ABSENT)
        assert await storage.get(at("x")) == written
        async for [change] in storage.watch(at(), after=written.revision - 1):
            assert change.new == written
            break


@pytest.mark.parametrize(("endpoints", "problem"), [([], "--etcd-servers"), (["https://127.0.0.1:1"], "--etcd-cafile")])
async def test_what_is_missing_is_said(endpoints, problem):
    with pytest.raises(ValueError, match=problem):
        EtcdStorage(endpoints)


async def test_without_a_client_certificate_nothing_is_served(tmp_path):
    server = EtcdServer(tmp_path, tls=True).start()
    try:
        async with server.storage() as storage:
            await storage.revision()
        bare = EtcdTLS(ca_file=server.credentials.ca_file)
        async with EtcdStorage([server.url], tls=bare) as storage:
            with pytest.raises(Unavailable):
                await storage.revision()
    finally:
        server.end()


async def test_calls_on_a_closed_store_fail_in_words(etcd):
    storage = etcd.storage()
    await storage.close()
    with pytest.raises(Unavailable):
        await storage.get("x")


async def test_a_revision_from_the_future_is_refused(storage, at):
    with pytest.raises(StorageError, match="future"):
        await storage.list(at(), at=await storage.revision() + 100)


@pytest.mark.slow
async def test_a_full_etcd_says_so(tmp_path, at):
    server = EtcdServer(tmp_path, flags=("--quota-backend-bytes=16777216",)).start()
    try:
        async with server.storage() as storage:
            first = await storage.put(at("x"), b"", expect=ABSENT)
            with pytest.raises(Full, match="compact and defragment"):
                await fill(storage, at)
            assert (await storage.get(at("x"))) == first, "reading goes on"
            assert any("NOSPACE" in problem for problem in (await storage.status()).problems)
            await storage.delete(at("x"), expect=first.revision)
    finally:
        server.end()


async def fill(storage, at):
    """One after the other: etcd looks at its quota when a request comes in, by the size as of its last commit."""
    for i in range(400):
        await storage.put(at(f"{i}"), b"x" * 1_000_000, expect=ABSENT)


async def test_keys_of_one_ttl_share_a_lease_and_go_together(storage, at):
    written = [await storage.put(at(f"{i}"), b"", expect=ABSENT, ttl=4) for i in range(5)]
    assert len({lease.id for lease in storage._leases._current.values()}) == 1
    async for group in storage.watch(at(), after=written[-1].revision):
        assert {change.old.key for change in group} == {stored.key for stored in written}
        assert len({change.revision for change in group}) == 1
        break


async def test_a_lease_that_etcd_lost_is_replaced(storage, at):
    await storage.put(at("x"), b"", expect=ABSENT, ttl=3600)
    [(ttl, lease)] = storage._leases._current.items()
    await storage._etcd.call(lambda e: e.lease.LeaseRevoke, lease_revoke(lease.id))
    assert await storage.get(at("x")) is None
    again = await storage.put(at("x"), b"", expect=ABSENT, ttl=3600)
    assert await storage.get(at("x")) == again
    assert storage._leases._current[ttl].id != lease.id


def lease_revoke(lease):
    return rpc.LeaseRevokeRequest(ID=lease)


async def test_a_watch_through_much_history_has_no_gap(storage, at):
    """More than etcd puts into one response, so that it fragments and batches."""
    start = await storage.revision()
    async with asyncio.TaskGroup() as group:
        for i in range(40):
            group.create_task(storage.put(at(f"{i:02}"), b"x" * 400_000, expect=ABSENT))
    for previous in (True, False):
        revisions, keys = [], set()
        async for changes in storage.watch(at(), after=start, previous=previous):
            revisions += [c.revision for c in changes]
            keys |= {c.new.key for c in changes}
            assert all(len(c.new.value) == 400_000 for c in changes)
            if len(revisions) == 40:
                break
        assert revisions == sorted(set(revisions))
        assert keys == {at(f"{i:02}") for i in range(40)}


async def test_a_transaction_larger_than_a_response_stays_together(storage, at):
    """With old values four keys are over etcd's limit of a response, which it then sends in fragments."""
    for _ in range(2):
        request = rpc.TxnRequest()
        for i in range(4):
            put = request.success.add().request_put
            put.key, put.value = at(f"{i}").encode(), b"x" * 350_000
        reply = await storage._etcd.call(lambda e: e.kv.Txn, request)
    changes = await anext(storage.watch(at(), after=reply.header.revision - 1))
    assert [(c.new.key, len(c.old.value)) for c in changes] == [(at(f"{i}"), 350_000) for i in range(4)]


async def test_a_watch_without_old_values_still_names_what_was_deleted(storage, at):
    one = await storage.put(at("x"), b"one", expect=ABSENT)
    gone = await storage.delete(at("x"), expect=one.revision)
    async for [change] in storage.watch(at(), after=one.revision, previous=False):
        assert (change.revision, change.new, change.old.key) == (gone.revision, None, at("x"))
        break


async def test_two_servers_compact_one_etcd(storage, at):
    """A round of each; the second server's first swap fails and it learns from it."""
    a, _ = await compact_once(storage, Seen())
    b, compacted = await compact_once(storage, Seen())
    assert (a.version, b.version, compacted) == (1, 1, 0)
    old = await storage.put(at("x"), b"", expect=ABSENT)
    a, compacted = await compact_once(storage, a)
    assert compacted
    assert (await storage.get(compaction.KEY)).value == b"%d" % compacted
    b, nothing = await compact_once(storage, b)
    assert (a.version, b.version, nothing) == (2, 2, 0)
    b, compacted = await compact_once(storage, b)
    assert compacted > old.revision
    with pytest.raises(Compacted):
        await storage.list(at(), at=old.revision)
    with pytest.raises(Compacted):
        await anext(storage.watch(at(), after=old.revision - 1))
