"""The client and the cache against a scripted server, in process."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import CONFIGMAPS, DEPLOYMENTS, PODS
from apimachinery.objects.core_v1 import ConfigMap, Pod
from client.asgi import AsgiTransport
from client.cache import Cache
from client.client import Client
from client.config import ClientConfig

CONFIG = ClientConfig(server="http://api", token="secret")


class Server:
    """Answers with what the script says: a list of (status, headers, [chunks]) or a callable; keeps what was asked."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []
        self.open = 0

    async def __call__(self, scope, receive, send):
        message = await receive()
        self.asked.append(
            (scope["method"], scope["path"], scope["query_string"].decode(), message["body"], dict(scope["headers"]))
        )
        status, headers, chunks = self.script.pop(0) if self.script else (200, {}, [None])
        raw = [(k.encode(), v.encode()) for k, v in headers.items()]
        self.open += 1
        try:
            await send({"type": "http.response.start", "status": status, "headers": raw})
            for chunk in chunks:
                if chunk is None:
                    await receive()  # stays open until the reader goes
                else:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.open -= 1


@asynccontextmanager
async def connected(*script):
    server = Server(*script)
    async with Client(CONFIG, transport=AsgiTransport(server), random=lambda: 0.0) as client:
        yield client, server
    assert server.open == 0


def ok(tree, code=200):
    return code, {}, [json.dumps(tree).encode()]


def status(code, reason, headers=None, **more):
    tree = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason, **more}
    return code, headers or {}, [json.dumps(tree).encode()]


def configmap(name, revision, **more):
    return {
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "d", "resourceVersion": str(revision), "uid": name} | more,
    }


def frame(type, tree):
    return json.dumps({"type": type, "object": tree}).encode() + b"\n"


async def test_verbs_become_paths_queries_and_bodies():
    async with connected(*[ok({}) for _ in range(6)]) as (client, server):
        await client.get(PODS, "d", "a")
        await client.list(DEPLOYMENTS, "d", labels="a=b", limit=5, continue_="x")
        await client.create(PODS, {"metadata": {"namespace": "d", "name": "p"}})
        await client.patch(PODS, "d", "p", {"a": 1}, type="strategic", subresource="status", field_manager="me")
        await client.delete(PODS, "d", "p", uid="u", grace_period=0, propagation="Orphan")
        await client.replace(PODS, {"metadata": {"namespace": "d", "name": "p"}})
    asked = [(method, path + ("?" + query if query else "")) for method, path, query, *_ in server.asked]
    assert asked == [
        ("GET", "/api/v1/namespaces/d/pods/a"),
        ("GET", "/apis/apps/v1/namespaces/d/deployments?labelSelector=a%3Db&limit=5&continue=x"),
        ("POST", "/api/v1/namespaces/d/pods"),
        ("PATCH", "/api/v1/namespaces/d/pods/p/status?fieldManager=me"),
        ("DELETE", "/api/v1/namespaces/d/pods/p"),
        ("PUT", "/api/v1/namespaces/d/pods/p"),
    ]
    assert json.loads(server.asked[2][3])["kind"] == "Pod"
    assert json.loads(server.asked[4][3])["preconditions"] == {"uid": "u"}
    assert server.asked[0][4][b"authorization"] == b"Bearer secret"
    assert server.asked[3][4][b"content-type"] == b"application/strategic-merge-patch+json"


async def test_a_status_is_raised_as_it_was_said():
    async with connected(status(403, "Forbidden", details={"name": "x"})) as (client, _):
        with pytest.raises(ApiError) as raised:
            await client.get(PODS, "d", "a")
    assert (raised.value.code, raised.value.reason, raised.value.details) == (403, "Forbidden", {"name": "x"})


async def test_an_answer_that_is_no_status_is_an_error_too():
    async with connected((502, {}, [b"bad gateway"])) as (client, _):
        with pytest.raises(ApiError, match="bad gateway"):
            await client.get(PODS, "d", "a")


async def test_retry_after_is_honoured():
    async with connected(status(429, "TooManyRequests", {"Retry-After": "0"}), ok({"a": 1})) as (client, server):
        assert await client.create(PODS, {}, namespace="d") == {"a": 1}
    assert len(server.asked) == 2


