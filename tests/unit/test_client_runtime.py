"""The controllers' shell on virtual time: own writes are read, failures come back, one worker a key; and events, leases."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field

import msgspec
import pytest

from apimachinery.errors import ApiError, conflict
from apimachinery.kinds import CONFIGMAPS, EVENTS, LEASES
from apimachinery.objects.core_v1 import ConfigMap
from client.events import Correlator, EventRecorder
from client.lease import LeaderElection, LeadershipLost
from client.plan import Create, Delete, Event, Key, Patch, Plan, Watch
from client.runtime import Cached, Caches, Runtime, _preconditioned, is_stale
from tests.cluster.virtual_time import advance, run

ABOUT = {"kind": "ConfigMap", "namespace": "d", "name": "a", "uid": "u"}


@dataclass
class Server:
    """Objects of any kind, and watches that lag behind by `lag` seconds. Speaks the client's methods."""

    lag: float = 0.0
    refuse: list = field(default_factory=list)
    objects: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    writes: list = field(default_factory=list)
    revisions: itertools.count = field(default_factory=lambda: itertools.count(1))

    def put(self, kind, body, type):
        meta = body["metadata"]
        key = (kind.plural, meta.get("namespace", ""), meta["name"])
        body = {**body, "metadata": {**meta, "uid": meta.get("uid", "u"), "resourceVersion": str(next(self.revisions))}}
        self.objects[key] = body
        if type == "DELETED":
            del self.objects[key]
        self.history.append((asyncio.get_running_loop().time() + self.lag, kind.plural, type, body))
        return body

    def asked(self, *write):
        self.writes.append(write)
        if self.refuse:
            error = self.refuse.pop(0)
            if error is not None:
                raise error

    async def create(self, kind, body, *, namespace="", **_):
        self.asked("create", kind.plural, body["metadata"].get("name"))
        return self.put(kind, {**body, "metadata": {"namespace": namespace, **body["metadata"]}}, "ADDED")

    async def patch(self, kind, namespace, name, body, **_):
        self.asked("patch", kind.plural, name)
        old = self.objects[kind.plural, namespace, name]
        return self.put(kind, {**old, **{k: v for k, v in body.items() if k != "metadata"}}, "MODIFIED")

    async def delete(self, kind, namespace, name, **_):
        self.asked("delete", kind.plural, name)
        return self.put(kind, self.objects[kind.plural, namespace, name], "DELETED")

    async def get(self, kind, namespace, name):
        try:
            return self.objects[kind.plural, namespace, name]
        except KeyError:
            raise ApiError(404, "NotFound", "not found") from None

    async def replace(self, kind, body, **_):
        self.asked("replace", kind.plural, body["metadata"]["name"])
        stored = self.objects[kind.plural, body["metadata"]["namespace"], body["metadata"]["name"]]
        if stored["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise conflict("coordination.k8s.io", "leases", body["metadata"]["name"], "changed")
        return self.put(kind, body, "MODIFIED")


class LaggingCaches(Caches):
    """Caches fed from the server's history, late."""

    def __init__(self, server):
        super().__init__(server, [Cached(CONFIGMAPS, ConfigMap)])
        self.server = server

    async def run(self):
        cache = self.of(CONFIGMAPS)
        cache._synced.set()
        loop = asyncio.get_running_loop()
        seen = 0
        while True:
            while seen < len(self.server.history) and self.server.history[seen][0] <= loop.time():
                _, plural, change, body = self.server.history[seen]
                seen += 1
                if plural == CONFIGMAPS.plural:
                    new = None if change == "DELETED" else _view(body)
                    cache._set(body["metadata"]["namespace"], body["metadata"]["name"], new)
                    cache._advance(int(body["metadata"]["resourceVersion"]))
            await asyncio.sleep(0.01)


def _view(body):
    return msgspec.convert(body, ConfigMap)


class Three:
    """Keeps three ConfigMaps; would make too many if it did not read its writes."""

    name = "three"
    watches = (Watch(CONFIGMAPS, lambda _item, _view: [Key("d", "all")]),)
    at_start = (Key("d", "all"),)
    made = itertools.count()

    def plan(self, key, view, now):
        missing = 3 - len(view.list(CONFIGMAPS, "d"))
        return Plan([Create(CONFIGMAPS, "d", {"metadata": {"name": f"c{next(self.made)}"}})] * max(0, missing))


def story(controller, *, lag=0.0, refuse=(), seconds=10.0, objects=()):
    async def main():
        server = Server(lag, list(refuse))
        caches = LaggingCaches(server)
        recorder = EventRecorder(server, "test", clock=lambda: 1.0)
        runtime = Runtime(server, caches, [controller], recorder=lambda _name: recorder, clock=lambda: 1.0)
        for name in objects:
            server.put(CONFIGMAPS, {"metadata": {"namespace": "d", "name": name}}, "ADDED")
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in (caches, runtime, recorder)]
            await advance(seconds)
            runtime.validate()
            for task in running:
                task.cancel()
        return server

    return run(main())


