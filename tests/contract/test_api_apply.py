"""Server-side apply over the wire: merging, conflicts, force, and what cannot be applied."""

import asyncio

import pytest

from apiserver.options import Options
from apiserver.request import User
from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import CORE, MERGE, config_map, deployment, pod, running
from tests.contract.applying import APPLY, DEPLOYMENTS, MAPS, applied, apply, owners


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
            400,
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .nonsense: field not declared in schema",
            id="an unknown field",
        ),
        pytest.param(
            "?fieldManager=me",
            applied("a", {"x": 1}),
            400,
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
    assert response.headers["warning"] == '299 - "line 1: key \\"x\\" already set in map"'


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


async def test_status_can_be_applied(api):
    await api.must("POST", f"{CORE}/pods", pod("a"))
    tree = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"message": "hello"}}
    code, tree = await api.call("PATCH", f"{CORE}/pods/a/status?fieldManager=me", tree, type=APPLY)
    assert (code, tree["status"]["message"]) == (200, "hello")
    assert owners(tree)["me", "Apply", "status"] == {"f:status": {"f:message": {}}}
    missing = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}
    assert (await api.call("PATCH", f"{CORE}/pods/b/status?fieldManager=me", missing, type=APPLY))[0] == 404


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
