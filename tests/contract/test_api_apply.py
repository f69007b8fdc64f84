"""Server-side apply and managedFields over the wire."""

import asyncio
import copy

import pytest

from apiserver.options import Options
from apiserver.request import User
from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import APPS, CORE, MERGE, STRATEGIC, config_map, deployment, pod, running

APPLY = "application/apply-patch+yaml"
MAPS = f"{CORE}/configmaps"
DEPLOYMENTS = f"{APPS}/deployments"


@pytest.fixture
async def api():
    async with running() as server:
        yield server


def applied(name, data, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


async def apply(api, path, tree, manager="me", **query):
    asked = "&".join(f"{name}={value}" for name, value in {"fieldManager": manager, **query}.items() if value != "")
    return await api.call("PATCH", f"{path}/{tree['metadata']['name']}?{asked}", tree, type=APPLY)


def owners(tree):
    """(manager, operation, subresource) -> fields."""
    entries = tree["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


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


async def test_apply_creates(api):
    code, tree = await apply(api, MAPS, applied("a", {"x": "1"}))
    assert code == 201
    assert tree["data"] == {"x": "1"}
    assert owners(tree) == {("me", "Apply", ""): {"f:data": {"f:x": {}}}}
    assert "time" in tree["metadata"]["managedFields"][0]


async def test_applying_again_changes_nothing(api):
    _, first = await apply(api, MAPS, applied("a", {"x": "1"}))
    code, again = await apply(api, MAPS, applied("a", {"x": "1"}))
    assert (code, again) == (200, first)


async def test_a_write_that_changes_nothing_leaves_the_times(api):
    first = await api.must("POST", MAPS, config_map("a"))
    assert await api.must("PUT", f"{MAPS}/a", config_map("a"), headers={"user-agent": "other"}) == first
    assert await api.must("PATCH", f"{MAPS}/a", {"data": {"key": "value"}}, type=MERGE) == first


async def test_what_is_applied_no_more_is_taken_away(api):
    await apply(api, MAPS, applied("a", {"x": "1", "y": "2", "z": "3"}, labels={"l": "m"}))
    await apply(api, MAPS, applied("a", {"y": "2"}), manager="other")
    code, tree = await apply(api, MAPS, applied("a", {"x": "1"}))
    assert code == 200
    assert tree["data"] == {"x": "1", "y": "2"}  # y is the other's, too
    assert "labels" not in tree["metadata"]


async def test_applying_nothing_takes_all_away(api):
    await apply(api, MAPS, applied("a", {"x": "1"}))
    code, tree = await apply(api, MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    assert code == 200
    assert "data" not in tree
    assert "managedFields" not in tree["metadata"]


async def test_a_conflict(api):
    await apply(api, MAPS, applied("a", {"x": "1", "y": "1"}))
    code, status = await apply(api, MAPS, applied("a", {"x": "2"}), manager="other")
    assert code == 409
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.x'
    assert status["reason"] == "Conflict"
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.x"}
    assert status["details"] == {"causes": [cause]}


async def test_several_conflicts(api):
    await apply(api, MAPS, applied("a", {"x": "1"}))
    await api.must("PATCH", f"{MAPS}/a?fieldManager=editor", {"data": {"y": "1", "z": "1"}}, type=MERGE)
    code, status = await apply(api, MAPS, applied("a", {"x": "2", "y": "2", "z": "2"}), manager="other")
    assert code == 409
    assert status["message"] == (
        'Apply failed with 3 conflicts: conflicts with "editor" using v1:\n- .data.y\n- .data.z\n'
        'conflicts with "me":\n- .data.x'
    )
    assert len(status["details"]["causes"]) == 3


async def test_force_takes_fields_over(api):
    await apply(api, MAPS, applied("a", {"x": "1", "y": "1"}))
    code, tree = await apply(api, MAPS, applied("a", {"x": "2"}), manager="other", force="true")
    assert code == 200
    assert tree["data"] == {"x": "2", "y": "1"}
    assert owners(tree) == {
        ("me", "Apply", ""): {"f:data": {"f:y": {}}},
        ("other", "Apply", ""): {"f:data": {"f:x": {}}},
    }


async def test_the_same_value_is_shared(api):
    await apply(api, MAPS, applied("a", {"x": "1"}))
    code, tree = await apply(api, MAPS, applied("a", {"x": "1"}), manager="other")
    assert code == 200
    assert set(owners(tree)) == {("me", "Apply", ""), ("other", "Apply", "")}


@pytest.mark.parametrize(
    ("query", "tree", "code", "text"),
    [
        pytest.param(
            "",
            applied("a", {}),
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
            id="no manager",
        ),
        pytest.param(
            f"?fieldManager={'x' * 129}",
            applied("a", {}),
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
            id="a long manager",
        ),
        pytest.param(
            "?fieldManager=a%0Ab",
            applied("a", {}),
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\nb": invalid character U+000A '
            "(at position 1)",
            id="a manager that cannot be printed",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {}, managedFields=[]),
            400,
            "metadata.managedFields must be nil",
            id="managedFields",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("b", {}),
            400,
            "the name of the object (b) does not match the name on the URL (a)",
            id="another name",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {}, namespace="elsewhere"),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
            id="another namespace",
        ),
        pytest.param("?fieldManager=me", {}, 400, "invalid object type: /, Kind=", id="nothing"),
        pytest.param(
            "?fieldManager=me",
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
            400,
            "invalid object type: /v1, Kind=Pod",
            id="another kind",
        ),
        pytest.param(
            "?fieldManager=me",
            [1],
            400,
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go "
            "value of type map[string]interface {}",
            id="no object",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {}) | {"nonsense": 1},
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .nonsense: field not declared in schema",
            id="an unknown field",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {"x": 1}),
            500,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data.x: expected string, got "
            "&value.valueUnstructured{Value:1}",
            id="a wrong type",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {}, uid="1234"),
            409,
            'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid 1234, '
            "and no existing object was found",
            id="the uid of none",
        ),
    ],
)
async def test_what_cannot_be_applied(api, query, tree, code, text):
    found, status = await api.call("PATCH", f"{MAPS}/a{query}", tree, type=APPLY)
    assert (found, status["message"]) == (code, text)
    assert (await api.call("GET", f"{MAPS}/a"))[0] == 404


