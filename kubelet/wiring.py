"""Makes the parts of a kubelet, ties them together, and runs them until the process is asked to end.

Stopping it, or its death, ends no pod: the next one finds everything in Docker and in the API.
"""

import asyncio
import functools
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
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
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.protocol import RuntimeError_
from kubelet.runtime_classes import runtime as runtime_of
from kubelet.served import ServedPods
from kubelet.shutdown import PROBLEM, REFUSAL, Shutdown, graces
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.provisioner import PROVISIONER, Provisioner

log = structlog.get_logger("kubelet")

_ALIAS_LENGTH = 255  # the kernel's IFALIASZ, with its zero
_RETRY = 1.0


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


async def _wire(
    options: Options, client: Client, runtime: DockerRuntime, handlers: Handlers, tasks: asyncio.TaskGroup
) -> None:
    """Make every part and start what runs."""
    options.root_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not await asyncio.to_thread(mounts.share, options.root_dir):
        log.warning("mounts do not propagate from here: pods with mountPropagation will be refused by Docker")
    configuration = options.configuration
    machine, version = node_status.machine(options.root_dir), await runtime.version()
    name, mine = options.node_name, f"metadata.name={options.node_name}"
    pods = Cache(client, PODS, Pod, fields=f"spec.nodeName={name}")
    services, own = Cache(client, SERVICES, Service), Cache(client, NODES, NodeView, fields=mine)
    classes = Cache(client, RUNTIMECLASSES, RuntimeClass)
    recorder = EventRecorder(client, "kubelet", name)
    network = BridgeNetwork(
        options.root_dir / "network",
        bridge=options.bridge,
        chain_prefix=options.chain_prefix,
        cluster_cidr=options.cluster_cidr,
        owner=f"PyKube cluster {options.cluster_name} ({options.root_dir})"[:_ALIAS_LENGTH],
    )
    kept = reserved(configuration, {"memory": machine.memory, "ephemeral-storage": machine.disk})
    allocatable = node_status.allocatable(machine, configuration.max_pods, kept)
    objects = ApiObjects(client, spawn=tasks.create_task)
    resolver_file = Path(configuration.resolv_conf)
    conditions: list[frozenset[str]] = [frozenset()]
    ending = asyncio.Event()
    terms = measures(options, allocatable, own)

    def admit(pod: Pod, others: Sequence[Pod]) -> Verdict | Preemption | None:
        if ending.is_set():
            return REFUSAL
        why = under_pressure(pod, conditions[0])
        return Verdict("Evicted", why, rejected=True) if why else judge(pod, others, terms())

    node = Node(
        name=name,
        addresses=[options.node_ip],
        root=options.root_dir,
        log_root=options.log_dir / "pods",
        links_root=options.log_dir / "containers",
        machine=machine_of(options, machine, version.cgroup_driver),
        cluster_dns=configuration.cluster_dns,
        cluster_domain=configuration.cluster_domain,
        resolver=lambda: parse_resolver(resolver_file.read_text() if resolver_file.exists() else ""),
        allocatable=lambda: allocatable,
        services=services.list,
        runtime=lambda name: runtime_of(name, lambda name: classes.get("", name), version.runtimes),
        admit=admit,
        resize=lambda pod, others: refusal(pod, others, terms()),
    )
    about = {"kind": "Node", "apiVersion": "v1", "name": name, "uid": name}
    keeper = ImageKeeper(
        runtime,
        options.root_dir / "pulled-images.json",
        functools.partial(recorder.event, about),
        high=configuration.image_gc_high,
        low=configuration.image_gc_low,
    )
    csi_api = CsiApi(client, name)
    drivers = Registry(options.root_dir / "plugins_registry", csi_api)
    csi = CsiVolumes(options.root_dir, name, drivers, csi_api)
    mirrors = Mirrors(client, ApiPods(client), lambda: own.get("", name))
    doors = Doors(
        runtime=runtime,
        network=network,
        volumes=LocalVolumes(options.root_dir, objects, allocatable=lambda: allocatable, csi=csi),
        objects=objects,
        images=Images(
            runtime,
            keyrings=_keyrings(options),
            pulled=keeper.pulled,
            at_once=1 if configuration.pulls_are_serial else configuration.max_parallel_image_pulls,
        ),
        handlers=handlers,
        api=mirrors,
        events=ApiEvents(recorder),
        clock=time.time,
        spawn=tasks.create_task,
    )
    manifests = Path(configuration.static_pod_path) if configuration.static_pod_path else None
    agent = Agent(pods, node, doors, manifests=manifests, mirrors=mirrors)
    metrics.NODE_NAME.labels(name).set(1)
    metrics.watch(agent.containers)
    objects.subscribe(agent.refresh)
    problems = {"network": "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"}

    async def facts() -> node_status.NodeFacts:
        found = [*([PROBLEM] if ending.is_set() else []), *problems.values()]
        try:
            images = await runtime.images()
        except RuntimeError_ as error:
            images, found = [], [*found, f"container runtime is down: {error}"]
        return node_status.NodeFacts(
            name=name,
            addresses=[options.node_ip],
            machine=machine,
            port=configuration.port,
            max_pods=configuration.max_pods,
            runtime=f"docker://{version.version}",
            labels=options.labels,
            taints=configuration.register_with_taints,
            images=images,
            problems=found,
            pressure=conditions[0],
            reserved=kept,
            max_images=configuration.node_status_max_images,
            provider_id=configuration.provider_id,
        )

    reporter = NodeReporter(
        client, recorder, facts, clock=time.time, current=lambda: own.get("", name), configuration=configuration
    )

    async def reclaim() -> None:
        try:
            await agent.discard()
            await keeper.clear()
        except (RuntimeError_, OSError) as error:
            log.warning("cannot reclaim disk", error=str(error))

    def pressed() -> None:
        conditions[0] = pressure.conditions
        reporter.report()

    pressure = Pressure(
        terms=watched(options, node, Path(version.root)),
        pods=agent.pods,
        evict=agent.evict,
        tell=lambda *event: reporter.event(name, *event),
        changed=pressed,
        reclaim=reclaim,
        clock=time.time,
        observe=observations,
        use=use_of,
    )
    shutdown = Shutdown(
        graces=graces(configuration),
        pods=lambda: {uid: pod for uid, (pod, _) in agent.pods().items()},
        evict=agent.evict,
        changed=reporter.report,
        begun=ending,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGPWR, ending.set)
    own.subscribe(lambda old, new: reporter.report() if _grown(old, new) else None)
    for cache in (pods, services, own, classes):
        tasks.create_task(cache.run())
    for part in (
        recorder.run(),
        reporter.run(),
        keeper.run(),
        mirrors.run(),
        pressure.run(),
        shutdown.run(),
        drivers.run(),
    ):
        tasks.create_task(part)
    tasks.create_task(keep_network(own, network, agent, reporter, problems, name))
    if options.network_kubeconfig:
        tasks.create_task(keep_routes(options, network))
    if options.local_path_kubeconfig:
        tasks.create_task(_provision(options))
    tasks.create_task(agent.run())
    looks = Measures(node=node, image_root=pressure.terms.image_root, cpus=machine.cpus)
    served_pods = ServedPods(agent, runtime, node, served(configuration), probes=doors.probes, measures=looks)
    await start_servers(options, served_pods, client, tasks)


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
