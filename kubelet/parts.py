"""The parts of a kubelet, each made in one step of what the process was given and found. wiring.py ties them up."""

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
from client.cache import Cache
from client.client import Client
from client.events import EventRecorder
from kubelet import node_status
from kubelet.agent import Agent
from kubelet.api import ApiEvents
from kubelet.bounds import machine_of, measures, watched
from kubelet.configuration import Configuration
from kubelet.credential_plugins import Plugins
from kubelet.csi.volumes import CsiVolumes
from kubelet.doors import Doors, Node
from kubelet.eviction.ranking import refusal as under_pressure
from kubelet.eviction.watch import Pressure, observations, use_of
from kubelet.handlers import Handlers
from kubelet.image_gc import ImageKeeper
from kubelet.logind import Logind
from kubelet.mirrors import Mirrors
from kubelet.network.bridge import BridgeNetwork
from kubelet.network.files import parse_resolver
from kubelet.node import NodeReporter
from kubelet.objects import ApiObjects
from kubelet.options import Options, reserved
from kubelet.pods.images import Images
from kubelet.pods.keyring import Keyring, of_configuration
from kubelet.pods.preemption import judge
from kubelet.pods.resize import refusal
from kubelet.pods.world import Preemption, Verdict
from kubelet.pulling import Puller
from kubelet.runtime.protocol import ContainerRuntime, RuntimeError_, Version
from kubelet.runtime_classes import runtime as runtime_of
from kubelet.shutdown import PROBLEM, REFUSAL, Shutdown, graces
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes

log = structlog.get_logger("kubelet")

_ALIAS_LENGTH = 255  # the kernel's IFALIASZ, with its zero
_NO_NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the parts are made of: what was asked for, what was found, and who talks to the outside."""

    options: Options
    client: Client
    runtime: ContainerRuntime
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
class State:
    """What changes while the kubelet runs, and more than one part looks at."""

    ending: asyncio.Event = field(default_factory=asyncio.Event)
    pressure: frozenset[str] = frozenset()
    problems: dict[str, str] = field(default_factory=lambda: {"network": _NO_NETWORK})


@dataclass(frozen=True, kw_only=True)
class Caches:
    """What of the API is watched all the time."""

    pods: Cache[Pod]
    services: Cache[Service]
    own: Cache[NodeView]  # the Node object of this node
    classes: Cache[RuntimeClass]


async def ground_of(
    options: Options, client: Client, runtime: ContainerRuntime, handlers: Handlers, tasks: asyncio.TaskGroup
) -> Ground:
    """What the other parts stand on: the machine, the configuration, the runtime's version, the recorder."""
    options.root_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not await asyncio.to_thread(mounts.share, options.root_dir):
        log.warning("mounts do not propagate from here: pods with mountPropagation will be refused by Docker")
    machine, configuration = node_status.machine(options.root_dir), options.configuration
    kept = reserved(configuration, {"memory": machine.memory, "ephemeral-storage": machine.disk})
    return Ground(
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


def caches_of(client: Client, name: str) -> Caches:
    """What the kubelet keeps in memory of the API."""
    return Caches(
        pods=Cache(client, PODS, Pod, fields=f"spec.nodeName={name}"),
        services=Cache(client, SERVICES, Service),
        own=Cache(client, NODES, NodeView, fields=f"metadata.name={name}"),
        classes=Cache(client, RUNTIMECLASSES, RuntimeClass),
    )


def network_of(options: Options) -> BridgeNetwork:
    """The network of pods, as far as this node has one."""
    return BridgeNetwork(
        options.root_dir / "network",
        bridge=options.bridge,
        chain_prefix=options.chain_prefix,
        cluster_cidr=options.cluster_cidr,
        owner=f"PyKube cluster {options.cluster_name} ({options.root_dir})"[:_ALIAS_LENGTH],
    )


def image_keeper(ground: Ground) -> ImageKeeper:
    """What removes images that nobody uses."""
    about = {"kind": "Node", "apiVersion": "v1", "name": ground.name, "uid": ground.name}
    return ImageKeeper(
        ground.runtime,
        ground.options.root_dir / "pulled-images.json",
        functools.partial(ground.recorder.event, about),
        high=ground.configuration.image_gc_high,
        low=ground.configuration.image_gc_low,
    )


def doors_of(
    ground: Ground,
    network: BridgeNetwork,
    objects: ApiObjects,
    csi: CsiVolumes,
    keeper: ImageKeeper,
    mirrors: Mirrors,
) -> Doors:
    """The doors by which pods reach the runtime, the network, volumes and the API."""
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


def node_of(ground: Ground, caches: Caches, state: State) -> Node:
    """What pods must know of their node."""
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


def reporter_of(ground: Ground, caches: Caches, state: State) -> NodeReporter:
    """What keeps the Node object up to date."""
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


def pressure_of(
    ground: Ground, node: Node, agent: Agent, keeper: ImageKeeper, reporter: NodeReporter, state: State
) -> Pressure:
    """What watches the node's resources and evicts."""

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


def shutdown_of(ground: Ground, agent: Agent, reporter: NodeReporter, state: State) -> Shutdown:
    """The end of the node, which init announces by SIGPWR, or logind by its own signal."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGPWR, state.ending.set)
    return Shutdown(
        graces=graces(ground.configuration),
        pods=lambda: {pod.metadata.uid: pod for pod in running_pods(agent)},
        evict=agent.evict,
        changed=reporter.report,
        begun=state.ending,
    )


def logind_of(ground: Ground, shutdown: Shutdown, reporter: NodeReporter) -> Logind:
    return Logind(
        seconds=sum(grace.seconds for grace in shutdown.graces),
        begun=shutdown.begun,
        tell=lambda text: reporter.event(ground.name, "Normal", "NodeShutdown", text),
    )


def running_pods(agent: Agent) -> list[Pod]:
    """The pods that run here."""
    return [pod for pod, _ in agent.pods().values()]


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
