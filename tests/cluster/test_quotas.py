"""ResourceQuotas on a whole cluster, as upstream's end-to-end tests go through them."""

import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import (
    BY_KIND,
    CONFIGMAPS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    REPLICASETS,
    RESOURCEQUOTAS,
    SECRETS,
    SERVICES,
)
from tests.cluster.simulation import Cluster

HARD = {
    "pods": "5",
    "services": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "replicationcontrollers": "10",
    "resourcequotas": "1",
    "cpu": "1",
    "memory": "500Mi",
    "configmaps": "10",
    "secrets": "10",
    "persistentvolumeclaims": "10",
    "requests.storage": "10Gi",
    "requests.ephemeral-storage": "50Gi",
    "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "10",
    "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
    "count/replicasets.apps": "5",
    "requests.example.com/dongle": "3",
}


def quota(name="q", hard=None, **spec):
    return tree(RESOURCEQUOTAS, name, spec={"hard": hard or HARD, **spec})


def tree(kind, name, **more):
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **more}


def pod(name, requests=None, limits=None, **spec):
    resources = {"requests": requests or {}, "limits": limits or {}}
    return tree(PODS, name, spec={"containers": [{"name": "c", "image": "i", "resources": resources}], **spec})


async def used(cluster, name="q"):
    await cluster.settle()
    return (await cluster.get(RESOURCEQUOTAS, name))["status"]["used"]


async def refusal(cluster, *trees):
    with pytest.raises(ApiError) as caught:
        await cluster.apply(*trees)
    assert caught.value.code == 403
    return str(caught.value.message)


async def test_a_status_is_promptly_calculated():
    async with Cluster(nodes=0) as c:
        await c.apply(quota())
        await c.advance(1)
        status = (await c.get(RESOURCEQUOTAS, "q"))["status"]
        assert status["hard"] == HARD
        assert status["used"].keys() == HARD.keys()
        assert {name for name, value in status["used"].items() if value != "0"} == {
            "configmaps",
            "resourcequotas",
            "services",
        }
        assert {status["used"][name] for name in ("configmaps", "services")} == {"1"}  # kube-root-ca.crt, kubernetes


async def test_the_life_of_a_pod():
    async with Cluster() as c:
        await c.apply(quota())
        await c.settle()
        asked = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"}
        await c.apply(pod("a", asked, {"example.com/dongle": "2"}))
        now = await used(c)
        assert {name: now[name] for name in ("pods", "cpu", "memory", "requests.ephemeral-storage")} == {
            "pods": "1",
            "cpu": "500m",
            "memory": "252Mi",
            "requests.ephemeral-storage": "30Gi",
        }
        assert now["requests.example.com/dongle"] == "2"
        assert await refusal(c, pod("b", {"cpu": "600m", "memory": "100Mi"})) == (
            'pods "b" is forbidden: exceeded quota: q, requested: cpu=600m, used: cpu=500m, limited: cpu=1'
        )
        assert "must specify cpu for: c; memory for: c" in await refusal(c, pod("b"))
        assert await used(c) == now
        await c.client.delete(PODS, "default", "a", grace_period=0)
        now = await used(c)
        assert {now[name] for name in ("pods", "cpu", "memory", "requests.example.com/dongle")} == {"0"}


async def test_a_pod_that_ends_makes_room():
    async with Cluster() as c:
        await c.apply(quota(hard={"pods": "1", "count/pods": "2"}))
        await c.settle()
        await c.apply(pod("a"))
        await c.client.patch(PODS, "default", "a", {"status": {"phase": "Succeeded"}}, subresource="status")
        assert await used(c) == {"pods": "0", "count/pods": "1"}
        await c.apply(pod("b"))
        assert await used(c) == {"pods": "1", "count/pods": "2"}


async def test_the_life_of_services():
    async with Cluster(nodes=0) as c:
        await c.apply(quota())
        await c.settle()
        ports = [{"port": 80, "targetPort": 80}]
        await c.apply(tree(SERVICES, "a", spec={"ports": ports}))
        await c.apply(tree(SERVICES, "b", spec={"ports": ports, "type": "NodePort"}))
        balanced = {"ports": ports, "type": "LoadBalancer"}
        assert await refusal(c, tree(SERVICES, "c", spec=balanced)) == (
            'services "c" is forbidden: exceeded quota: q, requested: services.nodeports=1, '
            "used: services.nodeports=1, limited: services.nodeports=1"
        )
        await c.apply(tree(SERVICES, "c", spec={**balanced, "allocateLoadBalancerNodePorts": False}))
        now = await used(c)
        assert [now[n] for n in ("services", "services.nodeports", "services.loadbalancers")] == ["4", "1", "1"]
        await c.client.patch(SERVICES, "default", "b", {"spec": {"type": "ClusterIP", "ports": ports}})
        assert (await used(c))["services.nodeports"] == "0"
        for name in "abc":
            await c.client.delete(SERVICES, "default", name)
        now = await used(c)
        assert [now[n] for n in ("services", "services.nodeports", "services.loadbalancers")] == ["1", "0", "0"]


