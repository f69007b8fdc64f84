"""Webhooks and policies over custom resources and their definitions: upstream's conformance, step by step."""

import socket

import pytest

from tests.contract.api_server import MERGE, running
from tests.contract.custom_resources import CRDS, WIDGETS, crd, define, followed, version, widget
from tests.contract.test_admission_policies import BINDINGS, POLICIES, binding
from tests.contract.webhook_configurations import MAPS, MUTATING, VALIDATING, mutate_with, validate_with
from tests.contract.webhook_servers import allow, authority, deny, hook, patch, rule, webhook

OF_WIDGETS = rule("widgets", operations=("CREATE", "UPDATE", "DELETE"), groups=("example.com",))
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture
async def server():
    async with running() as it:
        yield it


def unwanted(request):
    tree = request["object"] or request["oldObject"]
    if (tree.get("data") or {}).get("webhook-e2e-test") == "webhook-disallow":
        return {"allowed": False, "status": {"message": "the custom resource contains unwanted data"}}
    return allow()


async def test_creation_update_and_deletion_are_denied(server):
    await define(server, crd(versions=[version(schema=OPEN)]))
    async with webhook(unwanted) as it:
        await validate_with(server, hook("cr.example.com", it, OF_WIDGETS))
        bad = {**widget("a"), "data": {"webhook-e2e-test": "webhook-disallow"}}
        message = 'admission webhook "cr.example.com" denied the request: the custom resource contains unwanted data'
        code, status = await server.call("POST", WIDGETS, bad)
        assert (code, status["message"]) == (400, message)
        await server.must("DELETE", f"{VALIDATING}/v")
        await server.must("POST", WIDGETS, bad)
        await validate_with(server, hook("cr.example.com", it, OF_WIDGETS))
        for method, body in (("PATCH", {"x": "y"}), ("DELETE", None)):
            code, status = await server.call(method, f"{WIDGETS}/a", body, type=MERGE)
            assert (code, status["message"]) == (400, message)
        await server.must("PATCH", f"{WIDGETS}/a", {"data": {"webhook-e2e-test": "webhook-allow"}}, type=MERGE)
        await server.must("DELETE", f"{WIDGETS}/a")


def stages(request):
    data = (request["object"] or {}).get("data", {})
    operations = []
    if data.get("mutation-start") == "yes":
        operations.append({"op": "add", "path": "/data/mutation-stage-1", "value": "yes"})
    if data.get("mutation-stage-1") == "yes":
        operations.append({"op": "add", "path": "/data/mutation-stage-2", "value": "yes"})
    return patch(*operations) if operations else allow()


@pytest.mark.parametrize("pruned", [False, True])
async def test_custom_resources_are_mutated(server, pruned):
    known = {"mutation-start": {"type": "string"}, "mutation-stage-1": {"type": "string"}}
    strict = {"type": "object", "properties": {"data": {"type": "object", "properties": known}}}
    await define(server, crd(versions=[version(schema=strict if pruned else OPEN)]))
    async with webhook(stages) as it:
        await mutate_with(server, hook("one.example.com", it, OF_WIDGETS), hook("two.example.com", it, OF_WIDGETS))
        made = await server.must("POST", WIDGETS, {**widget("a"), "data": {"mutation-start": "yes"}})
        expected = {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}
        if pruned:
            del expected["mutation-stage-2"]
        assert made["data"] == expected


async def test_defaults_of_the_schema_come_again(server):
    await define(server, crd())
    async with webhook(lambda _r: patch({"op": "replace", "path": "/spec", "value": {"color": "red"}})) as it:
        await mutate_with(server, hook("m.example.com", it, OF_WIDGETS))
        made = await server.must("POST", WIDGETS, widget("a", {"size": 9}))
        assert made["spec"] == {"size": 3, "color": "red"}


async def test_custom_resources_with_a_different_stored_version(server):
    both = [version("v1", schema=OPEN), version("v2", storage=False, schema=OPEN)]
    await define(server, crd(versions=both))
    async with webhook(stages) as it:
        await mutate_with(server, hook("cr.example.com", it, rule("widgets", groups=("example.com",), versions=("*",))))
        await server.must("POST", WIDGETS, {**widget("a"), "data": {"mutation-start": "yes"}})
        both[0]["storage"], both[1]["storage"] = False, True
        await server.must("PATCH", f"{CRDS}/widgets.example.com", {"spec": {"versions": both}}, type=MERGE)
        await followed(server)
        changed = await server.must("PATCH", f"{WIDGETS}/a", {"dummy": "test"}, type=MERGE)
        assert changed["dummy"] == "test"
        assert changed["data"]["mutation-stage-1"] == "yes"


async def test_another_version_is_asked_for_by_matching(server):
    both = [version("v1", schema=OPEN), version("v2", storage=False, schema=OPEN)]
    await define(server, crd(versions=both))

    def see(request):
        assert request["object"]["apiVersion"] == "example.com/v2"
        return patch({"op": "add", "path": "/seen", "value": "v2"})

    async with webhook(see) as it:
        await mutate_with(
            server, hook("cr.example.com", it, rule("widgets", groups=("example.com",), versions=("v2",)))
        )
        made = await server.must("POST", WIDGETS, widget("a"))
        assert (made["apiVersion"], made["seen"]) == ("example.com/v1", "v2")
        assert it.asked[0]["requestKind"]["version"] == "v1"


