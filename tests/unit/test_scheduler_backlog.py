"""The backlog: order, back-off, parking; time is an argument."""

from apimachinery.objects.base import view
from scheduler.backlog import Backlog
from scheduler.events import Change, Event
from scheduler.filters import NodeResourcesFit
from scheduler.views import Pod


def pod(name, priority=0, labels=None):
    return view({"metadata": {"name": name, "uid": name, "labels": labels or {}}, "spec": {"priority": priority}}, Pod)


def taken(backlog, now):
    while (waiting := backlog.take(now)) is not None:
        yield waiting


def names(backlog, now):
    return [waiting.pod.metadata.name for waiting in taken(backlog, now)]


def test_higher_priority_first_then_first_come():
    backlog = Backlog()
    for one in (pod("a"), pod("b", 10), pod("c")):
        backlog.put(one)
    assert names(backlog, 0) == ["b", "a", "c"]


def test_a_parked_pod_is_tried_again_when_something_helps():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.park(backlog.take(0), 0, [NodeResourcesFit()])
    backlog.wake(Event(Change.NODE_LABELS))
    assert names(backlog, 100) == []
    backlog.wake(Event(Change.POD_REMOVED))
    assert backlog.next_due(0.5) == 0
    assert names(backlog, 0.5) == ["a"]


def test_a_pod_that_backs_off_yields_to_those_that_need_not():
    backlog = Backlog()
    backlog.put(pod("a", 10))
    backlog.park(backlog.take(0), 0, [NodeResourcesFit()])
    backlog.wake(Event(Change.NODE_ADDED))
    backlog.put(pod("b"))
    assert names(backlog, 0.5) == ["b", "a"]


def test_what_happens_while_a_pod_is_tried_counts():
    backlog = Backlog()
    backlog.put(pod("a"))
    waiting = backlog.take(0)
    backlog.wake(Event(Change.POD_REMOVED))
    backlog.park(waiting, 0, [NodeResourcesFit()])
    assert names(backlog, 0) == ["a"]


def test_a_change_of_the_pod_while_it_is_tried_counts():
    backlog = Backlog()
    backlog.put(pod("a"))
    waiting = backlog.take(0)
    backlog.put(pod("a", labels={"x": "y"}))
    backlog.park(waiting, 0, [NodeResourcesFit()])
    assert [waiting.pod.metadata.labels for waiting in taken(backlog, 0)] == [{"x": "y"}]


def test_a_node_given_up_wakes_only_what_is_no_more_important():
    backlog = Backlog()
    for one in (pod("a", 10), pod("b", 5)):
        backlog.put(one)
    for _ in range(2):
        backlog.park(backlog.take(0), 0, [NodeResourcesFit()])
    backlog.wake(Event(Change.POD_REMOVED), at_most=5)
    assert names(backlog, 0) == ["b"]


def test_a_pod_that_was_tried_goes_behind_its_equals():
    backlog = Backlog()
    for one in (pod("a"), pod("b")):
        backlog.put(one)
    backlog.park(backlog.take(0), 0)
    backlog.wake(Event(Change.NODE_ADDED))
    assert names(backlog, 20) == ["b", "a"]


def test_backoff_after_errors_doubles_up_to_ten_seconds():
    backlog = Backlog()
    backlog.put(pod("a"))
    waits, now = [], 0.0
    for _ in range(6):
        waiting = backlog.take(now)
        backlog.retry(waiting, now)
        assert backlog.take(now) is None
        waits.append(backlog.next_due(now))
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 10, 10]


def test_nothing_is_parked_for_ever():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.park(backlog.take(0), 0, [NodeResourcesFit()])
    assert backlog.next_due(0) == 300
    backlog.wake_stale(300)
    assert names(backlog, 300) == ["a"]


def test_a_dropped_pod_is_never_taken():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.drop("a")
    assert names(backlog, 0) == []
    assert len(backlog) == 0


def test_what_nothing_refused_backs_off_in_full():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.park(backlog.take(0), 0)
    backlog.wake(Event(Change.NODE_ADDED))
    assert names(backlog, 0.5) == []
    assert names(backlog, 1.0) == ["a"]


def test_how_many_wait_where():
    backlog = Backlog()
    for name in "abcd":
        backlog.put(pod(name))
    backlog.park(backlog.take(0), 0, [NodeResourcesFit()])
    backlog.retry(backlog.take(0), 0)
    backlog.take(0)
    assert backlog.sizes() == {"active": 1, "backoff": 1, "unschedulable": 1}


def test_a_placed_pod_is_not_tried_again_until_its_binding_fails():
    backlog = Backlog()
    backlog.put(pod("a"))
    waiting = backlog.take(0)
    backlog.placed("a")
    backlog.put(pod("a", labels={"changed": "yes"}))
    backlog.wake(Event(Change.NODE_ADDED))
    assert names(backlog, 100) == []
    assert backlog.sizes() == {"active": 0, "backoff": 0, "unschedulable": 0}
    backlog.retry(waiting, 100)
    assert names(backlog, 101) == ["a"]


def test_a_placed_pod_that_is_dropped_is_new_when_it_comes_again():
    backlog = Backlog()
    backlog.put(pod("a"))
    backlog.take(0)
    backlog.placed("a")
    backlog.drop("a")
    backlog.put(pod("a"))
    assert names(backlog, 0) == ["a"]
