"""What the README promises, with unmodified kubectl on a real cluster."""

import filecmp
import json
import os
import subprocess
import threading
import urllib.request

import pytest

from tests.e2e.conftest import KUBECTLS, REPOSITORY, eventually, run

IMAGE = "pykube/web:demo"


def fetch(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def reached(url):
    """The page, or what went wrong as text: for conditions to wait for."""
    try:
        return fetch(url, timeout=3)
    except OSError as error:
        return str(error)


def got(cluster, namespace, pod, url):
    """What a pod gets from there; "" while its DNS server or the node's rules have not heard of it yet."""
    return cluster.kubectl("-n", namespace, "exec", pod, "--", "wget", "-qO-", url, check=False)


def deployed(cluster, namespace, name="web", replicas=1):
    """A Deployment of the demo's image, rolled out."""
    cluster.kubectl(
        "-n", namespace, "create", "deployment", name, f"--image={IMAGE}", f"--replicas={replicas}", "--port=8080"
    )
    cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    return cluster.get("-n", namespace, "pods", "-l", f"app={name}")["items"]


def test_nodes_and_pods_are_listed(cluster):
    nodes = cluster.kubectl("get", "nodes", "-o", "wide")
    assert "Ready" in nodes
    assert "v1.34.0" in nodes
    assert "docker://" in nodes
    assert cluster.kubectl("get", "pods", "-A").count("Running") >= 3
    assert "v1.34" in cluster.kubectl("version")


def test_a_service_answers_from_the_host_from_a_pod_by_name_and_by_node_port(cluster, namespace):
    deployed(cluster, namespace, replicas=2)
    cluster.kubectl(
        "-n", namespace, "expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort"
    )
    spec = cluster.get("-n", namespace, "service", "web")["spec"]
    eventually(lambda: "PyKube" in reached(f"http://{spec['clusterIP']}"), why="the ClusterIP from the host")
    assert "PyKube" in fetch(f"http://127.0.0.1:{spec['ports'][0]['nodePort']}")
    for target in (spec["clusterIP"], "web", f"web.{namespace}.svc.cluster.local"):
        eventually(lambda to=target: "PyKube" in got(cluster, namespace, "deploy/web", f"http://{to}"), why=target)


def test_a_pod_reaches_itself_through_its_service(cluster, namespace):
    (pod,) = deployed(cluster, namespace)
    cluster.kubectl("-n", namespace, "expose", "deployment", "web", "--port=80", "--target-port=8080")
    eventually(lambda: "PyKube" in got(cluster, namespace, pod["metadata"]["name"], "http://web"), why="its own page")


def test_a_service_without_endpoints_is_refused_at_once(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "service", "clusterip", "empty", "--tcp=80:80")
    address = cluster.get("-n", namespace, "service", "empty")["spec"]["clusterIP"]

    eventually(lambda: "refused" in reached(f"http://{address}"), why="a refusal")


def test_scaling_up_and_down(cluster, namespace):
    deployed(cluster, namespace)
    for replicas in (3, 1):
        cluster.kubectl("-n", namespace, "scale", "deployment", "web", f"--replicas={replicas}")
        cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
        eventually(lambda n=replicas: len(cluster.get("-n", namespace, "pods")["items"]) == n, why=f"{replicas} pods")


def test_a_rolling_update_drops_no_request_and_can_be_undone(cluster):
    """The demo has maxUnavailable 0 and a preStop sleep: every request during the update must be answered."""
    url = f"http://{cluster.get('service', 'web')['spec']['clusterIP']}"
    failures, stop, answered = [], threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                answered.append(fetch(url))
            except OSError as error:
                failures.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        cluster.kubectl("set", "env", "deployment/web", "COLOR=green")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
        cluster.kubectl("rollout", "undo", "deployment/web")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert len(answered) > 20
    container = cluster.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in container
    assert cluster.kubectl("rollout", "history", "deployment/web").count("<none>") == 2


def test_a_bad_image_stops_the_rollout_and_says_why(cluster, namespace):
    deployed(cluster, namespace)
    cluster.kubectl("-n", namespace, "set", "image", "deployment/web", "*=registry.invalid/none:1")

    def reasons():
        pods = cluster.get("-n", namespace, "pods")["items"]
        states = [s.get("state", {}) for p in pods for s in p["status"].get("containerStatuses", ())]
        return {s["waiting"]["reason"] for s in states if "waiting" in s} & {"ErrImagePull", "ImagePullBackOff"}

    eventually(reasons, why="an image error")
    assert cluster.get("-n", namespace, "deployment", "web")["status"]["availableReplicas"] == 1


LOGGER = """
apiVersion: v1
kind: Pod
metadata: {name: logger}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: pykube/web:demo
      imagePullPolicy: Never
      command: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; until [ -e /tmp/go ]; do sleep 0.1; done; echo oops >&2']
"""


def test_logs_follow_until_the_end_and_can_be_cut(cluster, namespace):
    cluster.apply(LOGGER, "-n", namespace)
    cluster.kubectl("-n", namespace, "wait", "pod/logger", "--for=condition=Ready", "--timeout=60s")
    argv = (cluster.kubectl_program, "-n", namespace, "logs", "-f", "logger")
    with subprocess.Popen(argv, env=cluster.environment, stdout=subprocess.PIPE, text=True) as following:
        assert [following.stdout.readline() for _ in range(5)] == [f"line {i}\n" for i in range(1, 6)]
        cluster.kubectl("-n", namespace, "exec", "logger", "--", "touch", "/tmp/go")  # two streams have no order else
        assert following.communicate(timeout=60)[0] == "oops\n"
    assert cluster.kubectl("-n", namespace, "logs", "logger", "--tail=2").splitlines() == ["line 5", "oops"]
    assert "T" in cluster.kubectl("-n", namespace, "logs", "logger", "--timestamps", "--tail=1").split()[0]


@pytest.mark.parametrize("version", ["1.27", "1.30", "1.33"])
def test_exec_carries_input_output_and_exit_code(cluster, version):
    program = str(KUBECTLS / f"kubectl.{version}")
    pod = cluster.get("pods", "-l", "app=web")["items"][0]["metadata"]["name"]
    assert cluster.kubectl("exec", "-i", pod, "--", "tr", "a-z", "A-Z", stdin="hello\n", program=program) == "HELLO\n"
    failed = run((program, "exec", pod, "--", "sh", "-c", "echo no >&2; exit 7"), cluster.environment, check=False)
    assert failed.returncode == 7
    assert "no" in failed.stderr


@pytest.mark.parametrize("version", ["1.27", "1.30", "1.33"])
def test_port_forward(cluster, version):
    program = str(KUBECTLS / f"kubectl.{version}")
    argv = (program, "port-forward", "service/web", ":80")
    with subprocess.Popen(argv, env=cluster.environment, stdout=subprocess.PIPE, text=True) as forward:
        try:
            port = forward.stdout.readline().split("127.0.0.1:")[1].split()[0]
            for _ in range(3):
                assert "It works." in fetch(f"http://127.0.0.1:{port}/")
        finally:
            forward.terminate()


@pytest.mark.parametrize(("version", "megabytes"), [("1.27", 16), ("1.30", 16), ("1.33", 1000)])
def test_cp_brings_a_file_there_and_back(cluster, tmp_path, version, megabytes):
    program = str(KUBECTLS / f"kubectl.{version}")
    pod = cluster.get("pods", "-l", "app=web")["items"][0]["metadata"]["name"]
    here, back, there = tmp_path / "here", tmp_path / "back", f"/tmp/{version}"
    with here.open("wb") as file:
        piece = os.urandom(10**6)
        for number in range(megabytes):
            file.write(number.to_bytes(8) + piece[8:])
    cluster.kubectl("cp", str(here), f"{pod}:{there}", program=program)
    cluster.kubectl("cp", f"{pod}:{there}", str(back), program=program)
    assert filecmp.cmp(here, back, shallow=False)
    cluster.kubectl("exec", pod, "--", "rm", there)
    here.unlink()
    back.unlink()


def test_describe_and_explain(cluster):
    text = cluster.kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in text
    assert "Scaled up replica set" in text
    assert "NAME" not in text.splitlines()[0].upper().split(":")[1]
    assert "containers" in cluster.kubectl("explain", "pod.spec")
    pod = cluster.get("pods", "-l", "app=web")["items"][0]["metadata"]["name"]
    assert "Successfully assigned" in cluster.kubectl("describe", "pod", pod)


@pytest.mark.parametrize("manifest", sorted((REPOSITORY / "deploy/examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_example_applies_twice(cluster, namespace, manifest):
    first = cluster.kubectl("-n", namespace, "apply", "-f", str(manifest))
    assert "created" in first
    again = cluster.kubectl("-n", namespace, "apply", "-f", str(manifest))
    assert {line.split()[-1] for line in again.splitlines()} == {"unchanged"}


def test_deleting_a_namespace_takes_everything_in_it(cluster):
    cluster.kubectl("create", "namespace", "doomed")
    deployed(cluster, "doomed", replicas=2)
    cluster.kubectl("-n", "doomed", "create", "configmap", "c", "--from-literal=a=b")
    uids = [p["metadata"]["uid"] for p in cluster.get("-n", "doomed", "pods")["items"]]
    cluster.kubectl("delete", "namespace", "doomed", "--timeout=90s")
    assert "NotFound" in cluster.refused("get", "namespace", "doomed")
    for uid in uids:
        left = ("docker", "ps", "-aq", "--filter", f"label=io.kubernetes.pod.uid={uid}")
        eventually(lambda argv=left: not run(argv, None).stdout, why="the end of its containers")


def test_drain_and_uncordon(cluster, namespace):
    deployed(cluster, namespace)
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    try:
        selector = "--pod-selector=app=web"
        cluster.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", selector, "--timeout=100s"
        )
        assert "SchedulingDisabled" in cluster.kubectl("get", "nodes")
        pods = cluster.get("-n", namespace, "pods")["items"]
        assert all("nodeName" not in p["spec"] for p in pods if "deletionTimestamp" not in p["metadata"])
        failed = ("-n", namespace, "get", "events", "--field-selector=reason=FailedScheduling")
        eventually(lambda: "were unschedulable" in cluster.kubectl(*failed), why="the event")
    finally:
        cluster.kubectl("uncordon", node)
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")


CONFIGURED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: green, "a.txt": "hello"}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {key: s3cret}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, labels: {app: reader}}
spec:
  restartPolicy: Never
  initContainers:
    - name: prepare
      image: pykube/web:demo
      imagePullPolicy: Never
      command: [sh, -c, 'echo from-init > /work/file']
      volumeMounts: [{name: work, mountPath: /work}]
  containers:
    - name: main
      image: pykube/web:demo
      imagePullPolicy: Never
      command: [sh, -c, 'echo $COLOR $POD_NAME $LIMIT; cat /work/file /config/a.txt /secret/key /labels/labels; test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token']
      env:
        - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
      resources: {limits: {memory: 32Mi}}
      volumeMounts:
        - {name: work, mountPath: /work}
        - {name: config, mountPath: /config}
        - {name: secret, mountPath: /secret}
        - {name: labels, mountPath: /labels}
  volumes:
    - {name: work, emptyDir: {}}
    - {name: config, configMap: {name: settings}}
    - {name: secret, secret: {secretName: password}}
    - name: labels
      downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
"""


def test_volumes_and_environment(cluster, namespace):
    cluster.apply(CONFIGURED, "-n", namespace)
    cluster.kubectl("-n", namespace, "wait", "pod/reader", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    text = cluster.kubectl("-n", namespace, "logs", "reader")
    assert text.splitlines()[:2] == ["green reader 33554432", "from-init"]
    assert all(word in text for word in ("hello", "s3cret", 'app="reader"', "token"))


def test_a_crashing_container_backs_off(cluster, namespace):
    cluster.kubectl(
        "-n",
        namespace,
        "run",
        "crash",
        f"--image={IMAGE}",
        "--image-pull-policy=Never",
        "--command",
        "--",
        "sh",
        "-c",
        "exit 3",
    )
    status = lambda: cluster.get("-n", namespace, "pod", "crash")["status"].get("containerStatuses", [{}])[0]  # noqa: E731
    eventually(lambda: status().get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff", why="back-off")
    assert status()["lastState"]["terminated"]["exitCode"] == 3
    assert status()["restartCount"] >= 1
    eventually(lambda: "CrashLoopBackOff" in cluster.kubectl("-n", namespace, "get", "pods"), why="what kubectl shows")


PROBED = """
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: pykube/web:demo
      imagePullPolicy: Never
      command: [sh, -c, 'touch /tmp/ready; sleep 1000']
      readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 1}
      livenessProbe: {exec: {command: [test, "!", -e, /tmp/dead]}, periodSeconds: 1, failureThreshold: 1}
