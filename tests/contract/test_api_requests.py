"""What happens around a handler: who may ask, how many at once, health, metrics, discovery, audit ids."""

import asyncio
import threading

import pytest
import yaml

from apimachinery.kinds import PODS
from apiserver import pipeline, protobuf
from apiserver.app import Options
from apiserver.resources.lookup import CacheLookup
from tests.contract.api_server import CORE, config_map, pod, running

MAPS = f"{CORE}/configmaps"


def test_the_order_of_the_stages():
    assert [stage.__name__ for stage in pipeline.REQUEST_STAGES] == [
        "recover",
        "trace",
        "resolve",
        "authenticate",
        "audit",
        "impersonate",
        "limit",
        "authorize",
        "aggregate",
        "negotiate",
    ]


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        (
            "GET",
            f"{CORE}/pods",
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/nodes",
            'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "GET",
            f"{CORE}/pods/a/log",
            'pods "a" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "default"',
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/default/deployments/web",
            (
                'deployments.apps "web" is forbidden: User "jane" cannot delete resource "deployments" in API group "apps" '
                'in the namespace "default"'
            ),
        ),
        ("GET", "/metrics", 'forbidden: User "jane" cannot get path "/metrics"'),
    ],
)
async def test_refusals(api, method, path, text):
    code, status = await api.call(method, path, headers={"impersonate-user": "jane"})
    assert (code, status["reason"], status["message"]) == (403, "Forbidden", text)


async def test_anonymous_users_see_only_what_is_public():
    async with running(authenticator=None) as api:
        assert (await api.send("GET", "/version")).status_code == 200
        assert (await api.send("GET", "/healthz")).text == "ok"
        code, status = await api.call("GET", MAPS)
        assert code == 403
        assert 'User "system:anonymous" cannot list' in status["message"]
        assert (await api.call("GET", MAPS, headers={"authorization": "Bearer nonsense"}))[0] == 401


async def test_nobody_is_anonymous_where_that_is_off():
    async with running(options=Options(anonymous=False), authenticator=None) as api:
        code, status = await api.call("GET", MAPS)
        assert (code, status["message"]) == (401, "Unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/etcd", "/livez/ping"])
async def test_health(api, path):
    assert (await api.send("GET", path)).text == "ok"


async def test_health_in_words(api):
    text = (await api.send("GET", "/readyz?verbose")).text
    assert "[+]etcd ok" in text
    assert "readyz check passed" in text


async def test_nobody_makes_metrics_at_will(api):
    await api.must("GET", MAPS)
    await api.call("GET", f"{CORE}/inventions")
    await api.call("GET", f"{MAPS}/a/inventions")
    await api.send("GET", "/inventions")
    text = (await api.send("GET", "/metrics")).text
    assert "inventions" not in text
    assert 'resource="configmaps"' in text
    assert "apiserver_watch_cache_resource_version" in text


async def test_the_shell_is_fastapi_and_documents_itself(api):
    described = (await api.must("GET", "/docs/openapi.json"))["paths"]
    assert {"/healthz", "/livez", "/readyz/{check}", "/metrics", "/version", "/apis/{group}", "/openapi/v2"} <= set(
        described
    )
    assert "swagger-ui" in (await api.send("GET", "/docs")).text
    assert "url: '/openapi/v3/apis/apps/v1'" in (await api.send("GET", "/docs/apis/apps/v1")).text
    answer = await api.send("GET", "/docs/');alert(1)//")
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path", "code", "text"),
    [
        ("GET", "/nope", 404, "404 page not found\n"),
        ("GET", "/apis/nope/v1", 404, "404 page not found\n"),
        ("GET", "/readyz/nope", 404, "404 page not found\n"),
        ("POST", "/version", 405, "the server does not allow this method on the requested resource"),
        ("HEAD", "/version", 405, "the server does not allow this method on the requested resource"),
        ("HEAD", "/readyz", 200, "ok"),
        ("GET", "/version/", 200, "v1.34."),
        ("GET", "/healthz/", 200, "ok"),
    ],
)
async def test_what_is_no_resource(api, method, path, code, text):
    answer = await api.send(method, path)
    assert (answer.status_code, text in answer.text) == (code, True), answer.text
    assert len(answer.headers["audit-id"]) == 36
    assert answer.headers["cache-control"] == "no-cache, private"


