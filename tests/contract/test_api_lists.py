"""Lists through the whole server: selectors, pages, revisions, media types, compression."""

import gzip

import pytest

from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import CORE, MERGE, config_map, names, pod, running

MAPS = f"{CORE}/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
async def api():
    async with running(MemoryStorage(keep=1000)) as server:
        yield server


async def fill(api, count):
    for i in range(count):
        await api.must("POST", MAPS, config_map(f"m{i:03}", labels={"odd": str(i % 2)}))


async def test_items_come_in_order_and_whole(api):
    for name in ("b", "c", "a"):
        await api.must("POST", MAPS, config_map(name))
    tree = await api.must("GET", MAPS)
    assert (tree["kind"], tree["apiVersion"], names(tree)) == ("ConfigMapList", "v1", ["a", "b", "c"])
    typed = {"kind": "ConfigMap", "apiVersion": "v1"}
    assert typed | tree["items"][0] == await api.must("GET", f"{MAPS}/a")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("labelSelector=odd%3D1", ["m001", "m003"]),
        ("labelSelector=odd+notin+(1)", ["m000", "m002"]),
        ("fieldSelector=metadata.name%3Dm002", ["m002"]),
        ("fieldSelector=metadata.name!%3Dm002&labelSelector=odd%3D0", ["m000"]),
        ("labelSelector=nope", []),
    ],
)
async def test_selectors(api, query, expected):
    await fill(api, 4)
    assert names(await api.must("GET", f"{MAPS}?{query}")) == expected


async def test_fields_of_a_kind(api):
    for name in ("a", "b"):
        await api.must("POST", f"{CORE}/pods", pod(name))
    binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}}
    await api.must("POST", f"{CORE}/pods/a/binding", binding)
    assert names(await api.must("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")) == ["a"]
    assert names(await api.must("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3D")) == ["b"]
    code, status = await api.call("GET", "/api/v1/pods?fieldSelector=spec.foo%3D1")
    assert code == 400
    assert "field label not supported: spec.foo" in status["message"]


