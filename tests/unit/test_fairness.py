"""Priority and fairness as data: matching, division of seats, fair queues on a time of their own."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import flow_objects as objects
from apiserver.call import call_from
from apiserver.fairness import concurrency, seats
from apiserver.fairness.concurrency import Demand, Limits
from apiserver.fairness.keeper import dangling
from apiserver.fairness.matching import Matcher, schema_of
from apiserver.fairness.queueing import NO_SEATS, QUEUE_FULL, RUN, WAIT, Level, Ticket, dealt
from apiserver.fairness.seats import Width
from apiserver.request import RequestInfo, User

MATCHER = Matcher([schema_of(tree) for tree in objects.SCHEMAS])


def resource(verb="get", plural="pods", group="", namespace="default", subresource=""):
    return RequestInfo(
        is_resource=True, path="/x", verb=verb, group=group, version="v1", namespace=namespace, plural=plural,
        subresource=subresource,
    )  # fmt: skip


def path(path, verb="get"):
    return RequestInfo(is_resource=False, path=path, verb=verb)


NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))
JANE = User("jane", ("system:authenticated",))
LEASES = "coordination.k8s.io"


def account(namespace, name="a"):
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


@pytest.mark.parametrize(
    ("user", "info", "schema"),
    [
        (User("admin", ("system:masters",)), resource(), "exempt"),
        (JANE, path("/healthz"), "probes"),
        (JANE, path("/readyz/etcd"), "probes"),
        (JANE, path("/readyzz"), "global-default"),
        (NODE, path("/livez"), "probes"),
        (NODE, resource(plural="nodes", namespace="", subresource="status", verb="patch"), "system-node-high"),
        (NODE, resource(plural="leases", group=LEASES), "system-node-high"),
        (NODE, resource(), "system-nodes"),
        (NODE, path("/version"), "system-nodes"),
        (User("system:kube-scheduler"), resource(), "kube-scheduler"),
        (User("system:kube-scheduler"), resource("update", "leases", LEASES), "system-leader-election"),
        (User("system:kube-controller-manager"), resource("list"), "kube-controller-manager"),
        (account("kube-system"), resource(), "kube-system-service-accounts"),
        (account("kube-system"), resource("get", "leases", LEASES), "system-leader-election"),
        (account("kube-system"), resource("watch", "leases", LEASES), "kube-system-service-accounts"),
        (account("kube-systems"), resource(), "service-accounts"),
        (account("default"), resource(), "service-accounts"),
        (JANE, resource(), "global-default"),
        (User("nobody"), resource(), "catch-all"),
    ],
)
def test_requests_are_classified_as_upstream_does(user, info, schema):
    for _ in range(2):  # found, then remembered
        assert MATCHER.schema(user, info).name == schema


def test_flows_are_told_apart_by_user_or_namespace():
    by_name = {schema.name: schema for schema in MATCHER.schemas}
    assert by_name["global-default"].flow(JANE, resource(namespace="ns")) == "jane"
    assert by_name["kube-scheduler"].flow(JANE, resource(namespace="ns")) == "ns"
    assert by_name["exempt"].flow(JANE, resource(namespace="ns")) == ""


def test_each_level_has_its_share_of_the_server():
    specs = {tree["metadata"]["name"]: tree["spec"] for tree in objects.LEVELS}
    found = concurrency.limits(specs, 600)
    assert found["global-default"] == Limits(False, 49, 24, 649, 8)
    assert found["workload-low"] == Limits(False, 245, 24, 845, 37)
    assert found["leader-election"] == Limits(False, 25, 25, 625, 4)
    assert found["exempt"] == Limits(True, 0, 0, 600, 0)


def demand(value, seconds=10.0):
    found = Demand()
    found.set(value, 0.0)
    found.close(seconds)
    return found


def test_demand_is_averaged_over_time():
    found = Demand()
    found.set(4, 0.0)
    found.set(0, 5.0)
    found.close(10.0)
    assert (found.highest, found.average, found.deviation) == (4, 2, 2)
    assert found.smoothed == 4
    found.close(20.0)
    assert (found.highest, found.average) == (0, 0)
    assert found.smoothed == pytest.approx(4 * 0.977)


def test_a_level_that_needs_seats_borrows_those_of_idle_ones():
    bounds = {"a": Limits(False, 50, 10, 1000, 5), "b": Limits(False, 50, 20, 1000, 5)}
    found = concurrency.divide(bounds, {"a": demand(200), "b": demand(0)}).seats
    assert found["b"] == 20
    assert found["a"] == 80
    found = concurrency.divide(bounds, {"a": demand(200), "b": demand(200)}).seats
    assert found == {"a": 50, "b": 50}


def test_nobody_borrows_beyond_its_limit():
    bounds = {"a": Limits(False, 50, 50, 60, 5), "b": Limits(False, 50, 0, 50, 5)}
    assert concurrency.divide(bounds, {"a": demand(900), "b": demand(1)}).seats == {"a": 60, "b": 40}


def test_exempt_requests_take_seats_from_the_others_down_to_their_lower_bounds():
    bounds = {"x": Limits(True, 0, 0, 100, 0), "a": Limits(False, 50, 10, 100, 5), "b": Limits(False, 50, 30, 100, 5)}
    found = concurrency.divide(bounds, {"x": demand(95), "a": demand(50), "b": demand(50)}).seats
    assert found == {"x": 95, "a": 10, "b": 30}


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50), st.floats(0, 100)), min_size=1, max_size=8), st.data())
def test_what_is_divided_is_within_bounds_and_sums_up(rows, data):
    items = [(max(target, lower), lower, lower + more) for target, lower, more in rows]
    low, high = sum(i[1] for i in items), sum(i[2] for i in items)
    total = data.draw(st.floats(low, high))
    found, multiple = concurrency.allocate(total, items)
    assert sum(found) == pytest.approx(total, abs=1e-3)
    for part, (target, lower, upper) in zip(found, items, strict=True):
        assert lower - 1e-9 <= part <= upper + 1e-9
        assert part in (pytest.approx(lower), pytest.approx(upper)) or part == pytest.approx(
            multiple * max(target, 0.001)
        )


def test_a_hand_has_distinct_queues_and_stays_the_same():
    for flow in range(200):
        hand = dealt("s", f"flow{flow}", 64, 6)
        assert len(set(hand)) == 6
        assert all(0 <= card < 64 for card in hand)
        assert hand == dealt("s", f"flow{flow}", 64, 6)
    assert len({dealt("s", f"flow{i}", 64, 6) for i in range(200)}) == 200


def level(limit=1, queues=64, hand=4, length=50):
    return Level(limit=limit, queues=queues, hand=hand, length=length)


def ticket(flow="a", **more):
    return Ticket("s", flow, **more)


def test_free_seats_are_given_at_once():
    found = level(limit=3)
    assert [found.arrive(ticket(), 0.0) for _ in range(4)] == [RUN, RUN, RUN, WAIT]
    assert (found.seats, found.executing, found.waiting) == (3, 3, 1)


def test_a_level_without_queues_refuses():
    found = Level(limit=1)
    assert [found.arrive(ticket(), 0.0) for _ in range(2)] == [RUN, NO_SEATS]
    assert found.rejected == 1


def test_an_exempt_level_lets_everybody_in():
    found = Level(limit=None)
    assert [found.arrive(ticket(), 0.0) for _ in range(100)] == [RUN] * 100


def test_full_queues_refuse_their_flow_only():
    found = level(queues=64, hand=2, length=3)
    outcomes = [found.arrive(ticket("flood"), 0.0) for _ in range(10)]
    assert outcomes == [RUN] + [WAIT] * 6 + [QUEUE_FULL] * 3
    other = next(f"f{i}" for i in range(100) if not set(dealt("s", f"f{i}", 64, 2)) & set(dealt("s", "flood", 64, 2)))
    assert found.arrive(ticket(other), 0.0) == WAIT


def served(found, arrivals, seconds=0.01):
    """The flows in the order in which they run, one after the other ends."""
    order, running, now = [], [], 0.0
    for one in arrivals:
        if found.arrive(one, now) == RUN:
            running.append(one)
            order.append(one.flow)
    while running:
        now += seconds
        started = found.end(running.pop(0), now, seconds)
        running += started
        order += [one.flow for one in started]
    assert found.is_idle
    assert found.seats == 0
    return order


def test_a_mouse_does_not_wait_for_an_elephant():
    elephant = [ticket("elephant") for _ in range(100)]
    order = served(level(hand=1), [*elephant, ticket("mouse")])
    assert order.index("mouse") <= 2


def test_flows_are_served_in_turn():
    arrivals = [ticket(flow) for flow in ("a", "b", "c") for _ in range(20)]
    order = served(level(hand=1), arrivals)
    first = order[:30]
    assert max(first.count(flow) for flow in "abc") - min(first.count(flow) for flow in "abc") <= 2


def test_wide_requests_pay_for_their_width():
    arrivals = [ticket("wide", width=Width(4)) for _ in range(40)] + [ticket("thin") for _ in range(40)]
    order = served(level(limit=4, hand=1), arrivals)
    first = order[:25]
    assert first.count("thin") >= 2 * first.count("wide")


def test_one_that_is_wider_than_the_level_runs_alone():
    found = level(limit=2)
    small, wide = ticket("a"), ticket("b", width=Width(5))
    assert found.arrive(small, 0.0) == RUN
    assert found.arrive(wide, 0.0) == WAIT
    assert list(found.end(small, 1.0, 1.0)) == [wide]
    assert found.seats == 5


def test_who_gives_up_leaves_no_trace():
    found = level()
    first, second, third = ticket(), ticket(), ticket()
    for one in (first, second, third):
        found.arrive(one, 0.0)
    found.give_up(second, 1.0)
    assert list(found.end(first, 2.0, 2.0)) == [third]
    assert found.end(third, 3.0, 1.0) == ()
    assert (found.is_idle, found.seats, found.seats_waiting, found.timed_out) == (True, 0, 0, 1)


def test_more_seats_start_those_who_wait():
    found = level(limit=1)
    tickets = [ticket() for _ in range(5)]
    for one in tickets:
        found.arrive(one, 0.0)
    assert len(found.resize(3, 1.0)) == 2


def test_queues_that_are_too_many_are_emptied_first():
    found = level(limit=1, queues=8, hand=8)
    tickets = [ticket(f"f{i}") for i in range(8)]
    for one in tickets:
        found.arrive(one, 0.0)
    found.requeue(2, 1, 50)
    assert found.arrive(ticket("late"), 0.0) == WAIT
    assert tickets[0].started == 0.0
    running, ended = [tickets[0]], 0
    while running:
        running += found.end(running.pop(), 1.0, 0.1)
        ended += 1
    assert (ended, found.is_idle) == (9, True)


STEPS = st.lists(
    st.tuples(st.sampled_from(["arrive", "end", "give_up", "resize"]), st.integers(0, 5), st.integers(1, 3)),
    max_size=80,
)


@given(STEPS)
def test_seats_always_add_up(steps):
    found = level(limit=3, queues=4, hand=2, length=3)
    running, waiting, clock = [], [], itertools.count()
    for step, flow, width in steps:
        now = next(clock) * 0.01
        started = ()
        if step == "arrive":
            one = ticket(f"f{flow}", width=Width(width))
            outcome = found.arrive(one, now)
            if outcome == RUN:
                running.append(one)
            elif outcome == WAIT:
                waiting.append(one)
        elif step == "end" and running:
            started = found.end(running.pop(flow % len(running)), now, 0.01)
        elif step == "give_up" and waiting:
            found.give_up(waiting.pop(flow % len(waiting)), now)
        elif step == "resize":
            started = found.resize(width, now)
        for one in started:
            waiting.remove(one)
            running.append(one)
        assert found.seats == sum(one.seats for one in running)
        assert (found.executing, found.waiting) == (len(running), len(waiting))
        assert found.seats_waiting == sum(one.seats for one in waiting)
    while running:  # whoever waits is served in the end
        started = found.end(running.pop(), next(clock) * 0.01, 0.01)
        for one in started:
            waiting.remove(one)
        running += started
    assert not waiting or found.limit < min(one.seats for one in waiting)
    assert waiting == []


def call(query):
    scope = {"method": "GET", "path": "/", "query_string": query.encode(), "headers": []}
    return call_from(scope, None, None, "")


@pytest.mark.parametrize(
    ("query", "objects_", "size", "widest", "expected"),
    [
        pytest.param("", 0, 0, 8, 1, id="nothing"),
        pytest.param("", 100, 100_000, 8, 1, id="100 kB are one seat"),
        pytest.param("", 300, 300_000, 8, 3, id="each 100 kB"),
        pytest.param("limit=10", 300, 300_000, 8, 1, id="a page"),
        pytest.param("", 10_000, 50_000_000, 0, 10, id="a streamed list is no wider than 1 MB"),
        pytest.param("", 10_000, 50_000_000, 4, 4, id="the level's limit"),
    ],
)
def test_lists_are_as_wide_as_what_they_hold(query, objects_, size, widest, expected):
    assert seats.of_list(call(query), is_single=False, objects=objects_, size=size, widest=widest).seats == expected


def test_one_object_by_name_is_no_list():
    assert seats.of_list(call(""), is_single=True, objects=300, size=300_000, widest=9).seats == 1


def test_writes_that_many_see_hold_seats_a_little_longer():
    assert seats.of_write("create", 9, 0) == seats.ONE
    assert seats.of_write("get", 100, 0) == seats.ONE
    assert seats.of_write("update", 50, 0) == Width(1, 5, 0.005)
    wide = seats.of_write("update", 400, 0)
    assert (wide.final, wide.seconds) == (10, 0.02)  # 40 seats for 5 ms are 10 for 20


def stored(tree, **more):
    meta = {**tree["metadata"], "uid": "u", "generation": 1, **more.pop("metadata", {})}
    return {**tree, **more, "metadata": meta}


def test_what_must_be_there_is_kept():
    wanted = objects.LEVELS
    there = [stored(tree) for tree in wanted]
    assert objects.missing(wanted, there) == []
    assert objects.revised(wanted, there) == []
    assert objects.unwanted(wanted, there) == []
    assert objects.missing(wanted, there[1:]) == [wanted[0]]
    other = {"type": "Limited", "limited": {"nominalConcurrencyShares": 1}}
    changed = [stored(there[0], spec=other)]
    assert objects.revised(wanted, changed)[0]["spec"] == wanted[0]["spec"]
    users = stored(wanted[0], spec=other, metadata={"annotations": {objects.AUTO_UPDATE: "false"}})
    assert objects.revised(wanted, [users]) == []
    unmarked = stored(wanted[0], spec=other, metadata={"annotations": {}, "generation": 2})
    (kept,) = objects.revised(wanted, [unmarked])
    assert (kept["spec"], kept["metadata"]["annotations"]) == (other, {objects.AUTO_UPDATE: "false"})
    old = stored(wanted[0], metadata={"name": "old"})
    assert objects.unwanted(wanted, [old]) == [old]


def test_the_dangling_condition_keeps_its_time_while_it_says_the_same():
    tree = stored(objects.SCHEMAS[0])
    first = dangling(tree, {"system"}, "t1")
    tree["status"] = {"conditions": [first]}
    assert dangling(tree, {"system"}, "t2") is None
    second = dangling(tree, set(), "t2")
    assert (second["status"], second["lastTransitionTime"]) == ("True", "t2")
