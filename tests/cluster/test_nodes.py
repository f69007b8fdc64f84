"""Nodes that die, come back and go, and what becomes of their pods and of services."""

from apimachinery.kinds import ENDPOINTS, ENDPOINTSLICES, NODES, PODS, SERVICES
from tests.cluster.simulation import Cluster
from tests.cluster.test_deployments import counts, deployment

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}


async def ready(c, name):
    conditions = (await c.get(NODES, name))["status"]["conditions"]
    return next(each["status"] for each in conditions if each["type"] == "Ready")


async def taints(c, name):
    return sorted(
        (each["key"].split("/")[1], each["effect"]) for each in (await c.get(NODES, name))["spec"].get("taints", ())
    )


async def on_node(c, name):
    return [pod for pod in await c.items(PODS) if pod["spec"].get("nodeName") == name]


async def addresses(c, *, is_ready=True):
    slices = await c.items(ENDPOINTSLICES, labels="kubernetes.io/service-name=web")
    return sorted(
        address
        for each in slices
        for endpoint in each["endpoints"]
        if endpoint["conditions"]["ready"] == is_ready
        for address in endpoint["addresses"]
    )


async def test_nodes_get_ranges_of_their_own():
    async with Cluster(nodes=4) as c:
        ranges = sorted(node["spec"]["podCIDR"] for node in await c.items(NODES, ""))
        assert ranges == [f"10.244.{number}.0/24" for number in range(4)]


async def test_a_dead_node_is_noticed_drained_and_its_pods_replaced():
    async with Cluster(nodes=3) as c:
        await c.apply(SERVICE, deployment(replicas=6))
        await c.settle()
        assert len(await addresses(c)) == 6
        doomed = await on_node(c, "node-1")
        c.kubelets.stop("node-1")
        await c.advance(30)
        assert await ready(c, "node-1") == "True"
        await c.advance(25)
        assert await ready(c, "node-1") == "Unknown"
        assert await taints(c, "node-1") == [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]
        assert len(await addresses(c)) == 6 - len(doomed)
        assert await c.messages("NodeNotReady", "default") == sorted(
            ["Node node-1 status is now: NodeNotReady", *["Node is not ready"] * len(doomed)]
        )
        await c.advance(320)
        assert counts(await c.items(PODS)) == (6, 6)
        assert len(await addresses(c)) == 6
        await c.kubelets.start("node-1")
        await c.settle()
        assert await taints(c, "node-1") == []
        assert len(await c.items(PODS)) == 6


async def test_a_node_that_comes_back_in_time_loses_nothing():
    async with Cluster(nodes=3) as c:
        await c.apply(deployment(replicas=6))
        await c.settle()
        before = {pod["metadata"]["uid"] for pod in await c.items(PODS)}
        c.kubelets.stop("node-1")
        await c.advance(200)
        await c.kubelets.start("node-1")
        await c.advance(400)
        assert {pod["metadata"]["uid"] for pod in await c.items(PODS)} == before
        assert counts(await c.items(PODS)) == (6, 6)


async def test_while_no_node_answers_nobody_is_evicted():
    async with Cluster(nodes=2) as c:
        await c.apply(deployment(replicas=4))
        await c.settle()
        before = {pod["metadata"]["uid"] for pod in await c.items(PODS)}
        for name in ("node-0", "node-1"):
            c.kubelets.stop(name)
        await c.advance(1000)
        for name in ("node-0", "node-1"):
            await c.kubelets.start(name)
        await c.advance(60)
        assert {pod["metadata"]["uid"] for pod in await c.items(PODS)} == before


async def test_pods_of_a_deleted_node_are_collected():
    async with Cluster(nodes=3) as c:
        await c.apply(deployment(replicas=6))
        await c.settle()
        c.kubelets.stop("node-2")
        await c.client.delete(NODES, "", "node-2")
        await c.advance(90)
        assert await on_node(c, "node-2") == []
        assert counts(await c.items(PODS)) == (6, 6)


async def test_cordon_becomes_a_taint():
    async with Cluster(nodes=2) as c:
        await c.client.patch(NODES, "", "node-0", {"spec": {"unschedulable": True}})
        await c.settle()
        assert await taints(c, "node-0") == [("unschedulable", "NoSchedule")]
        await c.client.patch(NODES, "", "node-0", {"spec": {"unschedulable": False}})
        await c.settle()
        assert await taints(c, "node-0") == []


async def test_endpoints_follow_readiness():
    async with Cluster() as c:
        slow = {"simulation/ready-after": "30"}
        await c.apply(SERVICE, deployment(annotations=slow))
        await c.advance(10)
        assert (await addresses(c), len(await addresses(c, is_ready=False))) == ([], 3)
        (subset,) = (await c.get(ENDPOINTS, "web"))["subsets"]
        assert len(subset["notReadyAddresses"]) == 3
        await c.advance(30)
        (subset,) = (await c.get(ENDPOINTS, "web"))["subsets"]
        assert [each["ip"] for each in subset["addresses"]] == await addresses(c)
        assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
        await c.client.delete(SERVICES, "default", "web")
        await c.settle()
        assert await c.get(ENDPOINTS, "web") is None
        assert await c.items(ENDPOINTSLICES, labels="kubernetes.io/service-name=web") == []
