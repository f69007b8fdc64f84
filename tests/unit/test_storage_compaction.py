"""Upstream's compaction protocol: one server compacts, always to what was an interval ago."""

import asyncio

import pytest

from apiserver.storage import compaction
from apiserver.storage.compaction import KEY, Seen, compact_once
from apiserver.storage.protocol import Compacted, Unavailable


class FakeEtcd:
    """The key's version and value, the revision, and what was compacted."""

    def __init__(self, revision=100):
        self.revision, self.version, self.value, self.compacted = revision, 0, b"", []
        self.away = False

    async def swap_version(self, key, value, *, version):
        assert key == KEY == "compact_rev_key"
        if self.away:
            raise Unavailable("gone")
        if version != self.version:
            return False, self.version, self.revision
        self.revision += 1
        self.version, self.value = version + 1, value
        return True, self.version, self.revision

    async def compact(self, revision):
        if self.compacted and revision <= self.compacted[-1]:
            raise Compacted
        self.compacted.append(revision)


async def test_a_round_compacts_to_what_the_last_one_saw():
    etcd = FakeEtcd()
    seen, compacted = await compact_once(etcd, Seen())
    assert (seen, compacted) == (Seen(1, 101), 0)
    etcd.revision = 500
    seen, compacted = await compact_once(etcd, seen)
    assert (seen, compacted, etcd.value) == (Seen(2, 501), 101, b"101")
    assert etcd.compacted == [101]


async def test_of_two_servers_one_compacts_at_a_time():
    etcd, seen, turns = FakeEtcd(), {"a": Seen(), "b": Seen()}, []
    for _ in range(6):
        for server in ("a", "b"):
            etcd.revision += 10
            seen[server], compacted = await compact_once(etcd, seen[server])
            turns.append((server, compacted))
        assert etcd.compacted == sorted(set(etcd.compacted))
    assert sum(bool(compacted) for _, compacted in turns) <= 6
    assert etcd.compacted, "and one of them does"


async def test_a_history_gone_further_is_no_fault():
    etcd = FakeEtcd()
    etcd.compacted = [400]
    assert await compact_once(etcd, Seen(0, 300)) == (Seen(1, 101), 0)


async def test_rounds_go_on_after_a_fault_and_end_with_the_sleeper():
    etcd, slept = FakeEtcd(), []

    async def sleep(seconds):
        slept.append(seconds)
        etcd.away = len(slept) < 3
        if len(slept) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await compaction.run(etcd, interval=300, sleep=sleep)
    assert slept == [300] * 5
    assert len(etcd.compacted) == 1


async def test_no_interval_no_compaction():
    etcd = FakeEtcd()
    async with asyncio.timeout(30):
        await compaction.run(etcd, interval=0)
    assert (etcd.version, etcd.compacted) == (0, [])
