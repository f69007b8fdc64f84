"""Webhooks that are really called, as upstream's e2e suite AdmissionWebhook does it: who is asked, what is sent and told."""

import pytest

from tests.contract.api_server import APPS, CORE, MERGE, config_map, deployment, names, pod, running
from tests.contract.webhook_configurations import MAPS, MUTATING, VALIDATING, mutate_with, validate_with
from tests.contract.webhook_servers import allow, deny, hook, patch, rule, webhook


@pytest.fixture
async def server():
    async with running() as it:
        yield it


async def test_a_denial_reads_as_upstreams(server):
    async with webhook(deny("the configmap contains unwanted key and value")) as it:
        await validate_with(server, hook("deny.example.com", it, MAPS))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status.get("reason", "")) == (400, "")
        assert status["message"] == (
            'admission webhook "deny.example.com" denied the request: the configmap contains unwanted key and value'
        )
        assert len(it.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (None, 400, "denied the request without explanation"),
        ({"reason": "Forbidden"}, 400, "denied the request: Forbidden"),
        ({"message": "no", "code": 403, "reason": "Forbidden"}, 403, "denied the request: no"),
        ({"message": "no", "code": 200, "status": "Success"}, 400, "denied the request: no"),
    ],
)
async def test_a_denial_carries_the_webhooks_status(server, status, code, message):
    async with webhook(lambda _r: {"allowed": False, "status": status}) as it:
        await validate_with(server, hook("deny.example.com", it, MAPS))
        got, tree = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (got, tree["status"]) == (code, "Failure")
        assert tree["message"] == f'admission webhook "deny.example.com" {message}'


async def test_what_a_webhook_is_sent(server):
    async with webhook(allow) as it:
        await validate_with(server, hook("see.example.com", it, rule("*", operations=("*",)), path="/see"))
        await server.must("POST", f"{CORE}/configmaps?fieldManager=me&fieldValidation=Strict", config_map("a"))
        await server.must("PATCH", f"{CORE}/configmaps/a", {"data": {"key": "new"}}, type=MERGE)
        await server.must(
            "DELETE", f"{CORE}/configmaps/a", {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        )
        made, changed, gone = it.asked
        assert it.paths == ["/see?timeout=10s"] * 3
        assert it.connections == 1
        common = {
            "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "resource": {"group": "", "version": "v1", "resource": "configmaps"},
            "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
            "name": "a",
            "namespace": "default",
            "dryRun": False,
            "userInfo": {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]},
        }
        for request in it.asked:
            assert {key: request[key] for key in common} == common
        assert (made["operation"], changed["operation"], gone["operation"]) == ("CREATE", "UPDATE", "DELETE")
        assert made["object"]["metadata"]["uid"]  # validating ones see it as it will be stored
        assert made["oldObject"] is None
        assert made["options"] == {
            "kind": "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "me",
            "fieldValidation": "Strict",
        }
        assert (changed["oldObject"]["data"], changed["object"]["data"]) == ({"key": "value"}, {"key": "new"})
        assert changed["options"]["kind"] == "UpdateOptions"
        assert gone["object"] is None
        assert gone["oldObject"]["data"] == {"key": "new"}
        assert gone["options"] == {
            "kind": "DeleteOptions",
            "apiVersion": "meta.k8s.io/v1",
            "gracePeriodSeconds": 0,
            "propagationPolicy": "Background",
        }


async def test_configurations_are_never_sent_to_webhooks(server):
    async with webhook(deny("nothing may change")) as it:
        everything = rule("*/*", operations=("*",), groups=("*",), versions=("*",))
        await validate_with(server, hook("all.example.com", it, everything))
        await mutate_with(server, hook("all.example.com", it, everything), name="second")
        await server.must("DELETE", f"{MUTATING}/second")
        await server.must("DELETE", f"{VALIDATING}/v")
        assert it.asked == []


