"""Whatever happens to the controllers on the way, the end is the same."""

import pytest

from apimachinery.kinds import DEPLOYMENTS, ENDPOINTSLICES, NAMESPACES, PODS, REPLICASETS
from tests.cluster.simulation import Cluster
from tests.cluster.test_deployments import deployment, images
from tests.cluster.test_nodes import SERVICE, addresses
from tests.cluster.virtual_time import run


async def story(c, pause):
    """A life with everything in it; `pause` is called between any two steps."""
    await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    other = deployment("other")
    other["metadata"]["namespace"] = "team"
    await c.apply(SERVICE, deployment(replicas=4), other)
    await pause()
    await c.apply(deployment(replicas=6, image="web:2"))
    await pause()
    await c.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 3}})
    await pause()
    await c.client.delete(NAMESPACES, "", "team")
    await pause()
    await c.apply(deployment(replicas=5, image="web:3"))
    await pause()
    await c.settle()


@pytest.mark.parametrize("seed", range(6))
async def test_restarts_at_random_points_change_nothing_in_the_end(seed):
    async with Cluster(seed=seed) as c:

        async def pause():
            for _ in range(c.random.randint(0, 3)):
                await c.advance(c.random.uniform(0, 1.5))
                await c.restart_controllers()
            await c.advance(c.random.uniform(0, 3))

        await story(c, pause)
        assert await images(c) == ["web:3"] * 5
        status = (await c.get(DEPLOYMENTS, "web"))["status"]
        assert (status["availableReplicas"], status["updatedReplicas"], status["replicas"]) == (5, 5, 5)
        assert len(await addresses(c)) == 5
        assert await c.get(NAMESPACES, "team") is None
        assert len(await c.items(REPLICASETS)) == 3
        assert {each["metadata"]["namespace"] for each in await c.items(PODS, "")} == {"default"}
        assert len(await c.items(ENDPOINTSLICES, labels="kubernetes.io/service-name=web")) == 1


def test_the_same_seed_gives_the_same_history():
    async def history():
        async with Cluster(seed=7) as c:
            await story(c, lambda: c.advance(1.0))
            return [(change.revision, (change.new or change.old).key) for change in c.storage._history]

    assert run(history()) == run(history())
