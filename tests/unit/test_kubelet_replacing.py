"""Which containers are being replaced, and which start settles what."""

import pytest

from kubelet.pods.decide import Start, Stop
from kubelet.replacing import Replacing
from tests.unit.kubelet_builders import life

OLD, NEW = life(), life(attempt=1)
START = Start("main", "main", 1)


def stop(one, *, forced=True):
    return Stop(one, 1.0, "", forced=forced)


def test_what_is_stopped_is_untold_until_its_successor_has_started():
    one = Replacing()
    one.stopped(stop(OLD), ending=False)
    assert one.is_untold([], [OLD], {OLD.id}, making=False)
    assert one.is_untold([START], [OLD], {}, making=False)
    assert one.is_untold([], [OLD], {}, making=True)
    one.tried("main", one.debt("main"), started=True)
    assert not one.is_untold([], [NEW], {}, making=False)
    assert one.forced == frozenset()


def test_a_start_from_before_the_stop_settles_nothing():
    one = Replacing()
    debt = one.debt("main")
    one.stopped(stop(OLD), ending=False)
    one.tried("main", debt, started=True)
    assert one.is_untold([START], [OLD], {}, making=False)
    assert one.forced == {"main"}
    debt = one.debt("main")
    one.stopped(stop(NEW), ending=False)  # and changed once more meanwhile
    one.tried("main", debt, started=True)
    assert one.is_untold([START], [NEW], {}, making=False)
    assert one.forced == {"main"}


def test_a_start_that_fails_is_told_and_tried_again():
    one = Replacing()
    one.stopped(stop(OLD), ending=False)
    one.tried("main", one.debt("main"), started=False)
    assert not one.is_untold([START], [OLD], {}, making=False)
    assert one.forced == {"main"}


def test_what_nobody_goes_on_with_is_told():
    one = Replacing()
    one.stopped(stop(OLD, forced=False), ending=False)
    assert not one.is_untold([], [OLD], {}, making=False)
    assert one.forced == frozenset()


@pytest.mark.parametrize("forced", [True, False])
def test_the_end_of_a_pod_is_told(forced):
    one = Replacing()
    one.stopped(stop(OLD, forced=forced), ending=True)
    assert not one.is_untold([START], [OLD], {OLD.id}, making=True)
