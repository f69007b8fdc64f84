"""Server-side apply of custom resources over the wire: merged as their schema says."""

import copy

from tests.contract.api_server import MERGE
from tests.contract.applying import APPLY, apply, owners

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "count": {"type": "integer"},
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                                        },
                                    },
                                    "whole": {"type": "array", "items": {"type": "string"}},
                                },
                            },
                            "status": {"type": "object", "properties": {"count": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


def thing(**spec):
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


async def things_of(api, crd):
    """The path of the custom resources of a definition, once they are served."""
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.must("POST", definitions, crd)
    async with api.watch(definitions) as events:
        while not any(
            c["type"] == "Established" and c["status"] == "True"
            for c in (await events.next())[1].get("status", {}).get("conditions", ())
        ):
            pass
    return "/apis/example.com/v1/namespaces/default/things"


async def test_deep_objects_have_no_owners(api):
    crd = copy.deepcopy(CRD)
    version = crd["spec"]["versions"][0]
    del version["subresources"]
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version["schema"]["openAPIV3Schema"]["properties"]["spec"] = free
    things = await things_of(api, crd)
    spec = {}
    for _ in range(196):
        spec = {"a": spec}
    tree = await api.must("POST", things, thing(**spec))
    assert "managedFields" not in tree["metadata"]
    assert await api.must("PUT", f"{things}/a", tree) == tree
    code, status = await apply(api, things, thing(**spec))
    assert (code, status["message"]) == (400, "fields nested more than 196 deep cannot be applied")


async def test_custom_resources_merge_by_their_schema(api):
    things = await things_of(api, CRD)
    code, tree = await apply(api, things, thing(count=1, parts=[{"name": "x", "size": 1}], whole=["a"]))
    assert code == 201, tree
    code, tree = await apply(api, things, thing(parts=[{"name": "y", "size": 2}]), manager="other")
    assert [p["name"] for p in tree["spec"]["parts"]] == ["x", "y"]
    code, status = await apply(api, things, thing(whole=["b"]), manager="other")
    assert (code, status["message"]) == (409, 'Apply failed with 1 conflict: conflict with "me": .spec.whole')
    scale = {"spec": {"replicas": 5}}
    await api.must("PATCH", f"{things}/a/scale?fieldManager=scaler", scale, type=MERGE)
    tree = await api.must("GET", f"{things}/a")
    assert owners(tree)["scaler", "Update", "scale"] == {"f:spec": {"f:count": {}}}
    assert "f:count" not in owners(tree)["me", "Apply", ""]["f:spec"]
    status = {**thing(), "status": {"count": 5}}
    code, tree = await api.call("PATCH", f"{things}/a/status?fieldManager=me", status, type=APPLY)
    assert (code, owners(tree)["me", "Apply", "status"]) == (200, {"f:status": {"f:count": {}}})
    code, status = await apply(api, things, thing(nonsense=1))
    assert code == 400
    assert status["message"].endswith(".spec.nonsense: field not declared in schema")


async def test_an_applied_null_is_refused_where_an_updated_one_is_left_out(api):
    things = await things_of(api, CRD)
    code, status = await apply(api, things, thing(count=None))
    assert (code, "spec.count in body must be of type integer" in status["message"]) == (422, True)
    code, tree = await apply(api, things, thing(count=1))
    assert code == 201
    tree["spec"] = {"count": None, "whole": ["a"]}
    assert (await api.must("PUT", f"{things}/a", tree))["spec"] == {"whole": ["a"]}
