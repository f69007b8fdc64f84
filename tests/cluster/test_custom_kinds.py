"""Those who work on all kinds work on custom ones: namespaces, garbage collection, quotas, aggregated roles."""

import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import CLUSTERROLES, CONFIGMAPS, NAMESPACES, Kind
from apimachinery.kinds import CUSTOMRESOURCEDEFINITIONS as DEFINITIONS
from tests.cluster.simulation import Cluster
from tests.contract.custom_resources import crd, widget

WIDGETS = Kind(group="example.com", kind="Widget", plural="widgets", prefix="example.com/widgets")


async def define(cluster):
    await cluster.apply(crd())
    await cluster.settle()


async def test_a_namespace_takes_its_custom_objects_along():
    async with Cluster() as c:
        await define(c)
        await c.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        await c.client.create(WIDGETS, widget("a"), namespace="n")
        await c.client.create(WIDGETS, widget("b"), namespace="default")
        await c.client.delete(NAMESPACES, "", "n")
        await c.settle()
        assert await c.get(NAMESPACES, "n") is None
        assert [item["metadata"]["name"] for item in c.stored(WIDGETS)] == ["b"]


async def test_dependents_and_owners_may_be_custom():
    async with Cluster() as c:
        await define(c)
        owner = await c.client.create(WIDGETS, widget("owner"), namespace="default")
        reference = {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
        }
        await c.client.create(WIDGETS, widget("child", metadata={"ownerReferences": [reference]}), namespace="default")
        await c.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "ownerReferences": [reference]}}
        )
        await c.settle()
        await c.client.delete(WIDGETS, "default", "owner")
        await c.settle()
        assert c.stored(WIDGETS) == []
        assert await c.get(CONFIGMAPS, "m") is None


async def test_custom_objects_are_counted():
    async with Cluster() as c:
        await define(c)
        quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/widgets.example.com": "1"}}}
        await c.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
        await c.settle()
        await c.client.create(WIDGETS, widget("a"), namespace="default")
        with pytest.raises(ApiError, match="exceeded quota"):
            await c.client.create(WIDGETS, widget("b"), namespace="default")


async def test_a_definition_goes_with_everything_and_may_come_again():
    async with Cluster() as c:
        for _ in range(2):
            await define(c)
            await c.client.create(WIDGETS, widget("a"), namespace="default")
            await c.client.delete(DEFINITIONS, "", "widgets.example.com")
            await c.settle()
            assert c.stored(WIDGETS) == []
            assert await c.get(DEFINITIONS, "widgets.example.com") is None


async def test_roles_for_custom_kinds_are_aggregated():
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "widgets", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}],
    }
    async with Cluster() as c:
        await define(c)
        await c.apply(role)
        await c.settle()
        view = await c.get(CLUSTERROLES, "view")
        assert role["rules"][0] in view["rules"]
