"""What the scheduler does over time, in a whole cluster: preemption, spreading, pods that wait for others."""

from collections import Counter

from apimachinery.kinds import DEPLOYMENTS, NODES, PODS
from tests.cluster.simulation import Cluster

RESOURCE = "example.com/fake"
ZONE, HASH = "topology.kubernetes.io/zone", "pod-template-hash"


def priority_class(name, value, **more):
    meta = {"name": name}
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": meta, "value": value, **more}


LOW, HIGH = priority_class("low", 1), priority_class("high", 1000)


def pod(name, amount=None, *, labels=None, finalizers=(), **spec):
    resources = {"requests": {RESOURCE: amount}, "limits": {RESOURCE: amount}} if amount else {}
    containers = [{"name": "c", "image": "i", "resources": resources}]
    meta = {"name": name, "labels": labels or {}, "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers, **spec}}


async def offer(cluster, amount, *names):
    """The nodes have so much of a resource."""
    for name in names:
        status = {"status": {"capacity": {RESOURCE: amount}, "allocatable": {RESOURCE: amount}}}
        await cluster.client.patch(NODES, "", name, status, subresource="status")


async def where(cluster, *names):
    pods = [await cluster.get(PODS, name) for name in names]
    return [None if one is None else one["spec"].get("nodeName") for one in pods]


def condition(pod, type):
    return next(one for one in pod["status"]["conditions"] if one["type"] == type)


async def test_an_important_pod_takes_the_place_of_a_lesser_one():
    async with Cluster(nodes=2) as c:
        await offer(c, "1", "node-0", "node-1")
        await c.apply(LOW, HIGH)
        await c.apply(pod("one", "1", priorityClassName="low"), pod("two", "1", priorityClassName="high"))
        await c.settle()
        one, two = await where(c, "one", "two")
        assert {one, two} == {"node-0", "node-1"}
        await c.apply(pod("three", "1", priorityClassName="high"))
        await c.settle()
        assert await where(c, "one", "two", "three") == [None, two, one]
        three = await c.get(PODS, "three")
        assert three["status"]["nominatedNodeName"] == one
        assert await c.messages("Preempted") == [f"Preempted by pod {three['metadata']['uid']} on node {one}"]
        assert "0/2 nodes are available: 2 Insufficient example.com/fake." in await c.messages("FailedScheduling")


async def test_a_victim_says_why_it_goes_and_the_node_is_kept_for_the_preemptor():
    async with Cluster(nodes=1) as c:
        await offer(c, "1", "node-0")
        await c.apply(LOW, HIGH, pod("victim", "1", priorityClassName="low", finalizers=["example.com/wait"]))
        await c.settle()
        await c.apply(pod("preemptor", "1", priorityClassName="high"))
        await c.settle()
        victim, preemptor = await c.get(PODS, "victim"), await c.get(PODS, "preemptor")
        assert victim["metadata"]["deletionTimestamp"]
        told = condition(victim, "DisruptionTarget")
        assert (told["status"], told["reason"]) == ("True", "PreemptionByScheduler")
        assert told["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
        assert preemptor["status"]["nominatedNodeName"] == "node-0"
        assert "nodeName" not in preemptor["spec"]
        await c.apply(pod("late", "1", priorityClassName="low"))
        await c.client.patch(PODS, "default", "victim", {"metadata": {"finalizers": None}})
        await c.settle()
        assert await where(c, "preemptor", "late") == ["node-0", None]
        late = await c.get(PODS, "late")
        assert condition(late, "PodScheduled")["message"] == (
            "0/1 nodes are available: 1 Insufficient example.com/fake. no new claims to deallocate, preemption: "
            "0/1 nodes are available: 1 No preemption victims found for incoming pod."
        )


async def test_a_pod_that_never_preempts_waits():
    async with Cluster(nodes=1) as c:
        await offer(c, "1", "node-0")
        await c.apply(LOW, priority_class("polite", 1000, preemptionPolicy="Never"))
        await c.apply(pod("one", "1", priorityClassName="low"))
        await c.settle()
        await c.apply(pod("two", "1", priorityClassName="polite"))
        await c.settle()
        assert await where(c, "one", "two") == ["node-0", None]
        message = condition(await c.get(PODS, "two"), "PodScheduled")["message"]
        assert message.endswith("preemption: not eligible due to preemptionPolicy=Never.")
        await c.client.delete(PODS, "default", "one")
        await c.settle()
        assert await where(c, "two") == ["node-0"]


async def test_a_nomination_is_lost_to_a_more_important_pod():
    async with Cluster(nodes=1) as c:
        await offer(c, "1", "node-0")
        await c.apply(LOW, priority_class("middle", 10), HIGH)
        await c.apply(pod("victim", "1", priorityClassName="low", finalizers=["example.com/wait"]))
        await c.settle()
        await c.apply(pod("middle", "1", priorityClassName="middle"))
        await c.settle()
        assert (await c.get(PODS, "middle"))["status"]["nominatedNodeName"] == "node-0"
        await c.apply(pod("high", "1", priorityClassName="high"))
        await c.settle()
        await c.client.patch(PODS, "default", "victim", {"metadata": {"finalizers": None}})
        await c.settle()
        assert await where(c, "high", "middle") == ["node-0", None]
        assert "nominatedNodeName" not in (await c.get(PODS, "middle"))["status"]


def near(labels, key="kubernetes.io/hostname"):
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


async def test_a_pod_waits_for_the_one_it_is_to_be_near_to():
    async with Cluster(nodes=3) as c:
        await c.apply(pod("friend", affinity=near({"app": "x"})))
        await c.settle()
        assert await where(c, "friend") == [None]
        message = condition(await c.get(PODS, "friend"), "PodScheduled")["message"]
        assert message.startswith("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.")
        await c.apply(pod("x", labels={"app": "x"}))
        await c.settle()
        friend, x = await where(c, "friend", "x")
        assert friend == x is not None


async def test_a_pod_that_others_keep_away_comes_when_they_go():
    apart = {"podAntiAffinity": near({"app": "x"})["podAffinity"]}
    async with Cluster(nodes=1) as c:
        await c.apply(pod("one", labels={"app": "x"}, affinity=apart))
        await c.settle()
        await c.apply(pod("two", labels={"app": "x"}))
        await c.settle()
        assert await where(c, "one", "two") == ["node-0", None]
        await c.client.delete(PODS, "default", "one")
        await c.settle()
        assert await where(c, "two") == ["node-0"]


async def test_pods_of_a_gate_wait_until_it_is_lifted():
    async with Cluster(nodes=1) as c:
        await c.apply(pod("p", schedulingGates=[{"name": "example.com/wait"}]))
        await c.settle()
        assert await where(c, "p") == [None]
        assert condition(await c.get(PODS, "p"), "PodScheduled")["reason"] == "SchedulingGated"
        await c.client.patch(PODS, "default", "p", {"spec": {"schedulingGates": []}})
        await c.settle()
        assert await where(c, "p") == ["node-0"]


async def test_a_rolling_deployment_spreads_each_revision_over_zones():
    labels = {"app": "x"}
    one = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": [HASH]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "1"}]}}
    template["spec"]["topologySpreadConstraints"] = [{**one, "labelSelector": {"matchLabels": labels}}]
    spec = {"replicas": 6, "selector": {"matchLabels": labels}, "template": template}
    async with Cluster(nodes=3) as c:
        await c.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec})
        await c.settle()
        await c.client.patch(DEPLOYMENTS, "default", "d", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
        await c.settle()
        nodes = Counter(one["spec"]["nodeName"] for one in await c.items(PODS))
        assert nodes == {"node-0": 2, "node-1": 2, "node-2": 2}


async def test_a_change_of_a_node_brings_waiting_pods_there():
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    async with Cluster(nodes=1) as c:
        await c.client.patch(NODES, "", "node-0", {"spec": {"taints": [taint]}})
        await c.apply(pod("p"), pod("q", nodeSelector={"disk": "ssd"}))
        await c.settle()
        assert await where(c, "p", "q") == [None, None]
        await c.client.patch(NODES, "", "node-0", {"spec": {"taints": None}})
        await c.settle()
        assert await where(c, "p", "q") == ["node-0", None]
        await c.client.patch(NODES, "", "node-0", {"metadata": {"labels": {"disk": "ssd"}}})
        await c.settle()
        assert await where(c, "q") == ["node-0"]
