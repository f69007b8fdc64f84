"""Several API servers over one store: what one writes the others read, nothing is given out twice, the dead are noticed."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import httpx
import pytest

from apiserver import endpoints, identity_lease
from apiserver.app import Administrators, create_app
from apiserver.options import Options
from apiserver.storage.memory import MemoryStorage
from client.asgi import AsgiTransport
from tests.contract.api_server import CORE, Server, config_map
from tests.contract.storage_servers import EtcdServer

MAPS = f"{CORE}/configmaps"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@asynccontextmanager
async def serving(storage, seed=1, **options):
    app = create_app(
        storage, Options(**options), clock=time.time, random=random.Random(seed), authenticator=Administrators()
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(app.run())
        await app.wait_ready()
        async with httpx.AsyncClient(transport=AsgiTransport(app), base_url="http://api", timeout=30) as http:
            yield Server(app, http)
        task.cancel()


@pytest.fixture(params=["memory", "etcd"])
async def two(request, tmp_path):
    """Two servers on one store; on etcd each has a connection of its own."""
    if request.param == "memory":
        storage = MemoryStorage()
        async with serving(storage, 1) as one, serving(storage, 2) as other:
            yield one, other
        return
    etcd = EtcdServer(tmp_path / "etcd").start()
    try:
        async with (
            etcd.storage() as left, etcd.storage() as right, serving(left, 1) as one, serving(right, 2) as other,
        ):  # fmt: skip
            yield one, other
    finally:
        etcd.end()


async def test_what_one_writes_the_other_reads_at_once(two):
    one, other = two
    for i in range(20):
        await one.must("POST", MAPS, config_map(f"a{i}"))
        await other.must("GET", f"{MAPS}/a{i}")
        assert len((await other.must("GET", MAPS))["items"]) == i + 1
    changed = await other.must("PATCH", f"{MAPS}/a0", {"data": {"key": "new"}}, type="application/merge-patch+json")
    found = await one.must("GET", f"{MAPS}?resourceVersion={changed['metadata']['resourceVersion']}")
    assert found["items"][0]["data"] == {"key": "new"}
    await one.must("DELETE", f"{MAPS}/a1")
    assert (await other.call("GET", f"{MAPS}/a1"))[0] == 404


async def test_a_watch_at_one_sees_what_the_other_writes(two):
    one, other = two
    async with one.watch(MAPS) as events:
        await other.must("POST", MAPS, config_map("a"))
        type_, tree = await events.next()
        assert (type_, tree["metadata"]["name"]) == ("ADDED", "a")


async def test_racing_updates_are_all_applied_or_refused(two):
    one, other = two
    await one.must("POST", MAPS, config_map("a"))

    async def patch(server, key):
        return await server.call("PATCH", f"{MAPS}/a", {"data": {key: "x"}}, type="application/merge-patch+json")

    answers = await asyncio.gather(*(patch(two[i % 2], f"k{i}") for i in range(20)))
    assert {code for code, _ in answers} == {200}
    data = (await other.must("GET", f"{MAPS}/a"))["data"]
    assert {f"k{i}" for i in range(20)} <= set(data)


async def test_no_address_and_no_port_is_given_twice(two):
    async def create(server, i):
        spec = {"type": "NodePort", "ports": [{"port": 80}]}
        return await server.must("POST", f"{CORE}/services", {"metadata": {"name": f"s{i}"}, "spec": spec})

    made = await asyncio.gather(*(create(two[i % 2], i) for i in range(40)))
    assert len({tree["spec"]["clusterIP"] for tree in made}) == 40
    assert len({tree["spec"]["ports"][0]["nodePort"] for tree in made}) == 40

    async def take(server, i):
        spec = {"clusterIP": "10.96.77.77", "ports": [{"port": 80}]}
        return await server.call("POST", f"{CORE}/services", {"metadata": {"name": f"t{i}"}, "spec": spec})

    codes = sorted(code for code, _ in await asyncio.gather(*(take(two[i % 2], i) for i in range(6))))
    assert codes == [201, 422, 422, 422, 422, 422]


async def addresses(server):
    """Those of the slice; None between the writes of the Endpoints and of the slice."""
    tree = await server.must("GET", f"{SLICES}/kubernetes")
    found = [endpoint["addresses"][0] for endpoint in tree["endpoints"]]
    old = await server.must("GET", f"{CORE}/endpoints/kubernetes")
    same = [a["ip"] for subset in old.get("subsets") or () for a in subset["addresses"]] == found
    return found if same else None


async def until(condition):
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def rounds(storage, address, count):
    """Until the server at this address has said so many times more that it is alive."""
    for _ in range(count):
        before = (await storage.get(endpoints.PREFIX + address)).revision

        async def renewed(before=before):
            return (await storage.get(endpoints.PREFIX + address)).revision > before

        await until(renewed)


async def test_the_kubernetes_service_has_the_servers_that_are_alive(monkeypatch):
    monkeypatch.setattr(endpoints, "RENEWAL", 0.05)
    monkeypatch.setattr(endpoints, "LIFETIME", 4)  # no renewal comes later than that on a machine that is busy
    storage = MemoryStorage()
    first, second = serving(storage, 1, advertise_address="10.0.0.1"), serving(storage, 2, advertise_address="10.0.0.2")
    async with first as one, second as two:
        async with serving(storage, 3, advertise_address="10.0.0.3"):

            async def all_three():
                return await addresses(one) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]

            await until(all_three)
        # The third was killed: its key expires.

        async def without_the_third():
            return await addresses(one) == ["10.0.0.1", "10.0.0.2"]

        await until(without_the_third)
        await two.app.leave()

        async def alone():
            return await addresses(one) == ["10.0.0.1"]

        await until(alone)  # without waiting for the key to expire
        await rounds(storage, "10.0.0.1", 5)
        assert await alone()  # it does not come back with the next rounds
        answer = await two.send("GET", "/readyz")
        assert answer.status_code == 500
        assert "[-]shutdown failed: reason withheld\n" in answer.text
        assert answer.text.endswith("readyz check failed\n")
        assert (await two.send("GET", "/livez")).status_code == 200
        assert (await two.send("GET", "/readyz?exclude=shutdown")).text == "ok"
        await two.must("GET", MAPS)


async def test_a_server_that_goes_ends_its_watches_as_if_their_time_were_up():
    async with serving(MemoryStorage()) as server, server.watch(MAPS) as events:
        await server.must("POST", MAPS, config_map("a"))
        assert (await events.next())[0] == "ADDED"
        server.app.end_streams()
        assert await events.rest() == []
        assert server.app.api.watches == set()


async def test_each_server_has_an_identity_lease():
    storage = MemoryStorage()
    async with serving(storage, 1, hostname="one") as server, serving(storage, 2, hostname="two"):

        async def both():
            return len((await server.must("GET", LEASES))["items"]) == 2

        await until(both)
        name = identity_lease.server_id("one")
        assert name.startswith("apiserver-")
        assert len(name) == len("apiserver-") + 26
        lease = await server.must("GET", f"{LEASES}/{name}")
        labels = {"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": "one"}
        assert lease["metadata"]["labels"] == labels
        assert lease["spec"]["holderIdentity"].startswith(f"{name}_")
        assert lease["spec"]["leaseDurationSeconds"] == 3600


def test_leases_of_servers_that_are_gone_are_found():
    old, new = identity_lease.lease("old", "h", 1000.0), identity_lease.lease("new", "h", 4000.0)
    other = {"metadata": {"name": "kube-scheduler"}, "spec": {}}
    assert identity_lease.expired([old, new, other], 5000.0) == [old]