async def test_discovery(api):
    assert "v1" in (await api.must("GET", "/api"))["versions"]
    groups = {group["name"] for group in (await api.must("GET", "/apis"))["groups"]}
    assert {"apps", "batch", "rbac.authorization.k8s.io"} <= groups
    resources = {r["name"] for r in (await api.must("GET", "/apis/apps/v1"))["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status"} <= resources
    assert (await api.send("GET", "/nope")).status_code == 404


async def test_every_kind_is_served_as_discovery_says(api):
    for resource in api.app.api.registry.kinds():
        if "list" in resource.verbs:
            tree = await api.must("GET", resource.path())
            assert tree["kind"] == f"{resource.kind}List"
            assert tree["apiVersion"] == resource.api_version


async def test_nodes_see_their_own_pods_only(api):
    node = {"impersonate-user": "system:node:n1", "impersonate-group": "system:nodes"}
    assert (await api.call("GET", "/api/v1/pods", headers=node))[0] == 403
    assert (await api.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", headers=node))[0] == 200
    assert (await api.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2", headers=node))[0] == 403


async def test_nodes_read_what_their_pods_need_from_the_first_moment(api, monkeypatch):
    listed = []
    monkeypatch.setattr(CacheLookup, "list", lambda _self, kind, _namespace="": listed.append(kind) or ())
    node = {"impersonate-user": "system:node:n1", "impersonate-group": "system:nodes"}
    for i in range(3):
        await api.must("POST", f"{CORE}/secrets", {"metadata": {"name": f"s{i}"}})
        assert (await api.call("GET", f"{CORE}/secrets/s{i}", headers=node))[0] == 403
        volumes = [{"name": "v", "secret": {"secretName": f"s{i}"}}]
        await api.must("POST", f"{CORE}/pods", pod(f"p{i}", spec={"nodeName": "n1", "volumes": volumes}))
        assert (await api.call("GET", f"{CORE}/secrets/s{i}", headers=node))[0] == 200
    await api.must("DELETE", f"{CORE}/pods/p0?gracePeriodSeconds=0")
    assert (await api.call("GET", f"{CORE}/secrets/s0", headers=node))[0] == 403
    assert PODS not in listed  # no question reads all pods


async def test_answers_carry_an_id_and_are_not_cached(api):
    headers = (await api.send("POST", MAPS, config_map("a"))).headers
    assert len(headers["audit-id"]) == 36
    assert headers["cache-control"] == "no-cache, private"


async def test_pretty_for_people(api):
    text = (await api.send("GET", f"{CORE}/configmaps?pretty=true")).text
    assert text.startswith('{\n  "kind"')
    assert (await api.send("GET", MAPS, headers={"user-agent": "curl/8"})).text.startswith("{\n")


async def test_many_at_once(api):
    async with asyncio.TaskGroup() as tasks:
        for i in range(100):
            tasks.create_task(api.must("POST", MAPS, config_map(f"m{i}")))
    assert len((await api.must("GET", MAPS))["items"]) == 100


async def test_a_server_in_a_process_starts_no_threads_and_asks_no_clock_but_its_own():
    before = threading.active_count()
    async with running(clock=lambda: 1704067200.0) as api:
        made = await api.must("POST", MAPS, config_map("a"))
        await api.must("GET", MAPS)
        assert made["metadata"]["creationTimestamp"] == "2024-01-01T00:00:00Z"
        assert threading.active_count() == before


async def test_a_review_has_no_table(api):
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    table = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    assert (await api.send("POST", path, review, headers=table)).status_code == 406
    assert (await api.send("POST", path, review)).status_code == 201


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        (MAPS, "limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (MAPS, "continue=x", "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"),
        (MAPS, "continue=eyJ2", "invalid continue token: continue key is not valid: unexpected end of JSON input"),
        (MAPS, "labelSelector=a=b=c", "found '=', expected: ',' or 'end of string'"),
        (
            MAPS,
            "resourceVersion=x",
            'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
        ),
    ],
)
async def test_upstreams_words_for_bad_options(api, path, query, text):
    code, status = await api.call("GET", f"{path}?{query}")
    assert (code, status["message"]) == (400, text)


async def test_tables_carry_what_upstream_knows(api):
    table = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    code, status = await api.call("GET", f"{MAPS}?includeObject=x", headers=table)
    why = "includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty"
    assert (code, status["message"]) == (400, f"Unable to convert to Table as requested: {why}")


async def test_objects_have_no_head_and_no_watch_of_their_own(api):
    await api.must("POST", MAPS, config_map("a"))
    assert (await api.send("HEAD", f"{MAPS}/a")).status_code == 405
    assert (await api.must("GET", f"{MAPS}/a?watch=1"))["kind"] == "ConfigMap"


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/apps", "/apis/apps/v1"])
async def test_discovery_speaks_every_media_type(api, path):
    tree = (await api.send("GET", path)).json()
    answer = await api.send("GET", path, headers={"accept": "application/vnd.kubernetes.protobuf"})
    assert answer.headers["content-type"] == "application/vnd.kubernetes.protobuf"
    found = protobuf.decode(answer.content)
    assert {**found, "apiVersion": ""} == {**tree, "apiVersion": ""}
    answer = await api.send("GET", path, headers={"accept": "application/yaml"})
    assert yaml.safe_load(answer.text) == tree


@pytest.mark.parametrize(
    ("path", "is_status"),
    [
        ("/apis/nonsense", False),
        ("/apis/nonsense/v1", False),
        ("/apis/nonsense/v1/namespaces/x/pods", False),
        ("/apis/apps/v3", True),
        ("/apis/apps/v3/deployments", True),
        ("/api/v3", True),
        ("/api/v1/nonsense", True),
    ],
)
async def test_a_path_below_no_group_is_no_status(path, is_status):
    async with running() as api:
        response = await api.send("GET", path)
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("application/json" if is_status else "text/plain")
        assert is_status or response.text == "404 page not found\n"


@pytest.mark.parametrize("subresource", ["binding", "eviction"])
async def test_a_posted_subresource_names_its_pod(subresource):
    async with running() as api:
        code, status = await api.call("POST", f"{CORE}/pods/a/{subresource}", {"target": {"name": "n"}})
        assert (code, status["message"]) == (
            400,
            f"name in URL does not match name in {subresource.capitalize()} object",
        )


async def test_component_statuses(api):
    """Upstream's names. What the other two say depends on what runs on this machine."""
    found = await api.must("GET", "/api/v1/componentstatuses")
    assert [item["metadata"]["name"] for item in found["items"]] == ["scheduler", "controller-manager", "etcd-0"]
    one = await api.must("GET", "/api/v1/componentstatuses/etcd-0")
    assert one["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    code, status = await api.call("GET", "/api/v1/componentstatuses/none")
    assert (code, status["message"]) == (404, 'componentstatus "none" not found')
    chosen = await api.must("GET", "/api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-0")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["etcd-0"]


async def test_forms_that_neither_documents_nor_logs_can_have():
    async with running() as api:
        for accept, code in (("image/png", 406), ("text/*", 406), ("garbage", 406), ("application/*", 200), ("", 200)):
            response = await api.send("GET", "/openapi/v2", headers={"accept": accept})
            assert (response.status_code, bool(response.content)) == (code, code == 200), accept
        code, status = await api.call("GET", f"{CORE}/pods/nobody/log", headers={"accept": "image/png"})
        assert code == 406
        assert status["message"].startswith(
            "406: Not Acceptable\n\nAvailable representations: text/plain, application/json"
        )
        assert (await api.call("GET", f"{CORE}/pods/nobody/log", headers={"accept": "application/json, */*"}))[0] == 404
