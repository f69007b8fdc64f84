"""Addresses and node ports of Services: never twice, taken back in the end, whatever races or crashes."""

import asyncio
import base64
import copy
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import kinds
from apimachinery.errors import ApiError
from apiserver import protobuf
from apiserver.allocation import Repair, ServiceAllocator
from apiserver.allocation import ports as bitmap
from apiserver.allocation.addresses import Addresses
from apiserver.allocation.choice import address_band, order, port_band
from apiserver.allocation.families import settle
from apiserver.allocation.ports import Ports
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.protocol import ABSENT

NODE_PORTS = range(30000, 30064)


def make(storage, seed=0, cidrs=("10.0.0.0/28",), clock=lambda: 1000.0):
    dice = random.Random(seed)
    addresses = Addresses(storage=storage, ranges=lambda: cidrs, random=dice, clock=clock, new_uid=lambda: "u")
    return ServiceAllocator(addresses, Ports(storage=storage, range=NODE_PORTS, random=dice))


def service(name="s", **spec):
    spec = {"type": "ClusterIP", "selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP"}], **spec}
    if spec.get("clusterIPs"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def store(storage, tree):
    key = kinds.SERVICES.storage_key("default", tree["metadata"]["name"])
    current = await storage.get(key)
    await storage.put(key, msgspec.json.encode(tree), expect=current.revision if current else ABSENT)


async def held(storage):
    """(addresses, ports) that are taken now."""
    page = await storage.list(kinds.IPADDRESSES.storage_prefix())
    bits = bitmap.bits_of(await storage.get(bitmap.KEY), NODE_PORTS)
    names = {msgspec.json.decode(item.value)["metadata"]["name"] for item in page.items}
    return names, {NODE_PORTS.start + i for i in range(len(NODE_PORTS)) if bits >> i & 1}


@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 10**6))
def test_every_offset_is_tried_once_and_the_upper_band_first(size, reserved, start):
    reserved = min(reserved, size - 1)
    found = list(order(size, reserved, start))
    assert sorted(found) == list(range(size))
    assert all(offset >= reserved for offset in found[: size - reserved])


@pytest.mark.parametrize(("size", "band"), [(14, 0), (254, 16), (65534, 256), (4094, 255)])
def test_static_band_of_addresses(size, band):
    assert address_band(size) == band


def test_static_band_of_ports():
    assert port_band(2768) == 86


async def test_a_service_gets_an_address_and_an_ipaddress_object():
    storage = MemoryStorage()
    tree = service()
    await make(storage).allocate(tree, None)
    spec = tree["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    stored = await storage.get(f"/registry/ipaddresses/{spec['clusterIP']}")
    tree = msgspec.json.decode(stored.value)
    assert tree["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "s"}}
    assert tree["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"] == "ipallocator.k8s.io"


async def test_node_ports_one_for_each_port_and_shared_by_protocols():
    tree = service(
        type="NodePort",
        ports=[{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}, {"port": 80, "protocol": "TCP"}],
    )
    await make(MemoryStorage()).allocate(tree, None)
    first, second, third = (entry["nodePort"] for entry in tree["spec"]["ports"])
    assert first == second != third
    assert {first, third} <= set(NODE_PORTS)


async def test_a_number_given_for_one_protocol_of_a_new_service_serves_all():
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 30007}]
    tree = service(type="NodePort", ports=ports)
    await make(MemoryStorage()).allocate(tree, None)
    assert [entry["nodePort"] for entry in tree["spec"]["ports"]] == [30007, 30007]


