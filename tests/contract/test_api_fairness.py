"""Priority and fairness, seen by clients of the whole server."""

import asyncio
import contextlib

import pytest

from apiserver.fairness import gate
from apiserver.options import Options
from apiserver.resources.listing import CHUNK
from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import CORE, running

MAPS = f"{CORE}/configmaps"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class SlowStorage(MemoryStorage):
    """Clients' writes are held until `go` is set, and then take so many turns of the event loop."""

    def __init__(self):
        super().__init__()
        self.go, self.turns, self.held = asyncio.Event(), 0, 0
        self.go.set()

    async def put(self, key, value, *, expect, ttl=0):
        if "/configmaps/" in key:
            self.held += 1
            await self.go.wait()
            self.held -= 1
            for _ in range(self.turns):
                await asyncio.sleep(0)
        return await super().put(key, value, expect=expect, ttl=ttl)


def as_user(name):
    return {"impersonate-user": name, "impersonate-group": "system:authenticated"}


async def all_may_all(api):
    subject = {"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "all"}, "subjects": [subject], "roleRef": reference}
    await api.must("POST", f"{RBAC}/clusterrolebindings", binding)


@pytest.fixture
async def api():
    async with running() as server:
        await all_may_all(server)
        yield server


def level(name, **limited):
    spec = {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}, **limited}
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": spec}}


def schema(name, level_name, user, precedence=50):
    rule = {
        "subjects": [{"kind": "User", "user": {"name": user}}],
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
        ],
    }
    spec = {"priorityLevelConfiguration": {"name": level_name}, "matchingPrecedence": precedence, "rules": [rule]}
    return {"metadata": {"name": name}, "spec": spec}


async def until(condition):
    async with asyncio.timeout(30):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
        return found


async def condition_of(api, name):
    tree = await api.must("GET", f"{FLOW}/flowschemas/{name}")
    return next(iter((tree.get("status") or {}).get("conditions", ())), None)


async def test_every_cluster_has_the_mandatory_and_suggested_objects(api):
    levels = (await api.must("GET", f"{FLOW}/prioritylevelconfigurations"))["items"]
    names = {tree["metadata"]["name"] for tree in levels}
    assert names == {
        "catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high",
        "workload-low",
    }  # fmt: skip
    assert all(tree["metadata"]["annotations"] == {"apf.kubernetes.io/autoupdate-spec": "true"} for tree in levels)
    schemas = {s["metadata"]["name"]: s for s in (await api.must("GET", f"{FLOW}/flowschemas"))["items"]}
    assert len(schemas) == 11
    probes = schemas["probes"]["spec"]
    assert (probes["matchingPrecedence"], probes["priorityLevelConfiguration"]["name"]) == (2, "exempt")
    found = await until(lambda: condition_of(api, "service-accounts"))
    assert (found["type"], found["status"], found["reason"]) == ("Dangling", "False", "Found")
    text = 'This FlowSchema references the PriorityLevelConfiguration object named "workload-low" and it exists'
    assert found["message"] == text


async def test_answers_say_how_a_request_was_classified(api):
    made = await api.must("POST", f"{FLOW}/prioritylevelconfigurations", level("mine"))
    flow = await api.must("POST", f"{FLOW}/flowschemas", schema("mine", "mine", "jane"))
    await until(lambda: condition_of(api, "mine"))
    for path in (MAPS, f"{CORE}/nope", "/version", f"{MAPS}?watch=1&timeoutSeconds=1"):
        headers = (await api.send("GET", path, headers=as_user("jane"))).headers
        is_resource = path != "/version"  # for which the schema has no rule
        assert (headers["x-kubernetes-pf-flowschema-uid"] == flow["metadata"]["uid"]) == is_resource, path
        assert (headers["x-kubernetes-pf-prioritylevel-uid"] == made["metadata"]["uid"]) == is_resource, path
    other = (await api.send("GET", MAPS, headers=as_user("joe"))).headers
    default = await api.must("GET", f"{FLOW}/flowschemas/global-default")
    assert other["x-kubernetes-pf-flowschema-uid"] == default["metadata"]["uid"]


async def test_a_schema_without_its_level_is_dangling_and_unused(api):
    await api.must("POST", f"{FLOW}/flowschemas", schema("lost", "nowhere", "jane"))
    found = await until(lambda: condition_of(api, "lost"))
    assert (found["status"], found["reason"]) == ("True", "NotFound")
    assert found["message"].endswith('named "nowhere" but there is no such object')
    default = await api.must("GET", f"{FLOW}/flowschemas/global-default")
    headers = (await api.send("GET", MAPS, headers=as_user("jane"))).headers
    assert headers["x-kubernetes-pf-flowschema-uid"] == default["metadata"]["uid"]
    await api.must("POST", f"{FLOW}/prioritylevelconfigurations", level("nowhere"))

    async def found_now():
        return (await condition_of(api, "lost"))["status"] == "False"

    await until(found_now)


