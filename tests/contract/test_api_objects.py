"""Create, get, update, patch of any object through the whole server, on memory and on real etcd."""

import asyncio

import pytest

from apiserver.storage.memory import MemoryStorage
from tests import needs
from tests.contract.api_server import APPS, CORE, JSON_PATCH, MERGE, STRATEGIC, config_map, deployment, pod, running
from tests.contract.storage_servers import EtcdServer

MAPS = f"{CORE}/configmaps"


@pytest.fixture(scope="module", params=["memory", "etcd"])
def etcd(request, tmp_path_factory):
    if request.param == "memory":
        yield None
        return
    needs.program("etcd")
    server = EtcdServer(tmp_path_factory.mktemp("etcd")).start()
    yield server
    server.end()


@pytest.fixture
async def api(etcd):
    if etcd is None:
        async with running(MemoryStorage()) as server:
            yield server
        return
    async with etcd.storage() as storage:
        for item in (await storage.list("/registry/configmaps/")).items:
            await storage.delete(item.key, expect=item.revision)
        for item in (await storage.list("/registry/deployments/")).items:
            await storage.delete(item.key, expect=item.revision)
        async with running(storage) as server:
            yield server


async def test_create_fills_what_the_server_owns(api):
    made = await api.must("POST", MAPS, config_map("a", uid="mine", creationTimestamp="2001-01-01T00:00:00Z"))
    meta = made["metadata"]
    assert (made["kind"], made["apiVersion"], meta["namespace"]) == ("ConfigMap", "v1", "default")
    assert meta["uid"] != "mine"
    assert meta["creationTimestamp"] != "2001-01-01T00:00:00Z"
    assert meta["resourceVersion"]
    assert await api.must("GET", f"{MAPS}/a") == made


async def test_stored_values_are_upstreams(api):
    await api.must("POST", MAPS, config_map("a"))
    stored = await api.app.api.storage.get("/registry/configmaps/default/a")
    assert stored.value.startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"')
    assert b"resourceVersion" not in stored.value
    assert b"null" not in stored.value


async def test_taken_name(api):
    await api.must("POST", MAPS, config_map("a"))
    code, status = await api.call("POST", MAPS, config_map("a"))
    assert (code, status["reason"], status["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')


async def test_generated_names(api):
    made = [await api.must("POST", MAPS, {"metadata": {"generateName": "x-"}}) for _ in range(3)]
    names = {tree["metadata"]["name"] for tree in made}
    assert len(names) == 3
    assert all(len(name) == 7 and name.startswith("x-") for name in names)


async def test_update_and_optimistic_lock(api):
    made = await api.must("POST", MAPS, config_map("a"))
    changed = await api.must("PUT", f"{MAPS}/a", {**made, "data": {"key": "2"}})
    assert changed["data"] == {"key": "2"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    code, status = await api.call("PUT", f"{MAPS}/a", {**made, "data": {"key": "3"}})
    text = (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert (code, status["reason"], status["message"]) == (409, "Conflict", text)
    assert (await api.call("PUT", f"{MAPS}/a", config_map("a", {"key": "4"})))[0] == 200  # without a version: no lock


async def test_update_that_changes_nothing_writes_nothing(api):
    made = await api.must("POST", MAPS, config_map("a"))
    again = await api.must("PUT", f"{MAPS}/a", made)
    assert again == made
    patched = await api.must("PATCH", f"{MAPS}/a", {"data": {"key": "value"}}, type=MERGE)
    assert patched == made


async def test_update_of_a_namesake_is_a_conflict(api):
    made = await api.must("POST", MAPS, config_map("a"))
    await api.must("DELETE", f"{MAPS}/a")
    await api.must("POST", MAPS, config_map("a"))
    made["metadata"].pop("resourceVersion")
    code, status = await api.call("PUT", f"{MAPS}/a", made)
    assert code == 409
    assert "Precondition failed: UID in precondition" in status["message"]


@pytest.mark.parametrize(
    ("type", "patch"),
    [
        (MERGE, {"data": {"key": None, "new": "1"}}),
        (STRATEGIC, {"data": {"key": None, "new": "1"}}),
        (JSON_PATCH, [{"op": "remove", "path": "/data/key"}, {"op": "add", "path": "/data/new", "value": "1"}]),
    ],
)
async def test_patches(api, type, patch):
    await api.must("POST", MAPS, config_map("a"))
    assert (await api.must("PATCH", f"{MAPS}/a", patch, type=type))["data"] == {"new": "1"}


async def test_concurrent_patches_are_all_kept(api):
    await api.must("POST", MAPS, config_map("a"))
    async with asyncio.TaskGroup() as tasks:
        for i in range(20):
            tasks.create_task(api.must("PATCH", f"{MAPS}/a", {"data": {f"k{i}": "x"}}, type=MERGE))
    assert len((await api.must("GET", f"{MAPS}/a"))["data"]) == 21


async def test_patch_with_a_version_is_locked(api):
    made = await api.must("POST", MAPS, config_map("a"))
    await api.must("PATCH", f"{MAPS}/a", {"data": {"b": "1"}}, type=MERGE)
    old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"b": "2"}}
    assert (await api.call("PATCH", f"{MAPS}/a", old, type=MERGE))[0] == 409


async def test_strategic_merge_knows_list_keys(api):
    await api.must("POST", f"{APPS}/deployments", deployment("web"))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "nginx"}]}}}}
    changed = await api.must("PATCH", f"{APPS}/deployments/web", patch, type=STRATEGIC)
    images = {c["name"]: c["image"] for c in changed["spec"]["template"]["spec"]["containers"]}
    assert images == {"side": "nginx", "main": "busybox"}