@pytest.mark.parametrize(
    ("kind", "counted", "more"),
    [
        pytest.param(SECRETS, "secrets", {}, id="secrets"),
        pytest.param(CONFIGMAPS, "configmaps", {}, id="configmaps"),
        pytest.param(
            REPLICASETS,
            "count/replicasets.apps",
            {
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]},
                }
            },
            id="replicasets",
        ),
    ],
)
async def test_the_life_of_what_is_only_counted(kind, counted, more):
    async with Cluster(nodes=0) as c:
        await c.apply(quota())
        before = int((await used(c))[counted])
        await c.apply(tree(kind, "one", **more))
        assert (await used(c))[counted] == str(before + 1)
        await c.client.delete(kind, "default", "one")
        assert (await used(c))[counted] == str(before)


async def test_the_life_of_a_claim_with_a_class():
    async with Cluster(nodes=0) as c:
        await c.apply(quota())
        await c.settle()
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await c.apply(tree(PERSISTENTVOLUMECLAIMS, "a", spec={**spec, "storageClassName": "gold"}))
        now = await used(c)
        names = ("persistentvolumeclaims", "requests.storage")
        assert [now[n] for n in names] == ["1", "1Gi"]
        assert [now[f"gold.storageclass.storage.k8s.io/{n}"] for n in names] == ["1", "1Gi"]
        await c.client.patch(PERSISTENTVOLUMECLAIMS, "default", "a", {"metadata": {"finalizers": None}})
        await c.client.delete(PERSISTENTVOLUMECLAIMS, "default", "a")
        now = await used(c)
        assert {now[n] for n in now if "storage" in n or n.startswith("persistent")} == {"0"}


SCOPED = [
    pytest.param("Terminating", "NotTerminating", {"activeDeadlineSeconds": 3600}, {}, id="terminating"),
    pytest.param(
        "BestEffort",
        "NotBestEffort",
        {},
        {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]},
        id="best effort",
    ),
]


@pytest.mark.parametrize("by_selector", [False, True])
@pytest.mark.parametrize(("one", "other", "in_one", "in_other"), SCOPED)
async def test_scopes(one, other, in_one, in_other, by_selector):
    def scoped(name):
        if by_selector:
            return {"scopeSelector": {"matchExpressions": [{"scopeName": name, "operator": "Exists"}]}}
        return {"scopes": [name]}

    async with Cluster() as c:
        await c.apply(quota("one", {"pods": "5"}, **scoped(one)), quota("other", {"pods": "5"}, **scoped(other)))
        await c.settle()
        await c.apply(pod("a", **in_one))
        assert (await used(c, "one"), await used(c, "other")) == ({"pods": "1"}, {"pods": "0"})
        await c.apply(pod("b", **in_other))
        assert (await used(c, "one"), await used(c, "other")) == ({"pods": "1"}, {"pods": "1"})
        await c.client.delete(PODS, "default", "a", grace_period=0)
        assert (await used(c, "one"), await used(c, "other")) == ({"pods": "0"}, {"pods": "1"})


async def test_the_scope_of_a_priority_class():
    term = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    async with Cluster() as c:
        high = BY_KIND["scheduling.k8s.io/v1", "PriorityClass"]
        await c.apply(tree(high, "high", value=1000))
        await c.apply(quota("q", {"pods": "1"}, scopeSelector={"matchExpressions": [term]}))
        await c.settle()
        await c.apply(pod("a"), pod("b", priorityClassName="high"))
        assert await used(c) == {"pods": "1"}
        assert "exceeded quota" in await refusal(c, pod("c", priorityClassName="high"))


async def test_a_changed_or_meddled_with_quota_is_put_right():
    async with Cluster(nodes=0) as c:
        await c.apply(quota(hard={"configmaps": "5", "secrets": "5"}))
        await c.settle()
        await c.client.patch(RESOURCEQUOTAS, "default", "q", {"spec": {"hard": {"configmaps": "7", "secrets": None}}})
        await c.settle()
        status = (await c.get(RESOURCEQUOTAS, "q"))["status"]
        assert status == {"hard": {"configmaps": "7"}, "used": {"configmaps": "1"}}
        wrong = {"status": {"hard": {"configmaps": "1"}, "used": {"configmaps": "9"}}}
        shown = await c.client.patch(RESOURCEQUOTAS, "default", "q", wrong, subresource="status")
        assert shown["status"]["hard"] == {"configmaps": "1"}
        await c.settle()
        assert (await c.get(RESOURCEQUOTAS, "q"))["status"] == status
        await c.client.patch(
            RESOURCEQUOTAS, "default", "q", {"status": {"used": {"configmaps": "9"}}}, subresource="status"
        )
        await c.advance(301)
        assert (await c.get(RESOURCEQUOTAS, "q"))["status"] == status


async def test_an_account_without_a_count_lets_nothing_through():
    async with Cluster(nodes=0, controllers=["serviceaccount-controller"]) as c:
        await c.apply(quota(hard={"configmaps": "5"}))
        await c.apply(tree(CONFIGMAPS, "a"))  # no account at all yet: upstream lets this pass, too
        await c.client.patch(
            RESOURCEQUOTAS, "default", "q", {"status": {"hard": {"configmaps": "5"}}}, subresource="status"
        )
        assert await refusal(c, tree(CONFIGMAPS, "b")) == (
            'configmaps "b" is forbidden: status unknown for quota: q, resources: configmaps'
        )