async def test_ports_that_come_to_a_service_have_numbers_of_their_own():
    allocator = make(MemoryStorage())
    old = service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": 30007}])
    await allocator.allocate(old, None)
    ports = [*old["spec"]["ports"], {"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    new = {**old, "spec": {**old["spec"], "ports": ports}}
    await allocator.allocate(new, old)
    assert len({entry["nodePort"] for entry in new["spec"]["ports"]}) == 3


async def test_a_new_service_may_not_ask_for_a_number_under_two_ports():
    ports = [{"port": 80 + i, "protocol": p, "nodePort": 30007} for i, p in enumerate(("TCP", "UDP"))]
    with pytest.raises(ApiError) as refused:
        make(MemoryStorage()).settle(service(type="NodePort", ports=ports), None)
    assert refused.value.message == (
        'Service "s" is invalid: spec.ports[1].nodePort: Invalid value: 30007: provided port is already allocated'
    )


def balanced(policy, *numbers, health=30001):
    ports = [{"port": i, "protocol": "TCP", "nodePort": number} for i, number in enumerate(numbers)]
    more = {"healthCheckNodePort": health} if policy == "Local" else {}
    return service(type="LoadBalancer", externalTrafficPolicy=policy, ports=ports, **more)


NO_HEALTH = "failed to allocate requested HealthCheck NodePort 30001: provided port is already allocated"


@pytest.mark.parametrize(
    ("new", "old", "code", "message"),
    [
        (balanced("Local", 30001), None, 400, NO_HEALTH),
        (balanced("Local", 30002), None, 0, ""),
        (balanced("Local", 30001), balanced("Cluster", 30001), 400, NO_HEALTH),
        (balanced("Local", 30002), balanced("Cluster", 30001), 400, NO_HEALTH),  # it is given back afterwards only
        (balanced("Local", 30002), balanced("Cluster", 30002), 0, ""),
        (balanced("Local", 30001), balanced("Local", 30002), 422, "spec.ports[0].nodePort: Invalid value: 30001: "),
        (balanced("Cluster", 30001), balanced("Local", 30002), 422, "spec.ports[0].nodePort: Invalid value: 30001: "),
        (balanced("Local", 30003), balanced("Local", 30002), 0, ""),
    ],
)
async def test_a_services_health_is_asked_at_a_port_of_its_own(new, old, code, message):
    allocator, new, old = make(MemoryStorage()), copy.deepcopy(new), copy.deepcopy(old)
    if old is not None:
        await allocator.allocate(old, None)
    if not code:
        await allocator.allocate(new, old)
        return
    with pytest.raises(ApiError) as refused:
        await allocator.allocate(new, old)
    assert (refused.value.code, message in refused.value.message) == (code, True)


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (
            {"clusterIP": "10.0.0.5", "clusterIPs": ["10.0.0.5"]},
            422,
            (
                'Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.5"]: failed to allocate IP 10.0.0.5: '
                "provided IP is already allocated"
            ),
        ),
        (
            {"clusterIPs": ["10.9.0.5"]},
            422,
            (
                'Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.9.0.5"]: failed to allocate IP 10.9.0.5: '
                "the provided network does not match the current range"
            ),
        ),
        (
            {"clusterIPs": ["10.0.0.15"]},
            422,
            (
                'Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.15"]: failed to allocate IP '
                "10.0.0.15: provided IP is not in the valid range. The range of valid IPs is 10.0.0.0/28"
            ),
        ),
        (
            {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}]},
            422,
            'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated',
        ),
        (
            {"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]},
            422,
            (
                'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid '
                "range. The range of valid ports is 30000-30063"
            ),
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            422,
            (
                'Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not '
                "configured for dual-stack services"
            ),
        ),
    ],
)
async def test_refusals_take_nothing(spec, code, message):
    storage = MemoryStorage()
    allocator = make(storage)
    other = service("other", type="NodePort", clusterIPs=["10.0.0.5"], ports=[{"port": 1, "nodePort": 30001}])
    await allocator.allocate(other, None)
    before = await held(storage)
    with pytest.raises(ApiError) as caught:
        await allocator.allocate(service(**spec), None)
    assert (caught.value.code, caught.value.message) == (code, message)
    assert await held(storage) == before


async def test_a_full_range_says_so():
    storage = MemoryStorage()
    allocator = make(storage)
    for i in range(14):
        await allocator.allocate(service(f"s{i}"), None)
    with pytest.raises(ApiError, match="failed to allocate a serviceIP: range is full"):
        await allocator.allocate(service("last"), None)


async def test_servers_that_race_never_share():
    storage = MemoryStorage()
    servers = [make(storage, seed=7, cidrs=("10.0.0.0/26",)) for _ in range(4)]
    trees = [service(f"s{i}", type="NodePort") for i in range(40)]
    await asyncio.gather(*(servers[i % 4].allocate(tree, None) for i, tree in enumerate(trees)))
    addresses = [tree["spec"]["clusterIP"] for tree in trees]
    numbers = [tree["spec"]["ports"][0]["nodePort"] for tree in trees]
    assert len(set(addresses)) == len(set(numbers)) == 40
    assert await held(storage) == (set(addresses), set(numbers))


async def test_a_failed_write_and_a_delete_give_back():
    storage = MemoryStorage()
    allocator = make(storage)
    tree = service(type="NodePort")
    grant = await allocator.allocate(tree, None)
    await grant.undo()
    assert await held(storage) == (set(), set())
    again = service(type="NodePort")
    await (await allocator.allocate(again, None)).keep()
    assert await held(storage) == ({again["spec"]["clusterIP"]}, {again["spec"]["ports"][0]["nodePort"]})
    await allocator.release(again)
    assert await held(storage) == (set(), set())


async def test_an_update_takes_and_gives_back_the_difference():
    storage = MemoryStorage()
    allocator = make(storage)
    old = service(type="NodePort")
    await allocator.allocate(old, None)
    new = copy.deepcopy(old)
    was = old["spec"]["ports"][0]["nodePort"]
    new["spec"]["ports"] = [{"port": 81, "protocol": "TCP", "nodePort": was}, {"port": 82, "protocol": "TCP"}]
    grant = await allocator.allocate(new, old)
    await grant.keep()
    assert new["spec"]["ports"][0]["nodePort"] == was
    assert (await held(storage))[1] == {entry["nodePort"] for entry in new["spec"]["ports"]}
    external = {"metadata": new["metadata"], "spec": {"type": "ExternalName", "externalName": "a.b"}}
    await (await allocator.allocate(external, new)).keep()
    assert await held(storage) == (set(), set())


