"""What mutating webhooks make of an object: in which order, with which defaults, and what they cannot."""

import pytest

from tests.contract.api_server import APPS, CORE, MERGE, config_map, deployment, pod, running
from tests.contract.webhook_configurations import MAPS, mutate_with
from tests.contract.webhook_servers import allow, hook, patch, rule, webhook


@pytest.fixture
async def server():
    async with running() as it:
        yield it


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


async def test_a_scale_can_be_mutated(server):
    async with webhook(lambda _r: patch({"op": "replace", "path": "/spec/replicas", "value": 5})) as it:
        await server.must("POST", f"{APPS}/deployments", deployment("web"))
        await mutate_with(server, hook("scale.example.com", it, rule("deployments/scale", groups=("apps",))))
        body = {"metadata": {"name": "web"}, "spec": {"replicas": 3}}
        assert (await server.must("PUT", f"{APPS}/deployments/web/scale", body))["spec"]["replicas"] == 5


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
        ({"op": "replace", "path": "", "value": [1]}, 500, "is not an object"),
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
