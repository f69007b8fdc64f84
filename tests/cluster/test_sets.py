"""StatefulSets and DaemonSets on a whole cluster."""

import pytest

from apimachinery.kinds import CONTROLLERREVISIONS, DAEMONSETS, NODES, PERSISTENTVOLUMECLAIMS, PODS, STATEFULSETS
from controllers.history import REVISION_LABEL
from tests.cluster.simulation import Cluster
from tests.cluster.test_deployments import image_of, is_ready

LABELS = {"app": "web"}


def owner(kind, image="web:1", **spec):
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"selector": {"matchLabels": LABELS}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def stateful_set(replicas=3, **spec):
    return owner("StatefulSet", replicas=replicas, serviceName="web", **spec)


def daemon_set(**spec):
    return owner("DaemonSet", **spec)


async def images(c):
    return {pod["metadata"]["name"]: image_of(pod) for pod in await c.items(PODS)}


async def status(c, kind, *names):
    found = (await c.get(kind, "web"))["status"]
    return [found.get(name) for name in names]


def in_order(c, seen):
    """Notes each pod that comes or goes, and that a pod only comes when those before it are ready."""

    def check():
        pods = c.stored(PODS)
        names = [pod["metadata"]["name"] for pod in pods]
        for name in names:
            if name not in seen:
                others = [pod for pod in pods if pod["metadata"]["name"] != name]
                assert all(map(is_ready, others)), f"{name} came too early"
                seen.append(name)

    return check


async def test_pods_come_one_by_one_with_their_own_names_and_claims():
    templates = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
                  "resources": {"requests": {"storage": "1Gi"}}}}]  # fmt: skip
    async with Cluster() as c:
        seen = []
        c.checks.append(in_order(c, seen))
        await c.apply(stateful_set())
        await c.settle()
        assert seen == ["web-0", "web-1", "web-2"]
        pod = await c.get(PODS, "web-1")
        labels = pod["metadata"]["labels"]
        assert labels["statefulset.kubernetes.io/pod-name"] == "web-1"
        assert labels["apps.kubernetes.io/pod-index"] == "1"
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "web")
        (revision,) = await c.items(CONTROLLERREVISIONS)
        name = revision["metadata"]["name"]
        assert labels[REVISION_LABEL] == name
        names = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
        assert await status(c, STATEFULSETS, *names) == [3] * 5
        assert await status(c, STATEFULSETS, "currentRevision", "updateRevision") == [name, name]
        expected = [f"create Pod web-{n} in StatefulSet web successful" for n in range(3)]
        assert await c.messages("SuccessfulCreate") == expected
        c.checks.clear()
        other = stateful_set(1, volumeClaimTemplates=templates)
        other["metadata"]["name"] = "db"
        other["spec"]["selector"] = {"matchLabels": {"app": "db"}}
        other["spec"]["template"]["metadata"] = {"labels": {"app": "db"}}
        await c.apply(other)
        await c.settle()
        (claim,) = await c.items(PERSISTENTVOLUMECLAIMS)
        assert (claim["metadata"]["name"], claim["metadata"]["labels"]) == ("data-db-0", {"app": "db"})
        volume = (await c.get(PODS, "db-0"))["spec"]["volumes"][0]
        assert volume["persistentVolumeClaim"]["claimName"] == "data-db-0"


async def test_an_update_goes_from_the_last_down_to_the_partition_and_back():
    async with Cluster() as c:
        await c.apply(stateful_set())
        await c.settle()
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        await c.apply(owner("StatefulSet", "web:2", updateStrategy=strategy))
        await c.settle()
        assert await images(c) == {"web-0": "web:1", "web-1": "web:1", "web-2": "web:2"}
        assert await status(c, STATEFULSETS, "currentReplicas", "updatedReplicas") == [2, 1]
        await c.client.delete(PODS, "default", "web-0")
        await c.settle()
        assert (await images(c))["web-0"] == "web:1"  # the update has not come to it
        await c.apply(owner("StatefulSet", "web:2", updateStrategy={"rollingUpdate": {"partition": 0}}))
        await c.settle()
        assert set((await images(c)).values()) == {"web:2"}
        current, update = await status(c, STATEFULSETS, "currentRevision", "updateRevision")
        assert current == update
        await c.apply(owner("StatefulSet", "web:1"))
        await c.settle()
        revisions = await c.items(CONTROLLERREVISIONS)
        assert sorted(each["revision"] for each in revisions) == [2, 3]
        assert set((await images(c)).values()) == {"web:1"}


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
async def test_scaling_down_takes_the_last_and_failed_pods_come_again(policy):
    async with Cluster() as c:
        await c.apply(stateful_set(4, podManagementPolicy=policy, ordinals={"start": 3}))
        await c.settle()
        assert sorted(await images(c)) == ["web-3", "web-4", "web-5", "web-6"]
        await c.client.patch(STATEFULSETS, "default", "web", {"spec": {"replicas": 2}})
        await c.settle()
        assert sorted(await images(c)) == ["web-3", "web-4"]
        before = (await c.get(PODS, "web-3"))["metadata"]["uid"]
        await c.client.patch(PODS, "default", "web-3", {"status": {"phase": "Failed"}}, subresource="status")
        await c.settle()
        after = await c.get(PODS, "web-3")
        assert (after["metadata"]["uid"] != before, is_ready(after)) == (True, True)