async def test_generation_follows_the_spec(api):
    made = await api.must("POST", f"{APPS}/deployments", deployment("web"))
    assert made["metadata"]["generation"] == 1
    labelled = await api.must("PATCH", f"{APPS}/deployments/web", {"metadata": {"labels": {"a": "b"}}}, type=MERGE)
    assert labelled["metadata"]["generation"] == 1
    scaled = await api.must("PATCH", f"{APPS}/deployments/web", {"spec": {"replicas": 3}}, type=MERGE)
    assert scaled["metadata"]["generation"] == 2
    status = {"status": {"replicas": 3, "observedGeneration": 2}}
    done = await api.must("PATCH", f"{APPS}/deployments/web/status", status, type=MERGE)
    assert done["metadata"]["generation"] == 2
    assert done["status"]["replicas"] == 3


async def test_status_and_spec_are_written_apart(api):
    await api.must("POST", f"{APPS}/deployments", {**deployment("web"), "status": {"replicas": 7}})
    tree = await api.must("PATCH", f"{APPS}/deployments/web", {"status": {"replicas": 5}}, type=MERGE)
    assert "replicas" not in tree.get("status", {})
    tree = await api.must("PATCH", f"{APPS}/deployments/web/status", {"spec": {"replicas": 9}}, type=MERGE)
    assert tree["spec"]["replicas"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_dry_run_leaves_no_trace(api, method):
    if method != "POST":
        await api.must("POST", MAPS, config_map("a"))
    before = await api.app.api.storage.revision()
    path = MAPS if method == "POST" else f"{MAPS}/a"
    body = None if method == "DELETE" else config_map("a", {"key": "dry"})
    media = MERGE if method == "PATCH" else "application/json"
    tree = await api.must(method, f"{path}?dryRun=All", body, type=media)
    assert method == "DELETE" or tree["data"] == {"key": "dry"}
    assert await api.app.api.storage.revision() == before


async def test_reads_see_the_writes_before_them(api):
    for i in range(10):
        await api.must("POST", MAPS, config_map(f"m{i}"))
        assert len((await api.must("GET", MAPS))["items"]) == i + 1
        assert (await api.call("GET", f"{MAPS}/m{i}"))[0] == 200
    await api.must("DELETE", f"{MAPS}/m3")
    assert (await api.call("GET", f"{MAPS}/m3"))[0] == 404


async def test_kinds_in_two_versions_are_one_object(api):
    hpa = {
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3},
    }
    paths = [f"/apis/autoscaling/{v}/namespaces/default/horizontalpodautoscalers" for v in ("v1", "v2")]
    await api.call("DELETE", f"{paths[0]}/web")
    made = await api.must("POST", paths[0], {**hpa, "spec": {**hpa["spec"], "targetCPUUtilizationPercentage": 50}})
    assert made["apiVersion"] == "autoscaling/v1"
    other = await api.must("GET", f"{paths[1]}/web")
    assert other["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    bare = {name: value for name, value in other.items() if name not in ("kind", "apiVersion")}
    assert (await api.must("GET", paths[1]))["items"] == [bare]
    stored = await api.app.api.storage.get("/registry/horizontalpodautoscalers/default/web")
    assert b'"apiVersion":"autoscaling/v2"' in stored.value
    changed = await api.must("PATCH", f"{paths[0]}/web", {"spec": {"targetCPUUtilizationPercentage": 60}}, type=MERGE)
    assert changed["spec"]["targetCPUUtilizationPercentage"] == 60


async def test_services_get_addresses_and_give_them_back(api):
    services = f"{CORE}/services"
    await api.call("DELETE", f"{services}/web")
    body = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    made = await api.must("POST", services, body)
    address = made["spec"]["clusterIP"]
    assert address.startswith("10.96.")
    assert 30000 <= made["spec"]["ports"][0]["nodePort"] <= 32767
    addresses = "/apis/networking.k8s.io/v1/ipaddresses"
    assert (await api.call("GET", f"{addresses}/{address}"))[0] == 200
    clash = {**body, "metadata": {"name": "other"}, "spec": {**body["spec"], "clusterIP": address}}
    code, status = await api.call("POST", services, clash)
    assert code == 422
    assert "provided IP is already allocated" in status["message"]
    await api.must("DELETE", f"{services}/web")
    assert (await api.call("GET", f"{addresses}/{address}"))[0] == 404


async def test_an_update_that_ends_a_service_frees_what_it_had_and_nothing_else(api):
    services = f"{CORE}/services"

    def node_port(name, **port):
        return {"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [{"port": 80, **port}]}}

    going = node_port("going")
    going["metadata"]["finalizers"] = ["example.com/x"]
    going, other = await api.must("POST", services, going), await api.must("POST", services, node_port("other"))
    had, foreign = (tree["spec"]["ports"][0]["nodePort"] for tree in (going, other))
    await api.must("DELETE", f"{services}/going")
    going["metadata"] |= {"finalizers": [], "resourceVersion": ""}
    going["spec"]["ports"][0]["nodePort"] = foreign
    await api.must("PUT", f"{services}/going", going)
    assert (await api.call("GET", f"{services}/going"))[0] == 404
    code, status = await api.call("POST", services, node_port("thief", nodePort=foreign))
    assert (code, "provided port is already allocated" in status["message"]) == (422, True)
    await api.must("POST", services, node_port("heir", nodePort=had))
    for name in ("other", "heir"):
        await api.must("DELETE", f"{services}/{name}")


async def test_what_a_new_cluster_holds(api):
    for path in (
        "/api/v1/namespaces/kube-system",
        "/api/v1/namespaces/kube-node-lease",
        f"{CORE}/services/kubernetes",
        "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin",
        "/apis/networking.k8s.io/v1/servicecidrs/kubernetes",
        "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
    ):
        assert (await api.call("GET", path))[0] == 200, path
    assert (await api.must("GET", f"{CORE}/services/kubernetes"))["spec"]["clusterIP"] == "10.96.0.1"


async def test_pods_are_defaulted(api):
    await api.call("DELETE", f"{CORE}/pods/a?gracePeriodSeconds=0")
    made = await api.must("POST", f"{CORE}/pods", pod("a"))
    assert made["spec"]["restartPolicy"] == "Always"
    assert made["status"]["phase"] == "Pending"
    assert made["spec"]["serviceAccountName"] == "default"
