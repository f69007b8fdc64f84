"""What is measured, as data. A scenario gets the running cluster and gives rows; the aims are those of issue 3."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import memory, pods, rates, watchers
from bench.report import Row, median

REST = 5.0  # seconds of quiet before memory is read
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
        median("one pod, create to Running", made, aim=1.2, note="seen by a watch"),
        median("the same, delete without grace to gone from the API", told),
        median("the same, to its containers gone from Docker", gone),
    ]


def _replicas(cluster):
    async def run():
        async with cluster.client() as client:
            return await pods.many(client, 20)

    ready, gone = asyncio.run(run())
    return [
        Row("20 replicas, create to all Ready", ready, aim=12, note="one run, no probes"),
        Row("the same, delete to none left", gone),
    ]


SCENARIOS = (
    Scenario("memory", "what the processes hold at rest", _memory),
    Scenario("pod", "one pod, made and deleted", _pod),
    Scenario("replicas", "a Deployment of 20", _replicas),
    Scenario("rates", "requests a second, by apibench", rates.rows, rates.missing),
    Scenario("watchers", "a thousand watchers, and a GET meanwhile", watchers.rows, watchers.missing),
)
