"""Subresources and computed kinds through the whole server: scale, binding, eviction, token, approval, reviews."""

import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apiserver import legacy_tokens
from apiserver.app import Options
from apiserver.authentication import keys, tokens
from apiserver.options import ISSUER
from tests.contract.api_server import APPS, CORE, MERGE, STRATEGIC, deployment, pod, running

PODS = f"{CORE}/pods"
PDBS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.fixture
async def api():
    async with running(options=Options(signing_key=KEY)) as server:
        yield server


async def test_scale(api):
    await api.must("POST", f"{APPS}/deployments", deployment("web", 2))
    path = f"{APPS}/deployments/web/scale"
    scale = await api.must("GET", path)
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    assert (await api.must("PUT", path, {**scale, "spec": {"replicas": 5}}))["spec"] == {"replicas": 5}
    assert (await api.must("PATCH", path, {"spec": {"replicas": 0}}, type=MERGE))["spec"] == {}
    stored = await api.must("GET", f"{APPS}/deployments/web")
    assert stored["spec"]["replicas"] == 0
    assert stored["metadata"]["generation"] == 3
    code, status = await api.call("PUT", path, {**scale, "spec": {"replicas": 5}})
    assert code == 409
    code, status = await api.call("PATCH", path, {"spec": {"replicas": -1}}, type=MERGE)
    assert code == 422
    assert "must be greater than or equal to 0" in status["message"]


async def test_binding(api):
    await api.must("POST", PODS, pod("a"))
    binding = {"metadata": {"name": "a", "annotations": {"x": "y"}}, "target": {"kind": "Node", "name": "n1"}}
    assert (await api.must("POST", f"{PODS}/a/binding", binding))["status"] == "Success"
    tree = await api.must("GET", f"{PODS}/a")
    assert tree["spec"]["nodeName"] == "n1"
    assert tree["metadata"]["annotations"] == {"x": "y"}
    assert {"type": "PodScheduled", "status": "True"}.items() <= tree["status"]["conditions"][0].items()
    code, status = await api.call("POST", f"{PODS}/a/binding", binding)
    text = 'Operation cannot be fulfilled on pods/binding "a": pod a is already assigned to node "n1"'
    assert (code, status["message"]) == (409, text)
    assert (await api.call("POST", f"{PODS}/b/binding", {**binding, "metadata": {"name": "b"}}))[0] == 404


async def test_a_resize_keeps_the_containers_and_their_order(api):
    made = pod("a")
    first, second = ({**made["spec"]["containers"][0], "name": name} for name in ("c1", "c2"))
    await api.must("POST", PODS, {**made, "spec": {**made["spec"], "containers": [first, second]}})
    swapped = {"spec": {"containers": [{"name": "c2"}, {"name": "c1"}]}}
    code, status = await api.call("PATCH", f"{PODS}/a/resize", swapped, type=STRATEGIC)
    problem = "Forbidden: containers may not be renamed or reordered on resize"
    assert code == 422
    assert f"[spec.containers[0].name: {problem}, spec.containers[1].name: {problem}]" in status["message"]
    more = {"spec": {"containers": [{**first, "name": "c3"}]}}
    code, status = await api.call("PATCH", f"{PODS}/a/resize", more, type=STRATEGIC)
    assert (
        code,
        "spec.containers: Forbidden: containers may not be added or removed on resize" in status["message"],
    ) == (
        422,
        True,
    )


async def test_bindings_may_be_posted_on_their_own(api):
    await api.must("POST", PODS, pod("a"))
    await api.must("POST", f"{CORE}/bindings", {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}})
    assert (await api.must("GET", f"{PODS}/a"))["spec"]["nodeName"] == "n1"


async def test_binding_without_a_target(api):
    await api.must("POST", PODS, pod("a"))
    code, status = await api.call("POST", f"{PODS}/a/binding", {"metadata": {"name": "a"}, "target": {"kind": "X"}})
    assert (code, "reason" in status) == (400, False)  # upstream tells of all together, and of no reason
    assert status["message"] == (
        '[target.kind: Unsupported value: "X": supported values: "Node", "<empty>", target.name: Required value]'
    )