async def test_force_is_for_applies(api):
    await api.must("POST", MAPS, config_map("a"))
    code, status = await api.call("PATCH", f"{MAPS}/a?force=true", {}, type=MERGE)
    text = 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    assert (code, status["message"]) == (422, text)


async def test_yaml_is_applied(api):
    raw = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1'\n"
    response = await api.send("PATCH", f"{MAPS}/a?fieldManager=me", raw=raw, type=APPLY)
    assert (response.status_code, response.json()["data"]) == (201, {"x": "1"})


async def test_fields_named_twice(api):
    raw = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
    path = f"{MAPS}/a?fieldManager=me"
    code, status = await api.call("PATCH", f"{path}&fieldValidation=Strict", raw=raw, type=APPLY)
    assert code == 400
    assert status["message"].startswith("error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal")
    response = await api.send("PATCH", path, raw=raw, type=APPLY)
    assert response.status_code == 201
    assert 'key \\"x\\" already set in map' in response.headers["warning"]


async def test_a_broken_body(api):
    code, status = await api.call("PATCH", f"{MAPS}/a?fieldManager=me", raw=b"a: [", type=APPLY)
    assert code == 400
    assert status["message"].startswith("error decoding YAML: ")


async def test_dry_run_stores_nothing(api):
    code, tree = await apply(api, MAPS, applied("a", {"x": "1"}), dryRun="All")
    assert (code, tree["data"]) == (201, {"x": "1"})
    assert (await api.call("GET", f"{MAPS}/a"))[0] == 404
    await apply(api, MAPS, applied("a", {"x": "1"}))
    _, tree = await apply(api, MAPS, applied("a", {"x": "2"}), dryRun="All")
    assert tree["data"] == {"x": "2"}
    assert (await api.must("GET", f"{MAPS}/a"))["data"] == {"x": "1"}


async def test_a_stale_version_is_refused(api):
    _, tree = await apply(api, MAPS, applied("a", {"x": "1"}))
    version = tree["metadata"]["resourceVersion"]
    await apply(api, MAPS, applied("a", {"x": "2"}))
    code, status = await apply(api, MAPS, applied("a", {"x": "3"}, resourceVersion=version))
    assert code == 409
    assert "the object has been modified" in status["message"]


async def test_a_list_that_merges(api):
    one = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("web", 2)}
    assert (await apply(api, DEPLOYMENTS, one))[0] == 201
    side = {"name": "side", "image": "log"}
    two = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    two["spec"] = {"template": {"spec": {"containers": [side]}}}
    code, tree = await apply(api, DEPLOYMENTS, two, manager="other")
    assert code == 200
    assert [c["name"] for c in tree["spec"]["template"]["spec"]["containers"]] == ["main", "side"]
    assert owners(tree)["other", "Apply", ""] == {
        "f:spec": {
            "f:template": {
                "f:spec": {"f:containers": {'k:{"name":"side"}': {".": {}, "f:image": {}, "f:name": {}}}},
            },
        },
    }
    two["spec"] = {}
    _, tree = await apply(api, DEPLOYMENTS, two, manager="other")
    assert [c["name"] for c in tree["spec"]["template"]["spec"]["containers"]] == ["main"]


