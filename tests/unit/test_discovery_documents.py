"""The discovery documents: what clients find, in which form, and when."""

import json

import pytest

from apimachinery.kinds import DEPLOYMENTS, KINDS, PODS, Kind
from apiserver.discovery import aggregated, custom
from apiserver.discovery.served import storage_version_hash, version_order
from apiserver.discovery.state import Discovery

STATE = Discovery(address="192.0.2.2:6443", fixed={"/openid/v1/jwks": (b"{}", "application/jwk-set+json")})
WIDGETS = Kind(group="example.com", version="v1", kind="Widget", plural="widgets", subresources=("status", "scale"))


def get(path, accept=""):
    found = STATE.document(path, accept)
    return None if found is None else json.loads(found[0])


def test_api():
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "192.0.2.2:6443"}]
    assert get("/api") == {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def test_groups_have_a_preferred_version():
    groups = {group["name"]: group for group in get("/apis")["groups"]}
    assert list(groups)[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    assert groups["autoscaling"]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert [v["version"] for v in get("/apis/autoscaling")["versions"]] == ["v2", "v1"]


def test_every_kind_is_listed_once():
    listed = []
    for group_version in {k.api_version for k in KINDS}:
        path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        listed += [(group_version, r["name"]) for r in get(path)["resources"] if "/" not in r["name"]]
    assert sorted(listed) == sorted((k.api_version, k.plural) for k in KINDS)


RESOURCES = {r["name"]: r for path in ("/api/v1", "/apis/apps/v1") for r in get(path)["resources"]}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        (
            "pods",
            {
                "name": "pods",
                "singularName": "pod",
                "namespaced": True,
                "kind": "Pod",
                "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
                "shortNames": ["po"],
                "categories": ["all"],
                "storageVersionHash": "xPOwRZ+Yhw8=",
            },
        ),
        (
            "deployments/scale",
            {
                "name": "deployments/scale",
                "singularName": "",
                "namespaced": True,
                "group": "autoscaling",
                "version": "v1",
                "kind": "Scale",
                "verbs": ["get", "patch", "update"],
            },
        ),
        ("pods/log", {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]}),
        (
            "pods/binding",
            {"name": "pods/binding", "singularName": "", "namespaced": True, "kind": "Binding", "verbs": ["create"]},
        ),
        (
            "nodes/proxy",
            {
                "name": "nodes/proxy",
                "singularName": "",
                "namespaced": False,
                "kind": "NodeProxyOptions",
                "verbs": ["create", "delete", "get", "patch", "update"],
            },
        ),
    ],
)
def test_entries_are_upstreams(name, entry):
    assert RESOURCES[name] == entry


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pods/eviction", ("policy", "v1", "Eviction")),
        ("serviceaccounts/token", ("authentication.k8s.io", "v1", "TokenRequest")),
    ],
)
def test_subresources_of_other_groups(name, kind):
    entry = RESOURCES[name]
    assert (entry["group"], entry["version"], entry["kind"]) == kind


def test_storage_version_hashes_are_upstreams():
    assert (storage_version_hash(PODS), storage_version_hash(DEPLOYMENTS)) == ("xPOwRZ+Yhw8=", "8aSe+NMegvE=")


V2, V2BETA1 = (aggregated.media_type("application/json", version) for version in ("v2", "v2beta1"))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (f"{V2},{V2BETA1},application/json", V2),
        (f"{V2BETA1},application/json", "application/json"),
        (f"application/json;q=0.5,{V2}", V2),
        (V2.replace("json", "vnd.kubernetes.protobuf"), V2.replace("json", "vnd.kubernetes.protobuf")),
        ("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,application/json", "application/json"),
        ("application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList", V2),
        (f"application/json,{V2}", "application/json"),
    ],
)
def test_aggregation_is_negotiated(accept, media_type):
    assert STATE.document("/apis", accept)[1] == media_type


def test_aggregated_discovery_says_the_same_as_the_plain_one():
    document = get("/apis", V2)
    assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    for group in document["items"]:
        for version in group["versions"]:
            plain = get(f"/apis/{group['metadata']['name']}/{version['version']}")["resources"]
            names = [r["resource"] for r in version["resources"]]
            names += [
                f"{r['resource']}/{s['subresource']}" for r in version["resources"] for s in r.get("subresources", ())
            ]
            assert sorted(names) == [r["name"] for r in plain]
    (core,) = get("/api", V2)["items"]
    assert core["metadata"] == {}


