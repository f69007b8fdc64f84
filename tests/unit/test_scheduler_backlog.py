"""The backlog: order, back-off, parking; time is an argument."""

from apimachinery.objects.base import view
from scheduler.backlog import Backlog
from scheduler.views import Pod


def pod(name, priority=0):
    return view({"metadata": {"name": name, "uid": name}, "spec": {"priority": priority}}, Pod)


def names(backlog, now):
    taken = []
    while (waiting := backlog.take(now)) is not None:
        taken.append(waiting.pod.metadata.name)
    return taken


def test_higher_priority_first_then_first_come():
    backlog = Backlog()
    for one in (pod("a"), pod("b", 10), pod("c")):
        backlog.put(one)
    assert names(backlog, 0) == ["b", "a", "c"]


def test_a_parked_pod_waits_for_a_change_and_its_backoff():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.park(backlog.take(0), 0)
    assert names(backlog, 100) == []
    backlog.wake()
    assert names(backlog, 0.5) == []
    assert backlog.next_due(0.5) == 0.5
    assert names(backlog, 1.0) == ["a"]


def test_backoff_doubles_up_to_ten_seconds():
    backlog = Backlog()
    backlog.put(pod("a"))
    waits, now = [], 0.0
    for _ in range(6):
        waiting = backlog.take(now)
        backlog.retry(waiting, now)
        waits.append(backlog.next_due(now))
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 10, 10]


def test_nothing_is_parked_for_ever():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.park(backlog.take(0), 0)
    assert backlog.next_due(0) == 300
    backlog.wake_stale(300)
    assert names(backlog, 300) == ["a"]


def test_a_dropped_pod_is_never_taken():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.drop("a")
    assert names(backlog, 0) == []
    assert len(backlog) == 0
