"""managedFields over the wire: whose a field is after a write of any sort, and what becomes of the entries themselves."""

import pytest

from tests.contract.api_server import CORE, MERGE, STRATEGIC, config_map, deployment, pod
from tests.contract.applying import DEPLOYMENTS, MAPS, applied, apply, owners


async def test_a_create_belongs_to_who_made_it(api):
    tree = await api.must("POST", MAPS, config_map("a"), headers={"user-agent": "maker/1.0 (x)"})
    (entry,) = tree["metadata"]["managedFields"]
    assert entry == {
        "manager": "maker",
        "operation": "Update",
        "apiVersion": "v1",
        "time": tree["metadata"]["creationTimestamp"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, "f:key": {}}},
    }
    assert await api.must("GET", f"{MAPS}/a") == tree


@pytest.mark.parametrize(
    ("agent", "query", "manager"),
    [
        pytest.param("kubectl/v1.34 (linux/amd64)", "", "kubectl", id="the first word"),
        pytest.param("", "", "unknown", id="nobody"),
        pytest.param("x" * 200, "", "x" * 128, id="cut"),
        pytest.param("a\tb/1", "", "ab", id="what cannot be printed is left out"),
        pytest.param("kubectl", "?fieldManager=chosen", "chosen", id="as asked"),
    ],
)
async def test_the_manager_of_a_write(api, agent, query, manager):
    tree = await api.must("POST", MAPS + query, config_map("a"), headers={"user-agent": agent})
    assert [e["manager"] for e in tree["metadata"]["managedFields"]] == [manager]


async def test_a_write_that_changes_nothing_leaves_the_times(api):
    first = await api.must("POST", MAPS, config_map("a"))
    assert await api.must("PUT", f"{MAPS}/a", config_map("a"), headers={"user-agent": "other"}) == first
    assert await api.must("PATCH", f"{MAPS}/a", {"data": {"key": "value"}}, type=MERGE) == first


async def test_status_is_not_owned_by_a_spec_write(api):
    tree = await api.must("POST", f"{CORE}/pods", pod("a", status={"phase": "Running"}))
    assert "f:status" not in owners(tree)["python-httpx", "Update", ""]
    status = {"status": {"phase": "Running", "podIP": "1.2.3.4"}}
    tree = await api.must("PATCH", f"{CORE}/pods/a/status?fieldManager=kubelet", status, type=STRATEGIC)
    fields = owners(tree)["kubelet", "Update", "status"]
    both = {
        "f:podIP": {},
        "f:podIPs": {".": {}, 'k:{"ip":"1.2.3.4"}': {".": {}, "f:ip": {}}},
    }  # one follows from the other
    assert fields == {"f:status": {"f:phase": {}, **both}}


async def test_what_admission_adds_is_nobodys(api):
    tree = await api.must("POST", f"{CORE}/pods", pod("a"))
    assert tree["spec"]["serviceAccountName"] == "default"
    spec = owners(tree)["python-httpx", "Update", ""]["f:spec"]
    assert "f:serviceAccountName" not in spec
    assert "f:restartPolicy" in spec


async def test_a_binding_owns_nothing(api):
    before = await api.must("POST", f"{CORE}/pods", pod("a"))
    await api.must(
        "POST", f"{CORE}/pods/a/binding", {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}}
    )
    after = await api.must("GET", f"{CORE}/pods/a")
    assert after["spec"]["nodeName"] == "n"
    assert after["metadata"]["managedFields"] == before["metadata"]["managedFields"]


async def test_a_scale_owns_the_replicas(api):
    await api.must("POST", f"{DEPLOYMENTS}?fieldManager=maker", deployment("web"))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    await api.must("PUT", f"{DEPLOYMENTS}/web/scale?fieldManager=scaler", scale)
    tree = await api.must("GET", f"{DEPLOYMENTS}/web")
    assert owners(tree)["scaler", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(tree)["maker", "Update", ""]["f:spec"]
    again = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 4}}
    code, status = await apply(api, DEPLOYMENTS, again)
    assert code == 409
    assert status["message"].endswith('conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas')


@pytest.mark.parametrize("said", [[], [{}]])
async def test_an_empty_list_resets(api, said):
    await api.must("POST", MAPS, config_map("a"))
    tree = await api.must("PATCH", f"{MAPS}/a", {"metadata": {"managedFields": said}}, type=MERGE)
    assert "managedFields" not in tree["metadata"]
    tree = await api.must("PATCH", f"{MAPS}/a", {"data": {"more": "1"}}, type=MERGE)
    assert "managedFields" not in tree["metadata"]
    _, tree = await apply(api, MAPS, applied("a", {"mine": "1"}))
    assert owners(tree) == {
        ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:key": {}, "f:more": {}}},
        ("me", "Apply", ""): {"f:data": {"f:mine": {}}},
    }