async def running_pod(api, name):
    await api.must("POST", PODS, pod(name, metadata={"labels": {"app": "web"}}))
    binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "n1"}}
    await api.must("POST", f"{PODS}/{name}/binding", binding)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await api.must("PATCH", f"{PODS}/{name}/status", {"status": status}, type=MERGE)


async def test_eviction_asks_the_budget(api):
    await running_pod(api, "a")
    await api.must(
        "POST",
        PDBS,
        {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    )
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    code, status = await api.call("POST", f"{PODS}/a/eviction", eviction)
    assert (code, status["message"]) == (429, "Cannot evict pod as it would violate the pod's disruption budget.")
    allowed = {
        "disruptionsAllowed": 1,
        "observedGeneration": 1,
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
    }
    await api.must("PATCH", f"{PDBS}/b/status", {"status": allowed}, type=MERGE)
    assert (await api.must("POST", f"{PODS}/a/eviction", eviction))["status"] == "Success"
    tree = await api.must("GET", f"{PODS}/a")
    assert tree["metadata"]["deletionTimestamp"]
    assert tree["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    budget = (await api.must("GET", f"{PDBS}/b"))["status"]
    assert budget["disruptionsAllowed"] == 0
    assert set(budget["disruptedPods"]) == {"a"}
    await running_pod(api, "c")
    code, status = await api.call("POST", f"{PODS}/c/eviction", {**eviction, "metadata": {"name": "c"}})
    cause = {
        "reason": "DisruptionBudget",
        "message": "The disruption budget b needs 1 healthy pods and has 2 currently",
    }
    assert code == 429
    assert status["details"] == {"causes": [cause]}  # no advice when to come back: clients would follow it
    assert (budget["conditions"][0]["status"], budget["conditions"][0]["reason"]) == ("False", "InsufficientPods")


async def guarded(api, *budgets, **spec):
    """Pods `a` (ready) and `b` (not ready) with budgets that allow nothing."""
    for name in ("a", "b"):
        await running_pod(api, name)
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    await api.must("PATCH", f"{PODS}/b/status", unready, type=MERGE)
    for name in budgets:
        made = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}, **spec}
        await api.must("POST", PDBS, {"metadata": {"name": name}, "spec": made})
        status = {"observedGeneration": 1, "desiredHealthy": 1, "currentHealthy": 1, "expectedPods": 2}
        await api.must("PATCH", f"{PDBS}/{name}/status", {"status": {**status, "disruptionsAllowed": 0}}, type=MERGE)


def evicted(name, **options):
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}


async def test_two_budgets_are_one_too_many(api):
    await guarded(api, "one", "two")
    code, status = await api.call("POST", f"{PODS}/a/eviction", evicted("a"))
    assert code == 500
    assert status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        "code": 500,
    }


async def test_an_unready_pod_may_go_where_the_others_are_healthy(api):
    await guarded(api, "one")
    assert (await api.call("POST", f"{PODS}/a/eviction", evicted("a")))[0] == 429
    assert (await api.call("POST", f"{PODS}/b/eviction", evicted("b")))[0] == 201


async def test_an_eviction_is_no_place_for_an_unsafe_delete(api):
    await guarded(api, "one")
    unsafe = evicted("a", ignoreStoreReadErrorWithClusterBreakingPotential=True)
    code, status = await api.call("POST", f"{PODS}/a/eviction", unsafe)
    assert code == 422
    assert status["details"]["causes"][0]["message"] == (
        "Invalid value: true: can not be set for pod eviction, try after removing the option"
    )


async def test_eviction_without_a_budget_deletes(api):
    await api.must("POST", PODS, pod("a"))
    await api.must("POST", f"{PODS}/a/eviction", {"metadata": {"name": "a"}})
    assert (await api.call("GET", f"{PODS}/a"))[0] == 404


