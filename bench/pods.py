"""How long pods take, seen as a client of the API sees it: from sending the request to the watch event that tells."""

import asyncio
import time
from contextlib import aclosing

from apimachinery.kinds import DEPLOYMENTS, PODS
from bootstrap import docker_engine
from bootstrap.images import WEB

NAMESPACE = "default"
WITHIN = 120.0


def _template(labels):
    container = {"name": "main", "image": WEB, "imagePullPolicy": "Never"}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"metadata": {"labels": labels}, "spec": spec}


def pod(name):
    """One pod, of the demo's image, without probes."""
    labels = {"bench": name}
    body = _template(labels)
    return {"apiVersion": "v1", "kind": "Pod", **body, "metadata": {"name": name, "labels": labels}}


def deployment(name, replicas):
    """As many of them under a Deployment."""
    labels = {"bench": name}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": _template(labels)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def is_running(tree):
    return tree["status"].get("phase") == "Running"


def is_ready(tree):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in tree["status"].get("conditions", ()))


async def until(client, name, change, count, good):
    """Seconds from `change()` until `count` pods labelled bench=NAME are `good` (or, with 0, until none is there)."""
    listed = await client.list(PODS, NAMESPACE, labels=f"bench={name}")
    there = {item["metadata"]["name"] for item in listed["items"]}
    done = {item["metadata"]["name"] for item in listed["items"] if good(item)}
    changes = client.watch(
        PODS, NAMESPACE, resource_version=listed["metadata"]["resourceVersion"], labels=f"bench={name}"
    )
    async with asyncio.timeout(WITHIN), aclosing(changes), asyncio.TaskGroup() as tasks:
        began = time.monotonic()
        tasks.create_task(change())
        async for kind, tree in changes:
            key = tree["metadata"].get("name")
            (there.discard if kind == "DELETED" else there.add)(key)
            (done.add if kind != "DELETED" and good(tree) else done.discard)(key)
            if kind != "BOOKMARK" and (len(done) >= count if count else not there):
                break
        return time.monotonic() - began


async def one(cluster, client, number):
    """(create to Running, delete to gone from the API, delete to gone from Docker) of one pod."""
    name = f"one-{number}"
    made = await until(client, name, lambda: client.create(PODS, pod(name), namespace=NAMESPACE), 1, is_running)
    began = time.monotonic()
    told = await until(client, name, lambda: client.delete(PODS, NAMESPACE, name), 0, is_running)
    while any(name == labels.get("io.kubernetes.pod.name") for labels in containers(cluster.spec)):
        await asyncio.sleep(0.02)
    return made, told, time.monotonic() - began


def containers(spec):
    """The labels of every container that Docker knows, running or not."""
    return [found["Labels"] for found in docker_engine.ask(spec.docker_endpoint, "/containers/json?all=1")]


async def many(client, replicas, meanwhile=None):
    """(create to all Ready, delete to none left) of a Deployment; `meanwhile` is awaited when all are Ready."""
    name = f"many-{replicas}"

    async def create():
        await client.create(DEPLOYMENTS, deployment(name, replicas), namespace=NAMESPACE)

    async def delete():
        await client.delete(DEPLOYMENTS, NAMESPACE, name, propagation="Background")

    ready = await until(client, name, create, replicas, is_ready)
    if meanwhile is not None:
        await meanwhile()
    return ready, await until(client, name, delete, 0, is_ready)
