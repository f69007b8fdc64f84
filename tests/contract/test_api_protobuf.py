"""Protobuf on the wire of the in-process server: every verb, lists, watches, Statuses, metadata alone."""

import asyncio
import struct

import msgspec
import pytest

from apiserver import protobuf
from apiserver.protobuf import wire
from tests.contract.api_server import CORE, MERGE, config_map, deployment

PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPT = {"accept": PROTOBUF}
PARTIAL = {"accept": f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
PARTIAL_LIST = {"accept": f"{PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
MAPS = f"{CORE}/configmaps"
TYPE = {"kind": "ConfigMap", "apiVersion": "v1"}


async def call(api, method, path, tree=None, headers=ACCEPT):
    raw = protobuf.encode({**TYPE, **tree}) if tree is not None else None
    response = await api.send(method, path, raw=raw, type=PROTOBUF, headers=headers)
    assert response.headers["content-type"] == PROTOBUF, response.text
    return response.status_code, protobuf.decode(response.content)


async def test_an_object_through_its_life(api):
    code, made = await call(api, "POST", MAPS, config_map("a"))
    assert (code, made["data"]) == (201, {"key": "value"})
    assert made == await api.must("GET", f"{MAPS}/a")
    made["data"] = {"key": "other"}
    code, changed = await call(api, "PUT", f"{MAPS}/a", made)
    assert (code, changed["data"]) == (200, {"key": "other"})
    response = await api.send("PATCH", f"{MAPS}/a", {"data": {"key": "third"}}, type=MERGE, headers=ACCEPT)
    assert protobuf.decode(response.content)["data"] == {"key": "third"}
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": made["metadata"]["uid"]}}
    code, status = await call(api, "DELETE", f"{MAPS}/a", options)
    assert (code, status["kind"], status["status"]) == (200, "Status", "Success")
    code, status = await call(api, "GET", f"{MAPS}/a")
    assert (code, status["reason"]) == (404, "NotFound")
    assert status["details"] == {"name": "a", "kind": "configmaps"}


@pytest.mark.parametrize("count", [0, 3, 200])
async def test_lists(api, count):
    for number in range(count):
        await api.must("POST", MAPS, config_map(f"m{number:03}"))
    code, tree = await call(api, "GET", MAPS)
    assert (code, tree["kind"]) == (200, "ConfigMapList")
    assert {**tree, "items": tree["items"] or []} == await api.must("GET", MAPS)
    code, tree = await call(api, "GET", MAPS, headers=PARTIAL_LIST)
    found = [item["metadata"]["name"] for item in tree["items"] or ()]  # no list and an empty one look the same
    assert found == [f"m{number:03}" for number in range(count)]


async def test_large_lists_are_compressed(api):
    for number in range(3):
        await api.must("POST", MAPS, config_map(str(number), {"key": "x" * 100_000}))
    response = await api.send("GET", MAPS, headers={**ACCEPT, "accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert protobuf.decode(response.content) == await api.must("GET", MAPS)


async def test_metadata_alone(api):
    made = await api.must("POST", MAPS, config_map("a"))
    _, tree = await call(api, "GET", f"{MAPS}/a", headers=PARTIAL)
    assert tree == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]}
    old = {"accept": PARTIAL_LIST["accept"].replace("v1", "v1beta1")}
    _, tree = await call(api, "GET", MAPS, headers=old)
    assert (tree["apiVersion"], tree["items"][0]["metadata"]) == ("meta.k8s.io/v1beta1", made["metadata"])


async def test_metadata_of_the_wrong_number_is_refused(api):
    await api.must("POST", MAPS, config_map("a"))
    one = {"accept": f"{PARTIAL['accept']},{PROTOBUF}"}  # a Status is never transformed
    many = {"accept": f"{PARTIAL_LIST['accept']},{PROTOBUF}"}
    assert (await call(api, "GET", f"{MAPS}/a", headers=many))[0] == 406
    code, status = await call(api, "GET", MAPS, headers=one)
    text = "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"
    assert (code, status["message"]) == (406, text)


async def test_reviews_and_subresources(api):
    review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
    code, tree = await call(api, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert (code, tree["status"]["userInfo"]["groups"]) == (201, ["system:masters", "system:authenticated"])
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    await api.must("POST", deployments, deployment("web"))
    _, scale = await call(api, "GET", f"{deployments}/web/scale")
    assert (scale["kind"], scale["status"]["selector"]) == ("Scale", "app=web")
    scale["spec"] = {"replicas": 3}
    _, scale = await call(api, "PUT", f"{deployments}/web/scale", scale)
    assert scale["spec"] == {"replicas": 3}


async def frames(response):
    """The events of a stream, each behind its length."""
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        while len(data) >= 4 and len(data) >= (size := struct.unpack(">I", data[:4])[0]) + 4:
            fields = dict(wire.fields(data[4 : 4 + size]))
            data = data[4 + size :]
            yield fields[1].decode(), protobuf.decode(dict(wire.fields(fields[2]))[1])


@pytest.mark.parametrize("headers", [{"accept": f"{PROTOBUF};stream=watch"}, PARTIAL], ids=["objects", "metadata"])
async def test_watches(api, headers):
    made = await api.must("POST", MAPS, config_map("a"))
    query = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    async with asyncio.timeout(60), api.http.stream("GET", f"{MAPS}?{query}", headers=headers) as response:
        assert response.headers["content-type"] == f"{PROTOBUF};stream=watch"
        events = frames(response)
        type_, tree = await anext(events)
        assert (type_, tree["metadata"]) == ("ADDED", made["metadata"])
        type_, tree = await anext(events)
        assert (type_, tree["kind"]) == ("BOOKMARK", "PartialObjectMetadata" if headers is PARTIAL else "ConfigMap")
        assert tree["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await api.must("DELETE", f"{MAPS}/a")
        type_, tree = await anext(events)
        assert (type_, tree["metadata"]["uid"]) == ("DELETED", made["metadata"]["uid"])


async def test_watchers_share_the_bytes(api):
    def watch():
        return api.http.stream("GET", f"{MAPS}?watch=true", headers=ACCEPT)

    async with watch() as one, watch() as other, api.watch(MAPS) as json:
        await api.must("POST", MAPS, config_map("a"))
        first, second = await anext(frames(one)), await anext(frames(other))
        assert first == second == await json.next()


async def test_what_protobuf_cannot_say(api):
    table = {"accept": f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1,application/json"}
    response = await api.send("GET", MAPS, headers=table)
    assert response.json()["kind"] == "ConfigMapList"  # the next of the list
    response = await api.send("GET", f"{MAPS}?watch=true", headers={"accept": "application/yaml"})
    text = f"only the following media types are accepted: application/json;stream=watch, {PROTOBUF};stream=watch"
    assert (response.status_code, text in " ".join(response.text.split())) == (406, True)


async def test_cbor_clients_fall_back(api):
    both = {"accept": f"application/cbor, {PROTOBUF}"}
    assert (await call(api, "GET", MAPS, headers=both))[0] == 200
    code, status = await api.call("POST", MAPS, raw=b"\xd9\xd9\xf7\xa0", type="application/cbor")
    assert (code, status["reason"]) == (415, "UnsupportedMediaType")


async def test_bodies_of_the_wrong_kind(api):
    code, status = await call(api, "POST", MAPS, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}})
    assert (code, status["reason"]) == (400, "BadRequest")
    response = await api.send("POST", MAPS, raw=b"k8s\0nonsense", type=PROTOBUF, headers=ACCEPT)
    assert response.status_code == 400


async def test_pods_keep_every_field(api):
    pod = {
        "metadata": {"name": "p", "labels": {"b": "1", "a": "2"}},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "i",
                    "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 3},
                    "ports": [{"name": "web", "containerPort": 80}],
                }
            ],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}],
        },
    }
    made = await api.must("POST", f"{CORE}/pods", pod)
    _, tree = await call(api, "GET", f"{CORE}/pods/p")
    assert tree["spec"] == made["spec"]
    assert msgspec.json.encode(tree["metadata"], order="sorted") == msgspec.json.encode(
        made["metadata"], order="sorted"
    )
