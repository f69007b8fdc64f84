"""`pykube-kubelet`: the process. Reads the flags, wires the parts together, runs them until SIGTERM.

Stopping it, or its death, ends no pod: the next one finds everything in Docker and in the API.
"""

import asyncio
import functools
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
import typer

from apimachinery import quantity
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
from kubelet.configuration import BadConfiguration, Configuration
from kubelet.credential_plugins import Plugins
from kubelet.credential_plugins import read_file as read_providers
from kubelet.csi.api import CsiApi
from kubelet.csi.registry import Registry
from kubelet.csi.volumes import CsiVolumes
from kubelet.doors import Doors, Node
from kubelet.eviction.ranking import refusal as under_pressure
from kubelet.eviction.thresholds import parse_signals, thresholds
from kubelet.eviction.watch import Pressure, for_all_pods, observations, use_of
from kubelet.eviction.watch import Terms as PressureTerms
from kubelet.handlers import Handlers
from kubelet.image_gc import ImageKeeper
from kubelet.measures import Measures
from kubelet.mirrors import Mirrors
from kubelet.network.bridge import BridgeNetwork
from kubelet.network.files import parse_resolver
from kubelet.network.protocol import NetworkError
from kubelet.node import NodeReporter
from kubelet.objects import ApiObjects
from kubelet.options import (
    Options,
    configured,
    parse_labels,
    parse_pairs,
    parse_taints,
    reserved,
    served,
    withheld,
)
from kubelet.pods.admit import SAFE_SYSCTLS, Terms
from kubelet.pods.admit import admit as decision
from kubelet.pods.container_config import Machine
from kubelet.pods.images import Images
from kubelet.pods.keyring import Keyring, of_configuration
from kubelet.pods.resize import refusal
from kubelet.pods.security import Powers
from kubelet.pods.world import Verdict
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.protocol import RuntimeError_
from kubelet.runtime_classes import runtime as runtime_of
from kubelet.served import ServedPods
from kubelet.server.app import create_app
from kubelet.server.gate import ApiReviews, Gate
from kubelet.shutdown import PROBLEM, REFUSAL, Shutdown, graces
from kubelet.volumes import mounts
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.provisioner import PROVISIONER, Provisioner
from serving import logs
from serving.asgi import ASGI
from serving.health import health_app
from serving.https import ServerTLS, serve
from serving.process import run

log = structlog.get_logger("kubelet")
T = TypeVar("T")