async def test_every_node_gets_a_daemon_but_those_with_a_taint():
    async with Cluster() as c:
        await c.apply(daemon_set())
        await c.settle()
        assert sorted(pod["spec"]["nodeName"] for pod in await c.items(PODS)) == ["node-0", "node-1", "node-2"]
        names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable")
        assert await status(c, DAEMONSETS, *names, "updatedNumberScheduled") == [3] * 5
        await c.kubelets.join("node-3")
        await c.settle()
        assert len(await c.items(PODS)) == 4
        taints = [{"key": "mine", "effect": "NoExecute"}]
        await c.client.patch(NODES, "", "node-3", {"spec": {"taints": taints}})
        await c.settle()
        assert len(await c.items(PODS)) == 3
        assert await status(c, DAEMONSETS, *names) == [3] * 4


@pytest.mark.parametrize("bounds", [{"maxUnavailable": 1}, {"maxUnavailable": 0, "maxSurge": 1}])
async def test_daemons_are_updated_within_their_bounds(bounds):
    strategy = {"type": "RollingUpdate", "rollingUpdate": bounds}
    async with Cluster(nodes=4) as c:
        await c.apply(daemon_set(updateStrategy=strategy))
        await c.settle()
        least = 4 - bounds["maxUnavailable"]

        def within_bounds():
            live = [pod for pod in c.stored(PODS) if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
            assert len(live) >= least

        c.checks.append(within_bounds)
        await c.apply(owner("DaemonSet", "web:2", updateStrategy=strategy))
        await c.settle()
        assert list((await images(c)).values()) == ["web:2"] * 4
        assert await status(c, DAEMONSETS, "updatedNumberScheduled", "numberAvailable") == [4, 4]
        await c.apply(owner("DaemonSet", "web:1", updateStrategy=strategy))
        await c.settle()
        revisions = await c.items(CONTROLLERREVISIONS)
        assert sorted(each["revision"] for each in revisions) == [2, 3]


async def test_a_failed_daemon_is_replaced():
    async with Cluster(nodes=1) as c:
        await c.apply(daemon_set())
        await c.settle()
        (pod,) = await c.items(PODS)
        name = pod["metadata"]["name"]
        await c.client.patch(PODS, "default", name, {"status": {"phase": "Failed"}}, subresource="status")
        await c.settle()
        (after,) = await c.items(PODS)
        assert (after["metadata"]["name"] != name, is_ready(after)) == (True, True)
        text = f"Found failed daemon pod default/{name} on node node-0, will try to kill it"
        assert await c.messages("FailedDaemonPod") == [text]


async def test_going_back_restarts_only_what_had_been_updated():
    async with Cluster(nodes=3) as c:
        await c.apply(daemon_set())
        await c.settle()
        before = {pod["metadata"]["uid"] for pod in await c.items(PODS)}
        broken = owner("DaemonSet", "web:broken")
        broken["spec"]["template"]["metadata"]["annotations"] = {"simulation/ready-after": "never"}
        await c.apply(broken)
        await c.settle()
        assert sorted((await images(c)).values()) == ["web:1", "web:1", "web:broken"]
        kept = {pod["metadata"]["uid"] for pod in await c.items(PODS)} & before
        await c.client.patch(DAEMONSETS, "default", "web", {"spec": {"template": {"metadata": {"annotations": None},
                             "spec": {"containers": [{"name": "c", "image": "web:1"}]}}}})  # fmt: skip
        await c.settle()
        assert list((await images(c)).values()) == ["web:1"] * 3
        assert len(kept) == 2
        assert kept < {pod["metadata"]["uid"] for pod in await c.items(PODS)}


async def test_what_a_deleted_set_leaves_is_adopted_by_the_next():
    async with Cluster() as c:
        await c.apply(stateful_set())
        await c.settle()
        before = {pod["metadata"]["uid"] for pod in await c.items(PODS)}
        await c.client.delete(STATEFULSETS, "default", "web", propagation="Orphan")
        await c.settle()
        assert {pod["metadata"]["uid"] for pod in await c.items(PODS)} == before
        await c.apply(stateful_set())
        await c.settle()
        uid = (await c.get(STATEFULSETS, "web"))["metadata"]["uid"]
        owned = [*await c.items(PODS), *await c.items(CONTROLLERREVISIONS)]
        assert {each["metadata"]["ownerReferences"][0]["uid"] for each in owned} == {uid}
        assert (len(owned), {pod["metadata"]["uid"] for pod in await c.items(PODS)}) == (4, before)
