"""Makes the parts of a kubelet, ties them together, and runs them until the process is asked to end.

Stopping it, or its death, ends no pod: the next one finds everything in Docker and in the API.
"""

import asyncio
import functools
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from apimachinery.kinds import NODES, PODS, RUNTIMECLASSES, SERVICES
from apimachinery.objects.core_v1 import Node as NodeView
from apimachinery.objects.core_v1 import Pod, Service
from apimachinery.objects.node_v1 import RuntimeClass
from client import config as client_config
from client.cache import Cache
from client.client import Client
from client.events import EventRecorder
from kubelet import metrics, node_status
from kubelet.agent import Agent
from kubelet.api import ApiEvents, ApiPods
from kubelet.bounds import machine_of, measures, watched
from kubelet.configuration import Configuration
from kubelet.credential_plugins import Plugins
from kubelet.csi.api import CsiApi
from kubelet.csi.registry import Registry
from kubelet.csi.volumes import CsiVolumes
from kubelet.doors import Doors, Node
from kubelet.eviction.ranking import refusal as under_pressure
from kubelet.eviction.watch import Pressure, observations, use_of
from kubelet.handlers import Handlers
from kubelet.image_gc import ImageKeeper
from kubelet.listening import start_servers
from kubelet.measures import Measures
from kubelet.mirrors import Mirrors
from kubelet.network.bridge import BridgeNetwork
from kubelet.network.files import parse_resolver
from kubelet.network_upkeep import keep_network, keep_routes
from kubelet.node import NodeReporter
from kubelet.objects import ApiObjects
from kubelet.options import Options, reserved, served
from kubelet.pods.images import Images
from kubelet.pods.keyring import Keyring, of_configuration
from kubelet.pods.preemption import judge
from kubelet.pods.resize import refusal
from kubelet.pods.world import Preemption, Verdict
from kubelet.pulling import Puller
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.protocol import RuntimeError_, Version
from kubelet.runtime_classes import runtime as runtime_of
from kubelet.served import ServedPods
from kubelet.shutdown import PROBLEM, REFUSAL, Shutdown, graces
from kubelet.volume_stats import VolumeStats
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.provisioner import PROVISIONER, Provisioner

log = structlog.get_logger("kubelet")

_ALIAS_LENGTH = 255  # the kernel's IFALIASZ, with its zero
_RETRY = 1.0
_NO_NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"


class _Stop(Exception):
    """Somebody asked the process to end."""