async def test_selectors_choose(server):
    async with webhook(deny("no")) as it:
        await validate_with(
            server,
            hook(
                "some.example.com",
                it,
                MAPS,
                objectSelector={"matchLabels": {"checked": "yes"}},
                namespaceSelector={"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]},
            ),
        )
        await server.must("POST", "/api/v1/namespaces", {"metadata": {"name": "free", "labels": {"free": "1"}}})
        checked = config_map("a", labels={"checked": "yes"})
        assert (await server.call("POST", f"{CORE}/configmaps", checked))[0] == 400
        await server.must("POST", f"{CORE}/configmaps", config_map("b"))
        await server.must("POST", "/api/v1/namespaces/free/configmaps", checked)
        assert (
            await server.call(
                "PATCH", f"{CORE}/configmaps/b", {"metadata": checked["metadata"] | {"name": "b"}}, type=MERGE
            )
        )[0] == 400


async def test_match_conditions_choose(server):
    async with webhook(deny("no")) as it:
        conditions = [
            {"name": "not-skipped", "expression": "object.metadata.name != 'skip-me'"},
            {
                "name": "mine",
                "expression": "request.userInfo.username == 'system:admin' && authorizer.requestResource.check('create').allowed()",
            },
        ]
        await validate_with(server, hook("some.example.com", it, MAPS, matchConditions=conditions))
        await server.must("POST", f"{CORE}/configmaps", config_map("skip-me"))
        assert (await server.call("POST", f"{CORE}/configmaps", config_map("other")))[0] == 400


async def test_a_match_condition_that_fails(server):
    async with webhook(allow) as it:
        conditions = [{"name": "bad", "expression": "object.nothing.here == 1"}]
        await validate_with(server, hook("some.example.com", it, MAPS, matchConditions=conditions))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status["reason"]) == (403, "Forbidden")
        assert "expression 'object.nothing.here == 1' resulted in error: no such key: nothing" in status["message"]
        assert it.asked == []


async def test_equivalent_versions_are_converted(server):
    def see(request):
        assert request["kind"]["version"] == request["object"]["apiVersion"].split("/")[1]
        return patch({"op": "replace", "path": "/spec/maxReplicas", "value": 7})

    async with webhook(see) as it:
        await mutate_with(
            server,
            hook("hpa.example.com", it, rule("horizontalpodautoscalers", groups=("autoscaling",), versions=("v1",))),
        )
        body = {
            "metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}},
        }
        path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
        made = await server.must("POST", path, body)
        (asked,) = it.asked
        assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")
        assert (made["apiVersion"], made["spec"]["maxReplicas"]) == ("autoscaling/v2", 7)


async def test_exact_versions_are_not(server):
    async with webhook(deny("no")) as it:
        only_v1 = rule("horizontalpodautoscalers", groups=("autoscaling",), versions=("v1",))
        await validate_with(server, hook("hpa.example.com", it, only_v1, matchPolicy="Exact"))
        body = {
            "metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}},
        }
        for version, code in (("v1", 400), ("v2", 201)):
            path = f"/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers"
            assert (await server.call("POST", path, body))[0] == code, version
        assert [asked["kind"]["version"] for asked in it.asked] == ["v1"]


async def test_dry_run_asks_only_those_without_side_effects(server):
    async with webhook(allow) as it:
        made = await validate_with(server, hook("dry.example.com", it, MAPS, sideEffects="NoneOnDryRun"))
        await server.must("POST", f"{CORE}/configmaps?dryRun=All", config_map("a"))
        assert it.asked[0]["dryRun"] is True
        assert it.asked[0]["options"]["dryRun"] == ["All"]
        assert made["webhooks"][0]["sideEffects"] == "NoneOnDryRun"


async def test_warnings_are_passed_on(server):
    async with webhook(lambda _r: {"allowed": True, "warnings": ["mind the gap"]}) as it:
        await validate_with(server, hook("warn.example.com", it, MAPS))
        response = await server.send("POST", f"{CORE}/configmaps", config_map("a"))
        assert response.headers["warning"] == '299 - "mind the gap"'


async def test_deletes_of_collections_ask_for_each_object(server):
    async with webhook(lambda r: {"allowed": r["name"] != "keep", "status": {"message": "kept"}}) as it:
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        await server.must("POST", f"{CORE}/configmaps", config_map("keep"))
        await validate_with(server, hook("gone.example.com", it, MAPS))
        code, status = await server.call("DELETE", f"{CORE}/configmaps")
        assert (code, status["message"]) == (400, 'admission webhook "gone.example.com" denied the request: kept')
        assert [r["name"] for r in it.asked] == ["a", "keep"]
        assert names(await server.must("GET", f"{CORE}/configmaps")) == ["keep"]


