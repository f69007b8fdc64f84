"""Deployments on a whole cluster."""

import pytest

from apimachinery.kinds import DEPLOYMENTS, PODS, REPLICASETS
from tests.cluster.simulation import Cluster

REVISION = "deployment.kubernetes.io/revision"


def deployment(name="web", replicas=3, image="web:1", annotations=None, **spec):
    labels = {"app": name}
    meta = {"labels": labels, "annotations": annotations or {}}
    template = {"metadata": meta, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def image_of(pod):
    return pod["spec"]["containers"][0]["image"]


def is_ready(pod):
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def counts(pods):
    """(not being deleted, ready of those)"""
    live = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return len(live), sum(map(is_ready, live))


async def images(c):
    return sorted(image_of(pod) for pod in await c.items(PODS))


async def condition(c, type, name="web"):
    found = (await c.get(DEPLOYMENTS, name))["status"]["conditions"]
    return next(((each["status"], each["reason"]) for each in found if each["type"] == type), None)


async def test_a_deployment_gets_its_pods():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        pods = await c.items(PODS)
        assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
        found = await c.get(DEPLOYMENTS, "web")
        status = found["status"]
        assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (3, 3, 3)
        assert (status["availableReplicas"], status["observedGeneration"]) == (3, found["metadata"]["generation"])
        (replica_set,) = await c.items(REPLICASETS)
        name = replica_set["metadata"]["name"]
        assert await c.messages("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 3"]
        assert len(await c.messages("SuccessfulCreate")) == 3
        assert await condition(c, "Progressing") == ("True", "NewReplicaSetAvailable")
        assert await condition(c, "Available") == ("True", "MinimumReplicasAvailable")
        assert found["metadata"]["generation"] == 1  # the revision's annotation did not raise it


@pytest.mark.parametrize(
    ("surge", "unavailable"),
    [(1, 0), (0, 1), ("25%", "25%"), ("100%", 0), (0, "100%"), (2, 2)],
)
async def test_a_rolling_update_keeps_its_bounds_at_every_step(surge, unavailable):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    replicas = 5
    most = replicas + {1: 1, 0: 0, "25%": 2, "100%": 5, 2: 2}[surge]
    least = replicas - {0: 0, 1: 1, "25%": 1, "100%": 5, 2: 2}[unavailable]
    async with Cluster() as c:
        await c.apply(deployment(replicas=replicas, strategy=strategy))
        await c.settle()
        seen = set()

        def within_bounds():
            live, ready = counts(c.stored(PODS))
            assert live <= most, f"{live} pods are more than {most}"
            assert ready >= least, f"{ready} ready pods are fewer than {least}"
            seen.add((live, ready))

        c.checks.append(within_bounds)
        await c.apply(deployment(replicas=replicas, image="web:2", strategy=strategy))
        await c.settle()
        assert await images(c) == ["web:2"] * replicas
        assert len(seen) > 1


async def test_recreate_never_mixes_old_and_new():
    strategy = {"type": "Recreate", "rollingUpdate": None}
    async with Cluster() as c:
        await c.apply(deployment(strategy={"type": "Recreate"}))
        await c.settle()
        c.checks.append(lambda: _one_image(c))
        await c.apply(deployment(image="web:2", strategy=strategy))
        await c.settle()
        assert await images(c) == ["web:2"] * 3


def _one_image(c):
    assert len({image_of(pod) for pod in c.stored(PODS)}) <= 1


async def test_scaling_up_and_down():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        for replicas in (7, 2, 0, 4):
            await c.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": replicas}})
            await c.settle()
            assert len(await c.items(PODS)) == replicas
        assert len(await c.items(REPLICASETS)) == 1


async def test_undo_brings_the_old_replica_set_back_as_the_next_revision():
    async with Cluster() as c:
        for image in ("web:1", "web:2", "web:1"):
            await c.apply(deployment(image=image))
            await c.settle()
        assert (await c.get(DEPLOYMENTS, "web"))["metadata"]["annotations"][REVISION] == "3"
        sets = {image_of(each["spec"]["template"]): each for each in await c.items(REPLICASETS)}
        assert sets["web:1"]["metadata"]["annotations"][REVISION] == "3"
        assert sets["web:1"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
        assert sets["web:2"]["metadata"]["annotations"][REVISION] == "2"
        assert await images(c) == ["web:1"] * 3


async def test_a_change_in_the_middle_of_a_rollout_rolls_over():
    async with Cluster() as c:
        await c.apply(deployment(replicas=6))
        await c.settle()
        await c.apply(deployment(replicas=6, image="web:2"))
        await c.advance(1.2)
        await c.apply(deployment(replicas=6, image="web:3"))
        await c.settle()
        assert await images(c) == ["web:3"] * 6


async def test_old_replica_sets_beyond_the_limit_go():
    async with Cluster() as c:
        for number in range(5):
            await c.apply(deployment(image=f"web:{number}", revisionHistoryLimit=2))
            await c.settle()
        found = {image_of(each["spec"]["template"]) for each in await c.items(REPLICASETS)}
        assert found == {"web:2", "web:3", "web:4"}


async def test_nothing_rolls_while_paused():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        await c.apply(deployment(image="web:2", paused=True))
        await c.settle()
        assert await images(c) == ["web:1"] * 3
        assert await condition(c, "Progressing") == ("Unknown", "DeploymentPaused")
        await c.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 5}})
        await c.settle()
        assert await images(c) == ["web:1"] * 5  # but it scales
        await c.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"paused": False}})
        await c.settle()
        assert await images(c) == ["web:2"] * 5
        assert await condition(c, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_a_stuck_rollout_says_so_and_keeps_the_old_pods():
    async with Cluster() as c:
        await c.apply(deployment(progressDeadlineSeconds=60))
        await c.settle()
        never = {"simulation/ready-after": "never"}
        await c.apply(deployment(image="web:2", annotations=never, progressDeadlineSeconds=60))
        await c.advance(50)
        assert await condition(c, "Progressing") == ("True", "ReplicaSetUpdated")
        await c.advance(20)
        assert await condition(c, "Progressing") == ("False", "ProgressDeadlineExceeded")
        live, ready = counts([pod for pod in await c.items(PODS) if image_of(pod) == "web:1"])
        assert (live, ready) == (3, 3)


async def test_min_ready_seconds_slow_a_rollout_down():
    async with Cluster() as c:
        await c.apply(deployment(replicas=1, minReadySeconds=30))
        await c.settle()
        assert (await c.get(DEPLOYMENTS, "web"))["status"].get("availableReplicas", 0) == 0
        await c.advance(30)
        assert (await c.get(DEPLOYMENTS, "web"))["status"]["availableReplicas"] == 1


async def test_a_replica_set_of_the_same_template_is_adopted():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        await c.client.delete(DEPLOYMENTS, "default", "web", propagation="Orphan")
        await c.settle()
        (orphan,) = await c.items(REPLICASETS)
        assert not orphan["metadata"].get("ownerReferences")
        before = {pod["metadata"]["uid"] for pod in await c.items(PODS)}
        await c.apply(deployment())
        await c.settle()
        (adopted,) = await c.items(REPLICASETS)
        assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]
        assert adopted["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
        assert {pod["metadata"]["uid"] for pod in await c.items(PODS)} == before


async def test_a_pod_that_loses_its_labels_is_released_and_replaced():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        name = (await c.items(PODS))[0]["metadata"]["name"]
        await c.client.patch(PODS, "default", name, {"metadata": {"labels": {"app": "quarantine"}}})
        await c.settle()
        assert not (await c.get(PODS, name))["metadata"].get("ownerReferences")
        assert len(await c.items(PODS, labels="app=web")) == 3


async def test_a_quota_that_refuses_pods_shows_in_the_conditions():
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
    async with Cluster() as c:
        await c.apply(quota)
        await c.apply(deployment())
        await c.advance(5)
        assert await c.items(PODS) == []
        assert await condition(c, "ReplicaFailure") == ("True", "FailedCreate")
        await c.client.delete(DEPLOYMENTS, "default", "web")
        await c.settle()