"""


def test_probes_decide_readiness_and_restarts(cluster, namespace):
    cluster.apply(PROBED, "-n", namespace)
    cluster.kubectl("-n", namespace, "wait", "pod/probed", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("-n", namespace, "exec", "probed", "--", "rm", "/tmp/ready")
    cluster.kubectl("-n", namespace, "wait", "pod/probed", "--for=condition=Ready=false", "--timeout=60s")
    cluster.kubectl("-n", namespace, "exec", "probed", "--", "touch", "/tmp/dead")
    status = lambda: cluster.get("-n", namespace, "pod", "probed")["status"]["containerStatuses"][0]  # noqa: E731
    eventually(lambda: status()["restartCount"] == 1, why="a restart")
    unhealthy = ("-n", namespace, "get", "events", "--field-selector=reason=Unhealthy")
    eventually(lambda: "Liveness probe failed" in cluster.kubectl(*unhealthy), why="the event")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}}, "spec.containers: Required value"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not_A_Name"}}, "a lowercase RFC 1123 subdomain"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replica": 1}}, 'unknown field "spec.replica"'),
        ({"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "x"}}, "no matches for kind"),
    ],
)  # fmt: skip
def test_bad_objects_are_refused_in_upstreams_words(cluster, manifest, words):
    assert words in cluster.refused("create", "-f", "-", stdin=json.dumps(manifest))


def test_a_headless_service_names_its_pods(cluster, namespace):
    cluster.kubectl("-n", namespace, "apply", "-f", str(REPOSITORY / "deploy/examples/headless.yaml"))
    cluster.kubectl("-n", namespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    addresses = {p["metadata"]["name"]: p["status"]["podIP"] for p in cluster.get("-n", namespace, "pods")["items"]}

    def resolved(name):
        done = cluster.kubectl("-n", namespace, "exec", "one", "--", "nslookup", name, check=False)
        return {line.split()[-1] for line in done.splitlines() if line.startswith("Address:") and ":53" not in line}

    full = f"peers.{namespace}.svc.cluster.local"
    eventually(lambda: resolved(full) == set(addresses.values()), why="both addresses")
    assert resolved(f"two.{full}") == {addresses["two"]}