async def test_subresources_have_rules_of_their_own(server):
    async with webhook(deny("no")) as it:
        await server.must("POST", f"{APPS}/deployments", deployment("web"))
        await server.must("POST", f"{CORE}/pods", pod("web"))
        rules = [
            rule("pods/attach", "pods/eviction", "pods/binding", operations=("CONNECT", "CREATE")),
            rule("deployments/scale", groups=("apps",)),
            rule("serviceaccounts/token", operations=("CREATE",)),
        ]
        await validate_with(server, hook("parts.example.com", it, *rules))
        message = 'admission webhook "parts.example.com" denied the request: no'
        eviction = {"metadata": {"name": "web"}}
        scale = {"metadata": {"name": "web"}, "spec": {"replicas": 3}}
        binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n"}}
        for method, path, body in (
            ("POST", f"{CORE}/pods/web/attach?stdin=true&container=main", None),
            ("POST", f"{CORE}/pods/web/eviction", eviction),
            ("POST", f"{CORE}/pods/web/binding", binding),
            ("PUT", f"{APPS}/deployments/web/scale", scale),
        ):
            code, status = await server.call(method, path, body)
            assert (code, status["message"]) == (400, message), path
        kinds = [(r["kind"]["kind"], r["subResource"], r["operation"]) for r in it.asked]
        assert kinds == [
            ("PodAttachOptions", "attach", "CONNECT"),
            ("Eviction", "eviction", "CREATE"),
            ("Binding", "binding", "CREATE"),
            ("Scale", "scale", "UPDATE"),
        ]
        assert it.asked[0]["object"] == {
            "kind": "PodAttachOptions",
            "apiVersion": "v1",
            "stdin": True,
            "container": "main",
        }
        assert it.asked[3]["object"]["spec"] == {"replicas": 3}
        await server.must("PUT", f"{APPS}/deployments/web", deployment("web", 2))  # the object itself is free


async def test_a_changed_configuration_counts_at_once(server):
    async with webhook(deny("no")) as it:
        made = await validate_with(server, hook("v.example.com", it, MAPS))
        assert (await server.call("POST", f"{CORE}/configmaps", config_map("a")))[0] == 400
        made["webhooks"][0]["rules"][0]["operations"] = ["DELETE"]
        await server.must("PUT", f"{VALIDATING}/v", made)
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        made = await server.must("GET", f"{VALIDATING}/v")
        made["webhooks"][0]["rules"][0]["operations"] = ["CREATE"]
        await server.must("PATCH", f"{VALIDATING}/v", {"webhooks": made["webhooks"]}, type=MERGE)
        assert (await server.call("POST", f"{CORE}/configmaps", config_map("b")))[0] == 400


async def test_lists_of_configurations_can_be_deleted(server):
    async with webhook(deny("no")) as it:
        for name in ("a", "b"):
            body = {"metadata": {"name": name, "labels": {"e2e": "x"}}, "webhooks": [hook("v.example.com", it, MAPS)]}
            await server.must("POST", VALIDATING, body)
        assert names(await server.must("GET", f"{VALIDATING}?labelSelector=e2e=x")) == ["a", "b"]
        assert (await server.call("POST", f"{CORE}/configmaps", config_map("a")))[0] == 400
        await server.must("DELETE", f"{VALIDATING}?labelSelector=e2e=x")
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))


async def test_the_first_refusal_in_order_is_told(server):
    async with webhook(deny("one")) as one, webhook(deny("two")) as two:
        await validate_with(server, hook("b.example.com", two, MAPS), name="z")
        await validate_with(server, hook("a.example.com", one, MAPS), name="a")
        _, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert status["message"].endswith("one")


async def test_a_namespace_belongs_to_itself(server):
    async with webhook(deny("no")) as it:
        selector = {"matchLabels": {"kubernetes.io/metadata.name": "only"}}
        await validate_with(
            server, hook("ns.example.com", it, rule("namespaces", scope="Cluster"), namespaceSelector=selector)
        )
        only = {"metadata": {"name": "only", "labels": {"kubernetes.io/metadata.name": "only"}}}
        assert (await server.call("POST", "/api/v1/namespaces", only))[0] == 400
        assert it.asked[0]["namespace"] == "only"
        await server.must("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})


async def test_calls_are_counted(server):
    async with webhook(deny("no")) as it:
        await validate_with(server, hook("no.example.com", it, MAPS))
        await mutate_with(
            server, hook("open.example.com", {"url": "https://127.0.0.1:1/"}, MAPS, failurePolicy="Ignore")
        )
        await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        lines = (await server.send("GET", "/metrics")).text.splitlines()
        refused = 'name="no.example.com",operation="CREATE",rejection_code="400",type="validating"'
        assert f'apiserver_admission_webhook_rejection_count{{error_type="no_error",{refused}}} 1' in lines
        assert 'apiserver_admission_webhook_fail_open_count{name="open.example.com",type="admit"} 1' in lines
