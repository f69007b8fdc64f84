"""Custom resources in several versions, converted by a real webhook over HTTPS."""

import pytest

from tests.contract.api_server import MERGE, names, running
from tests.contract.custom_resources import CRDS, WIDGETS, crd, define, version, widget
from tests.contract.webhook_servers import webhook

V2 = WIDGETS.replace("/v1/", "/v2/")
HOST_PORT = {
    "type": "object",
    "properties": {
        "hostPort": {"type": "string"},
        "spec": {"type": "object"},
        "seen": {"type": "string", "default": "x"},
    },
}
SPLIT = {
    "type": "object",
    "properties": {"host": {"type": "string"}, "port": {"type": "string"}, "spec": {"type": "object"}},
}


def convert(request):
    """What upstream's own conversion test does: `hostPort` in v1, `host` and `port` in v2."""
    made = []
    for tree in request["objects"]:
        new = {**tree, "apiVersion": request["desiredAPIVersion"]}
        if "hostPort" in new:
            new["host"], new["port"] = new.pop("hostPort").split(":")
        elif "host" in new:
            new["hostPort"] = f"{new.pop('host')}:{new.pop('port')}"
        made.append(new)
    return {"result": {"status": "Success"}, "convertedObjects": made}


def converted_by(hook, *, storage="v1", **more):
    versions = [
        version("v1", schema=HOST_PORT, storage=storage == "v1"),
        version("v2", schema=SPLIT, storage=storage == "v2", selectableFields=[{"jsonPath": ".host"}]),
    ]
    config = {"clientConfig": hook.config("/convert"), "conversionReviewVersions": ["v1", "v1beta1"], **more}
    return crd(versions=versions, conversion={"strategy": "Webhook", "webhook": config})


async def switch_storage(server, to):
    tree = await server.must("GET", f"{CRDS}/widgets.example.com")
    for one in tree["spec"]["versions"]:
        one["storage"] = one["name"] == to
    await server.must("PUT", f"{CRDS}/widgets.example.com", tree)


async def test_an_object_is_read_in_the_other_version():
    async with running() as server, webhook(convert) as hook:
        await define(server, converted_by(hook))
        made = await server.must("POST", WIDGETS, widget("a", hostPort="localhost:8080"))
        assert hook.asked == []
        read = await server.must("GET", f"{V2}/a")
        assert (read["host"], read["port"], read["apiVersion"]) == ("localhost", "8080", "example.com/v2")
        assert "hostPort" not in read
        assert read["metadata"] == made["metadata"]
        asked = hook.asked[0]
        assert asked["desiredAPIVersion"] == "example.com/v2"
        assert asked["objects"][0]["hostPort"] == "localhost:8080"
        assert hook.paths == ["/convert?timeout=30s"]
        await server.must("GET", f"{V2}/a")
        assert len(hook.asked) == 1, "an object that did not change is converted once"


async def test_writes_are_stored_in_the_storage_version():
    async with running() as server, webhook(convert) as hook:
        await define(server, converted_by(hook))
        made = await server.must("POST", V2, widget("a", api_version="example.com/v2", host="h", port="1"))
        assert (made["host"], made["port"]) == ("h", "1")
        kept = await server.app.api.storage.get("/registry/example.com/widgets/default/a")
        assert b'"apiVersion":"example.com/v1"' in kept.value
        assert b'"hostPort":"h:1"' in kept.value
        changed = await server.must("PATCH", f"{V2}/a", {"port": "2"}, type=MERGE)
        assert changed["port"] == "2"
        assert (await server.must("GET", f"{WIDGETS}/a"))["hostPort"] == "h:2"


async def test_a_list_of_both_versions_is_converted_in_one_call():
    async with running() as server, webhook(convert) as hook:
        await define(server, converted_by(hook))
        await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        await server.must("POST", WIDGETS, widget("b", hostPort="b:2"))
        await switch_storage(server, "v2")
        await server.must("POST", WIDGETS, widget("c", hostPort="c:3"))
        hook.asked.clear()
        listed = await server.must("GET", V2)
        assert [item["host"] for item in listed["items"]] == ["a", "b", "c"]
        assert [len(request["objects"]) for request in hook.asked] == [2]
        listed = await server.must("GET", WIDGETS)
        assert [item["hostPort"] for item in listed["items"]] == ["a:1", "b:2", "c:3"]


