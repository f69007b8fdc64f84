"""Makes the parts of a kubelet, ties them together, and runs them until the process is asked to end.

Stopping it, or its death, ends no pod: the next one finds everything in Docker and in the API.
"""

import asyncio
import time
from pathlib import Path

import structlog

from client import config as client_config
from client.client import Client
from client.events import EventRecorder
from kubelet import metrics, parts
from kubelet.agent import Agent
from kubelet.api import ApiPods
from kubelet.configz import served
from kubelet.csi.api import CsiApi
from kubelet.csi.registry import Registry
from kubelet.csi.volumes import CsiVolumes
from kubelet.handlers import Handlers
from kubelet.listening import start_servers
from kubelet.measures import Measures
from kubelet.mirrors import Mirrors
from kubelet.network_upkeep import keep_network, keep_routes
from kubelet.objects import ApiObjects
from kubelet.options import Options
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.protocol import ContainerRuntime, RuntimeError_
from kubelet.runtime.timed import TimedRuntime
from kubelet.served import ServedPods
from kubelet.volume_stats import VolumeStats
from kubelet.volumes.provisioner import PROVISIONER, Provisioner

log = structlog.get_logger("kubelet")

_RETRY = 1.0


class _Stop(Exception):
    """Somebody asked the process to end."""


async def kubelet(options: Options, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    config = client_config.load_kubeconfig(options.kubeconfig) if options.kubeconfig else client_config.load()
    async with Client(config, user_agent="kubelet") as client:
        runtime = await _docker(options)
        timed = TimedRuntime(runtime)
        handlers = Handlers(timed)
        try:
            async with asyncio.TaskGroup() as tasks:
                await _wire(options, client, timed, handlers, tasks)
                await stop.wait()
                raise _Stop  # noqa: TRY301 - a TaskGroup ends its tasks when its body raises
        except* _Stop:
            log.info("stopped; pods go on")
        finally:
            await handlers.close()
            runtime.close()


async def _docker(options: Options) -> DockerRuntime:
    """The runtime, once it answers."""
    while True:
        try:
            made = await asyncio.to_thread(
                DockerRuntime, Owner(options.cluster_name, options.node_name), options.docker_endpoint
            )
            await made.prepare()
        except (RuntimeError_, OSError) as error:
            log.warning("waiting for Docker", endpoint=options.docker_endpoint, error=str(error))
            await asyncio.sleep(_RETRY)
        else:
            return made


async def _wire(
    options: Options, client: Client, runtime: ContainerRuntime, handlers: Handlers, tasks: asyncio.TaskGroup
) -> None:
    """Make every part and start what runs."""
    ground, state = await parts.ground_of(options, client, runtime, handlers, tasks), parts.State()
    caches = parts.caches_of(client, ground.name)
    network = parts.network_of(options)
    objects = ApiObjects(client, spawn=tasks.create_task)
    csi_api = CsiApi(client, ground.name)
    drivers = Registry(options.root_dir / "plugins_registry", csi_api)
    keeper = parts.image_keeper(ground)
    mirrors = Mirrors(client, ApiPods(client), lambda: caches.own.get("", ground.name))
    doors = parts.doors_of(
        ground, network, objects, CsiVolumes(options.root_dir, ground.name, drivers, csi_api), keeper, mirrors
    )
    node = parts.node_of(ground, caches, state)
    manifests = Path(ground.configuration.static_pod_path) if ground.configuration.static_pod_path else None
    agent = Agent(caches.pods, node, doors, manifests=manifests, mirrors=mirrors)
    objects.subscribe(agent.refresh)
    reporter = parts.reporter_of(ground, caches, state)
    pressure = parts.pressure_of(ground, node, agent, keeper, reporter, state)
    volumes = VolumeStats(volumes=doors.volumes, pods=lambda: parts.running_pods(agent), clock=time.time)
    _tell_metrics(ground.name, agent, volumes)
    shutdown = parts.shutdown_of(ground, agent, reporter, state)
    logind = parts.logind_of(ground, shutdown, reporter)
    for running in (
        *(cache.run() for cache in (caches.pods, caches.services, caches.own, caches.classes)),
        *(part.run() for part in (ground.recorder, reporter, keeper, mirrors, pressure, drivers, volumes)),
        shutdown.watch(logind.release),
        logind.run(),
        keep_network(caches.own, network, agent, reporter, state.problems, ground.name),
        *([keep_routes(options, network)] if options.network_kubeconfig else []),
        *([_provision(options)] if options.local_path_kubeconfig else []),
        agent.run(),
    ):
        tasks.create_task(running)
    looks = Measures(node=node, image_root=pressure.terms.image_root, cpus=ground.machine.cpus)
    served_pods = ServedPods(
        agent, runtime, node, served(ground.configuration), probes=doors.probes, measures=looks, volumes=volumes
    )
    await start_servers(options, served_pods, client, tasks)


def _tell_metrics(name: str, agent: Agent, volumes: VolumeStats) -> None:
    metrics.NODE_NAME.of(name).value = 1
    metrics.watch(agent.containers, agent.desired)
    metrics.watch_claims(volumes.claims)


async def _provision(options: Options) -> None:
    """Volumes out of this node's folders, as a user that may write volumes: a kubelet may not."""
    config = client_config.load_kubeconfig(options.local_path_kubeconfig)
    async with Client(config, user_agent="pykube-local-path") as client, asyncio.TaskGroup() as tasks:
        recorder = EventRecorder(client, PROVISIONER, options.node_name)
        made = Provisioner(client, recorder, options.node_name, options.root_dir / "local-path")
        tasks.create_task(recorder.run())
        tasks.create_task(made.run())