async def test_a_client_that_knows_no_managed_fields_keeps_them(api):
    tree = await api.must("POST", f"{MAPS}?fieldManager=maker", config_map("a"))
    del tree["metadata"]["managedFields"]
    tree["data"] = {"key": "value", "more": "1"}
    tree = await api.must("PUT", f"{MAPS}/a?fieldManager=other", tree)
    assert owners(tree) == {
        ("maker", "Update", ""): {"f:data": {".": {}, "f:key": {}}},
        ("other", "Update", ""): {"f:data": {"f:more": {}}},
    }


async def test_entries_can_be_edited(api):
    tree = await api.must("POST", f"{MAPS}?fieldManager=maker", config_map("a"))
    tree["metadata"]["managedFields"][0]["manager"] = "renamed"
    tree = await api.must("PUT", f"{MAPS}/a", tree)
    assert list(owners(tree)) == [("renamed", "Update", "")]


@pytest.mark.parametrize(
    "broken",
    [
        {"operation": "Nonsense", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV2", "fieldsV1": {}},
        {"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f": {}}},
        {"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"k:{": {}}},
        {"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": 5}},
    ],
)
async def test_entries_that_cannot_be_read_are_not_heeded(api, broken):
    tree = await api.must("POST", MAPS, config_map("a"))
    before = owners(tree)
    tree["metadata"]["managedFields"] = [broken]
    assert owners(await api.must("PUT", f"{MAPS}/a", tree)) == before


async def test_names_in_entries_are_checked(api):
    tree = await api.must("POST", MAPS, config_map("a"))
    tree["metadata"]["managedFields"][0]["manager"] = "x" * 129
    code, status = await api.call("PUT", f"{MAPS}/a", tree)
    text = "metadata.managedFields[0].manager: Too long: may not be more than 128 bytes"
    assert (code, status["message"]) == (422, f'ConfigMap "a" is invalid: {text}')


async def test_old_updaters_become_one(api):
    await api.must("POST", f"{MAPS}?fieldManager=m00", config_map("a"))
    for i in range(1, 13):
        tree = await api.must("PATCH", f"{MAPS}/a?fieldManager=m{i:02}", {"data": {f"k{i}": "v"}}, type=MERGE)
    managers = {manager for manager, _, _ in owners(tree)}
    assert len(managers) == 10
    assert "ancient-changes" in managers
    assert {"m10", "m11", "m12"} <= managers
    old = owners(tree)["ancient-changes", "Update", ""]["f:data"]
    assert old == {".": {}, "f:k1": {}, "f:k2": {}, "f:k3": {}, "f:key": {}}


async def test_owners_in_another_version(api):
    scalers = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    older = scalers.replace("v2", "v1")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    one = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    one["spec"] = {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50, "scaleTargetRef": target}
    code, tree = await apply(api, older, one)
    assert code == 201, tree
    two = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    two["spec"] = {"maxReplicas": 5, "scaleTargetRef": target}
    code, status = await apply(api, scalers, two, manager="other")
    assert code == 409
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "me": .spec.maxReplicas'
    code, tree = await apply(api, scalers, two, manager="other", force="true")
    assert tree["spec"]["maxReplicas"] == 5
    entries = {e["manager"]: e for e in tree["metadata"]["managedFields"]}
    assert entries["me"]["apiVersion"] == "autoscaling/v1"
    assert entries["me"]["fieldsV1"]["f:spec"]["f:targetCPUUtilizationPercentage"] == {}
    assert "f:maxReplicas" not in entries["me"]["fieldsV1"]["f:spec"]


async def test_events_of_both_groups(api):
    events = f"{CORE}/events"
    about = {"kind": "Pod", "namespace": "default", "name": "a"}
    event = {"metadata": {"name": "e"}, "involvedObject": about, "message": "hello"}
    await api.must("POST", f"{events}?fieldManager=maker", event)
    newer = "/apis/events.k8s.io/v1/namespaces/default/events"
    seen = await api.must("GET", f"{newer}/e")
    labels = {"metadata": {"labels": {"x": "1"}}}
    tree = await api.must("PATCH", f"{events}/e?fieldManager=labeler", labels, type=MERGE)
    assert seen["note"] == "hello"
    assert {e["manager"]: e["apiVersion"] for e in tree["metadata"]["managedFields"]} == {
        "maker": "v1",
        "labeler": "v1",
    }
    event = {
        "metadata": {"name": "f", "namespace": "default"},
        "eventTime": "2020-01-01T00:00:00.000000Z",
        "reportingController": "a.b/c",
        "reportingInstance": "d",
        "action": "e",
        "reason": "f",
        "type": "Normal",
        "regarding": about,
    }
    await api.must("POST", f"{newer}?fieldManager=maker", event)
    tree = await api.must("PATCH", f"{events}/f?fieldManager=labeler", labels, type=MERGE)
    versions = {e["manager"]: e["apiVersion"] for e in tree["metadata"]["managedFields"]}
    assert versions == {"maker": "events.k8s.io/v1", "labeler": "v1"}
    assert "f:regarding" in owners(tree)["maker", "Update", ""]
