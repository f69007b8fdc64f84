"""Watches through the whole server: resuming, selectors, bookmarks, ends, leaving clients."""

import asyncio

import pytest

from apiserver import watch as watch_module
from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import CORE, MERGE, config_map, running

MAPS = f"{CORE}/configmaps"


@pytest.fixture
async def api():
    async with running(MemoryStorage(keep=1000)) as server:
        yield server


def short(event):
    type_, tree = event
    return type_, tree["metadata"].get("name"), tree.get("data", {}).get("key")


async def test_every_change_in_order(api):
    start = (await api.must("GET", MAPS))["metadata"]["resourceVersion"]
    async with api.watch(MAPS, resourceVersion=start) as events:
        await api.must("POST", MAPS, config_map("a"))
        await api.must("PATCH", f"{MAPS}/a", {"data": {"key": "2"}}, type=MERGE)
        await api.must("DELETE", f"{MAPS}/a")
        found = [await events.next() for _ in range(3)]
    assert [short(e) for e in found] == [("ADDED", "a", "value"), ("MODIFIED", "a", "2"), ("DELETED", "a", "2")]
    versions = [int(e[1]["metadata"]["resourceVersion"]) for e in found]
    assert versions == sorted(set(versions))


async def test_a_watch_without_a_version_begins_with_what_is_there(api):
    await api.must("POST", MAPS, config_map("a"))
    async with api.watch(MAPS) as events:
        assert short(await events.next()) == ("ADDED", "a", "value")
        await api.must("POST", MAPS, config_map("b"))
        assert short(await events.next()) == ("ADDED", "b", "value")


async def test_resuming_misses_nothing(api):
    await api.must("POST", MAPS, config_map("a"))
    seen = (await api.must("POST", MAPS, config_map("b")))["metadata"]["resourceVersion"]
    await api.must("POST", MAPS, config_map("c"))
    async with api.watch(MAPS, resourceVersion=seen, timeoutSeconds="1") as events:
        assert [short(e)[1] for e in await events.rest()] == ["c"]


async def test_selectors_turn_changes_into_comings_and_goings(api):
    start = (await api.must("GET", MAPS))["metadata"]["resourceVersion"]
    async with api.watch(MAPS, resourceVersion=start, labelSelector="app=x") as events:
        await api.must("POST", MAPS, config_map("a", labels={"app": "y"}))
        await api.must("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"app": "x"}}}, type=MERGE)
        await api.must("PATCH", f"{MAPS}/a", {"data": {"key": "2"}}, type=MERGE)
        last = await api.must("PATCH", f"{MAPS}/a", {"metadata": {"labels": {"app": "z"}}}, type=MERGE)
        await api.must("DELETE", f"{MAPS}/a")
        await api.must("POST", MAPS, config_map("b", labels={"app": "x"}))
        found = [await events.next() for _ in range(4)]
    assert [(e[0], e[1]["metadata"]["name"]) for e in found] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
        ("ADDED", "b"),
    ]
    assert found[2][1]["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]


async def test_one_object_can_be_watched(api):
    await api.must("POST", MAPS, config_map("a"))
    await api.must("POST", MAPS, config_map("b"))
    async with api.watch(MAPS, fieldSelector="metadata.name=b", timeoutSeconds="1") as events:
        assert [short(e)[1] for e in await events.rest()] == ["b"]


async def test_streaming_lists(api):
    await api.must("POST", MAPS, config_map("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(MAPS, **query) as events:
        assert short(await events.next()) == ("ADDED", "a", "value")
        type_, mark = await events.next()
    assert type_ == "BOOKMARK"
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["kind"] == "ConfigMap"


async def test_bookmarks_come_in_time(api, monkeypatch):
    monkeypatch.setattr(watch_module, "BOOKMARK_SECONDS", 0.05)
    start = (await api.must("GET", MAPS))["metadata"]["resourceVersion"]
    async with api.watch(MAPS, resourceVersion=start, allowWatchBookmarks="true") as events:
        await api.must("POST", f"{CORE}/secrets", {"metadata": {"name": "s"}})
        for _ in range(20):
            type_, mark = await events.next()
            assert type_ == "BOOKMARK"
            if int(mark["metadata"]["resourceVersion"]) > int(start):
                return
    pytest.fail("no bookmark moved on")


async def test_too_old_a_version_is_told_in_the_stream(api):
    for i in range(3000):
        await api.app.api.storage.put(f"/registry/configmaps/x/{i}", b'{"metadata":{}}', expect=0)
    await api.must("GET", MAPS)
    api.app.api.cache._rings["/registry/configmaps/"].floor = 1000
    async with api.watch(MAPS, resourceVersion="1") as events:
        type_, status = await events.next()
    assert (type_, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


async def test_a_watch_ends_in_time(api):
    async with api.watch(MAPS, timeoutSeconds="1") as events:
        assert await events.rest() == []


async def test_nothing_is_left_of_clients_that_leave(api):
    before, waiting = len(asyncio.all_tasks()), api.app.api.cache.statistics().waiting_watchers
    for _ in range(5):
        async with api.watch(MAPS) as events:
            await api.must("POST", MAPS, {"metadata": {"generateName": "x"}})
            await events.next()
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0)
    assert api.app.api.cache.statistics().waiting_watchers == waiting


async def test_tables_are_watched_too(api):
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with api.http.stream("GET", f"{MAPS}?watch=true", headers=accept) as response:
        await api.must("POST", MAPS, config_map("a"))
        async for line in response.aiter_lines():
            assert '"kind":"Table"' in line
            assert '"cells":["a"' in line
            break


async def test_deprecated_watch_paths(api):
    await api.must("POST", MAPS, config_map("a"))
    async with api.http.stream("GET", "/api/v1/watch/namespaces/default/configmaps?timeoutSeconds=1") as response:
        lines = [line async for line in response.aiter_lines()]
    assert len(lines) == 1