async def test_pages_are_of_one_revision(api):
    await fill(api, 7)
    first = await api.must("GET", f"{MAPS}?limit=3")
    assert names(first) == ["m000", "m001", "m002"]
    assert first["metadata"]["remainingItemCount"] == 4
    await api.must("DELETE", f"{MAPS}/m004")
    await api.must("POST", MAPS, config_map("m003a"))
    token = first["metadata"]["continue"]
    second = await api.must("GET", f"{MAPS}?limit=3&continue={token}")
    assert names(second) == ["m003", "m004", "m005"]
    third = await api.must("GET", f"{MAPS}?limit=3&continue={second['metadata']['continue']}")
    assert names(third) == ["m006"]
    assert "continue" not in third["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_pages_with_a_selector(api):
    await fill(api, 9)
    found, token = [], ""
    for _ in range(10):
        page = await api.must("GET", f"{MAPS}?limit=2&labelSelector=odd%3D0&continue={token}")
        assert "remainingItemCount" not in page["metadata"]
        found += names(page)
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == ["m000", "m002", "m004", "m006", "m008"]


async def test_a_lost_page_can_be_gone_on_with(api):
    await fill(api, 6)
    token = (await api.must("GET", f"{MAPS}?limit=2"))["metadata"]["continue"]
    for i in range(2000):
        await api.app.api.storage.put(f"/other/{i}", b"x", expect=0)
    code, status = await api.call("GET", f"{MAPS}?limit=2&continue={token}")
    assert (code, status["reason"]) == (410, "Expired")
    assert "is too old to display a consistent list" in status["message"]
    rest = await api.must("GET", f"{MAPS}?continue={status['metadata']['continue']}")
    assert names(rest) == ["m002", "m003", "m004", "m005"]


async def test_exact_and_minimum_revisions(api):
    await fill(api, 2)
    then = (await api.must("GET", MAPS))["metadata"]["resourceVersion"]
    await fill_one(api, "z")
    exact = await api.must("GET", f"{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert names(exact) == ["m000", "m001"]
    assert exact["metadata"]["resourceVersion"] == then
    for query in (f"resourceVersion={then}&resourceVersionMatch=NotOlderThan", "resourceVersion=0", ""):
        assert names(await api.must("GET", f"{MAPS}?{query}")) == ["m000", "m001", "z"]


async def fill_one(api, name):
    await api.must("POST", MAPS, config_map(name))


async def test_a_revision_from_the_future(api, monkeypatch):
    monkeypatch.setattr("apiserver.resources.api.CACHE_WAIT", 0.01)
    code, status = await api.call("GET", f"{MAPS}?resourceVersion=99999999")
    assert (code, status["reason"]) == (504, "Timeout")
    assert status["message"].startswith("Timeout: Too large resource version: 99999999, current: ")
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_tables(api):
    await fill(api, 2)
    table = await api.must("GET", MAPS, headers={"accept": TABLE})
    assert table["kind"] == "Table"
    assert [row["cells"][0] for row in table["rows"]] == ["m000", "m001"]
    assert table["columnDefinitions"][0]["name"] == "Name"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    one = await api.must("GET", f"{MAPS}/m000?includeObject=Object", headers={"accept": TABLE})
    assert one["rows"][0]["object"]["data"] == {"key": "value"}


async def test_metadata_alone(api):
    await fill(api, 1)
    accept = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    tree = await api.must("GET", MAPS, headers=accept)
    assert tree["kind"] == "PartialObjectMetadataList"
    assert set(tree["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_yaml(api):
    await fill(api, 1)
    response = await api.send("GET", f"{MAPS}/m000", headers={"accept": "application/yaml"})
    assert response.headers["content-type"] == "application/yaml"
    assert "  name: m000\n" in response.text


async def test_large_lists_are_compressed_and_the_same(api):
    for i in range(150):
        await api.must("POST", MAPS, config_map(f"m{i:03}", {"key": "x" * 1000}))
    plain = await api.send("GET", MAPS, headers={"accept-encoding": "identity"})
    async with api.http.stream("GET", MAPS, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert len(raw) < len(plain.content) / 5
    assert gzip.decompress(raw) == plain.content


async def test_lists_follow_every_change(api):
    await fill(api, 3)
    await api.must("PATCH", f"{MAPS}/m001", {"data": {"key": "new"}}, type=MERGE)
    await api.must("DELETE", f"{MAPS}/m000")
    tree = await api.must("GET", MAPS)
    assert [(item["metadata"]["name"], item["data"]["key"]) for item in tree["items"]] == [
        ("m001", "new"),
        ("m002", "value"),
    ]


async def test_events_have_the_labels_of_the_group_they_are_asked_in(api):
    about = {"kind": "Pod", "namespace": "default", "name": "p"}
    event = {"metadata": {"name": "e"}, "involvedObject": about, "reportingComponent": "me", "reason": "r"}
    await api.must("POST", f"{CORE}/events", event)
    for path, selector in (
        ("/apis/events.k8s.io/v1/namespaces/default", "reportingController"),
        (CORE, "reportingComponent"),
    ):
        assert names(await api.must("GET", f"{path}/events?fieldSelector={selector}%3Dme,reason%3Dr")) == ["e"]
    status, tree = await api.call("GET", f"{CORE}/events?fieldSelector=reportingController%3Dme")
    assert (status, "field label not supported: reportingController" in tree["message"]) == (400, True)


async def test_events_k8s_io_is_stricter_than_the_core_group(api):
    event = {"metadata": {"name": "e"}, "type": "Normal"}
    of_today = {**event, "eventTime": "2024-01-01T00:00:00.000000Z"}
    missing = {"reportingController", "reportingInstance", "action", "reason"}
    for sent, wanted in ((event, {"eventTime"}), (of_today, missing)):
        status, tree = await api.call("POST", "/apis/events.k8s.io/v1/namespaces/default/events", sent)
        assert (status, {cause["field"] for cause in tree["details"]["causes"]} >= wanted) == (422, True)
