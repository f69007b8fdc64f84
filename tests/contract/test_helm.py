"""Helm, as its users build it, against a whole server over HTTPS: a chart with hooks, a custom kind and a test.

`scripts/install.sh tests` builds it (Go, and the module proxy the first time); HELM names another one. Where CI is set
its absence is a failure, elsewhere a skip. The hooks are ConfigMaps and Jobs that are said to be done by this test: no
node runs here.
"""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import kubernetes
import pytest
from kubernetes.client import ApiException

from tests.contract.clients_server import serving
from tests.contract.test_clients import KUBECTLS, client_of, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:HTTPResponse.getheaders"),
]
BUILT = sorted((Path(__file__).parents[2] / ".venv/go").glob("helm-*"))
HELM = os.environ.get("HELM") or (str(BUILT[-1]) if BUILT else shutil.which("helm"))
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\ndescription: A small one\n",
    "values.yaml": "replicas: 1\ntext: one\nbroken: false\n",
    "crds/widgets.yaml": """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.helm.example.com}
spec:
  group: helm.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
""",
    "templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", labels: {kube: "{{ .Capabilities.KubeVersion.Major }}"}}
data: {text: "{{ .Values.text }}"}
---
apiVersion: helm.example.com/v1
kind: Widget
metadata: {name: "{{ .Release.Name }}"}
spec: {size: {{ .Values.replicas }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: small}}
  template:
    metadata: {labels: {app: small}}
    spec: {containers: [{name: c, image: busybox{{ if .Values.broken }}, imagePullPolicy: Nonsense{{ end }}}]}
""",
    "templates/hook.yaml": """
apiVersion: batch/v1
kind: Job
metadata:
  name: "{{ .Release.Name }}-before"
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}
""",
    "templates/test.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-test", annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}
""",
}


@pytest.fixture(scope="module")
def program():
    if HELM is None:
        why = "there is no Helm: `scripts/install.sh tests` builds it, which needs Go and, the first time, the Go module proxy"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    return HELM


@pytest.fixture(scope="module")
def kubeconfig(program, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("helm")) as path:
        yield path


@pytest.fixture
def chart(tmp_path):
    folder = tmp_path / "chart"
    for name, text in CHART.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    return str(folder)


