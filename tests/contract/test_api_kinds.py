"""What kinds have of their own on the way in and out, as a v1.34 server answers: dry runs, deletes, who writes a status."""

import pytest

from tests.contract.api_server import CORE, MERGE, running

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


@pytest.fixture
async def api():
    async with running() as server:
        yield server


def definition():
    names = {"plural": "widgets", "kind": "Widget"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}
    return {"metadata": {"name": "widgets.example.com"}, "spec": spec}


async def test_a_dry_run_says_back_the_version_it_was_sent(api):
    tree = {"metadata": {"name": "a", "resourceVersion": "7"}}
    made = await api.must("POST", f"{CORE}/configmaps?dryRun=All", tree)
    assert made["metadata"]["resourceVersion"] == "7"
    code, _ = await api.call("POST", f"{CORE}/configmaps", tree)
    assert code == 400


async def test_a_dry_run_of_another_uid_names_no_root_of_the_store(api):
    made = await api.must("POST", f"{CORE}/configmaps", {"metadata": {"name": "a"}})
    other = {"metadata": {"name": "a", "uid": "other"}}
    for query, key in (("", "/registry/configmaps/default/a"), ("?dryRun=All", "/configmaps/default/a")):
        code, status = await api.call("PUT", f"{CORE}/configmaps/a{query}", other)
        assert code == 409
        assert f"Key: {key}, " in status["message"]
        assert made["metadata"]["uid"] in status["message"]


@pytest.mark.parametrize(
    ("path", "tree"), [("/api/v1/namespaces", {"metadata": {"name": "n"}}), (DEFINITIONS, definition())]
)
async def test_namespaces_and_definitions_check_preconditions_themselves(api, path, tree):
    made = await api.must("POST", path, tree)
    name = made["metadata"]["name"]
    code, status = await api.call("DELETE", f"{path}/{name}", {"preconditions": {"uid": "other"}})
    assert code == 409
    why = f"Precondition failed: UID in precondition: other, UID in object meta: {made['metadata']['uid']}"
    assert status["message"].endswith(f'"{name}": {why}')


async def test_who_keeps_a_status_is_in_the_managed_fields(api):
    await api.must("POST", DEFINITIONS, definition())
    found = await api.must("GET", f"{DEFINITIONS}/widgets.example.com")
    writers = {(it["manager"], it.get("subresource", "")) for it in found["metadata"]["managedFields"]}
    assert ("kube-apiserver", "status") in writers
    found = await api.must("GET", f"{FLOWS}/flowschemas/exempt")
    writers = {(it["manager"], it["operation"]) for it in found["metadata"]["managedFields"]}
    assert ("api-priority-and-fairness-config-producer-v1", "Update") in writers


async def test_limits_get_a_name_where_they_have_none(api):
    made = await api.must("POST", f"{CORE}/limitranges", {"spec": {"limits": []}})
    assert made["metadata"]["name"]


async def test_a_scale_comes_as_a_table(api):
    spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
    path = f"{CORE}/replicationcontrollers"
    await api.must("POST", path, {"metadata": {"name": "a"}, "spec": {**spec, "selector": {"a": "b"}}})
    table = await api.must("GET", f"{path}/a/scale", headers=TABLE)
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]


async def test_a_signing_request_says_what_its_certificate_is_for(api):
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    tree = {"metadata": {"name": "a"}, "spec": {"request": "eA==", "signerName": "example.com/s"}}
    code, status = await api.call("POST", path, tree)
    assert code == 422
    assert "spec.usages: Required value" in status["message"]


async def test_the_namespace_of_an_object_without_one_is_dropped(api):
    made = await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "n", "namespace": "x"}})
    assert "namespace" not in made["metadata"]
    changed = {"metadata": {"namespace": "y", "labels": {"a": "b"}}}
    made = await api.must("PATCH", "/api/v1/namespaces/n", changed, type=MERGE)
    assert "namespace" not in made["metadata"]
