"""Webhooks that are really called, as upstream's e2e suite AdmissionWebhook does it, and what else clients rely on."""

import asyncio
import base64
import socket

import pytest

from tests.contract.api_server import APPS, CORE, MERGE, config_map, deployment, names, pod, running
from tests.contract.webhook_servers import allow, deny, hook, patch, rule, webhook

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MUTATING = f"{ADMISSION}/mutatingwebhookconfigurations"
VALIDATING = f"{ADMISSION}/validatingwebhookconfigurations"
MAPS = rule("configmaps", operations=("CREATE", "UPDATE", "DELETE"))


@pytest.fixture
async def server():
    async with running() as it:
        yield it


async def validate_with(server, *hooks, name="v"):
    return await server.must("POST", VALIDATING, {"metadata": {"name": name}, "webhooks": list(hooks)})


async def mutate_with(server, *hooks, name="m"):
    return await server.must("POST", MUTATING, {"metadata": {"name": name}, "webhooks": list(hooks)})


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


async def test_mutation_chains_in_order_of_names(server):
    def stage(number):
        def answer(request):
            if number == 2 and "mutation-stage-1" not in request["object"]["data"]:
                return allow()
            return patch({"op": "add", "path": f"/data/mutation-stage-{number}", "value": "yes"})

        return answer

    async with webhook(stage(1)) as one, webhook(stage(2)) as two:
        await mutate_with(server, hook("two.example.com", two, MAPS), name="b")
        await mutate_with(server, hook("one.example.com", one, MAPS), name="a")
        made = await server.must("POST", f"{CORE}/configmaps", config_map("a", {"mutation-start": "yes"}))
        assert made["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}


async def test_a_mutated_pod_gets_its_defaults(server):
    added = {"name": "webhook-added-init-container", "image": "webhook-added-image"}
    answer = patch({"op": "add", "path": "/spec/initContainers", "value": [added]})
    async with webhook(lambda _r: answer) as it:
        await mutate_with(server, hook("pods.example.com", it, rule("pods", operations=("CREATE",))))
        made = await server.must("POST", f"{CORE}/pods", pod("web"))
        (container,) = made["spec"]["initContainers"]
        assert container["terminationMessagePolicy"] == "File"
        assert container["imagePullPolicy"] == "Always"
        assert container["volumeMounts"][0]["mountPath"].startswith(
            "/var/run/secrets/kubernetes.io"
        )  # plugins ran again


async def test_unknown_fields_of_a_patch_are_dropped(server):
    answer = patch({"op": "add", "path": "/nonsense", "value": 1}, {"op": "add", "path": "/data/x", "value": "y"})
    async with webhook(lambda _r: answer) as it:
        await mutate_with(server, hook("maps.example.com", it, MAPS))
        made = await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        assert "nonsense" not in made
        assert made["data"]["x"] == "y"


async def test_reinvocation_where_something_changed_after_it(server):
    def first(request):
        seen = request["object"]["data"]
        return patch({"op": "add", "path": "/data/count", "value": "2" if "second" in seen else "1"})

    second = patch({"op": "add", "path": "/data/second", "value": "yes"})
    async with webhook(first) as one, webhook(lambda _r: second) as two:
        await mutate_with(
            server,
            hook("a.example.com", one, MAPS, reinvocationPolicy="IfNeeded"),
            hook("b.example.com", two, MAPS),
        )
        made = await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        assert made["data"] == {"key": "value", "count": "2", "second": "yes"}
        assert (len(one.asked), len(two.asked)) == (2, 1)


async def test_a_webhook_that_cannot_be_asked_fails_closed_or_open(server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    nobody = {"url": f"https://127.0.0.1:{port}/x"}
    await validate_with(server, hook("fail.example.com", nobody, MAPS), name="closed")
    code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
    assert (code, status["reason"]) == (500, "InternalError")
    assert status["message"] == (
        'Internal error occurred: failed calling webhook "fail.example.com": failed to call webhook: '
        f'Post "https://127.0.0.1:{port}/x?timeout=10s": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )
    await server.must("DELETE", f"{VALIDATING}/closed")
    await validate_with(server, hook("open.example.com", nobody, MAPS, failurePolicy="Ignore"), name="open")
    await server.must("POST", f"{CORE}/configmaps", config_map("a"))


async def test_a_certificate_nobody_vouches_for(server):
    async with webhook(allow) as it:
        await validate_with(server, hook("tls.example.com", {"url": it.url}, MAPS))
        _, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert "tls: failed to verify certificate: x509: certificate signed by unknown authority" in status["message"]


async def test_timeouts_are_kept(server):
    release = asyncio.Event()

    async def late(_request):
        await release.wait()
        return allow()

    async with webhook(late) as it:
        await validate_with(server, hook("slow.example.com", it, MAPS, timeoutSeconds=1))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert code == 500
        assert f'Post "{it.url}/?timeout=1s": context deadline exceeded' in status["message"]
        release.set()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, "boom"), 'failed to call webhook: an error on the server ("boom") has prevented the request from'),
        ((404, "x"), "failed to call webhook: the server could not find the requested resource"),
        ((200, "no json"), "failed to call webhook: couldn't get version/kind; json parse error"),
        ({"raw": {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}}, "webhook response was absent"),
        ({"allowed": True, "uid": "other"}, 'received invalid webhook response: expected response.uid="'),
        (patch(), "validating webhook may not return response.patch"),
    ],
)
async def test_answers_that_make_no_sense(server, answer, message):
    async with webhook(lambda _r: answer) as it:
        await validate_with(server, hook("odd.example.com", it, MAPS))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert code == 500
        assert message in status["message"]