@pytest.mark.parametrize(
    "path",
    ["/apis/nope", "/apis/apps/v9", "/api/v2", "/apis//v1", "/nope", "/openapi/v3/nope", "/openapi/v3/apis/nope"],
)
def test_paths_without_a_document(path):
    assert STATE.document(path) is None


def test_openapi_v3_has_a_document_of_each_group_and_of_the_issuer():
    state = Discovery(fixed={"/openid/v1/jwks": (b"{}", "application/json")})
    group = json.loads(state.document("/openapi/v3/apis/rbac.authorization.k8s.io")[0])
    (operation,) = group["paths"]["/apis/rbac.authorization.k8s.io/"].values()
    assert (operation["operationId"], operation["tags"]) == ("getRbacAuthorizationAPIGroup", ["rbacAuthorization"])
    names = json.loads(state.document("/openapi/v3")[0])["paths"]
    assert {"apis/apps", "apis/apps/v1", "openid/v1/jwks"} <= names.keys()
    assert ".well-known/openid-configuration" not in names  # nothing serves it here
    assert "/openid/v1/jwks/" in json.loads(state.document("/openapi/v3/openid/v1/jwks")[0])["paths"]


def test_version_and_root():
    version = get("/version/")
    assert (version["major"], version["minor"]) == ("1", "34")
    assert version["gitVersion"].startswith("v1.34.0+pykube-")
    assert {"/api/v1", "/apis/apps/v1", "/openapi/v2", "/version"} <= set(get("/")["paths"])


def test_documents_of_others():
    assert STATE.document("/openid/v1/jwks") == (b"{}", "application/jwk-set+json")


def test_versions_sort_by_stability():
    names = ["v1beta1", "foo", "v1", "v11alpha2", "v2", "v10", "v1beta2", "v1alpha1"]
    assert sorted(names, key=version_order) == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v11alpha2", "v1alpha1", "foo"]


SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"a": {"type": "string"}},
                },
                "size": {"type": "integer", "minimum": 1, "oneOf": [{"maximum": 3}]},
                "none": {"type": "string", "nullable": True},
            },
        }
    },
}


def test_a_custom_resource_comes_and_goes():
    state = Discovery()
    pods, before = state.document("/api/v1"), state.hashes
    state.serve((*KINDS, WIDGETS), custom.schemas(WIDGETS, SCHEMA))
    names = [r["name"] for r in json.loads(state.document("/apis/example.com/v1")[0])["resources"]]
    assert names == ["widgets", "widgets/status", "widgets/scale"]
    schemas = json.loads(state.document("/openapi/v3/apis/example.com/v1")[0])["components"]["schemas"]
    assert {"com.example.v1.WidgetList", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"} <= set(schemas)
    assert "com.example.v1.Widget" in json.loads(state.document("/openapi/v2")[0])["definitions"]
    assert state.document("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    state.serve(KINDS, {})
    assert (state.document("/apis/example.com/v1"), state.document("/api/v1"), state.hashes) == (None, pods, before)


def test_a_custom_schema_in_both_dialects():
    widget = custom.schemas(WIDGETS, SCHEMA)["example.com", "v1", "Widget"]
    assert widget.v3["properties"]["spec"] == SCHEMA["properties"]["spec"]
    assert widget.v2["properties"]["spec"]["properties"] == {
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"x-kubernetes-preserve-unknown-fields": True},
        "size": {"type": "integer", "minimum": 1},
        "none": {},
    }
    assert widget.v2["properties"]["metadata"]["$ref"].startswith("#/definitions/")
    assert "properties" not in custom.schemas(WIDGETS, None)["example.com", "v1", "Widget"].v2


def test_an_etag_saves_the_body():
    first = STATE.respond("/apis", {"accept": V2})
    etag = dict(first.headers)["etag"]
    again = STATE.respond("/apis", {"accept": V2, "if-none-match": etag})
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert STATE.respond("/apis", {"if-none-match": etag}).status == 200