async def test_definitions_can_be_denied(server):
    async with webhook(deny("the crd contains unwanted label")) as it:
        rules = rule(
            "customresourcedefinitions", operations=("CREATE",), groups=("apiextensions.k8s.io",), versions=("*",)
        )
        selector = {"matchLabels": {"webhook-e2e-test": "webhook-disallow"}}
        await validate_with(server, hook("crd.example.com", it, rules, objectSelector=selector))
        tree = crd()
        tree["metadata"]["labels"] = {"webhook-e2e-test": "webhook-disallow"}
        code, status = await server.call("POST", CRDS, tree)
        assert (code, status["message"]) == (
            400,
            'admission webhook "crd.example.com" denied the request: the crd contains unwanted label',
        )
        await server.must("POST", CRDS, crd())


async def test_policies_over_custom_resources_and_parameters(server):
    await define(server, crd())
    await define(server, crd("limits", "Limit", versions=[version(schema=OPEN)]))
    spec = {
        "paramKind": {"apiVersion": "example.com/v1", "kind": "Limit"},
        "matchConstraints": {"resourceRules": [OF_WIDGETS]},
        "validations": [{"expression": "object.spec.size <= params.max", "message": "too large"}],
    }
    await server.must("POST", POLICIES, {"metadata": {"name": "p"}, "spec": spec})
    ref = {"name": "small", "namespace": "default", "parameterNotFoundAction": "Deny"}
    await server.must("POST", BINDINGS, binding("b", paramRef=ref))
    limits = "/apis/example.com/v1/namespaces/default/limits"
    await server.must(
        "POST", limits, {"apiVersion": "example.com/v1", "kind": "Limit", "metadata": {"name": "small"}, "max": 4}
    )
    await server.must("POST", WIDGETS, widget("a", {"size": 4}))
    _, status = await server.call("POST", WIDGETS, widget("b", {"size": 5}))
    assert status["message"].endswith("denied request: too large")


async def test_a_service_is_reached_at_its_endpoints(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    async with webhook(deny("no"), host="0.0.0.0") as it:
        service = {"name": "hook", "namespace": "default", "path": "/check", "port": 8443}
        config = {"service": service, "caBundle": authority()[0]}
        await validate_with(server, hook("svc.example.com", config, MAPS))
        maps = "/api/v1/namespaces/default/configmaps"
        body = {"metadata": {"name": "a"}}
        url = 'failed to call webhook: Post "https://hook.default.svc:8443/check?timeout=10s": '
        _, status = await server.call("POST", maps, body)
        assert status["message"].endswith(url + 'services "hook" not found')
        ports = [{"port": 8443, "targetPort": it.port, "name": "https"}]
        await server.must(
            "POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "hook"}, "spec": {"ports": ports}}
        )
        _, status = await server.call("POST", maps, body)
        assert status["message"].endswith(url + 'no endpoints available for service "hook"')
        piece = {
            "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": it.port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
        await server.must("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", piece)
        await server.app.api.fresh()
        _, status = await server.call("POST", maps, body)
        assert status["message"] == 'admission webhook "svc.example.com" denied the request: no'
        assert it.paths == ["/check?timeout=10s"]


async def test_discovery_has_the_webhook_resources(server):
    groups = await server.must("GET", "/apis")
    (group,) = [g for g in groups["groups"] if g["name"] == "admissionregistration.k8s.io"]
    assert {v["version"] for v in group["versions"]} >= {"v1"}
    resources = await server.must("GET", "/apis/admissionregistration.k8s.io/v1")
    found = {r["name"] for r in resources["resources"]}
    assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= found


@pytest.mark.parametrize("path", [MUTATING, VALIDATING])
async def test_invalid_match_conditions_are_rejected(server, path):
    conditions = [{"name": "invalid", "expression": "... [] bad expression"}]
    body = {
        "metadata": {"name": "c"},
        "webhooks": [hook("a.example.com", {"url": "https://x.example"}, MAPS, matchConditions=conditions)],
    }
    code, status = await server.call("POST", path, body)
    assert code == 422
    assert "compilation failed" in status["message"]
    (cause,) = status["details"]["causes"]
    assert cause["field"] == "webhooks[0].matchConditions[0].expression"
    body["webhooks"][0]["matchConditions"] = [{"name": "good", "expression": "object.metadata.namespace != 'x'"}]
    made = await server.must("POST", path, body)
    made["webhooks"][0]["matchConditions"].append({"name": "more", "expression": "true"})
    assert len((await server.must("PUT", f"{path}/c", made))["webhooks"][0]["matchConditions"]) == 2


async def test_a_custom_scale_is_seen_as_one(server):
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
    await define(server, crd(versions=[version(subresources={"status": {}, "scale": scale})]))
    await server.must("POST", WIDGETS, widget("a", {"size": 2}))
    async with webhook(
        lambda r: patch({"op": "replace", "path": "/spec/replicas", "value": r["object"]["spec"]["replicas"] + 1})
    ) as it:
        await mutate_with(server, hook("s.example.com", it, rule("widgets/scale", groups=("example.com",))))
        body = {"metadata": {"name": "a"}, "spec": {"replicas": 5}}
        assert (await server.must("PUT", f"{WIDGETS}/a/scale", body))["spec"] == {"replicas": 6}
        (asked,) = it.asked
        assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        assert (asked["object"]["kind"], asked["oldObject"]["spec"]) == ("Scale", {"replicas": 2})
