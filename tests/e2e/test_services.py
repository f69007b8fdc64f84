"""Services beyond the first steps: affinity, traffic policies, slices and Endpoints by hand, UDP, disruption budgets."""

import json
import socket
import threading

import pytest

from tests.e2e.test_kubectl import IMAGE, deployed, eventually, fetch, reached

ECHO = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: echo}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: echo}}}}
  template:
    metadata: {{labels: {{app: echo}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: {IMAGE}
          imagePullPolicy: Never
          command: [sh, -c, 'mkdir /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w']
          ports: [{{containerPort: 8080}}]
---
apiVersion: v1
kind: Service
metadata: {{name: echo}}
spec: {{type: NodePort, selector: {{app: echo}}, ports: [{{port: 80, targetPort: 8080}}]}}
"""


@pytest.fixture
def echo(cluster, namespace):
    """The spec of a service before three pods that say their names."""
    cluster.apply(ECHO, "-n", namespace)
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=60s")
    spec = cluster.get("-n", namespace, "service", "echo")["spec"]
    eventually(lambda: len(answers(f"http://{spec['clusterIP']}", 30)) == 3, why="all three pods")
    return spec


def answers(url, times=12):
    return {reached(url) for _ in range(times)}


def slice_of(service, address, port, *, protocol="TCP", node=""):
    endpoint = {"addresses": [address]} | ({"nodeName": node} if node else {})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"port": port, "protocol": protocol}],
    }


def without_selector(cluster, namespace, name, protocol="TCP"):
    ports = [{"port": 80, "protocol": protocol}]
    cluster.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}}, "-n", namespace
    )
    return cluster.get("-n", namespace, "service", name)["spec"]["clusterIP"]


def test_session_affinity_is_switched_on_and_off(cluster, namespace, echo):
    urls = [f"http://{echo['clusterIP']}", f"http://127.0.0.1:{echo['ports'][0]['nodePort']}"]
    for affinity, counts in (("ClientIP", {1}), ("None", {2, 3})):
        cluster.kubectl(
            "-n", namespace, "patch", "service", "echo", "-p", f'{{"spec":{{"sessionAffinity":"{affinity}"}}}}'
        )
        for url in urls:
            eventually(lambda u=url, c=counts: len(answers(u)) in c, seconds=60, why=f"{affinity} at {url}")


def test_internal_traffic_stays_on_the_node_if_asked(cluster, namespace, echo):
    address = without_selector(cluster, namespace, "hand")
    pod = cluster.get("-n", namespace, "pods", "-l", "app=echo")["items"][0]
    cluster.apply(slice_of("hand", pod["status"]["podIP"], 8080, node="elsewhere"), "-n", namespace)
    name = pod["metadata"]["name"]
    eventually(lambda: name in reached(f"http://{address}"), why="the endpoint of the slice")
    cluster.kubectl("-n", namespace, "patch", "service", "hand", "-p", '{"spec":{"internalTrafficPolicy":"Local"}}')
    eventually(lambda: name not in reached(f"http://{address}"), seconds=60, why="no way to another node")
    cluster.apply(slice_of("hand", pod["status"]["podIP"], 8080, node=pod["spec"]["nodeName"]), "-n", namespace)
    eventually(lambda: name in reached(f"http://{address}"), seconds=60, why="the endpoint on this node")


def test_endpoints_by_hand_are_mirrored(cluster, namespace, echo):
    address = without_selector(cluster, namespace, "old")
    pods = [p["status"]["podIP"] for p in cluster.get("-n", namespace, "pods", "-l", "app=echo")["items"]]
    pages = {ip: fetch(f"http://{ip}:8080") for ip in pods[:2]}
    for ip, page in pages.items():
        subsets = [{"addresses": [{"ip": ip}], "ports": [{"port": 8080}]}]
        tree = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "old"}, "subsets": subsets}
        cluster.apply(tree, "-n", namespace)
        eventually(lambda p=page: answers(f"http://{address}", 4) == {p}, seconds=60, why=f"{ip} behind the service")
    cluster.kubectl("-n", namespace, "delete", "endpoints", "old")
    eventually(lambda: "refused" in reached(f"http://{address}"), seconds=60, why="a refusal")


def serve_udp(address, name, stop):
    """A UDP server that answers with its name; gives its socket, bound."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(address)
    server.settimeout(0.2)

    def answer():
        while not stop.is_set():
            try:
                server.sendto(name, server.recvfrom(64)[1])
            except TimeoutError:
                continue
        server.close()

    threading.Thread(target=answer, daemon=True).start()
    return server


def test_a_udp_flow_moves_with_its_endpoint(cluster, namespace):
    """One socket keeps one conntrack entry: it must be cleaned when the endpoint behind it goes."""
    node = cluster.get("nodes")["items"][0]
    first = node["status"]["addresses"][0]["address"]
    second = node["spec"]["podCIDR"].split("/")[0].rsplit(".", 1)[0] + ".1"
    deployed(cluster, namespace)  # the bridge and its address are there once a pod is
    address, stop = without_selector(cluster, namespace, "udp", "UDP"), threading.Event()
    port = serve_udp((first, 0), b"first", stop).getsockname()[1]
    serve_udp((second, port), b"second", stop)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.5)

    def asked():
        try:
            client.sendto(b"?", (address, 80))
            return client.recv(64)
        except OSError as error:
            return error

    try:
        for ip, name in ((first, b"first"), (second, b"second"), (first, b"first")):
            cluster.apply(slice_of("udp", ip, port, protocol="UDP"), "-n", namespace)
            eventually(lambda n=name: asked() == n, seconds=60, why=f"an answer of {name}")
    finally:
        stop.set()
        client.close()


def test_an_eviction_waits_for_the_disruption_budget(cluster, namespace):
    pods = deployed(cluster, namespace, replicas=2)
    cluster.kubectl("-n", namespace, "create", "pdb", "web", "--selector=app=web", "--min-available=2")
    status = lambda: cluster.get("-n", namespace, "pdb", "web").get("status", {})  # noqa: E731
    eventually(lambda: status().get("currentHealthy") == 2, why="both pods counted")
    name = pods[0]["metadata"]["name"]
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}})
    create = ("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", "-f", "-")
    assert "would violate the pod's disruption budget" in cluster.refused(*create, stdin=eviction)
    cluster.kubectl("-n", namespace, "patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
    eventually(lambda: status().get("disruptionsAllowed") == 1, why="one disruption allowed")
    assert '"Success"' in cluster.kubectl(*create, stdin=eviction)
    cluster.kubectl("-n", namespace, "wait", f"pod/{name}", "--for=delete", "--timeout=60s")
    eventually(lambda: status().get("currentHealthy") == 2, why="a new pod counted")