async def test_a_dry_run_takes_nothing():
    storage = MemoryStorage()
    tree = service(type="NodePort")
    await (await make(storage).allocate(tree, None, dry_run=True)).keep()
    assert tree["spec"]["clusterIP"]
    assert await held(storage) == (set(), set())


async def test_repair_takes_back_leaks_in_time_and_never_what_is_used():
    storage, now = MemoryStorage(), [1000.0]
    allocator = make(storage, clock=lambda: now[0])
    repair = Repair(storage, allocator, lambda: now[0])
    kept = service("kept", type="NodePort")
    await allocator.allocate(kept, None)
    await store(storage, kept)
    await allocator.allocate(service("lost", type="NodePort"), None)  # the server died before the write
    await repair.once()
    assert [len(part) for part in await held(storage)] == [2, 2]
    now[0] += 100
    await repair.once()
    await repair.once()
    assert await held(storage) == ({kept["spec"]["clusterIP"]}, {kept["spec"]["ports"][0]["nodePort"]})


async def test_repair_marks_what_a_service_has():
    storage = MemoryStorage()
    allocator, told = make(storage), []
    tree = service("old", type="NodePort", clusterIPs=["10.0.0.3"], ports=[{"port": 1, "nodePort": 30003}])
    await store(storage, tree)
    twin = service("twin", type="NodePort", clusterIPs=["10.0.0.4"], ports=[{"port": 1, "nodePort": 30003}])
    await store(storage, twin)
    await Repair(storage, allocator, lambda: 0.0, told.append).once()
    assert await held(storage) == ({"10.0.0.3", "10.0.0.4"}, {30003})
    assert told == ["the node port 30003 of service default/twin is also assigned to default/old"]


async def test_repair_reads_what_an_upstream_server_stored():
    storage = MemoryStorage()
    allocator, told = make(storage), []
    spec = {
        "type": "NodePort",
        "clusterIP": "10.0.0.3",
        "clusterIPs": ["10.0.0.3"],
        "ports": [{"port": 1, "nodePort": 30003}],
    }
    head = {"kind": "Service", "apiVersion": "v1"}
    for name, more in (("old", {}), ("odd", {"clusterIP": "x", "clusterIPs": ["x"], "ports": []})):
        tree = {**head, "metadata": {"name": name, "namespace": "default"}, "spec": {**spec, **more}}
        await storage.put(kinds.SERVICES.storage_key("default", name), protobuf.encode(tree), expect=ABSENT)
    await Repair(storage, allocator, lambda: 0.0, told.append).once()
    assert await held(storage) == ({"10.0.0.3"}, {30003})
    assert told == ["the cluster IP x of service default/odd is not a valid IP address"]
    bits = await storage.get(bitmap.KEY)
    stored = protobuf.encode(msgspec.json.decode(bits.value))  # and the bitmap of its ports
    await storage.put(bitmap.KEY, stored, expect=bits.revision)
    await allocator.ports.take([30004])
    assert (await held(storage))[1] == {30003, 30004}


async def test_a_release_spares_the_address_of_a_successor():
    storage = MemoryStorage()
    allocator = make(storage)
    await allocator.allocate(service("new", clusterIPs=["10.0.0.5"]), None)
    await allocator.release(service("gone", clusterIPs=["10.0.0.5"]))
    assert (await held(storage))[0] == {"10.0.0.5"}


def test_the_bitmap_is_upstreams():
    tree = msgspec.json.decode(bitmap.encoded(0b1_0000_0101, NODE_PORTS))
    assert (tree["kind"], tree["range"]) == ("RangeAllocation", "30000-30063")
    assert base64.b64decode(tree["data"]) == b"\x01\x05"


@pytest.mark.parametrize(
    ("spec", "offered", "policy", "families"),
    [
        ({}, ["IPv4"], "SingleStack", ["IPv4"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["IPv4"], "PreferDualStack", ["IPv4"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["IPv4", "IPv6"], "PreferDualStack", ["IPv4", "IPv6"]),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ["IPv4"], "RequireDualStack", ["IPv4", "IPv6"]),
        (
            {"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}},
            ["IPv4"],
            "SingleStack",
            ["IPv4"],
        ),
        ({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]}, ["IPv4", "IPv6"], "SingleStack", ["IPv6"]),
    ],
)
def test_families(spec, offered, policy, families):
    assert settle(spec, None, offered) == []
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == (policy, families)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(("up", "undo", "down"))), max_size=25),
    st.integers(0, 99),
)
async def test_what_services_have_is_what_is_held(steps, seed):
    storage = MemoryStorage()
    allocator, live = make(storage, seed), {}
    for name, step in steps:
        if step == "down" and name in live:
            await allocator.release(live.pop(name))
        elif step != "down" and name not in live:
            tree = service(name, type="NodePort")
            grant = await allocator.allocate(tree, None)
            if step == "undo":
                await grant.undo()
            else:
                live[name] = tree
                await grant.keep()
    addresses = {tree["spec"]["clusterIP"] for tree in live.values()}
    numbers = {tree["spec"]["ports"][0]["nodePort"] for tree in live.values()}
    assert await held(storage) == (addresses, numbers)
