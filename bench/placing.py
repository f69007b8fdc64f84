"""How fast pods are placed: 3,000 pods on 1,000 nodes that exist only as objects, from the first create to all bound.

The pods are created by this process, which has its part of the cores; so the CPU time of the control plane for a pod
stands beside each rate. Nobody sends the nodes' heartbeats: the pods tolerate that.
"""

import asyncio
import os
import time
from contextlib import aclosing
from pathlib import Path

from apimachinery.errors import ApiError
from apimachinery.kinds import NODES, PODS
from apimachinery.times import rfc3339
from bench.report import Row
from bootstrap import supervisor

NODE_COUNT, POD_COUNT, AT_ONCE = 1000, 3000, 32
NAMESPACE, LABEL = "default", "bench-placing"
PARTS = ("scheduler", "apiserver", "controllers")
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
WITHIN = 600.0
#: What pods ask of each other, and upstream's rate on a machine of this kind, created to bound (aim: five times that).
KINDS = {"nothing": 110, "spread over zones": 86, "at most one of a kind on a host": 54}


def node(number):
    """A node that is ready, and has nobody behind it."""
    labels = {HOST: f"placing-{number}", ZONE: f"zone-{number % 3}", LABEL: "yes"}
    capacity = {"cpu": "32", "memory": "64Gi", "pods": "110"}
    moment = rfc3339(time.time())
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": moment}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"placing-{number}", "labels": labels},
        "spec": {"podCIDR": f"100.64.{number // 16}.{number % 16 * 16}/28"},
        "status": {"capacity": capacity, "allocatable": capacity, "conditions": [ready]},
    }


def pod(kind, number):
    """A pod for such nodes."""
    labels = {LABEL: "yes"}
    container = {"name": "main", "image": "none", "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}
    spec = {"containers": [container], "nodeSelector": {LABEL: "yes"}, "tolerations": [{"operator": "Exists"}]}
    if kind == "spread over zones":
        one = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
        spec["topologySpreadConstraints"] = [{**one, "labelSelector": {"matchLabels": labels}}]
    elif kind == "at most one of a kind on a host":
        labels["kind"] = f"kind-{number % 8}"
        term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"kind": labels["kind"]}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    name = f"placing-{number}"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def rows(cluster):
    """A row for each kind of pods."""
    return asyncio.run(_rows(cluster))


async def _rows(cluster):
    found = []
    async with cluster.client() as client:
        await _all(NODE_COUNT, lambda number: _join(client, number))
        try:
            for kind, upstream in KINDS.items():
                before = {name: _cpu(cluster.spec, name) for name in PARTS}
                seconds = await _placed(client, kind)
                cpu = [f"{name} {_used(was, _cpu(cluster.spec, name))}" for name, was in before.items()]
                note = f"ms of CPU a pod: {', '.join(cpu)}; upstream {upstream}/s, aim five times that"
                what = f"pods placed on {NODE_COUNT:,} nodes; they ask of each other: {kind}"
                found.append(Row(what, POD_COUNT / seconds, "/s", note=note))
                await _all(POD_COUNT, lambda number: _gone(client, PODS, NAMESPACE, f"placing-{number}"))
        finally:
            await _all(NODE_COUNT, lambda number: _gone(client, NODES, "", f"placing-{number}"))
    return found


async def _all(count, work):
    """Does it for every number, some at once."""
    numbers = iter(range(count))

    async def worker():
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(worker())


async def _join(client, number):
    tree = node(number)
    await client.create(NODES, tree)
    await client.patch(NODES, "", tree["metadata"]["name"], {"status": tree["status"]}, subresource="status")


async def _gone(client, kind, namespace, name):
    try:
        await client.delete(kind, namespace, name, grace_period=0)
    except ApiError as error:
        if error.code != 404:
            raise


async def _placed(client, kind):
    """Seconds from the first create to the last binding seen."""
    listed = await client.list(PODS, NAMESPACE, limit=1)
    changes = client.watch(
        PODS, NAMESPACE, resource_version=listed["metadata"]["resourceVersion"], labels=f"{LABEL}=yes"
    )
    bound = set()
    async with asyncio.timeout(WITHIN), aclosing(changes), asyncio.TaskGroup() as tasks:
        began = time.monotonic()
        tasks.create_task(_all(POD_COUNT, lambda number: client.create(PODS, pod(kind, number), namespace=NAMESPACE)))
        async for _, tree in changes:
            if tree.get("spec", {}).get("nodeName"):
                bound.add(tree["metadata"]["name"])
                if len(bound) == POD_COUNT:
                    break
        return time.monotonic() - began


def _cpu(spec, name):
    """Which process it is, and the seconds of CPU that it has used."""
    pid = supervisor.recorded(spec.run, name).pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return pid, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _used(before, after):
    """Milliseconds a pod; a process that lost its lease on a busy machine has begun anew."""
    return f"{(after[1] - before[1]) / POD_COUNT * 1e3:.2f}" if before[0] == after[0] else "(restarted)"