async def test_watch_lines_may_come_in_any_pieces():
    text = frame("ADDED", configmap("a", 1)) + frame("MODIFIED", configmap("a", 2))
    async with connected((200, {}, [text[:7], text[7:90], text[90:]])) as (client, _):
        got = [
            (event, tree["metadata"]["resourceVersion"])
            async for event, tree in client.watch(CONFIGMAPS, resource_version="0")
        ]
    assert got == [("ADDED", "1"), ("MODIFIED", "2")]


async def test_an_error_frame_is_raised():
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    async with connected((200, {}, [frame("ERROR", gone)])) as (client, _):
        with pytest.raises(ApiError, match="too old"):
            async for _ in client.watch(CONFIGMAPS, resource_version="1"):
                pass


def listed(revision, *items):
    return ok({"kind": "ConfigMapList", "metadata": {"resourceVersion": str(revision)}, "items": list(items)})


@asynccontextmanager
async def cached(*script, **options):
    async with connected(*script) as (client, server):
        cache = Cache(client, CONFIGMAPS, ConfigMap, random=lambda: 0.0, **options)
        changes = []
        cache.subscribe(lambda old, new: changes.append((name(old), name(new))))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(cache.run())
            yield cache, changes, server
            running.cancel()


def name(item):
    return item and f"{item.metadata.name}@{item.metadata.resource_version}"


async def test_a_cache_lists_then_follows():
    frames = [
        frame("ADDED", configmap("b", 6)),
        frame("MODIFIED", configmap("a", 7)),
        frame("DELETED", configmap("a", 8)),
        frame("BOOKMARK", {"metadata": {"resourceVersion": "20"}}),
        None,
    ]
    async with cached(listed(5, configmap("a", 3)), (200, {}, frames)) as (cache, changes, server):
        await cache.wait_for(20)
        assert [item.metadata.name for item in cache.list("d")] == ["b"]
        assert changes == [(None, "a@3"), (None, "b@6"), ("a@3", "a@7"), ("a@7", None)]
        assert "resourceVersion=5" in server.asked[1][2]


async def test_after_410_a_new_list_brings_the_difference():
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    script = [
        listed(5, configmap("a", 3), configmap("b", 4)),
        (200, {}, [frame("ERROR", expired)]),
        listed(9, configmap("b", 4), configmap("c", 8)),
    ]
    async with cached(*script) as (cache, changes, _):
        await cache.wait_for(9)
        assert changes[2:] == [("a@3", None), (None, "c@8")]


async def test_a_lost_watch_is_resumed_where_it_stopped():
    script = [
        listed(5),
        (200, {}, [frame("ADDED", configmap("a", 6))]),
        status(503, "ServiceUnavailable"),
        (200, {}, [frame("ADDED", configmap("b", 7)), None]),
    ]
    async with cached(*script) as (cache, _, server):
        await cache.wait_for(7)
        assert [query.split("resourceVersion=")[1][0] for _, _, query, *_ in server.asked[1:]] == ["5", "6", "6"]


async def test_one_object_that_does_not_decode_does_not_blind_the_cache():
    bad = configmap("bad", 6) | {"data": 7}
    async with cached(
        listed(5, bad, configmap("a", 3)), (200, {}, [frame("ADDED", bad), frame("ADDED", configmap("b", 7)), None])
    ) as (cache, _, _):
        await cache.wait_for(7)
        assert sorted(item.metadata.name for item in cache.list()) == ["a", "b"]


async def test_indexes_follow_changes():
    def team(item):
        return [item.metadata.labels["team"]] if "team" in item.metadata.labels else []

    script = [
        listed(5, configmap("a", 3, labels={"team": "x"})),
        (200, {}, [frame("MODIFIED", configmap("a", 6, labels={"team": "y"})), None]),
    ]
    async with cached(*script, indexes={"team": team}) as (cache, _, _):
        await cache.wait_for(6)
        assert not cache.by_index("team", "x")
        assert [name(item) for item in cache.by_index("team", "y")] == ["a@6"]


async def test_waiting_for_a_delete_ends_with_it():
    script = [listed(5, configmap("a", 3)), (200, {}, [frame("DELETED", configmap("a", 6)), None])]
    async with cached(*script) as (cache, _, _):
        await cache.wait_synced()
        await cache.wait_deleted("d", "a", "a")
        assert cache.get("d", "a") is None


def test_views_are_frozen():
    with pytest.raises(AttributeError):
        Pod().spec = None