async def test_tokens_name_their_service_account(api):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = await api.must("POST", f"{CORE}/serviceaccounts/default/token", body)
    review = await api.must(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": answer["status"]["token"]}}
    )
    assert review["status"]["user"]["username"] == "system:serviceaccount:default:default"
    bad = await api.must("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "nonsense"}})
    assert not bad["status"].get("authenticated")


async def test_the_day_of_a_secrets_tokens_use_is_noted(api):
    account = await api.must("GET", f"{CORE}/serviceaccounts/default")
    token = tokens.secret_token(
        tokens.Issuer(url=ISSUER, key=keys.load_signing_key(KEY), audiences=(ISSUER,)), account, "long"
    )
    about = {f"kubernetes.io/service-account.{part}": account["metadata"][part] for part in ("name", "uid")}
    secret = {
        "metadata": {"name": "long", "annotations": about},
        "type": "kubernetes.io/service-account-token",
        "stringData": {"token": token},
    }
    await api.must("POST", f"{CORE}/secrets", secret)
    review = {"spec": {"token": token}}
    async with api.watch(f"{CORE}/secrets", fieldSelector="metadata.name=long") as events:
        await events.next()
        await api.must("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
        _, labelled = await events.next()
    days = {legacy_tokens.day(time.time() - seconds) for seconds in (0, 600)}  # it may be midnight
    assert labelled["metadata"]["labels"][legacy_tokens.LAST_USED] in days
    answer = await api.must("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert answer["status"]["authenticated"]
    assert await api.must("GET", f"{CORE}/secrets/long") == labelled  # once a day


async def test_access_reviews(api):
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
    path = "/apis/authorization.k8s.io/v1"
    assert (await api.must("POST", f"{path}/selfsubjectaccessreviews", {"spec": spec}))["status"]["allowed"] is True
    other = {"spec": {**spec, "user": "jane"}}
    assert (await api.must("POST", f"{path}/subjectaccessreviews", other))["status"]["allowed"] is False
    assert (await api.call("GET", f"{path}/subjectaccessreviews"))[0] == 405


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{CORE}/services/https:web:443/proxy/", 503, 'no endpoints available for service "https:web:443"'),
        (f"{CORE}/services/web:443/proxy/x?y=z", 503, 'no endpoints available for service "web:443"'),
        (f"{CORE}/services/nope:443/proxy/", 404, 'services "nope" not found'),
        (f"{PODS}/a:8080/proxy/", 400, "address not allowed"),
        (f"{PODS}/nope:8080/proxy/", 404, 'pods "nope" not found'),
        ("/api/v1/nodes/n:9100/proxy/", 400, "address not allowed"),
        ("/api/v1/nodes/nope:9100/proxy/", 404, 'nodes "nope" not found'),
        (f"{PODS}/nope/log", 404, 'pods "nope" not found'),
    ],
)
async def test_proxied_names_carry_scheme_and_port(api, path, code, message):
    await api.must("POST", PODS, pod("a"))
    await api.must(
        "POST", f"{CORE}/services", {"metadata": {"name": "web"}, "spec": {"ports": [{"name": "s", "port": 443}]}}
    )
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    await api.must("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "status": {"addresses": addresses}})
    got, status = await api.call("GET", path)
    assert (got, status["message"]) == (code, message)


async def test_ephemeral_containers(api):
    await api.must("POST", PODS, pod("a"))
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    tree = await api.must("PATCH", f"{PODS}/a/ephemeralcontainers", patch, type=STRATEGIC)
    assert tree["spec"]["ephemeralContainers"][0]["name"] == "debug"


async def test_roles_do_not_grant_what_their_writer_lacks(api):
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["create"]}]
    await api.must("POST", f"{rbac}/clusterroles", {"metadata": {"name": "writer"}, "rules": rules})
    binding = {
        "metadata": {"name": "writer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "writer"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    }
    await api.must("POST", f"{rbac}/clusterrolebindings", binding)
    grab = {"metadata": {"name": "grab"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    code, status = await api.call("POST", f"{rbac}/clusterroles", grab, headers={"impersonate-user": "jane"})
    assert code == 403
    assert "is attempting to grant RBAC permissions not currently held" in status["message"]
