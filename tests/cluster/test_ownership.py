"""Garbage collection and namespaces on a whole cluster."""

import pytest

from apimachinery.kinds import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICASETS, SERVICEACCOUNTS
from tests.cluster.simulation import Cluster
from tests.cluster.test_deployments import deployment


def configmap(name, owner=None, namespace="default", finalizers=(), block=False):
    meta = {"name": name, "namespace": namespace, "finalizers": list(finalizers)}
    if owner is not None:
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        meta["ownerReferences"] = [reference | {"blockOwnerDeletion": block}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_deleting_a_deployment_takes_everything_along(propagation):
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        await c.client.delete(DEPLOYMENTS, "default", "web", propagation=propagation)
        await c.settle()
        assert await c.items(DEPLOYMENTS) + await c.items(REPLICASETS) + await c.items(PODS) == []


async def test_in_the_foreground_the_owner_goes_last():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()

        def owner_goes_last():
            assert c.stored(DEPLOYMENTS) or not c.stored(REPLICASETS)
            assert c.stored(REPLICASETS) or not c.stored(PODS)

        c.checks.append(owner_goes_last)
        await c.client.delete(DEPLOYMENTS, "default", "web", propagation="Foreground")
        await c.settle()
        assert await c.items(PODS) == []


async def test_orphaned_pods_live_on():
    async with Cluster() as c:
        await c.apply(deployment())
        await c.settle()
        (replica_set,) = await c.items(REPLICASETS)
        await c.client.delete(DEPLOYMENTS, "default", "web", propagation="Orphan")
        await c.settle()
        await c.client.delete(REPLICASETS, "default", replica_set["metadata"]["name"], propagation="Orphan")
        await c.settle()
        pods = await c.items(PODS)
        assert len(pods) == 3
        assert not any(pod["metadata"].get("ownerReferences") for pod in pods)


async def test_an_object_made_with_an_owner_that_never_was_goes():
    async with Cluster() as c:
        ghost = {"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}}
        await c.apply(configmap("a", ghost))
        await c.settle()
        assert await c.get(CONFIGMAPS, "a") is None


async def test_an_owner_in_another_namespace_is_none():
    async with Cluster() as c:
        await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
        await c.apply(configmap("owner", namespace="other"))
        owner = await c.get(CONFIGMAPS, "owner", "other")
        await c.apply(configmap("a", owner))
        await c.settle()
        assert await c.get(CONFIGMAPS, "a") is None
        assert len(await c.messages("OwnerRefInvalidNamespace")) == 1


async def test_with_one_owner_left_only_the_reference_goes():
    async with Cluster() as c:
        await c.apply(configmap("one"), configmap("two"))
        one, two = await c.get(CONFIGMAPS, "one"), await c.get(CONFIGMAPS, "two")
        both = configmap("a", one)
        both["metadata"]["ownerReferences"] += configmap("a", two)["metadata"]["ownerReferences"]
        await c.apply(both)
        await c.settle()
        await c.client.delete(CONFIGMAPS, "default", "one")
        await c.settle()
        owners = (await c.get(CONFIGMAPS, "a"))["metadata"]["ownerReferences"]
        assert [owner["name"] for owner in owners] == ["two"]


async def test_owners_in_a_circle_go_together():
    async with Cluster() as c:
        await c.apply(configmap("a"), configmap("b"))
        a, b = await c.get(CONFIGMAPS, "a"), await c.get(CONFIGMAPS, "b")
        await c.apply(configmap("b", a, block=True), configmap("a", b, block=True))
        await c.settle()
        await c.client.delete(CONFIGMAPS, "default", "a", propagation="Foreground")
        await c.settle()
        assert (await c.get(CONFIGMAPS, "a"), await c.get(CONFIGMAPS, "b")) == (None, None)


async def test_a_namespace_goes_with_everything_in_it_pods_first():
    async with Cluster() as c:
        await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        web = deployment()
        web["metadata"]["namespace"] = "team"
        await c.apply(web, configmap("settings", namespace="team"))
        await c.settle()
        assert len(await c.items(PODS, "team")) == 3

        def pods_first():
            names = [
                each["metadata"]["name"] for each in c.stored(CONFIGMAPS) if each["metadata"]["namespace"] == "team"
            ]
            pods = [each for each in c.stored(PODS) if each["metadata"]["namespace"] == "team"]
            assert "settings" in names or not pods

        c.checks.append(pods_first)
        await c.client.delete(NAMESPACES, "", "team")
        await c.settle()
        assert await c.get(NAMESPACES, "team") is None
        assert not [key for key in c.storage._now if "/team/" in key]


async def test_a_finalizer_holds_its_namespace_and_the_conditions_say_so():
    async with Cluster() as c:
        await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        await c.apply(configmap("held", namespace="team", finalizers=["example.com/hold"]))
        await c.client.delete(NAMESPACES, "", "team")
        await c.advance(20)
        status = (await c.get(NAMESPACES, "team"))["status"]
        conditions = {each["type"]: (each["status"], each["message"]) for each in status["conditions"]}
        assert status["phase"] == "Terminating"
        assert conditions["NamespaceContentRemaining"] == (
            "True",
            "Some resources are remaining: configmaps. has 1 resource instances",
        )
        assert conditions["NamespaceFinalizersRemaining"] == (
            "True",
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        )
        await c.client.patch(CONFIGMAPS, "team", "held", {"metadata": {"finalizers": None}})
        await c.settle()
        assert await c.get(NAMESPACES, "team") is None


async def test_every_namespace_gets_its_account_and_the_ca():
    async with Cluster() as c:
        await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        await c.settle()
        assert await c.get(SERVICEACCOUNTS, "default", "team")
        assert (await c.get(CONFIGMAPS, "kube-root-ca.crt", "team"))["data"]["ca.crt"].startswith("-----BEGIN")
        await c.client.delete(SERVICEACCOUNTS, "team", "default")
        await c.client.patch(CONFIGMAPS, "team", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
        await c.settle()
        assert await c.get(SERVICEACCOUNTS, "default", "team")
        assert (await c.get(CONFIGMAPS, "kube-root-ca.crt", "team"))["data"]["ca.crt"].startswith("-----BEGIN")
