"""Keeps the node's network as it has to be: bridge and rules once there is a pod CIDR, a route to each other node."""

import asyncio
from collections.abc import Sequence

import structlog

from apimachinery.kinds import NODES
from apimachinery.objects.core_v1 import Node as NodeView
from client import config as client_config
from client.cache import Cache
from client.client import Client
from kubelet.agent import Agent
from kubelet.network.bridge import BridgeNetwork
from kubelet.network.protocol import NetworkError
from kubelet.node import NodeReporter
from kubelet.options import Options

log = structlog.get_logger("kubelet")

_REPAIR = 30.0  # how often the network's rules are looked after


async def keep_network(
    own: Cache[NodeView],
    network: BridgeNetwork,
    agent: Agent,
    reporter: NodeReporter,
    problems: dict[str, str],
    name: str,
) -> None:
    """Ready once the node has a pod CIDR; mended when somebody has flushed the rules."""
    changed = asyncio.Event()
    own.subscribe(lambda _old, _new: changed.set())
    await own.wait_synced()
    while True:
        changed.clear()
        node = own.get("", name)
        cidr = node.spec.pod_cidr if node is not None else ""
        if cidr:
            try:
                await network.prepare(cidr)
                if problems.pop("network", None):
                    reporter.report()
                    agent.wake_all()
            except (NetworkError, OSError) as error:
                log.warning("cannot prepare the network", error=str(error))
                problems["network"] = f"container runtime network not ready: {error}"
        try:
            async with asyncio.timeout(_REPAIR):
                while (node := own.get("", name)) is None or (node.spec.pod_cidr or "") == cidr:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            pass


async def keep_routes(options: Options, network: BridgeNetwork) -> None:
    """A route to each other node's pods. A kubelet may read its own Node alone: so, as CNI plugins do, as another."""
    changed = asyncio.Event()
    async with (
        Client(client_config.load_kubeconfig(options.network_kubeconfig), user_agent="pykube-network") as client,
        asyncio.TaskGroup() as tasks,
    ):
        nodes = Cache(client, NODES, NodeView)
        nodes.subscribe(lambda _old, _new: changed.set())
        tasks.create_task(nodes.run())
        await nodes.wait_synced()
        last: dict[str, str] | None = None
        while True:
            changed.clear()
            routes = routes_to(nodes.list(), options.node_name)
            if routes != last:
                try:
                    await network.sync_routes(routes)
                    last = routes
                except NetworkError as error:
                    log.warning("cannot set routes", error=str(error))
            await changed.wait()


def routes_to(nodes: Sequence[NodeView], name: str) -> dict[str, str]:
    """Pod CIDR -> node address, for all nodes but this one."""
    found = {}
    for node in nodes:
        address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
        if node.metadata.name != name and node.spec.pod_cidr and address:
            found[node.spec.pod_cidr] = address
    return found