_REPAIR = 30.0  # how often the network's rules are looked after
_RETRY = 1.0
_SYS_RESOURCE = 1 << 24
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


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
    )
    kept = reserved(configuration, {"memory": machine.memory, "ephemeral-storage": machine.disk})
    allocatable = node_status.allocatable(machine, configuration.max_pods, kept)
    objects = ApiObjects(client, spawn=tasks.create_task)
    resolver_file = Path(configuration.resolv_conf)
    conditions: list[frozenset[str]] = [frozenset()]
    ending = asyncio.Event()
    terms = measures(options, allocatable, own)

    def admit(pod: Pod, others: Sequence[Pod]) -> Verdict | None:
        if ending.is_set():
            return REFUSAL
        why = under_pressure(pod, conditions[0])
        return Verdict("Evicted", why, rejected=True) if why else decision(pod, others, terms())

    node = Node(
        name=name,
        addresses=[options.node_ip],
        root=options.root_dir,
        log_root=options.log_dir / "pods",
        links_root=options.log_dir / "containers",
        machine=_machine(options, machine, version.cgroup_driver),
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
            at_once=1 if configuration.serialize_image_pulls else configuration.max_parallel_image_pulls,
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
        terms=_watched(options, node, Path(version.root)),
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
    tasks.create_task(_keep_network(own, network, agent, reporter, problems, name))
    if options.network_kubeconfig:
        tasks.create_task(_keep_routes(options, network))
    if options.local_path_kubeconfig:
        tasks.create_task(_provision(options))
    tasks.create_task(agent.run())
    looks = Measures(node=node, image_root=pressure.terms.image_root, cpus=machine.cpus)
    served_pods = ServedPods(agent, runtime, node, served(configuration), probes=doors.probes, measures=looks)
    await _start_server(options, served_pods, client, tasks)


def _grown(old: NodeView | None, new: NodeView | None) -> bool:
    """Whether somebody has given the node resources of a new kind: they are to be had at once."""
    return new is not None and node_status.extended(old) != node_status.extended(new)


def _watched(options: Options, node: Node, image_root: Path) -> PressureTerms:
    c = options.configuration
    wanted = thresholds(c.eviction_hard, c.eviction_soft, c.eviction_soft_grace_period, c.eviction_minimum_reclaim)
    return PressureTerms(
        thresholds=for_all_pods(wanted) if "pods" in c.enforce_node_allocatable else wanted,
        transition=c.eviction_pressure_transition_period,
        longest_grace=float(c.eviction_max_pod_grace_period),
        root=options.root_dir,
        image_root=image_root if image_root.exists() else options.root_dir,
        log_root=node.log_root,
        machine=node.machine,
    )


def _keyrings(options: Options) -> Callable[[str], Awaitable[Sequence[Keyring]]]:
    """The node's own credentials: Docker's configuration files, then the providers' programs."""
    plugins = Plugins(options.credential_providers, Path(options.credential_bin_dir))
    files = (options.root_dir / "config.json", Path.home() / ".docker" / "config.json")

    async def keyrings(image: str) -> Sequence[Keyring]:
        own = [of_configuration(file.read_bytes()) for file in files if file.is_file()]
        return [*own, *await plugins.keyrings(image)]

    return keyrings


def _machine(options: Options, machine: node_status.Machine, driver: str) -> Machine:
    """What this process may do bounds what its containers may be given."""
    status = Path("/proc/self/status").read_text()
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    free = bool(bounding & _SYS_RESOURCE)
    if not free:
        log.warning("no CAP_SYS_RESOURCE here: privileged containers get every other capability instead")
    lowest = -1000 if free else int(Path("/proc/self/oom_score_adj").read_text())
    configuration = options.configuration
    powers = Powers(free, lowest, str(options.root_dir / "seccomp"), configuration.seccomp_default)
    wanted = configuration.cgroup_driver or "auto"
    share = node_status.allocatable(machine, configuration.max_pods, withheld(configuration))
    return Machine(
        powers=powers,
        memory=machine.memory,
        cgroup_parent=configuration.cgroup_root,
        systemd_cgroups=(driver if wanted == "auto" else wanted) == "systemd",
        log_root=options.log_dir / "pods",
        pod_pids=max(configuration.pod_pids_limit, 0),
        pods_cpu=quantity.parse(share["cpu"]).milli(),
        pods_memory=quantity.parse(share["memory"]).value(),
    )


def measures(options: Options, allocatable: Mapping[str, str], own: Cache[NodeView]) -> Callable[[], Terms]:
    """What a new pod is measured by, as the Node object says it at that moment."""

    enforced = _APPARMOR.exists() and _APPARMOR.read_text().strip() == "Y"

    def terms() -> Terms:
        node = own.get("", options.node_name)
        return Terms(
            name=options.node_name,
            labels=node.metadata.labels if node is not None else None,
            taints=node.spec.taints if node is not None else (),
            allocatable={**allocatable, **node_status.extended(node)},
            sysctls=(*SAFE_SYSCTLS, *options.configuration.allowed_unsafe_sysctls),
            apparmor=enforced,
        )

    return terms


async def _keep_network(
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


async def _keep_routes(options: Options, network: BridgeNetwork) -> None:
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


async def _provision(options: Options) -> None:
    """Volumes out of this node's folders, as a user that may write volumes: a kubelet may not."""
    config = client_config.load_kubeconfig(options.local_path_kubeconfig)
    async with Client(config, user_agent="pykube-local-path") as client, asyncio.TaskGroup() as tasks:
        recorder = EventRecorder(client, PROVISIONER, options.node_name)
        made = Provisioner(client, recorder, options.node_name, options.root_dir / "local-path")
        tasks.create_task(recorder.run())
        tasks.create_task(made.run())


def routes_to(nodes: Sequence[NodeView], name: str) -> dict[str, str]:
    """Pod CIDR -> node address, for all nodes but this one."""
    found = {}
    for node in nodes:
        address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
        if node.metadata.name != name and node.spec.pod_cidr and address:
            found[node.spec.pod_cidr] = address
    return found


async def _start_server(options: Options, served: ServedPods, client: Client, tasks: asyncio.TaskGroup) -> None:
    configuration, never = options.configuration, asyncio.Event()  # the task group ends the servers
    if configuration.healthz_port:
        tasks.create_task(_serve_health(configuration, health_app({"kubelet": served.check}), never))
    if not configuration.tls_cert_file:
        log.warning("no --tls-cert-file: the kubelet's API is not served")
        return
    tls = ServerTLS(configuration.tls_cert_file, configuration.tls_private_key_file, configuration.client_ca_file)
    api = create_app(served, Gate(ApiReviews(client, options.node_name)))

    def ready(port: int) -> None:
        log.info("serving", port=port)

    tasks.create_task(serve(api, host=configuration.address, port=configuration.port, tls=tls, ready=ready, stop=never))


async def _serve_health(configuration: Configuration, app: ASGI, never: asyncio.Event) -> None:
    """/healthz for whoever is on the machine. Pods do not depend on it: a taken port is waited for."""
    while True:
        try:
            await serve(app, host=configuration.healthz_bind_address, port=configuration.healthz_port, stop=never)
        except OSError as error:
            log.warning("cannot serve /healthz", port=configuration.healthz_port, error=str(error))
        await asyncio.sleep(_REPAIR)


def _default_ip() -> str:
    """The address from which the default route is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@app.command(epilog="Example: pykube-kubelet --kubeconfig /etc/kubernetes/kubelet.conf --cluster-dns 10.96.0.10")
def command(
    kubeconfig: Annotated[str, typer.Option(help="How to reach the API server, and as whom.")] = "",
    config: Annotated[Path | None, typer.Option(help="A KubeletConfiguration file; flags count before it.")] = None,
    network_kubeconfig: Annotated[
        str, typer.Option(help="Who may list nodes, for routes between them; none: no routes.")
    ] = "",
    local_path_kubeconfig: Annotated[
        str, typer.Option(help="Who may make volumes out of this node's folders; none: none are made.")
    ] = "",
    node_name: Annotated[str, typer.Option("--node-name", "--hostname-override", help="Default: the host name.")] = "",
    node_ip: Annotated[str, typer.Option(help="Default: the address of the default route.")] = "",
    root_dir: Annotated[Path, typer.Option(help="Volumes and other state.")] = Path("/var/lib/kubelet"),
    log_dir: Annotated[Path, typer.Option(help="pods/ and containers/ lie here.")] = Path("/var/log"),
    port: Annotated[int | None, typer.Option(help="The kubelet's HTTPS API.", show_default="10250")] = None,
    healthz_port: Annotated[int | None, typer.Option(help="/healthz, 0: nowhere.", show_default="10248")] = None,
    tls_cert_file: Annotated[str | None, typer.Option(help="Its certificate.")] = None,
    tls_private_key_file: Annotated[str | None, typer.Option(help="Its key.")] = None,
    client_ca_file: Annotated[str | None, typer.Option(help="Whose clients' certificates are trusted.")] = None,
    cluster_dns: Annotated[str | None, typer.Option(help="DNS addresses for pods, with commas.")] = None,
    cluster_domain: Annotated[str | None, typer.Option(help="The cluster's domain.")] = None,
    cluster_cidr: Annotated[str, typer.Option(help="All pods' addresses: they see one another's own.")] = "",
    resolv_conf: Annotated[str | None, typer.Option(help="The node's resolver.")] = None,
    docker_endpoint: Annotated[str, typer.Option(help="The Docker Engine.")] = "unix:///var/run/docker.sock",
    cgroup_parent: Annotated[
        str | None, typer.Option("--cgroup-parent", "--cgroup-root", help="Over all pods' cgroups.")
    ] = None,
    cgroup_driver: Annotated[str | None, typer.Option(help="auto, cgroupfs or systemd.")] = None,
    bridge: Annotated[str, typer.Option(help="The bridge's name.")] = "pykube0",
    chain_prefix: Annotated[str, typer.Option(help="How our iptables chains begin.")] = "PYKUBE",
    cluster_name: Annotated[str, typer.Option(help="Marks our containers in a shared Docker.")] = "pykube",
    max_pods: Annotated[int | None, typer.Option(help="The node's capacity.", show_default="110")] = None,
    serialize_image_pulls: Annotated[bool | None, typer.Option(help="One image after the other.")] = None,
    max_parallel_image_pulls: Annotated[int | None, typer.Option(min=1, help="How many images side by side.")] = None,
    image_gc_high_threshold: Annotated[
        int | None,
        typer.Option(min=0, max=100, help="How full the images' disk may be, in percent, before images go."),
    ] = None,
    image_gc_low_threshold: Annotated[
        int | None, typer.Option(min=0, max=100, help="How full it is to be then.")
    ] = None,
    image_credential_provider_config: Annotated[
        str, typer.Option(help="A CredentialProviderConfig: programs that know registries' passwords.")
    ] = "",
    image_credential_provider_bin_dir: Annotated[str, typer.Option(help="Where these programs are.")] = "",
    pod_max_pids: Annotated[int | None, typer.Option(help="Processes of a pod at most.")] = None,
    pod_manifest_path: Annotated[str | None, typer.Option(help="Where manifests of static pods lie.")] = None,
    system_reserved: Annotated[str | None, typer.Option(help="Kept from pods: cpu=100m,memory=1Gi.")] = None,
    kube_reserved: Annotated[str | None, typer.Option(help="Kept from pods as well.")] = None,
    eviction_hard: Annotated[str | None, typer.Option(help="memory.available<100Mi and so on.")] = None,
    allowed_unsafe_sysctls: Annotated[
        str | None, typer.Option(help="Names, or prefixes that end in *, with commas.")
    ] = None,
    register_node: Annotated[bool | None, typer.Option(help="Whether to make the Node object.")] = None,
    register_with_taints: Annotated[str | None, typer.Option(help="KEY=VALUE:EFFECT, with commas.")] = None,
    node_labels: Annotated[str, typer.Option(help="KEY=VALUE, with commas.")] = "",
) -> None:
    """Runs the pods of one node as Docker containers."""
    logs.configure("kubelet")
    flags = {
        "port": port,
        "healthz_port": healthz_port,
        "tls_cert_file": tls_cert_file,
        "tls_private_key_file": tls_private_key_file,
        "client_ca_file": client_ca_file,
        "cluster_dns": _listed(cluster_dns),
        "cluster_domain": cluster_domain,
        "resolv_conf": resolv_conf,
        "cgroup_root": cgroup_parent,
        "cgroup_driver": cgroup_driver,
        "max_pods": max_pods,
        "serialize_image_pulls": serialize_image_pulls,
        "max_parallel_image_pulls": max_parallel_image_pulls,
        "image_gc_high": image_gc_high_threshold,
        "image_gc_low": image_gc_low_threshold,
        "pod_pids_limit": pod_max_pids,
        "static_pod_path": pod_manifest_path,
        "system_reserved": _given(parse_pairs, system_reserved, "--system-reserved"),
        "kube_reserved": _given(parse_pairs, kube_reserved, "--kube-reserved"),
        "eviction_hard": _given(parse_thresholds, eviction_hard, "--eviction-hard"),
        "allowed_unsafe_sysctls": _listed(allowed_unsafe_sysctls),
        "register_node": register_node,
        "register_with_taints": _given(parse_taints, register_with_taints, "--register-with-taints"),
    }
    options = Options(
        kubeconfig=kubeconfig,
        network_kubeconfig=network_kubeconfig,
        local_path_kubeconfig=local_path_kubeconfig,
        node_name=(node_name or socket.gethostname()).lower(),
        node_ip=node_ip or _default_ip(),
        root_dir=root_dir.absolute(),
        log_dir=log_dir.absolute(),
        cluster_cidr=cluster_cidr,
        docker_endpoint=docker_endpoint,
        bridge=bridge,
        chain_prefix=chain_prefix,
        cluster_name=cluster_name,
        credential_providers=_parsed(
            read_providers, image_credential_provider_config, "--image-credential-provider-config"
        ),
        credential_bin_dir=image_credential_provider_bin_dir,
        labels=_parsed(parse_labels, node_labels, "--node-labels"),
        configuration=_configured(config, flags),
    )
    run(lambda stop: kubelet(options, stop))


def parse_thresholds(text: str) -> dict[str, str]:
    found = parse_pairs(text)
    parse_signals(found)
    return found


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part for part in text.split(",") if part)


def _given(parse: Callable[[str], T], text: str | None, option: str) -> T | None:
    return None if text is None else _parsed(parse, text, option)


def _configured(file: Path | None, flags: Mapping[str, object]) -> Configuration:
    try:
        found = configured(file.read_text() if file is not None else "", flags)
    except (OSError, BadConfiguration) as error:
        raise typer.BadParameter(
            f"failed to load kubelet config file {file}: {error}", param_hint="--config"
        ) from error
    return found if found.cluster_domain else replace(found, cluster_domain="cluster.local")


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def main() -> None:
    app()


if __name__ == "__main__":
    main()
