"""What is measured, as data. A scenario gets the running cluster and gives rows; the aims are those of issue 3."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from apimachinery.kinds import PODS
from bench import memory, placing, pods, rates, watchers
from bench.report import Row, median

REST = 5.0  # seconds of quiet before memory is read
WATCHED = 30.0  # seconds during which a kubelet at rest is watched
MANY = 100  # pods on the node, those of the demo among them
RUNS = 5


@dataclass(frozen=True, slots=True)
class Scenario:
    """One part of the bench. `unavailable()` says why it cannot be run here, or nothing."""

    name: str
    help: str
    measure: Callable
    unavailable: Callable[[], str] = lambda: ""


def _memory(cluster):
    time.sleep(REST)
    plane, forge = memory.total(cluster.spec, memory.CONTROL_PLANE), memory.forge(cluster.spec)
    node = memory.total(cluster.spec, ("kubelet", "proxy", "dns"))
    note = f"PSS of API server, scheduler and controllers, the demo running; RSS, shared pages thrice: {plane.rss:.0f}"
    return [
        Row("memory of the control plane at rest", plane.pss, "MB", 250, note),
        Row("the same, at worst", plane.private + forge.rss, "MB", 250, "private pages, and all of the forge's"),
        Row("memory of the node's processes", node.pss, "MB", note="PSS of kubelet, proxy and DNS"),
    ]


def _pod(cluster):
    async def runs():
        async with cluster.client() as client:
            return [await pods.one(cluster, client, number) for number in range(RUNS)]

    made, told, gone = zip(*asyncio.run(runs()), strict=True)
    return [
        median("one pod, create to Running", made, aim=0.9, note="seen by a watch"),
        median("the same, delete without grace to gone from the API", told),
        median("the same, to its containers gone from Docker", gone, aim=0.5),
    ]


def _replicas(cluster):
    async def run():
        async with cluster.client() as client:
            return await pods.many(client, 20)

    ready, gone = asyncio.run(run())
    return [
        Row("20 replicas, create to all Ready", ready, aim=8, note="one run, no probes"),
        Row("the same, delete to none left", gone),
    ]


def _rest(cluster):
    found = []

    async def watch():
        await asyncio.sleep(WATCHED)  # what starting them has set off is over
        before = memory.processor_seconds(cluster.spec, "kubelet")
        await asyncio.sleep(WATCHED)
        used = (memory.processor_seconds(cluster.spec, "kubelet") - before) / WATCHED
        found.append((used * 100, memory.total(cluster.spec, ("kubelet",)).pss))

    async def run():
        async with cluster.client() as client:
            demo = len((await client.list(PODS, pods.NAMESPACE))["items"])
            return await pods.many(client, MANY - demo, watch)

    ready, gone = asyncio.run(run())
    ((share, pss),) = found
    return [
        Row(f"{MANY} pods, create to all Ready", ready, note="the demo's among them, which were there"),
        Row("the kubelet's share of a core, at rest with them", share, "%", 3, f"over {WATCHED:.0f} s"),
        Row("the kubelet's memory with them", pss, "MB", 100, "PSS"),
        Row("the same pods, delete to none left", gone),
    ]


SCENARIOS = (
    Scenario("memory", "what the processes hold at rest", _memory),
    Scenario("pod", "one pod, made and deleted", _pod),
    Scenario("replicas", "a Deployment of 20", _replicas),
    Scenario("rest", "100 pods at rest", _rest),
    Scenario("placing", "3,000 pods on 1,000 nodes that are only objects", placing.rows),
    Scenario("rates", "requests a second, by apibench", rates.rows, rates.missing),
    Scenario("watchers", "a thousand watchers, and a GET meanwhile", watchers.rows, watchers.missing),
)
