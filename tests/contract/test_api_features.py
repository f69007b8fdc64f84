"""Feature gates that this server acts by: what a client sees when they are turned the other way."""

import msgspec
import pytest

from apiserver.options import Options
from apiserver.switches import features, more_kinds
from tests.contract.api_server import CORE, running

ADMISSION = "/apis/admissionregistration.k8s.io"
VERSIONS = "admissionregistration.k8s.io/v1beta1=true"


def turned(text):
    return running(options=Options(features=features(text), hostname="here"))


@pytest.mark.parametrize("is_on", [True, False])
async def test_a_watch_begins_with_what_is_there(is_on):
    async with turned(f"WatchList={is_on}") as server:
        query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
        response = await server.send("GET", f"{CORE}/configmaps?{query}")
    assert response.status_code == (200 if is_on else 422)
    text = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    assert (text in response.text) is not is_on


@pytest.mark.parametrize("is_on", [True, False])
async def test_openapi_names_the_values_of_enums(is_on):
    async with turned(f"OpenAPIEnums={is_on}") as server:
        for path in ("/openapi/v2", "/openapi/v3/api/v1"):
            document = (await server.send("GET", path)).text
            assert ("Possible enum values" in document) is is_on, path
            assert ('"OnFailure"' in document) is is_on, path


@pytest.mark.parametrize("is_on", [True, False])
async def test_lists_of_resources_have_hashes_of_the_versions_stored(is_on):
    async with turned(f"StorageVersionHash={is_on}") as server:
        listed = (await server.must("GET", "/api/v1"))["resources"]
    assert any("storageVersionHash" in row for row in listed) is is_on


async def test_a_server_without_identity_has_no_lease():
    async with turned("APIServerIdentity=false") as server:
        await server.must("POST", f"{CORE}/configmaps", {"metadata": {"name": "a"}})
        leases = await server.must("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases")
    assert leases["items"] == []


async def test_versions_on_request_are_listed_and_described():
    async with running(options=Options(more_kinds=more_kinds(VERSIONS))) as server:
        group = await server.must("GET", ADMISSION)
        kinds = {row["kind"] for row in (await server.must("GET", f"{ADMISSION}/v1beta1"))["resources"]}
        document = msgspec.json.decode((await server.send("GET", f"/openapi/v3{ADMISSION}/v1beta1")).content)
        services = await server.must("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
    assert [row["version"] for row in group["versions"]] == ["v1", "v1beta1"]
    assert kinds == {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
    assert "io.k8s.api.admissionregistration.v1beta1.MutatingAdmissionPolicy" in document["components"]["schemas"]
    assert "v1beta1.admissionregistration.k8s.io" in {row["metadata"]["name"] for row in services["items"]}


async def test_versions_that_nobody_asked_for_are_not_there():
    async with running() as server:
        code, _ = await server.call("GET", f"{ADMISSION}/v1beta1/mutatingadmissionpolicies")
        group = await server.must("GET", ADMISSION)
    assert (code, [row["version"] for row in group["versions"]]) == (404, ["v1"])


async def test_the_metric_says_what_is_in_effect():
    async with turned("WatchList=false,ContainerStopSignals=true") as server:
        shown = (await server.send("GET", "/metrics")).text
    assert 'kubernetes_feature_enabled{name="WatchList",stage="BETA"} 0\n' in shown
    assert 'kubernetes_feature_enabled{name="ContainerStopSignals",stage="ALPHA"} 0\n' in shown
    assert 'kubernetes_feature_enabled{name="SidecarContainers",stage=""} 1\n' in shown
