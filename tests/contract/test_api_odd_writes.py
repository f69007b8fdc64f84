"""Writes in odd ways, with what upstream v1.34.1 answered to them: what a create keeps, which refusal comes first."""

import pytest

from tests.contract.api_server import APPS, CORE, JSON_PATCH, MERGE, STRATEGIC, config_map, deployment, running
from tests.contract.custom_resources import WIDGETS, crd, define, version, widget

APPLY_PATCH = "application/apply-patch+yaml"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
MARKED = {"deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5}
_OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}
TWICE = {"ownerReferences": [_OWNER, _OWNER]}


async def test_a_deletion_sent_along_is_kept_by_a_create_that_is_no_post():
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    async with running() as server:
        posted = await server.must("POST", f"{CORE}/configmaps", {"metadata": {"name": "a", **MARKED}})
        put = await server.must("PUT", f"{LEASES}/a", {**lease, "metadata": {"name": "a", **MARKED}})
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", **MARKED}}
        applied = await server.must("PATCH", f"{CORE}/configmaps/b?fieldManager=m", body, type=APPLY_PATCH)
    assert not MARKED.keys() & posted["metadata"].keys()
    assert MARKED.items() <= put["metadata"].items()
    assert MARKED.items() <= applied["metadata"].items()


@pytest.mark.parametrize(
    ("method", "name", "changed", "code", "when"),
    [
        ("PUT", "none", {}, 404, ""),
        ("POST", "", {}, 409, ""),
        ("PUT", "a", {"uid": "x"}, 409, ""),
        ("PUT", "a", {"resourceVersion": "1"}, 409, ""),
        ("PATCH", "a", {"resourceVersion": "1"}, 409, " after mutating admission happens"),
        ("PATCH", "none", {}, 404, None),
        ("PUT", "b", {"name": "a"}, 400, None),
    ],
)
async def test_repeated_owners_are_told_of_before_most_refusals(method, name, changed, code, when):
    body = {"metadata": {"name": name or "a", **TWICE, **changed}}
    media_type = MERGE if method == "PATCH" else "application/json"
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        path = f"{CORE}/configmaps/{name}".rstrip("/")
        answer = await server.send(method, path, body, type=media_type)
    assert answer.status_code == code
    told = answer.headers.get("warning", "")
    assert told == "" if when is None else f".metadata.ownerReferences contains duplicate entries{when}; " in told


async def test_an_empty_propagation_policy_is_none_of_them():
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        for query, body in (("", {"propagationPolicy": ""}), ("?propagationPolicy=", None)):
            code, answer = await server.call("DELETE", f"{CORE}/configmaps/a{query}", body)
            assert (code, answer["details"]["causes"][0]["message"]) == (
                422,
                'Unsupported value: "": supported values: "Foreground", "Background", "Orphan", "nil"',
            )


_UNREAD = "couldn't get version/kind; json parse error: json: cannot unmarshal object into Go struct field "


@pytest.mark.parametrize(
    ("operation", "code", "why"),
    [
        ({"op": "copy", "path": "/kind", "from": "/metadata"}, 422, f"{_UNREAD}.kind of type string"),
        ({"op": "replace", "path": "/apiVersion", "value": {}}, 422, f"{_UNREAD}.apiVersion of type string"),
    ],
)
async def test_a_patch_that_leaves_no_kind_at_all(operation, code, why):
    async with running() as server:
        await _three(server)
        for place in PLACES:
            found, answer = await server.call("PATCH", place, [operation], type=JSON_PATCH)
            assert (found, answer["details"]["causes"][0]["message"].endswith(f": {why}")) == (code, True)


@pytest.mark.parametrize(
    ("patch", "code", "why"),
    [
        ({"kind": None}, 422, "Object 'Kind' is missing in '{"),
        ({"apiVersion": None}, 400, "Object 'apiVersion' is missing in 'object has no apiVersion field'"),
        ({"kind": "Other"}, 422, 'kind: Invalid value: "Other": must be Widget'),
        ({"kind": "Other", "metadata": {"name": None}}, 400, "was undeterminable: name must be provided"),
    ],
)
async def test_a_patch_that_makes_another_kind_of_a_custom_resource(patch, code, why):
    async with running() as server:
        await _three(server)
        found, answer = await server.call("PATCH", f"{WIDGETS}/a", patch, type=MERGE)
    assert (found, why in answer["message"]) == (code, True)


async def test_a_patch_that_makes_another_kind_of_a_scale():
    async with running() as server:
        await _three(server)
        for place in (f"{WIDGETS}/a/scale", f"{APPS}/deployments/a/scale"):
            code, answer = await server.call("PATCH", place, {"kind": "Other"}, type=MERGE)
            assert (code, 'no kind "Other" is registered' in answer["message"]) == (422, True)
        unsaid = await server.send("PATCH", f"{WIDGETS}/a/scale", {"apiVersion": None}, type=MERGE)
        assert unsaid.status_code == 200
        refused = await server.call("PATCH", f"{WIDGETS}/a/scale", {}, type="application/apply-patch+cbor")
        assert refused[1]["message"].endswith(f"{JSON_PATCH}, {MERGE}, {APPLY_PATCH}")


#: One of each sort: of a kind with a Go type, without, and the part that is a kind of its own.
PLACES = (f"{CORE}/configmaps/a", f"{WIDGETS}/a", f"{WIDGETS}/a/scale", f"{APPS}/deployments/a/scale")
_SCALE = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}


async def _three(server):
    await define(server, crd(versions=[version(subresources={"scale": _SCALE})]))
    await server.must("POST", WIDGETS, widget("a", {"size": 1}))
    await server.must("POST", f"{CORE}/configmaps", config_map("a"))
    await server.must("POST", f"{APPS}/deployments", deployment("a"))


@pytest.mark.parametrize("patch", [{"$retainKeys": None}, {"spec": {"type": "ClusterIP", "$retainKeys": None}}])
async def test_a_strategic_patch_that_retains_null(patch):
    async with running() as server:
        await server.must("POST", f"{CORE}/services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
        code, answer = await server.call("PATCH", f"{CORE}/services/a", patch, type=STRATEGIC)
    assert (code, answer["message"]) == (400, "invalid patch format of retainKeys")


@pytest.mark.parametrize(
    ("path", "spec", "causes"),
    [
        ("/api/v1/nodes", {}, 2),
        ("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"minAvailable": 1}, 1),
        (
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
            {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 9000},
            0,
        ),
    ],
)
async def test_how_often_the_metadata_of_a_status_are_looked_at(path, spec, causes):
    async with running() as server:
        await server.must("POST", path, {"metadata": {"name": "a"}, "spec": spec})
        code, answer = await server.call("PATCH", f"{path}/a/status", {"metadata": {"uid": "x"}}, type=MERGE)
    assert (code, len(answer.get("details", {}).get("causes", ()))) == (422 if causes else 200, causes)


async def test_a_dry_run_that_would_create_shows_the_version_it_was_sent():
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a", "resourceVersion": "7"}}
    async with running() as server:
        made = await server.must("PUT", f"{LEASES}/a?dryRun=All", lease)
    assert made["metadata"]["resourceVersion"] == "7"


async def test_what_a_patch_says_in_vain_is_told_though_its_result_does_not_say_its_version():
    patch = [{"op": "remove", "path": "/apiVersion", "odd": 1}]
    async with running() as server:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        answer = await server.send("PATCH", f"{CORE}/configmaps/a", patch, type=JSON_PATCH)
    told = answer.headers.get_list("warning")
    assert (answer.status_code, told[0]) == (400, '299 - "json patch unknown field \\"[0].odd\\""')