async def test_status_is_not_owned_by_a_spec_write(api):
    tree = await api.must("POST", f"{CORE}/pods", pod("a", status={"phase": "Running"}))
    assert "f:status" not in owners(tree)["python-httpx", "Update", ""]
    status = {"status": {"phase": "Running", "podIP": "1.2.3.4"}}
    tree = await api.must("PATCH", f"{CORE}/pods/a/status?fieldManager=kubelet", status, type=STRATEGIC)
    fields = owners(tree)["kubelet", "Update", "status"]
    assert fields == {"f:status": {"f:phase": {}, "f:podIP": {}}}


async def test_status_can_be_applied(api):
    await api.must("POST", f"{CORE}/pods", pod("a"))
    tree = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"message": "hello"}}
    code, tree = await api.call("PATCH", f"{CORE}/pods/a/status?fieldManager=me", tree, type=APPLY)
    assert (code, tree["status"]["message"]) == (200, "hello")
    assert owners(tree)["me", "Apply", "status"] == {"f:status": {"f:message": {}}}
    missing = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}
    assert (await api.call("PATCH", f"{CORE}/pods/b/status?fieldManager=me", missing, type=APPLY))[0] == 404


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


async def test_a_scale_can_be_applied(api):
    await api.must("POST", f"{DEPLOYMENTS}?fieldManager=maker", deployment("web"))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    path = f"{DEPLOYMENTS}/web/scale?fieldManager=me"
    code, status = await api.call("PATCH", path, scale, type=APPLY)
    assert (code, status["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "maker" using autoscaling/v1: .spec.replicas',
    )
    assert (await api.must("PATCH", f"{path}&force=true", scale, type=APPLY))["spec"] == {"replicas": 3}
    tree = await api.must("GET", f"{DEPLOYMENTS}/web")
    assert owners(tree)["me", "Apply", "scale"] == {"f:spec": {"f:replicas": {}}}


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


LAST = "kubectl.kubernetes.io/last-applied-configuration"


async def test_kubectl_migrates_from_client_side_apply(api):
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","annotations":{}},"data":{"x":"1","y":"1"}}'
    tree = applied("a", {"x": "1", "y": "1"}, annotations={LAST: last})
    await api.must("POST", f"{MAPS}?fieldManager=kubectl-client-side-apply", tree)
    code, status = await apply(api, MAPS, applied("a", {"x": "2", "y": "1"}), manager="somebody")
    assert code == 409, status
    code, tree = await apply(api, MAPS, applied("a", {"x": "2", "y": "1"}), manager="kubectl")
    assert (code, tree["data"]) == (200, {"x": "2", "y": "1"})
    assert tree["metadata"]["annotations"][LAST] == (
        '{"apiVersion":"v1","data":{"x":"2","y":"1"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'
    )


class Someone:
    def authenticate(self, _request):
        return User("someone", ("system:authenticated",))


async def test_a_create_needs_the_right_to_create():
    store = MemoryStorage()
    role = {"metadata": {"name": "p"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]}
    bind = {
        "metadata": {"name": "p"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "p"},
        "subjects": [{"kind": "User", "name": "someone", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    async with running(store) as api:
        await api.must("POST", f"{rbac}/roles", role)
        await api.must("POST", f"{rbac}/rolebindings", bind)
        await api.must("POST", MAPS, config_map("there"))
    async with running(store, Options(authorization_modes=("RBAC",)), authenticator=Someone()) as api:
        assert (await apply(api, MAPS, applied("there", {"x": "1"})))[0] == 200
        code, status = await apply(api, MAPS, applied("new", {"x": "1"}))
        assert code == 403
        assert 'cannot create resource "configmaps"' in status["message"]


async def test_a_race_between_applies(api):
    answers = await asyncio.gather(*(apply(api, MAPS, applied("a", {f"k{i}": "v"}), manager=f"m{i}") for i in range(8)))
    assert sorted(code for code, _ in answers) == [200] * 7 + [201]
    assert len((await api.must("GET", f"{MAPS}/a"))["data"]) == 8


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
    assert code == 500
    assert status["message"].endswith(".spec.nonsense: field not declared in schema")