async def kubelet(options: Options, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    config = client_config.load_kubeconfig(options.kubeconfig) if options.kubeconfig else client_config.load()
    async with Client(config, user_agent="kubelet") as client:
        runtime = await _docker(options)
        handlers = Handlers(runtime)
        try:
            async with asyncio.TaskGroup() as tasks:
                await _wire(options, client, runtime, handlers, tasks)
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


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What the parts are made of: what was asked for, what was found, and who talks to the outside."""

    options: Options
    client: Client
    runtime: DockerRuntime
    handlers: Handlers
    tasks: asyncio.TaskGroup
    machine: node_status.Machine
    version: Version
    recorder: EventRecorder
    reserved: Mapping[str, str]
    allocatable: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.options.node_name

    @property
    def configuration(self) -> Configuration:
        return self.options.configuration


@dataclass(kw_only=True)
class _State:
    """What changes while the kubelet runs, and more than one part looks at."""

    ending: asyncio.Event = field(default_factory=asyncio.Event)
    pressure: frozenset[str] = frozenset()
    problems: dict[str, str] = field(default_factory=lambda: {"network": _NO_NETWORK})


@dataclass(frozen=True, kw_only=True)
class _Caches:
    """What of the API is watched all the time."""

    pods: Cache[Pod]
    services: Cache[Service]
    own: Cache[NodeView]  # the Node object of this node
    classes: Cache[RuntimeClass]


async def _wire(
    options: Options, client: Client, runtime: DockerRuntime, handlers: Handlers, tasks: asyncio.TaskGroup
) -> None:
    """Make every part and start what runs."""
    ground, state = await _ground(options, client, runtime, handlers, tasks), _State()
    caches = _caches(client, ground.name)
    network = _network(options)
    objects = ApiObjects(client, spawn=tasks.create_task)
    csi_api = CsiApi(client, ground.name)
    drivers = Registry(options.root_dir / "plugins_registry", csi_api)
    keeper = _image_keeper(ground)
    mirrors = Mirrors(client, ApiPods(client), lambda: caches.own.get("", ground.name))
    doors = _doors(
        ground, network, objects, CsiVolumes(options.root_dir, ground.name, drivers, csi_api), keeper, mirrors
    )
    node = _node(ground, caches, state)
    manifests = Path(ground.configuration.static_pod_path) if ground.configuration.static_pod_path else None
    agent = Agent(caches.pods, node, doors, manifests=manifests, mirrors=mirrors)
    objects.subscribe(agent.refresh)
    reporter = _reporter(ground, caches, state)
    pressure = _pressure(ground, node, agent, keeper, reporter, state)
    volumes = VolumeStats(volumes=doors.volumes, pods=lambda: _running(agent), clock=time.time)
    _tell_metrics(ground.name, agent, volumes)
    for running in (
        *(cache.run() for cache in (caches.pods, caches.services, caches.own, caches.classes)),
        *(part.run() for part in (ground.recorder, reporter, keeper, mirrors, pressure, drivers, volumes)),
        _shutdown(ground, agent, reporter, state).run(),
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


async def _ground(
    options: Options, client: Client, runtime: DockerRuntime, handlers: Handlers, tasks: asyncio.TaskGroup
) -> _Ground:
    options.root_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not await asyncio.to_thread(mounts.share, options.root_dir):
        log.warning("mounts do not propagate from here: pods with mountPropagation will be refused by Docker")
    machine, configuration = node_status.machine(options.root_dir), options.configuration
    kept = reserved(configuration, {"memory": machine.memory, "ephemeral-storage": machine.disk})
    return _Ground(
        options=options,
        client=client,
        runtime=runtime,
        handlers=handlers,
        tasks=tasks,
        machine=machine,
        version=await runtime.version(),
        recorder=EventRecorder(client, "kubelet", options.node_name),
        reserved=kept,
        allocatable=node_status.allocatable(machine, configuration.max_pods, kept),
    )


def _caches(client: Client, name: str) -> _Caches:
    return _Caches(
        pods=Cache(client, PODS, Pod, fields=f"spec.nodeName={name}"),
        services=Cache(client, SERVICES, Service),
        own=Cache(client, NODES, NodeView, fields=f"metadata.name={name}"),
        classes=Cache(client, RUNTIMECLASSES, RuntimeClass),
    )


def _network(options: Options) -> BridgeNetwork:
    return BridgeNetwork(
        options.root_dir / "network",
        bridge=options.bridge,
        chain_prefix=options.chain_prefix,
        cluster_cidr=options.cluster_cidr,
        owner=f"PyKube cluster {options.cluster_name} ({options.root_dir})"[:_ALIAS_LENGTH],
    )


def _image_keeper(ground: _Ground) -> ImageKeeper:
    about = {"kind": "Node", "apiVersion": "v1", "name": ground.name, "uid": ground.name}
    return ImageKeeper(
        ground.runtime,
        ground.options.root_dir / "pulled-images.json",
        functools.partial(ground.recorder.event, about),
        high=ground.configuration.image_gc_high,
        low=ground.configuration.image_gc_low,
    )


def _doors(
    ground: _Ground,
    network: BridgeNetwork,
    objects: ApiObjects,
    csi: CsiVolumes,
    keeper: ImageKeeper,
    mirrors: Mirrors,
) -> Doors:
    options, events = ground.options, ApiEvents(ground.recorder)
    most = 1 if ground.configuration.pulls_are_serial else ground.configuration.max_parallel_image_pulls
    images = Images(ground.runtime, keyrings=_keyrings(options), pulled=keeper.pulled, at_once=most)
    volumes = LocalVolumes(
        options.root_dir,
        objects,
        allocatable=lambda: ground.allocatable,
        csi=csi,
        pull=Puller(objects, images, events).of_volume,
    )
    keeper.mounted = volumes.images
    return Doors(
        runtime=ground.runtime,
        network=network,
        volumes=volumes,
        objects=objects,
        images=images,
        handlers=ground.handlers,
        api=mirrors,
        events=events,
        clock=time.time,
        spawn=ground.tasks.create_task,
    )


def _node(ground: _Ground, caches: _Caches, state: _State) -> Node:
    options, configuration = ground.options, ground.configuration
    resolver_file, terms = Path(configuration.resolv_conf), measures(options, ground.allocatable, caches.own)

    def admit(pod: Pod, others: Sequence[Pod]) -> Verdict | Preemption | None:
        if state.ending.is_set():
            return REFUSAL
        why = under_pressure(pod, state.pressure)
        return Verdict("Evicted", why, rejected=True) if why else judge(pod, others, terms())

    return Node(
        name=ground.name,
        addresses=[options.node_ip],
        root=options.root_dir,
        log_root=options.log_dir / "pods",
        links_root=options.log_dir / "containers",
        machine=machine_of(options, ground.machine, ground.version.cgroup_driver),
        cluster_dns=configuration.cluster_dns,
        cluster_domain=configuration.cluster_domain,
        resolver=lambda: parse_resolver(resolver_file.read_text() if resolver_file.exists() else ""),
        allocatable=lambda: ground.allocatable,
        services=caches.services.list,
        runtime=lambda name: runtime_of(name, lambda name: caches.classes.get("", name), ground.version.runtimes),
        admit=admit,
        resize=lambda pod, others: refusal(pod, others, terms()),
    )


def _reporter(ground: _Ground, caches: _Caches, state: _State) -> NodeReporter:
    options, configuration = ground.options, ground.configuration

    async def facts() -> node_status.NodeFacts:
        found = [*([PROBLEM] if state.ending.is_set() else []), *state.problems.values()]
        try:
            images = await ground.runtime.images()
        except RuntimeError_ as error:
            images, found = [], [*found, f"container runtime is down: {error}"]
        return node_status.NodeFacts(
            name=ground.name,
            addresses=[options.node_ip],
            machine=ground.machine,
            port=configuration.port,
            max_pods=configuration.max_pods,
            runtime=f"docker://{ground.version.version}",
            labels=options.labels,
            taints=configuration.register_with_taints,
            images=images,
            problems=found,
            pressure=state.pressure,
            reserved=ground.reserved,
            max_images=configuration.node_status_max_images,
            provider_id=configuration.provider_id,
        )

    own = caches.own
    reporter = NodeReporter(
        ground.client,
        ground.recorder,
        facts,
        clock=time.time,
        current=lambda: own.get("", ground.name),
        configuration=configuration,
    )
    own.subscribe(lambda old, new: reporter.report() if _grown(old, new) else None)
    return reporter


def _pressure(
    ground: _Ground, node: Node, agent: Agent, keeper: ImageKeeper, reporter: NodeReporter, state: _State
) -> Pressure:
    async def reclaim() -> None:
        try:
            await agent.discard()
            await keeper.clear()
        except (RuntimeError_, OSError) as error:
            log.warning("cannot reclaim disk", error=str(error))

    def pressed() -> None:
        state.pressure = pressure.conditions
        reporter.report()

    pressure = Pressure(
        terms=watched(ground.options, node, Path(ground.version.root)),
        pods=agent.pods,
        evict=agent.evict,
        tell=lambda *event: reporter.event(ground.name, *event),
        changed=pressed,
        reclaim=reclaim,
        clock=time.time,
        observe=observations,
        use=use_of,
    )
    return pressure


def _shutdown(ground: _Ground, agent: Agent, reporter: NodeReporter, state: _State) -> Shutdown:
    """The end of the node, which init announces by SIGPWR."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGPWR, state.ending.set)
    return Shutdown(
        graces=graces(ground.configuration),
        pods=lambda: {pod.metadata.uid: pod for pod in _running(agent)},
        evict=agent.evict,
        changed=reporter.report,
        begun=state.ending,
    )


def _running(agent: Agent) -> list[Pod]:
    return [pod for pod, _ in agent.pods().values()]


def _tell_metrics(name: str, agent: Agent, volumes: VolumeStats) -> None:
    metrics.NODE_NAME.labels(name).set(1)
    metrics.watch(agent.containers)
    metrics.watch_claims(volumes.claims)


def _grown(old: NodeView | None, new: NodeView | None) -> bool:
    """Whether somebody has given the node resources of a new kind: they are to be had at once."""
    return new is not None and node_status.extended(old) != node_status.extended(new)


def _keyrings(options: Options) -> Callable[[str], Awaitable[Sequence[Keyring]]]:
    """The node's own credentials: Docker's configuration files, then the providers' programs."""
    plugins = Plugins(options.credential_providers, Path(options.credential_bin_dir))
    files = (options.root_dir / "config.json", Path.home() / ".docker" / "config.json")

    async def keyrings(image: str) -> Sequence[Keyring]:
        own = [of_configuration(file.read_bytes()) for file in files if file.is_file()]
        return [*own, *await plugins.keyrings(image)]

    return keyrings


async def _provision(options: Options) -> None:
    """Volumes out of this node's folders, as a user that may write volumes: a kubelet may not."""
    config = client_config.load_kubeconfig(options.local_path_kubeconfig)
    async with Client(config, user_agent="pykube-local-path") as client, asyncio.TaskGroup() as tasks:
        recorder = EventRecorder(client, PROVISIONER, options.node_name)
        made = Provisioner(client, recorder, options.node_name, options.root_dir / "local-path")
        tasks.create_task(recorder.run())
        tasks.create_task(made.run())
