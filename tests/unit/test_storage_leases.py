"""Sharing leases: no key dies early, few leases are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.storage.leases import MOST_KEYS, Lease, Leases, choose, granted_seconds


@pytest.mark.parametrize(("ttl", "granted"), [(1, 2), (20, 21), (3600, 3660), (100, 105), (86_400, 86_460)])
def test_a_lease_lives_a_little_longer_than_its_keys(ttl, granted):
    assert granted_seconds(ttl) == granted


@pytest.mark.parametrize(
    ("lease", "now", "again"),
    [
        (None, 0.0, False),
        (Lease(1, ends=3660.0, keys=1), 0.0, True),
        (Lease(1, ends=3660.0, keys=1), 60.0, True),
        (Lease(1, ends=3660.0, keys=1), 60.1, False),
        (Lease(1, ends=3660.0, keys=MOST_KEYS), 0.0, False),
    ],
)
def test_a_lease_is_used_again_while_it_lasts(lease, now, again):
    assert (choose(lease, 3600, now) is not None) == again


@given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from([1, 60, 3600])), max_size=60))
async def test_no_key_dies_early_and_leases_are_few(steps):
    now, ends = 0.0, {}

    async def grant(seconds):
        ends[len(ends) + 1] = now + seconds
        return len(ends)

    leases = Leases(grant, lambda: now)
    for wait, ttl in steps:
        now += wait
        lease = await leases.lease(ttl)
        assert now + ttl <= ends[lease] <= now + granted_seconds(ttl)
    hours = sum(1 for end in ends.values() if end > 3600)
    assert hours <= now / 60 + 1


async def test_a_forgotten_lease_is_not_used_again():
    granted = iter(range(1, 9))

    async def grant(seconds):
        return next(granted)

    leases = Leases(grant, lambda: 0.0)
    assert [await leases.lease(60), await leases.lease(60)] == [1, 1]
    leases.forget(1)
    assert await leases.lease(60) == 2