class Helm:
    """The program in one namespace."""

    def __init__(self, program, kubeconfig, namespace, home):
        self._command = [program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
        self._environment = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def __call__(self, *arguments, code=0):
        command = [*self._command, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=self._environment)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr


@pytest.fixture
def namespace(kubeconfig, request):
    name = request.node.name.replace("_", "-")
    kubernetes.client.CoreV1Api(client_of(kubeconfig)).create_namespace({"metadata": {"name": name}})
    return name


@pytest.fixture
def helm(program, kubeconfig, namespace, tmp_path):
    return Helm(program, kubeconfig, namespace, tmp_path)


@pytest.fixture
def node(kubeconfig, namespace):
    """In the place of a node: says of Jobs, pods and Deployments that they are done and ready."""
    stop = threading.Event()
    thread = threading.Thread(target=_finish, args=(client_of(kubeconfig), namespace, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def _finish(api, namespace, stop):
    batch, core = kubernetes.client.BatchV1Api(api), kubernetes.client.CoreV1Api(api)
    now = "2026-01-01T00:00:00Z"
    done = [{"type": type, "status": "True", "lastTransitionTime": now} for type in ("SuccessCriteriaMet", "Complete")]
    while not stop.wait(0.2):
        for job in batch.list_namespaced_job(namespace).items:
            if not job.status.completion_time:
                status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": done,
                          "uncountedTerminatedPods": {}}  # fmt: skip
                batch.patch_namespaced_job_status(job.metadata.name, namespace, {"status": status})
        for pod in core.list_namespaced_pod(namespace).items:
            if pod.metadata.name.endswith("-test") and pod.status.phase != "Succeeded":
                core.patch_namespaced_pod_status(pod.metadata.name, namespace, {"status": {"phase": "Succeeded"}})
            elif pod.status.phase == "Pending" and not pod.metadata.name.endswith("-test"):
                status = {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
                }
                core.patch_namespaced_pod_status(pod.metadata.name, namespace, {"status": status})


def text_of(kubeconfig, namespace, name="r"):
    return kubernetes.client.CoreV1Api(client_of(kubeconfig)).read_namespaced_config_map(name, namespace).data["text"]


def test_a_release_from_install_to_uninstall(helm, node, kubeconfig, namespace, chart):
    assert "0 chart(s) failed" in helm("lint", chart)
    assert "STATUS: deployed" in helm("install", "r", chart, "--wait", "--timeout=60s")
    assert text_of(kubeconfig, namespace) == "one"
    widgets = kubernetes.client.CustomObjectsApi(client_of(kubeconfig))
    assert widgets.get_namespaced_custom_object("helm.example.com", "v1", namespace, "widgets", "r")["spec"] == {
        "size": 1
    }
    assert "REVISION: 2" in helm("upgrade", "r", chart, "--set=text=two,replicas=2", "--atomic", "--timeout=60s")
    assert text_of(kubeconfig, namespace) == "two"
    assert widgets.get_namespaced_custom_object("helm.example.com", "v1", namespace, "widgets", "r")["spec"] == {
        "size": 2
    }
    assert "Phase:          Succeeded" in helm("test", "r", "--timeout=60s")
    helm("rollback", "r", "1", "--wait", "--timeout=60s")
    assert text_of(kubeconfig, namespace) == "one"
    history = json.loads(helm("history", "r", "-o", "json"))
    assert [(row["revision"], row["status"]) for row in history] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    assert 'name: "r-before"' in helm("get", "hooks", "r")
    assert [row["name"] for row in json.loads(helm("list", "-o", "json"))] == ["r"]
    assert 'release "r" uninstalled' in helm("uninstall", "r", "--wait")
    with pytest.raises(ApiException):
        text_of(kubeconfig, namespace)


def test_an_upgrade_that_fails_is_rolled_back(helm, node, kubeconfig, namespace, chart):
    helm("install", "r", chart)
    failed = helm("upgrade", "r", chart, "--set=text=three,broken=true", "--atomic", "--timeout=60s", code=1)
    assert 'Unsupported value: "Nonsense": supported values: "Always", "IfNotPresent", "Never"' in failed
    assert text_of(kubeconfig, namespace) == "one"
    assert [row["status"] for row in json.loads(helm("history", "r", "-o", "json"))] == [
        "superseded",
        "failed",
        "deployed",
    ]


def test_what_others_changed_is_merged(helm, node, kubeconfig, namespace, chart):
    """Helm's three ways: what the chart does not say stays, what it says comes back."""
    helm("install", "r", chart)
    api = client_of(kubeconfig)
    kubernetes.client.AppsV1Api(api).patch_namespaced_deployment(
        "r", namespace, {"metadata": {"labels": {"mine": "x"}}, "spec": {"replicas": 7}}
    )
    helm("upgrade", "r", chart, "--set=text=two,replicas=3")
    found = kubernetes.client.AppsV1Api(api).read_namespaced_deployment("r", namespace)
    assert (found.spec.replicas, found.metadata.labels["mine"]) == (3, "x")


@pytest.mark.skipif(not KUBECTLS, reason="there is no kubectl")
def test_a_template_is_applied(helm, kubeconfig, namespace, chart):
    rendered = helm("template", "r", chart, "--include-crds", "--no-hooks")
    command = [KUBECTLS[-1], f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", "apply", "-f-"]

    def applied():
        return subprocess.run(command, input=rendered, capture_output=True, text=True, timeout=60, check=False)

    eventually(lambda: applied().returncode == 0)  # the definition is established a moment after it was made
    assert "deployment.apps/r unchanged" in applied().stdout
