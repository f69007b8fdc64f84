"""/metrics and the health endpoints as monitoring sees them: names, labels and numbers of upstream."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apiserver.storage.measured import Measured
from apiserver.storage.memory import MemoryStorage
from tests.contract.api_server import APPS, CORE, MERGE, config_map, deployment, running

MAPS = f"{CORE}/configmaps"


@pytest.fixture
async def api():
    async with running(Measured(MemoryStorage())) as server:
        yield server


async def metrics(api):
    """Every sample by its name and labels."""
    text = (await api.send("GET", "/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples), "a sample is there twice"
    return found


def labels(**more):
    return tuple(sorted({"version": "v1", "component": "apiserver", "subresource": "", "group": "", **more}.items()))


async def test_requests_are_counted_by_what_they_were(api):
    await api.must("POST", MAPS, config_map("a"))
    await api.must("POST", f"{MAPS}?dryRun=All", config_map("b"))
    await api.must("GET", f"{MAPS}/a")
    await api.call("GET", f"{MAPS}/nope")
    await api.must("GET", MAPS)
    await api.must("GET", "/api/v1/configmaps")
    await api.must("PUT", f"{MAPS}/a", config_map("a", {"x": "y"}))
    await api.must("PATCH", f"{MAPS}/a", {"data": {"z": "1"}}, type=MERGE)
    await api.must("POST", f"{APPS}/deployments", deployment("d"))
    await api.must("GET", f"{APPS}/deployments/d/scale")
    await api.must("DELETE", f"{MAPS}/a")
    await api.must("DELETE", MAPS)
    await api.send("GET", "/livez")
    await api.call("GET", "/api/v1/nothing")
    await api.call("PROPFIND", MAPS)
    await api.call("OPTIONS", f"{MAPS}/a")
    found = await metrics(api)

    def total(verb, scope, code, resource="configmaps", **more):
        key = labels(verb=verb, scope=scope, code=str(code), resource=resource, **{"dry_run": "", **more})
        return found.get(("apiserver_request_total", key))

    assert total("POST", "resource", 201) == 1
    assert total("POST", "resource", 201, dry_run="All") == 1
    assert total("GET", "resource", 200) == 1
    assert total("GET", "resource", 404) == 1
    assert total("LIST", "namespace", 200) == 1
    assert total("LIST", "cluster", 200) == 1
    assert total("PUT", "resource", 200) == 1
    assert total("PATCH", "resource", 200) == 1
    assert total("DELETE", "resource", 200) == 1
    assert total("DELETECOLLECTION", "namespace", 200) == 1
    assert total("GET", "resource", 200, "deployments", group="apps", subresource="scale") == 1
    assert total("GET", "", 200, "", version="", subresource="/livez") == 1
    assert total("OTHER", "", 404, "", version="") == 1
    assert total("OTHER", "", 405, "", version="") == 2  # nobody makes series with methods of his own choice
    key = labels(verb="GET", scope="resource", resource="configmaps", dry_run="")
    assert found["apiserver_request_duration_seconds_count", key] == 2
    key = labels(verb="GET", scope="resource", resource="configmaps")
    assert found["apiserver_request_sli_duration_seconds_count", key] == 2
    assert found["apiserver_response_sizes_count", key] == 2
    assert found["apiserver_response_sizes_sum", key] > 200


async def test_resources_of_several_versions_are_told_once(api):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in ("v1", "v2")]
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"}}
    names = {"plural": "bars", "singular": "bar", "kind": "Bar", "listKind": "BarList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}
    spec["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.must("POST", definitions, {"metadata": {"name": "bars.example.com"}, "spec": spec})
    bars, bar = "/apis/example.com/v1/namespaces/default/bars", {"apiVersion": "example.com/v1", "kind": "Bar"}
    async with asyncio.timeout(30):
        while (await api.call("POST", f"{bars}?dryRun=All", {**bar, "metadata": {"name": "a"}}))[0] != 201:
            await asyncio.sleep(0)
    await api.must("POST", bars, {**bar, "metadata": {"name": "a"}})
    assert (await api.call("GET", f"{bars.replace('v1', 'v2')}/a"))[0] == 500
    found = await metrics(api)
    bars_of = (("group", "example.com"), ("resource", "bars"))
    assert found["apiserver_resource_objects", bars_of] == 1
    assert found["apiserver_storage_events_received_total", bars_of] == 1
    failed = (("failure_type", "conversion_webhook_call_failure"), ("result", "failure"))
    assert found["apiserver_conversion_webhook_request_total", failed] >= 1


async def test_what_stages_and_plugins_took_is_told(api):
    await api.must("POST", MAPS, config_map("a"))
    found = await metrics(api)
    filters = {dict(key)["filter"] for name, key in found if name == "apiserver_request_filter_duration_seconds_count"}
    assert filters == {"authentication", "authorization", "audit", "impersonation", "priorityandfairness"}
    labels_ = (("operation", "CREATE"), ("rejected", "false"), ("type", "admit"))
    assert found["apiserver_admission_step_admission_duration_seconds_count", labels_] >= 1
    plugins = {dict(key)["name"] for name, key in found if name.startswith("apiserver_admission_controller_")}
    assert "NamespaceLifecycle" in plugins
    body = (("group", ""), ("resource", "configmaps"), ("verb", "create"))
    assert found["apiserver_request_body_size_bytes_count", body] >= 1


async def test_watches_are_counted_while_they_run(api):
    key = ("apiserver_longrunning_requests", labels(verb="WATCH", scope="namespace", resource="configmaps"))
    await api.must("POST", MAPS, config_map("a"))
    async with api.watch(MAPS) as events:
        await events.next()
        await api.must("POST", MAPS, config_map("b"))
        await events.next()
        found = await metrics(api)
        assert found[key] == 1
        which = (("group", ""), ("resource", "configmaps"), ("version", "v1"))
        assert found["apiserver_watch_events_total", which] == 2
        assert found["apiserver_init_events_total", (("group", ""), ("resource", "configmaps"))] == 1
    assert (await metrics(api))[key] == 0


async def test_what_is_stored_and_asked_of_the_store(api):
    await api.must("POST", MAPS, config_map("a"))
    await api.must("POST", f"{APPS}/deployments", deployment("d"))
    found = await metrics(api)
    assert found["apiserver_storage_objects", (("resource", "deployments.apps"),)] == 1
    assert found["apiserver_resource_objects", (("group", "apps"), ("resource", "deployments"))] == 1
    creates = (("group", ""), ("operation", "create"), ("resource", "configmaps"))
    assert found["etcd_requests_total", creates] >= 1
    assert found["etcd_request_duration_seconds_count", creates] == found["etcd_requests_total", creates]
    assert ("etcd_request_errors_total", creates) not in found


async def test_deprecated_versions_are_told_and_counted(api):
    answer = await api.send("GET", f"{CORE}/endpoints")
    assert answer.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )
    found = await metrics(api)
    key = (("group", ""), ("removed_release", ""), ("resource", "endpoints"), ("subresource", ""), ("version", "v1"))
    assert found["apiserver_requested_deprecated_apis", key] == 1


async def test_the_process_and_its_version(api):
    found = await metrics(api)
    (build,) = [dict(labels_) for name, labels_ in found if name == "kubernetes_build_info"]
    assert (build["major"], build["minor"]) == ("1", "34")
    assert found["process_resident_memory_bytes", ()] > 1e6
    inflight = {dict(key)["request_kind"] for name, key in found if name == "apiserver_current_inflight_requests"}
    assert inflight == {"readOnly", "mutating"}


async def test_health_checks_by_name(api):
    lines = (await api.send("GET", "/readyz?verbose")).text.splitlines()
    assert lines[:5] == ["[+]ping ok", "[+]log ok", "[+]etcd ok", "[+]etcd-readiness ok", "[+]informer-sync ok"]
    assert "[+]poststarthook/rbac/bootstrap-roles ok" in lines
    assert lines[-2:] == ["[+]shutdown ok", "readyz check passed"]
    alive = (await api.send("GET", "/livez?verbose&exclude=etcd&exclude=nope")).text.splitlines()
    assert "[+]etcd excluded: ok" in alive
    assert 'warn: some health checks cannot be excluded: no matches for "nope"' in alive
    assert "[+]shutdown ok" not in alive
    for path in ("/livez/ping", "/readyz/etcd", "/healthz/poststarthook/rbac/bootstrap-roles", "/healthz"):
        assert (await api.send("GET", path)).text == "ok", path
    assert (await api.send("GET", "/livez/shutdown")).status_code == 404
    slis = (await api.send("GET", "/metrics/slis")).text
    assert 'kubernetes_healthcheck{name="etcd",type="readyz"} 1' in slis
    assert 'kubernetes_healthchecks_total{name="ping",status="success",type="livez"} 1' in slis


@pytest.mark.parametrize("path", ["/logs", "/logs/x.log", "/flagz", "/statusz", "/configz"])
async def test_what_is_off_by_default_is_not_there(api, path):
    assert (await api.send("GET", path)).status_code == 404
