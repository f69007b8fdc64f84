"""OpenAPI v2 and v3: every reference resolves, kubectl finds what it looks for, and kubectl itself can read them."""

import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from apimachinery.kinds import KINDS
from apiserver.discovery import definitions, gnostic, routes
from apiserver.discovery.definitions import closure
from apiserver.discovery.state import Discovery

STATE = Discovery()
UPSTREAM = json.loads((Path(__file__).parents[1] / "golden" / "openapi.json").read_text())
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


@pytest.fixture(scope="module")
def v2():
    return json.loads(STATE.document("/openapi/v2")[0])


@pytest.fixture(scope="module")
def v3():
    return {n: json.loads(STATE.document(f"/openapi/v3/{n}")[0]) for n in STATE.hashes if "/v" in n}


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_document_is_upstreams(name):
    """Member for member: what is kept of upstream's v1.34.1 is a hash of each document."""
    tree = json.loads(STATE.document(f"/{name}")[0])
    text = json.dumps(tree, sort_keys=True, ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == UPSTREAM[name]


def test_v2_references_resolve(v2):
    found = set(references(v2))
    assert found
    names = {f"#/{part}/{name}" for part in ("definitions", "parameters") for name in v2[part]}
    assert found <= names


def test_v3_references_resolve(v3):
    for document in v3.values():
        names = {r.removeprefix("#/components/schemas/") for r in references(document)}
        assert names <= set(document["components"]["schemas"])


def patches(document, kind):
    for path in document["paths"].values():
        operation = path.get("patch", {})
        if operation.get("x-kubernetes-group-version-kind") == {
            "group": kind.group,
            "version": kind.version,
            "kind": kind.kind,
        }:
            shared = document.get("parameters", {})
            found = operation["parameters"]
            yield {shared[p["$ref"].split("/")[-1]]["name"] if "$ref" in p else p["name"] for p in found}


def test_patch_of_every_kind_takes_field_validation(v2, v3):
    for kind in KINDS:
        if "patch" in kind.verbs:
            name = f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
            for document in (v2, v3[name]):
                assert all({"fieldValidation", "dryRun", "force"} <= names for names in patches(document, kind)), kind
                assert list(patches(document, kind)), kind


def test_operation_ids_are_unique_and_upstreams(v2):
    ids = [op["operationId"] for path in v2["paths"].values() for method, op in path.items() if method != "parameters"]
    assert len(ids) == len(set(ids))
    wanted = {"readCoreV1NamespacedPod", "listAppsV1DeploymentForAllNamespaces", "createCoreV1NamespacedPodEviction"}
    wanted |= {"connectCoreV1PostNamespacedPodExec", "patchAppsV1NamespacedDeploymentScale", "listCoreV1Node"}
    wanted |= {"deleteRbacAuthorizationV1CollectionClusterRole", "replaceCoreV1NamespaceFinalize"}
    assert wanted <= set(ids)


def test_scalars_are_upstreams(v2, v3):
    quantity, either = (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    )
    schemas = v3["api/v1"]["components"]["schemas"]
    assert schemas[quantity]["oneOf"] == [{"type": "string"}, {"type": "number"}]
    assert schemas[either]["format"] == "int-or-string"
    assert (v2["definitions"][quantity]["type"], v2["definitions"][either]["format"]) == ("string", "int-or-string")
    assert schemas["io.k8s.apimachinery.pkg.apis.meta.v1.Time"]["format"] == "date-time"


def test_definitions_are_as_people_expect_them(v2, v3):
    for schema in (
        v2["definitions"]["io.k8s.api.core.v1.Pod"],
        v3["api/v1"]["components"]["schemas"]["io.k8s.api.core.v1.Pod"],
    ):
        assert schema["type"] == "object"
        assert schema["properties"]["kind"] == {
            "type": "string",
            "description": schema["properties"]["kind"]["description"],
        }
        assert schema["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]


def test_enums_and_defaults_are_upstreams(v2, v3):
    port = v3["apis/apps/v1"]["components"]["schemas"]["io.k8s.api.core.v1.ContainerPort"]["properties"]
    assert port["protocol"]["default"] == "TCP"
    assert port["protocol"]["enum"] == ["SCTP", "TCP", "UDP"]
    assert port["protocol"]["description"].endswith(
        '\n\nPossible enum values:\n - `"SCTP"` is the SCTP protocol.\n - `"TCP"` is the TCP protocol.\n'
        ' - `"UDP"` is the UDP protocol.'
    )
    assert port["containerPort"]["default"] == 0
    deployment = v3["apis/apps/v1"]["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]["properties"]
    reference = [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]
    assert (deployment["spec"]["default"], deployment["spec"]["allOf"]) == ({}, reference)
    usages = v2["definitions"]["io.k8s.api.certificates.v1.CertificateSigningRequestSpec"]["properties"]["usages"]
    assert "client auth" in usages["items"]["enum"]
    assert "default" not in v2["definitions"]["io.k8s.api.core.v1.ContainerPort"]["properties"]["containerPort"]


def test_closure_follows_references():
    tree = {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"properties": {"$ref": {"$ref": "#/$defs/a"}}}, "c": {}}
    assert closure(tree, ["a", "gone"]) == ["a", "b"]


def test_index_hash_and_redirect():
    index = json.loads(STATE.document("/openapi/v3")[0])["paths"]
    url, _, asked = index["apis/apps/v1"]["serverRelativeURL"].partition("?")
    fresh = STATE.respond(url, {}, asked)
    assert "immutable" in dict(fresh.headers)["cache-control"]
    assert dict(fresh.headers)["etag"] == f'"{asked.removeprefix("hash=")}"'
    stale = STATE.respond(url, {}, "hash=0")
    assert (stale.status, dict(stale.headers)["location"]) == (301, index["apis/apps/v1"]["serverRelativeURL"])
    assert "immutable" not in dict(STATE.respond(url, {}).headers)["cache-control"]


def test_gzip_for_those_who_take_it():
    packed = STATE.respond("/openapi/v3/api/v1", {"accept-encoding": "gzip"})
    plain = STATE.respond("/openapi/v3/api/v1", {})
    assert dict(packed.headers)["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def fields(data):
    """The top-level fields of a protobuf message with length-delimited values."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = varint()
            yield key >> 3, data[at : at + size]
            at += size


def test_protobuf_holds_what_json_holds(v2):
    data, media_type = STATE.document("/openapi/v2", PROTOBUF)
    assert media_type == gnostic.MEDIA_TYPE
    document = dict(fields(data))
    assert document[1] == b"2.0"
    paths = {dict(fields(value))[1].decode() for number, value in fields(document[8]) if number == 2}
    schemas = {dict(fields(value))[1].decode() for _, value in fields(document[9])}
    assert (paths, schemas) == (set(v2["paths"]), set(v2["definitions"]))


def test_definitions_are_not_kept():
    assert definitions.load() is not definitions.load()


KUBECTLS = [k for v in (27, 30, 33) if (k := shutil.which(f"kubectl.1.{v}", path="/usr/lib/google-cloud-sdk/bin"))]


@pytest.fixture(scope="module")
def address():
    """A server of these documents, over real HTTP."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = FastAPI(openapi_url=None)
        app.include_router(routes.router(STATE))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", KUBECTLS, ids=lambda path: path[-4:])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("api-resources --no-headers --api-group=apps", "deployments"),
        ("explain pod.spec.containers.livenessProbe.httpGet.port", "FIELD: port <IntOrString>"),
        ("explain deployment.spec.replicas --output=plaintext-openapiv2", "replicas <integer>"),
        ("version", "v1.34.0+pykube-"),
    ],
)
def test_kubectl_reads_the_documents(kubectl, arguments, text, address, tmp_path):
    environment = {"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run(
        [kubectl, f"--server={address}", *arguments.split()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert text in done.stdout, done.stderr