def written(server):
    return [write for write in server.writes if write[1] != EVENTS.plural]


class Distinct(Three):
    def plan(self, key, view, now):
        missing = 3 - len(view.list(CONFIGMAPS, "d"))
        return Plan([Create(CONFIGMAPS, "d", {"metadata": {"name": f"c{next(self.made)}"}}) for _ in range(missing)])


@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_a_controller_sees_its_own_writes_before_it_plans_again(lag):
    class Impatient(Distinct):
        def plan(self, key, view, now):
            return Plan(super().plan(key, view, now).writes, again_in=0.3)

    assert len(story(Impatient(), lag=lag).objects) == 3


def test_a_refused_write_comes_back_with_back_off_and_is_seen_by_the_next_plan():
    failures = []

    class Once(Distinct):
        def plan(self, key, view, now):
            failures.append(view.failure and view.failure.error.message)
            return super().plan(key, view, now)

    server = story(Once(), refuse=[ApiError(403, "Forbidden", "no"), ApiError(403, "Forbidden", "no again")])
    assert failures[:3] == [None, "no", "no again"]
    assert len([key for key in server.objects if key[0] == CONFIGMAPS.plural]) == 3


def test_batches_start_with_one_write_so_that_a_refusal_is_cheap():
    class Many(Distinct):
        def plan(self, key, view, now):
            return Plan([Create(CONFIGMAPS, "d", {"metadata": {"name": f"c{next(self.made)}"}}) for _ in range(100)])

    refusals = [ApiError(403, "Forbidden", "no")] * 1000
    assert len(written(story(Many(), refuse=refusals, seconds=0.004))) == 1


def test_a_namespace_that_goes_away_ends_the_plan_for_good():
    error = ApiError(403, "Forbidden", "terminating", {"causes": [{"reason": "NamespaceTerminating"}]})
    assert len(written(story(Distinct(), refuse=[error] * 50))) == 1


def test_events_tell_of_writes_with_the_names_the_server_gave():
    class Telling(Distinct):
        def plan(self, key, view, now):
            if view.list(CONFIGMAPS):
                return Plan()
            done = Event(ABOUT, "Normal", "Made", "Made: {name}")
            return Plan([Create(CONFIGMAPS, "d", {"metadata": {"name": "x"}}, done=done)])

    told = [tree["message"] for key, tree in story(Telling()).objects.items() if key[0] == EVENTS.plural]
    assert told == ["Made: x"]


def test_deleting_what_is_gone_is_no_failure():
    class Deleting(Distinct):
        def plan(self, key, view, now):
            return Plan([Delete(CONFIGMAPS, Key("d", i.metadata.name), i.metadata.uid) for i in view.list(CONFIGMAPS)])

    server = story(Deleting(), objects=["a"], refuse=[ApiError(404, "NotFound", "gone")], lag=0.5, seconds=2)
    assert [write[0] for write in server.writes] == ["delete"]


def test_appointments_are_kept():
    times = []

    class Clock(Distinct):
        def plan(self, key, view, now):
            times.append(asyncio.get_running_loop().time())
            return Plan(again_in=2.0)

    story(Clock(), seconds=7)
    assert [round(each) for each in times] == [0, 2, 4, 6]


def test_what_says_that_a_view_was_old():
    def invalid(*names):
        return ApiError(422, "Invalid", "", {"causes": [{"field": name} for name in names]})

    assert is_stale(ApiError(409, "Conflict", ""))
    assert is_stale(invalid("metadata.uid"))
    assert not is_stale(invalid("metadata.uid", "spec"))
    assert not is_stale(ApiError(403, "Forbidden", ""))


# --------------------------------------------------------------------------------------------------- events