async def test_watches_convert_and_select_what_they_converted():
    async with running() as server, webhook(convert) as hook:
        await define(server, converted_by(hook))
        await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        async with server.watch(V2) as events, server.watch(V2, fieldSelector="host=b") as chosen:
            assert (await events.next())[1]["host"] == "a"
            await server.must("POST", WIDGETS, widget("b", hostPort="b:2"))
            type_, tree = await events.next()
            assert (type_, tree["host"], tree["apiVersion"]) == ("ADDED", "b", "example.com/v2")
            assert (await chosen.next())[1]["metadata"]["name"] == "b"
            await server.must("DELETE", f"{WIDGETS}/b")
            type_, tree = await events.next()
            assert (type_, tree["host"]) == ("DELETED", "b")
            assert (await chosen.next())[0] == "DELETED"
        assert names(await server.must("GET", f"{V2}?fieldSelector=host%3Da")) == ["a"]


def changed(**metadata):
    def answer(request):
        found = convert(request)
        for tree in found["convertedObjects"]:
            tree["metadata"] = {**tree["metadata"], **metadata}
        return found

    return answer


async def test_a_webhook_changes_labels_and_nothing_else_of_the_metadata():
    answer = changed(labels={"from": "hook"}, finalizers=["example.com/x"], generation=99)
    async with running() as server, webhook(answer) as hook:
        await define(server, converted_by(hook))
        await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        meta = (await server.must("GET", f"{V2}/a"))["metadata"]
    assert meta["labels"] == {"from": "hook"}
    assert (meta.get("finalizers"), meta["generation"]) == (None, 1)


WHAT = "conversion webhook for example.com/v1, Kind=Widget"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda _r: {"result": {"status": "Failed", "message": "no way"}},
            f"{WHAT} failed: no way",
        ),
        (
            lambda _r: {"result": {"status": "Success"}, "convertedObjects": []},
            f"{WHAT} returned 0 objects, expected 1",
        ),
        (
            lambda r: {"result": {"status": "Success"}, "convertedObjects": r["objects"]},
            (f"{WHAT} returned invalid converted object at index 0: invalid groupVersion (expected example.com/v2, "
            "received example.com/v1)"),
        ),
        (
            changed(name="other"),
            f"{WHAT} returned invalid converted object at index 0: must have the same name: a != other",
        ),
        (
            changed(labels={"a": 1}),
            (f"{WHAT} returned invalid metadata in object at index 0: metadata.labels[a] must be a string, but is int64 "
            "in converted object"),
        ),
        (
            lambda r: {**convert(r), "uid": "other"},
            "expected response.uid=",
        ),
        (
            lambda _r: (500, "boom"),
            f'{WHAT} failed: an error on the server ("boom") has prevented the request from succeeding',
        ),
    ],
)  # fmt: skip
async def test_answers_that_make_no_sense(answer, message):
    async with running() as server, webhook(answer) as hook:
        await define(server, converted_by(hook))
        await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        code, tree = await server.call("GET", f"{V2}/a")
        assert code == 500
        assert message in tree["message"]
        assert (await server.call("GET", V2))[0] == 500
        assert names(await server.must("GET", WIDGETS)) == ["a"]


async def test_a_webhook_that_is_away_is_told_by_its_address():
    async with running() as server:
        async with webhook(convert) as hook:
            await define(server, converted_by(hook))
            await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        code, tree = await server.call("GET", f"{V2}/a")
        assert code == 500
        assert tree["message"].startswith(f'{WHAT} failed: Post "{hook.url}/convert?timeout=30s": dial tcp 127.0.0.1')
        code, tree = await server.call("POST", V2, widget("b", api_version="example.com/v2", host="h", port="1"))
        assert (code, "conversion webhook" in tree["message"]) == (500, True)
        assert names(await server.must("GET", WIDGETS)) == ["a"]
        await server.must("DELETE", f"{WIDGETS}/a")


async def test_old_webhooks_speak_v1beta1():
    def answer(request):
        return {"raw": {"kind": "ConversionReview", "response": convert(request)}}

    async with running() as server, webhook(answer) as hook:
        await define(server, converted_by(hook, conversionReviewVersions=["v1beta1"]))
        await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
        assert (await server.must("GET", f"{V2}/a"))["host"] == "a"


async def test_a_definition_goes_though_its_webhook_is_away():
    async with running() as server:
        async with webhook(convert) as hook:
            await define(server, converted_by(hook))
            await server.must("POST", WIDGETS, widget("a", hostPort="a:1"))
            await switch_storage(server, "v2")
        async with server.watch(CRDS, fieldSelector="metadata.name=widgets.example.com") as events:
            await server.must("DELETE", f"{CRDS}/widgets.example.com")
            while (await events.next())[0] != "DELETED":
                pass
        assert (await server.call("GET", f"{CRDS}/widgets.example.com"))[0] == 404
        assert (await server.call("GET", f"{V2}/a"))[0] == 404
