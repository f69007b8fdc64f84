"""Clients as users have them, unchanged, against a whole server over HTTPS: the official Python client and kubectl."""

import json
import os
import shutil
import socket
import subprocess
import time

import httpx
import kubernetes
import pytest
from kubernetes.client import ApiException

from tests.contract.clients_server import serving

#: The client's own, about urllib3.
pytestmark = pytest.mark.filterwarnings("ignore:HTTPResponse.getheaders")
KUBECTLS = [k for v in (27, 30, 33) if (k := shutil.which(f"kubectl.1.{v}", path="/usr/lib/google-cloud-sdk/bin"))]
LABELS = {"app": "web"}
POD = {"containers": [{"name": "c", "image": "busybox", "ports": [{"containerPort": 80}]}]}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": POD},
    },
}


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("clients")) as path:
        yield path


@pytest.fixture
def namespace(kubeconfig, request):
    """One for each test."""
    name = (
        "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")[:50].strip("-")
    )
    kubernetes.client.CoreV1Api(client_of(kubeconfig)).create_namespace({"metadata": {"name": name}})
    return name


def client_of(kubeconfig):
    return kubernetes.config.new_client_from_config(str(kubeconfig))


def eventually(condition):
    """Wait for what other threads do; fails after a minute."""
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end, "did not come to be"
        time.sleep(0.05)
    return found


def test_the_typed_client(kubeconfig, namespace):
    api = client_of(kubeconfig)
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
    made = apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    assert (made.spec.strategy.type, made.metadata.generation) == ("RollingUpdate", 1)
    pods = eventually(lambda: (p := core.list_namespaced_pod(namespace, label_selector="app=web").items)[1:] and p)
    assert {pod.metadata.owner_references[0].kind for pod in pods} == {"ReplicaSet"}
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}})
    assert apps.read_namespaced_deployment("web", namespace).spec.replicas == 3
    events = kubernetes.watch.Watch().stream(core.list_namespaced_config_map, namespace, timeout_seconds=60)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "cm"}, "data": {"a": "b"}})
    assert next(e for e in events if e["object"].metadata.name == "cm")["type"] == "ADDED"
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, {"metadata": {"name": "Bad"}, "spec": POD})
    assert caught.value.status == 422
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    eventually(lambda: not core.list_namespaced_pod(namespace).items)


def test_the_dynamic_client(kubeconfig, namespace):
    dynamic = kubernetes.dynamic.DynamicClient(client_of(kubeconfig))
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    applied = deployments.server_side_apply(DEPLOYMENT, namespace=namespace, field_manager="test")
    assert applied.metadata.managedFields[0].manager == "test"
    assert deployments.get(name="web", namespace=namespace).spec.template.spec.containers[0].name == "c"
    assert [item.metadata.name for item in deployments.get(namespace=namespace).items] == ["web"]
    kinds = dynamic.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    group, names = "clients.example.com", {"plural": "widgets", "kind": "Widget"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object",
               "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    kinds.create({"metadata": {"name": f"widgets.{group}"}, "spec": spec})
    dynamic.resources.invalidate_cache()
    widgets = eventually(lambda: dynamic.resources.search(api_version=f"{group}/v1", kind="Widget"))[0]
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "size": 3}
    assert eventually(lambda: made(widgets, body, namespace)).size == 3


def made(resource, body, namespace):
    try:
        return resource.create(body, namespace=namespace)
    except kubernetes.dynamic.exceptions.NotFoundError:
        return None  # a definition is established a moment after it was made


@pytest.mark.slow
@pytest.mark.parametrize("kubectl", KUBECTLS, ids=lambda path: path[-4:])
def test_kubectl(kubectl, kubeconfig, namespace, tmp_path):
    def run(*arguments, stdin="", code=0):
        command = [kubectl, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr

    manifest = kubernetes.client.ApiClient().sanitize_for_serialization(DEPLOYMENT)
    text = httpx.Response(200, json=manifest).text
    changed = text.replace('"replicas":2', '"replicas":1')
    assert "deployment.apps/web created (server dry run)" in run("apply", "-f-", "--dry-run=server", stdin=text)
    assert "created" in run("apply", "-f-", stdin=text)
    assert "unchanged" in run("apply", "-f-", stdin=text)
    assert "-  replicas: 2" in run("diff", "-f-", stdin=changed, code=1)
    assert "serverside-applied" in run("apply", "-f-", "--server-side", "--force-conflicts", stdin=changed)
    assert "labeled" in run("label", "deployment", "web", "x=y")
    assert "patched" in run("patch", "deployment", "web", "-p", '{"spec":{"replicas":3}}')
    assert "condition met" in run("wait", "deployment/web", "--for=jsonpath={.spec.replicas}=3", "--timeout=60s")
    assert "scaled" in run("scale", "deployment/web", "--replicas=0")
    live = json.loads(run("get", "deployment", "web", "-o", "json"))
    del live["metadata"]["resourceVersion"]  # the controllers write too
    live["spec"]["replicas"] = 1
    assert "replaced" in run("replace", "-f-", stdin=json.dumps(live))
    assert 'deployment.apps "web" deleted' in run("delete", "deployment", "web", "--wait=false")
    assert "ENUM:" in run("explain", "service.spec.sessionAffinity") or kubectl.endswith("1.27")
    assert "apps/v1\n" in run("api-versions")
    assert "Kubernetes control plane" in run("cluster-info")
    assert "Server Version" in run("version")
    with proxied(kubectl, kubeconfig, tmp_path / "proxy.sock") as http:
        assert http.get("/api/v1/namespaces/default").json()["metadata"]["name"] == "default"


class proxied:  # noqa: N801 - reads like a function
    """`kubectl proxy --unix-socket`."""

    def __init__(self, kubectl, kubeconfig, path):
        self._command = [kubectl, f"--kubeconfig={kubeconfig}", "proxy", f"--unix-socket={path}"]
        self._path = path

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        eventually(self._answers)
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self._path)), base_url="http://localhost", timeout=60
        )
        return self._http

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._path)) == 0

    def __exit__(self, *_):
        self._http.close()
        self._process.terminate()
        self._process.wait()