def test_the_same_event_again_raises_its_count():
    correlator = Correlator("c")
    first = correlator.correlate(ABOUT, "Normal", "R", "m", 100.0)
    again = correlator.correlate(ABOUT, "Normal", "R", "m", 160.0)
    assert (first.patch, again.patch["count"]) == (None, 2)
    assert again.body["metadata"] == first.body["metadata"]
    assert (again.body["firstTimestamp"], again.body["lastTimestamp"]) == (
        "1970-01-01T00:01:40Z",
        "1970-01-01T00:02:40Z",
    )


def test_many_similar_events_become_one():
    correlator = Correlator("c")
    sent = [correlator.correlate(ABOUT, "Normal", "R", f"m{n}", 100.0 + n) for n in range(15)]
    assert sent[8].body["message"] == "m8"
    assert sent[10].body["message"].startswith("(combined from similar events): ")
    assert {each.body["metadata"]["name"] for each in sent[10:]} == {sent[10].body["metadata"]["name"]}


def test_one_object_cannot_flood_the_server():
    correlator = Correlator("c")
    sent = [correlator.correlate(ABOUT, "Normal", "R", "m", 100.0) for _ in range(40)]
    assert sum(each is not None for each in sent) == 25
    assert correlator.correlate(ABOUT, "Normal", "R", "m", 100.0 + 301) is not None


# --------------------------------------------------------------------------------------------------- leases


class Door:
    """One candidate's way to the server; it can be cut."""

    def __init__(self, server):
        self.server, self.is_cut = server, False

    def __getattr__(self, name):
        async def call(*args, **more):
            if self.is_cut:
                raise ApiError(503, "ServiceUnavailable", "cut off")
            return await getattr(self.server, name)(*args, **more)

        return call


def candidates(script):
    """Two candidates, a and b; gives who began to lead, and when."""

    async def main():
        server, leading, started, doors = Server(), [], {}, {}
        time = asyncio.get_running_loop().time

        async def compete(name):
            async def lead():
                leading.append((name, round(time())))
                await asyncio.Event().wait()

            election = LeaderElection(doors[name], "kube-system", "l", name, clock=time, random=lambda: 0.5)
            with contextlib.suppress(LeadershipLost):
                await election.run(lead)

        async with asyncio.TaskGroup() as tasks:
            for name in ("a", "b"):
                doors[name] = Door(server)
                started[name] = tasks.create_task(compete(name))
                await advance(1)
            await script(doors, started)
            for task in started.values():
                task.cancel()
        return leading

    return run(main())


def test_one_leads_and_the_other_takes_over_at_once_when_it_leaves_in_peace():
    async def script(doors, started):
        await advance(30)
        started["a"].cancel()
        await advance(5)

    (first, second) = candidates(script)
    assert (first[0], second[0]) == ("a", "b")
    assert 31 <= second[1] <= 36


def test_a_leader_that_cannot_renew_stops_before_another_starts():
    async def script(doors, started):
        await advance(10)
        doors["a"].is_cut = True
        await advance(12)
        assert started["a"].done()
        await advance(20)

    (first, second) = candidates(script)
    assert (first[0], second[0]) == ("a", "b")
    assert second[1] >= 22


def test_a_lease_records_who_and_how_often():
    async def main():
        server = Server()
        election = LeaderElection(server, "kube-system", "l", "me", clock=lambda: 1.25)
        await election.acquire()
        return server.objects[LEASES.plural, "kube-system", "l"]["spec"]

    assert run(main()) == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "1970-01-01T00:00:01.250000Z",
        "acquireTime": "1970-01-01T00:00:01.250000Z",
        "leaseTransitions": 0,
    }


def test_who_leads_is_told_in_an_event_of_the_lease():
    async def main():
        server = Server()
        recorder = EventRecorder(server, "kube-controller-manager")
        await LeaderElection(server, "kube-system", "l", "me", clock=lambda: 1.25, recorder=recorder).acquire()
        sending = asyncio.create_task(recorder.run())
        while not recorder.idle:
            await asyncio.sleep(0)
        sending.cancel()
        return [tree for (plural, _, _), tree in server.objects.items() if plural == EVENTS.plural]

    (event,) = run(main())
    assert (event["reason"], event["message"]) == ("LeaderElection", "me became leader")
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("Lease", "l")


def test_a_patch_names_the_object_it_was_decided_for():
    patch = Patch(CONFIGMAPS, Key("d", "a"), "u", {"metadata": {"labels": {}}, "data": {}}, resource_version="7")
    assert _preconditioned(patch) == {"metadata": {"labels": {}, "uid": "u", "resourceVersion": "7"}, "data": {}}