async def test_a_patch_that_does_not_apply(server):
    answer = patch({"op": "remove", "path": "/data/none"})
    async with webhook(lambda _r: answer) as it:
        await mutate_with(server, hook("bad.example.com", it, MAPS))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status["reason"]) == (500, "InternalError")


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


async def test_a_scale_can_be_mutated(server):
    async with webhook(lambda _r: patch({"op": "replace", "path": "/spec/replicas", "value": 5})) as it:
        await server.must("POST", f"{APPS}/deployments", deployment("web"))
        await mutate_with(server, hook("scale.example.com", it, rule("deployments/scale", groups=("apps",))))
        body = {"metadata": {"name": "web"}, "spec": {"replicas": 3}}
        assert (await server.must("PUT", f"{APPS}/deployments/web/scale", body))["spec"]["replicas"] == 5


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


@pytest.mark.parametrize(
    ("operation", "code", "why"),
    [
        ({"op": "replace", "path": "/kind", "value": "Secret"}, 500, "unable to convert v1, Kind=Secret"),
        ({"op": "replace", "path": "/apiVersion", "value": "v2"}, 500, "unable to convert v2, Kind=ConfigMap"),
        (
            {"op": "replace", "path": "/metadata/namespace", "value": "kube-system"},
            400,
            "does not match the namespace sent",
        ),
        ({"op": "replace", "path": "/metadata", "value": 1}, 500, "json: cannot unmarshal"),
        ({"op": "replace", "path": "/data", "value": [1]}, 500, "json: cannot unmarshal"),
        ({"op": "replace", "path": "", "value": "text"}, 500, ""),
    ],
)
async def test_a_patch_cannot_make_another_object_of_it(server, operation, code, why):
    async with webhook(lambda _r: patch(operation)) as it:
        await mutate_with(server, hook("bad.example.com", it, MAPS))
        got, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert got == code, status
        assert why in status["message"]


async def test_a_patch_cannot_rename_a_stored_object(server):
    await server.must("POST", f"{CORE}/configmaps", config_map("a"))
    async with webhook(lambda _r: patch({"op": "replace", "path": "/metadata/name", "value": "b"})) as it:
        await mutate_with(server, hook("bad.example.com", it, MAPS))
        code, status = await server.call("PATCH", f"{CORE}/configmaps/a", {"data": {"x": "y"}}, type=MERGE)
        assert code == 422, status
        assert "field is immutable" in status["message"]


async def test_a_connection_closed_meanwhile_is_made_anew(server):
    async with webhook(allow) as it:
        await validate_with(server, hook("v.example.com", it, MAPS))
        await server.must("POST", f"{CORE}/configmaps", config_map("a"))
        it.hang_up = True  # the next request finds the connection closed as it is sent
        await server.must("POST", f"{CORE}/configmaps", config_map("b"))
        assert it.connections == 2


_FAILED = 'Internal error occurred: failed calling webhook "a.example.com": '


def _said(**response):
    return lambda _r: {"allowed": True, **response}


def patch_of(*operations):
    return lambda _r: patch(*operations)


def _encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            lambda _r: (200, ""),
            500,
            "failed to call webhook: 0-length response with status code: 200 and content type: ",
        ),
        (_said(patchType="JSONPatch", patch="***"), 500, "failed to call webhook: illegal base64 data at input byte 0"),
        (
            _said(patchType="JSONPatch", patch=_encoded("{")),
            500,
            "received undecodable patch in webhook response: unexpected end of JSON input",
        ),
        (
            _said(patchType="JSONPatch", patch=_encoded("{}")),
            500,
            "received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type",
        ),
        (_said(patchType="Merge", patch=_encoded("[]")), 201, ""),
        (_said(patchType="Merge", patch=_encoded('[{"op": "add"}]')), 500, 'unsupported patch type "Merge"'),
        (patch_of({"op": "remove", "path": "/kind"}), 201, ""),
    ],
)
async def test_answers_of_mutating_webhooks_that_make_no_sense(server, answer, code, message):
    async with webhook(answer) as it:
        await mutate_with(server, hook("a.example.com", it, MAPS))
        got, tree = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert got == code
        assert code == 201 or tree["message"].startswith(f"{_FAILED}{message}")


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (
            {"op": "remove", "path": "/data/none"},
            "error in remove for path: '/data/none': Unable to remove nonexistent key: ",
        ),
        (
            {"op": "add", "path": "/no/where", "value": 1},
            'add operation does not apply: doc is missing path: "/no/where": ',
        ),
        ({"op": "test", "path": "/data/key", "value": "x"}, "testing value /data/key failed: test failed"),
    ],
)
async def test_a_patch_that_does_not_apply_says_why(server, operation, why):
    async with webhook(patch_of(operation)) as it:
        await mutate_with(server, hook("a.example.com", it, MAPS, failurePolicy="Ignore"))
        code, status = await server.call("POST", f"{CORE}/configmaps", config_map("a"))
        assert (code, status["reason"]) == (500, "InternalError")
        assert status["message"].startswith(f"Internal error occurred: {why}")