async def test_objects_of_the_server_are_changed_back(api):
    merge = "application/merge-patch+json"
    path = f"{FLOW}/prioritylevelconfigurations"
    patch = {"spec": {"limited": {"nominalConcurrencyShares": 7}}}
    code, refused = await api.call("PATCH", f"{path}/catch-all", patch, type=merge)
    assert (code, refused["details"]["causes"][0]["field"]) == (422, "spec")  # mandatory: it is what it is
    await api.must("PATCH", f"{path}/system", patch, type=merge)
    annotations = {"annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}
    await api.must("PATCH", f"{path}/workload-low", {**patch, "metadata": annotations}, type=merge)
    await api.must("DELETE", f"{FLOW}/flowschemas/probes")
    await api.app.api.fresh()
    await api.app.flow_control.ensure()
    shares = {}
    for name in ("catch-all", "system", "workload-low"):
        shares[name] = (await api.must("GET", f"{path}/{name}"))["spec"]["limited"]["nominalConcurrencyShares"]
    assert shares == {"catch-all": 5, "system": 30, "workload-low": 7}
    await api.must("GET", f"{FLOW}/flowschemas/probes")


async def flood(api, user, count, done):
    async def one():
        response = await api.send("POST", MAPS, {"metadata": {"generateName": user}}, headers=as_user(user))
        done.append((user, response.status_code))
        return response

    return await asyncio.gather(*(one() for _ in range(count)))


async def test_a_flood_by_one_user_leaves_others_their_service():
    storage = SlowStorage()
    async with running(storage, Options(max_reads=12, max_writes=12)) as api:
        await all_may_all(api)
        queuing = {"queues": 64, "handSize": 6, "queueLengthLimit": 50}
        response = {"type": "Queue", "queuing": queuing}
        narrow = level("narrow", nominalConcurrencyShares=20, borrowingLimitPercent=0, limitResponse=response)
        await api.must("POST", f"{FLOW}/prioritylevelconfigurations", narrow)
        everybody = schema("narrow", "narrow", "*")
        everybody["spec"]["distinguisherMethod"] = {"type": "ByUser"}
        await api.must("POST", f"{FLOW}/flowschemas", everybody)
        await until(lambda: condition_of(api, "narrow"))
        assert api.app.fairness.levels["narrow"].state.limit == 2
        storage.turns = 50
        done = []
        elephants = asyncio.ensure_future(flood(api, "elephant", 500, done))
        state = api.app.fairness.levels["narrow"].state
        while state.waiting + state.executing + len(done) < 500:
            await asyncio.sleep(0)
        before = len([user for user, code in done if code == 201])
        for _ in range(3):
            (response,) = await flood(api, "mouse", 1, done)
            assert response.status_code == 201
        served = [user for user, code in done if code == 201]
        assert state.waiting > 100, "the flood is over too early to show anything"
        answers = await elephants
        codes = [response.status_code for response in answers]
        assert len(served) - before < 60  # of 300; without fairness the mouse would have waited for all
        assert codes.count(429) > 0
        assert codes.count(429) + codes.count(201) == 500
        refused = next(response for response in answers if response.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.text == "Too many requests, please try again later.\n"
        assert refused.headers["content-type"] == "text/plain; charset=utf-8"
        assert refused.headers["x-kubernetes-pf-flowschema-uid"]
        assert (await api.send("GET", MAPS)).status_code == 200
        assert (state.seats, state.executing, state.waiting, state.is_idle) == (0, 0, 0, True)
        assert not api.app.fairness.tickets


async def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(gate, "WAIT_SECONDS", 0.05)
    storage = SlowStorage()
    async with running(storage, Options(max_reads=1, max_writes=1)) as api:
        await all_may_all(api)
        storage.go.clear()
        done = []
        flooding = asyncio.ensure_future(flood(api, "a", 20, done))
        async with asyncio.timeout(30):
            while len(done) + storage.held < 20:
                await asyncio.sleep(0.01)
        assert {code for _, code in done} == {429}
        storage.go.set()
        codes = [response.status_code for response in await flooding]
        assert codes.count(201) == 20 - codes.count(429) > 0
        text = (await api.send("GET", "/metrics")).text
        assert 'apiserver_flowcontrol_rejected_requests_total{flow_schema="global-default",' in text
        assert 'reason="time-out"' in text


async def test_system_masters_never_wait():
    storage = SlowStorage()
    async with running(storage, Options(max_reads=1, max_writes=1)) as api:
        storage.go.clear()
        bodies = [api.send("POST", MAPS, {"metadata": {"generateName": "x"}}) for _ in range(50)]
        answers = asyncio.gather(*bodies)
        async with asyncio.timeout(30):
            while storage.held < 50:  # all at once, though one at a time may write
                await asyncio.sleep(0)
        storage.go.set()
        assert {response.status_code for response in await answers} == {201}


async def test_a_reject_level_refuses_at_once():
    storage = SlowStorage()
    async with running(storage, Options(max_reads=1, max_writes=1)) as api:
        await all_may_all(api)
        await api.must("POST", f"{FLOW}/prioritylevelconfigurations", level("mine", nominalConcurrencyShares=1))
        await api.must("POST", f"{FLOW}/flowschemas", schema("mine", "mine", "jane"))
        await until(lambda: condition_of(api, "mine"))
        storage.go.clear()
        done = []
        flooding = asyncio.ensure_future(flood(api, "jane", 20, done))
        async with asyncio.timeout(30):
            while len(done) + storage.held < 20:  # those that are not let in do not wait for those that are
                await asyncio.sleep(0)
        let_in = storage.held
        assert {code for _, code in done} == {429}
        storage.go.set()
        codes = [response.status_code for response in await flooding]
        assert codes.count(201) == let_in == 20 - codes.count(429) > 0


async def test_a_list_whose_client_left_before_its_first_byte_gives_its_seats_back(api):
    for i in range(CHUNK + 1):
        await api.must("POST", MAPS, {"metadata": {"name": f"m{i}"}})
    headers = [(name.encode(), value.encode()) for name, value in as_user("jane").items()]
    scope = {"type": "http", "method": "GET", "path": MAPS, "query_string": b"", "headers": headers, "extensions": {}}

    async def receive():
        return {"type": "http.disconnect"}

    async def send(_message):
        raise ConnectionError

    with contextlib.suppress(ConnectionError):
        await api.app(scope, receive, send)
    state = api.app.fairness.levels["global-default"].state
    assert (state.dispatched, state.seats, state.executing) == (1, 0, 0)


async def test_what_goes_on_can_be_seen(api):
    await api.send("GET", MAPS, headers=as_user("jane"))
    text = (await api.send("GET", "/metrics")).text
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="global-default"} 49\n' in text
    name = (
        'apiserver_flowcontrol_dispatched_requests_total{flow_schema="global-default",priority_level="global-default"}'
    )
    assert f"{name} 1\n" in text
    root = "/debug/api_priority_and_fairness"
    lines = (await api.send("GET", f"{root}/dump_priority_levels")).text.splitlines()
    assert lines[0].split(",")[0] == "PriorityLevelName"
    row = next(line for line in lines if line.startswith("global-default,"))
    assert [cell.strip() for cell in row.split(",")][1:6] == ["0", "true", "false", "0", "0"]
    queues = (await api.send("GET", f"{root}/dump_queues")).text
    assert queues.count("global-default") == 128
    assert (await api.send("GET", f"{root}/dump_requests?includeRequestDetails=1")).text.startswith("PriorityLevel")
    assert (await api.send("GET", f"{root}/nope")).status_code == 404


async def test_a_level_that_goes_lets_out_who_is_in_it():
    storage = SlowStorage()
    async with running(storage, Options(max_reads=2, max_writes=2)) as api:
        await all_may_all(api)
        queuing = {"queues": 4, "handSize": 2, "queueLengthLimit": 50}
        body = level("mine", nominalConcurrencyShares=1, limitResponse={"type": "Queue", "queuing": queuing})
        await api.must("POST", f"{FLOW}/prioritylevelconfigurations", body)
        await api.must("POST", f"{FLOW}/flowschemas", schema("mine", "mine", "jane"))
        await until(lambda: condition_of(api, "mine"))
        storage.go.clear()
        waiting = asyncio.ensure_future(flood(api, "jane", 10, []))
        async with asyncio.timeout(30):
            while api.app.fairness.levels["mine"].state.waiting < 5:
                await asyncio.sleep(0)
        await api.must("DELETE", f"{FLOW}/prioritylevelconfigurations/mine")
        storage.go.set()
        assert {response.status_code for response in await waiting} == {201}
