"""The Node authorizer: what a kubelet may, over a small cluster of two nodes; and the graph under random changes."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.kinds import PODS, SECRETS
from apiserver.authorization import authorizer as union
from apiserver.authorization import reviews
from apiserver.authorization.node_graph import PodGraph
from apiserver.authorization.node_graph_feed import PodFeed
from apiserver.request import Attributes, User
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.watchcache import WatchCache
from tests.unit.objects import Objects

NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))


def pod(name, node, *, mirror=False, version="1", **spec):
    metadata = {"name": name, "namespace": "ns", "resourceVersion": version}
    if mirror:
        metadata["annotations"] = {"kubernetes.io/config.mirror": "x"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, **spec}}


SPEC = {
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "envFrom": [{"secretRef": {"name": "env-from"}}, {"configMapRef": {"name": "cm-from"}}],
            "env": [
                {"valueFrom": {"secretKeyRef": {"name": "env"}}},
                {"valueFrom": {"configMapKeyRef": {"name": "cm-env"}}},
            ],
        }
    ],
    "volumes": [
        {"name": "a", "secret": {"secretName": "vol"}},
        {"name": "b", "configMap": {"name": "cm-vol"}},
        {"name": "c", "projected": {"sources": [{"secret": {"name": "proj"}}, {"configMap": {"name": "cm-proj"}}]}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "e", "ephemeral": {}},
        {"name": "f", "csi": {"nodePublishSecretRef": {"name": "csi"}}},
    ],
}
VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "pv"},
    "spec": {
        "claimRef": {"namespace": "ns", "name": "claim"},
        "csi": {"nodeStageSecretRef": {"name": "stage", "namespace": "store"}},
    },
}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "claim", "namespace": "ns"},
    "spec": {"volumeName": "pv"},
}
ATTACHED = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttachment",
    "metadata": {"name": "va"},
    "spec": {"nodeName": "n1"},
}
CLUSTER = (
    pod("web", "n1", **SPEC),
    pod("other", "n2", volumes=[{"name": "a", "secret": {"secretName": "foreign"}}]),
    pod("static", "n1", mirror=True, volumes=[{"name": "a", "secret": {"secretName": "mirrored"}}]),
    VOLUME,
    CLAIM,
    ATTACHED,
)


def all_pods(graph):
    for tree in graph.lookup.list(PODS):
        graph.observe((tree["metadata"]["namespace"], tree["metadata"]["name"]), tree)


def decide(text, user=NODE):
    """`get secrets/vol ns`, `create serviceaccounts/token robot ns`: verb, resource, name, namespace, group."""
    verb, resource, name, namespace, group = (*text.split(" "), "-", "-", "-")[:5]
    plural, _, subresource = resource.partition("/")
    plain = {"name": name, "namespace": namespace, "group": group}
    question = Attributes(
        user=user,
        verb=verb,
        plural=plural,
        subresource=subresource,
        **{k: v if v != "-" else "" for k, v in plain.items()},
    )
    return union.create(Objects(*CLUSTER), modes=("Node",), rbac_version=lambda: 1, pods=all_pods).authorize(question)


@pytest.mark.parametrize(
    "text",
    [
        *(f"get secrets {name} ns" for name in ("pull", "env-from", "env", "vol", "proj", "csi")),
        *(
            f"{verb} configmaps {name} ns"
            for verb in ("get", "list", "watch")
            for name in ("cm-from", "cm-env", "cm-vol", "cm-proj")
        ),
        "get secrets stage store",
        "get persistentvolumeclaims claim ns",
        "get persistentvolumeclaims web-e ns",
        "update persistentvolumeclaims/status claim ns",
        "get persistentvolumes pv",
        "get volumeattachments va - storage.k8s.io",
        "create serviceaccounts/token robot ns",
        "get serviceaccounts robot ns",
        "get nodes n1",
        "create nodes",
        "patch nodes/status n1",
        "get pods web ns",
        "patch pods/status web ns",
        "create pods/eviction web ns",
        "create pods - ns",
        "list services",
        "create events - ns",
        "update leases n1 kube-node-lease coordination.k8s.io",
        "create leases - kube-node-lease coordination.k8s.io",
        "get csinodes n1 - storage.k8s.io",
        "create certificatesigningrequests - - certificates.k8s.io",
        "create tokenreviews - - authentication.k8s.io",
    ],
)
def test_a_node_may(text):
    assert decide(text).allowed, text


UNRELATED = "no relationship found between node 'n1' and this object"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("get secrets foreign ns", UNRELATED),
        ("get secrets mirrored ns", UNRELATED),
        ("get secrets vol other", UNRELATED),
        ("get configmaps vol ns", UNRELATED),
        ("get pods other ns", UNRELATED),
        ("create serviceaccounts/token admin ns", UNRELATED),
        ("list secrets - ns", "No Object name found"),
        ("list secrets", "can only read namespaced object of this type"),
        ("create secrets x ns", "can only read resources of this type"),
        ("list persistentvolumes", "can only get individual resources of this type"),
        ("create serviceaccounts - ns", "can only create tokens for individual service accounts"),
        ("get nodes n2", "node 'n1' cannot read 'n2', only its own Node object"),
        ("list nodes", "node 'n1' cannot read all nodes, only its own Node object"),
        ("delete nodes n1", ""),
        (
            "update leases n2 kube-node-lease coordination.k8s.io",
            "can only access node lease with the same name as the requesting node",
        ),
        ("update leases n1 ns coordination.k8s.io", 'can only access leases in the "kube-node-lease" system namespace'),
        ("create deployments - ns apps", ""),
    ],
)
def test_a_node_may_not(text, reason):
    decision = decide(text)
    assert (decision.allowed, decision.reason) == (False, reason)


@pytest.mark.parametrize("user", [User("ann", ("system:nodes",)), User("system:node:n1", ())])
def test_others_are_no_business_of_the_node_authorizer(user):
    assert decide("get nodes n1", user) == decide("get secrets vol ns", user)
    assert not decide("get nodes n1", user).allowed


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        ((("spec.nodeName", "n1"),), ""),
        ((("spec.nodeName", "n2"),), "can only list/watch pods with spec.nodeName field selector"),
        ((), "can only list/watch pods with spec.nodeName field selector"),
    ],
)
def test_a_node_lists_its_own_pods(selector, reason):
    question = Attributes(user=NODE, verb="list", plural="pods", field_selector=selector)
    authorizer = union.create(Objects(), modes=("Node",), rbac_version=lambda: 1, pods=all_pods)
    decision = authorizer.authorize(question)
    assert (decision.allowed, decision.reason) == (not reason, reason)


@pytest.mark.parametrize(
    ("selector", "allowed"),
    [
        ({"rawSelector": "spec.nodeName=n1"}, True),
        ({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n1"]}]}, True),
        ({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n1", "n2"]}]}, False),
        ({"requirements": [{"key": "spec.nodeName", "operator": "NotIn", "values": ["n1"]}]}, False),
    ],
)
def test_reviews_ask_with_a_field_selector(selector, allowed):
    authorizer = union.create(Objects(), modes=("Node",), rbac_version=lambda: 1, pods=all_pods)
    what = {"verb": "list", "resource": "pods", "fieldSelector": selector}
    answer = reviews.self_subject_access_review(authorizer, NODE, {"spec": {"resourceAttributes": what}})
    assert answer["status"]["allowed"] is allowed


async def settled(met):
    async with asyncio.timeout(30):
        while not met():
            await asyncio.sleep(0)


async def test_the_graph_is_fed_from_the_watch_cache():
    storage = MemoryStorage()
    cache = WatchCache(storage)
    graph = PodGraph(Objects(), PodFeed(cache))
    first = pod("a", "n1", volumes=[{"name": "v", "secret": {"secretName": "x"}}])
    stored = await storage.put("/registry/pods/ns/a", msgspec.json.encode(first), expect=0)
    task = asyncio.ensure_future(cache.run())
    await settled(lambda: graph.needs("n1", SECRETS, "ns", "x"))
    second = pod("b", "n2", volumes=[{"name": "v", "secret": {"secretName": "y"}}])
    await storage.put("/registry/pods/ns/b", msgspec.json.encode(second), expect=0)
    await settled(lambda: graph.needs("n2", SECRETS, "ns", "y"))
    await storage.delete("/registry/pods/ns/a", expect=stored.revision)
    await settled(lambda: not graph.needs("n1", SECRETS, "ns", "x"))
    await cache._load()  # as after a lost history: every cursor is cut
    assert graph.needs("n2", SECRETS, "ns", "y")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


SOME_PODS = st.builds(
    lambda name, node, secrets, version: pod(
        name, node, version=version, volumes=[{"name": s, "secret": {"secretName": s}} for s in secrets]
    ),
    st.sampled_from("abc"),
    st.sampled_from(["", "n1", "n2"]),
    st.lists(st.sampled_from("xyz")),
    st.uuids().map(str),
)


@given(st.lists(st.lists(SOME_PODS, unique_by=lambda p: p["metadata"]["name"]), max_size=4))
def test_the_graph_follows_any_history(states):
    graph, before = PodGraph(Objects(), lambda _graph: None), []
    for pods in [*states, []]:
        for tree in before:
            graph.observe(("ns", tree["metadata"]["name"]), None)
        for tree in (before := pods):
            graph.observe(("ns", tree["metadata"]["name"]), tree)
        for node in ("n1", "n2"):
            for secret in "xyz":
                wanted = any(
                    p["spec"]["nodeName"] == node
                    and {"secretName": secret} in [v["secret"] for v in p["spec"]["volumes"]]
                    for p in pods
                )
                assert graph.needs(node, SECRETS, "ns", secret) is wanted
    assert (graph._pods, graph._nodes) == ({}, {})  # nothing is left behind
