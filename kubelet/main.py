"""`pykube-kubelet`: the process. Reads the flags, wires the parts together, runs them until SIGTERM.

Stopping it, or its death, ends no pod: the next one finds everything in Docker and in the API.
"""

import asyncio
import functools
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
import typer

from apimachinery.kinds import NODES, PODS, SERVICES
from apimachinery.objects.core_v1 import Node as NodeView
from apimachinery.objects.core_v1 import Pod, Service
from client import config as client_config
from client.cache import Cache
from client.client import Client
from client.events import EventRecorder
from kubelet import node_status
from kubelet.agent import Agent
from kubelet.api import ApiEvents, ApiPods
from kubelet.credential_plugins import Plugins
from kubelet.credential_plugins import read as read_providers
from kubelet.doors import Doors, Node
from kubelet.handlers import Handlers
from kubelet.image_gc import HIGH, LOW, ImageKeeper
from kubelet.network.bridge import BridgeNetwork
from kubelet.network.files import parse_resolver
from kubelet.network.protocol import NetworkError
from kubelet.node import NodeReporter
from kubelet.objects import ApiObjects
from kubelet.options import Options, parse_labels, parse_taints
from kubelet.pods.admit import SAFE_SYSCTLS, Terms
from kubelet.pods.admit import admit as decision
from kubelet.pods.container_config import Machine
from kubelet.pods.images import AT_ONCE, Images
from kubelet.pods.keyring import Keyring, of_configuration
from kubelet.pods.security import Powers
from kubelet.pods.world import Verdict
from kubelet.runtime.docker import DockerRuntime
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.protocol import RuntimeError_
from kubelet.served import ServedPods
from kubelet.server.app import create_app
from kubelet.server.gate import ApiReviews, Gate
from kubelet.volumes.local import LocalVolumes
from kubelet.volumes.provisioner import PROVISIONER, Provisioner
from serving import logs
from serving.https import ServerTLS, serve
from serving.process import run

log = structlog.get_logger("kubelet")
T = TypeVar("T")

_REPAIR = 30.0  # how often the network's rules are looked after
_RETRY = 1.0
_SYS_RESOURCE = 1 << 24

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class _Stop(Exception):
    """Somebody asked the process to end."""


async def kubelet(options: Options, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    config = client_config.load_kubeconfig(options.kubeconfig) if options.kubeconfig else client_config.load()
    async with Client(config, user_agent="pykube-kubelet") as client:
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
    machine, version = node_status.machine(options.root_dir), await runtime.version()
    name, mine = options.node_name, f"metadata.name={options.node_name}"
    pods = Cache(client, PODS, Pod, fields=f"spec.nodeName={name}")
    services, own = Cache(client, SERVICES, Service), Cache(client, NODES, NodeView, fields=mine)
    recorder = EventRecorder(client, "kubelet", name)
    network = BridgeNetwork(
        options.root_dir / "network",
        bridge=options.bridge,
        chain_prefix=options.chain_prefix,
        cluster_cidr=options.cluster_cidr,
    )
    allocatable = node_status.allocatable(machine, options.max_pods)
    objects = ApiObjects(client, spawn=tasks.create_task)
    resolver_file = Path(options.resolv_conf)
    node = Node(
        name=name,
        addresses=[options.node_ip],
        root=options.root_dir,
        log_root=options.log_dir / "pods",
        links_root=options.log_dir / "containers",
        machine=_machine(options, machine, version.cgroup_driver),
        cluster_dns=options.cluster_dns,
        cluster_domain=options.cluster_domain,
        resolver=lambda: parse_resolver(resolver_file.read_text() if resolver_file.exists() else ""),
        allocatable=lambda: allocatable,
        services=services.list,
        admit=admission(options, allocatable, own),
    )
    about = {"kind": "Node", "apiVersion": "v1", "name": name, "uid": name}
    keeper = ImageKeeper(
        runtime,
        options.root_dir / "pulled-images.json",
        functools.partial(recorder.event, about),
        high=options.image_gc_high,
        low=options.image_gc_low,
    )
    doors = Doors(
        runtime=runtime,
        network=network,
        volumes=LocalVolumes(options.root_dir, objects, allocatable=lambda: allocatable),
        objects=objects,
        images=Images(
            runtime,
            keyrings=_keyrings(options),
            pulled=keeper.pulled,
            at_once=1 if options.serialize_image_pulls else options.max_parallel_image_pulls,
        ),
        handlers=handlers,
        api=ApiPods(client),
        events=ApiEvents(recorder),
        clock=time.time,
        spawn=tasks.create_task,
    )
    agent = Agent(pods, node, doors)
    objects.subscribe(agent.refresh)
    problems = {"network": "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"}

    async def facts() -> node_status.NodeFacts:
        try:
            images, found = await runtime.images(), list(problems.values())
        except RuntimeError_ as error:
            images, found = [], [f"container runtime is down: {error}"]
        return node_status.NodeFacts(
            name=name,
            addresses=[options.node_ip],
            machine=machine,
            port=options.port,
            max_pods=options.max_pods,
            runtime=f"docker://{version.version}",
            labels=options.labels,
            taints=options.taints,
            images=images,
            problems=found,
        )

    reporter = NodeReporter(client, recorder, facts, clock=time.time)
    for cache in (pods, services, own):
        tasks.create_task(cache.run())
    tasks.create_task(recorder.run())
    tasks.create_task(reporter.run())
    tasks.create_task(keeper.run())
    tasks.create_task(_keep_network(own, network, agent, reporter, problems, name))
    if options.network_kubeconfig:
        tasks.create_task(_keep_routes(options, network))
    if options.local_path_kubeconfig:
        tasks.create_task(_provision(options))
    tasks.create_task(_run_pods(agent, services))
    served = ServedPods(agent, runtime, node, options.configuration())
    await _start_server(options, served, client, tasks)


def _keyrings(options: Options) -> Callable[[str], Awaitable[Sequence[Keyring]]]:
    """The node's own credentials: Docker's configuration files, then the providers' programs."""
    plugins = Plugins()
    if options.credential_config:
        providers = read_providers(Path(options.credential_config).read_text())
        plugins = Plugins(providers, Path(options.credential_bin_dir))
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
    powers = Powers(free, lowest, str(options.root_dir / "seccomp"))
    wanted = driver if options.cgroup_driver == "auto" else options.cgroup_driver
    return Machine(
        powers=powers,
        memory=machine.memory,
        cgroup_parent=options.cgroup_parent,
        systemd_cgroups=wanted == "systemd",
        log_root=options.log_dir / "pods",
    )


def admission(
    options: Options, allocatable: Mapping[str, str], own: Cache[NodeView]
) -> Callable[[Pod, Sequence[Pod]], Verdict | None]:
    """What a new pod is measured by, as the Node object says it at that moment."""

    def admit(pod: Pod, others: Sequence[Pod]) -> Verdict | None:
        node = own.get("", options.node_name)
        terms = Terms(
            name=options.node_name,
            labels=node.metadata.labels if node is not None else None,
            taints=node.spec.taints if node is not None else (),
            allocatable=allocatable,
            sysctls=(*SAFE_SYSCTLS, *options.unsafe_sysctls),
        )
        return decision(pod, others, terms)

    return admit


async def _run_pods(agent: Agent, services: Cache[Service]) -> None:
    await services.wait_synced()  # their addresses are part of every environment
    await agent.run()


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
    tls = None
    if options.tls_cert_file:
        tls = ServerTLS(options.tls_cert_file, options.tls_private_key_file, options.client_ca_file)
    else:
        log.warning("no --tls-cert-file: the kubelet's API is not served")
        return
    gate = Gate(ApiReviews(client, options.node_name))
    never = asyncio.Event()  # the task group ends the server

    def ready(port: int) -> None:
        log.info("serving", port=port)

    tasks.create_task(
        serve(create_app(served, gate), host="0.0.0.0", port=options.port, tls=tls, ready=ready, stop=never)  # noqa: S104
    )


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
    port: Annotated[int, typer.Option(help="The kubelet's HTTPS API.")] = 10250,
    tls_cert_file: Annotated[str, typer.Option(help="Its certificate.")] = "",
    tls_private_key_file: Annotated[str, typer.Option(help="Its key.")] = "",
    client_ca_file: Annotated[str, typer.Option(help="Whose clients' certificates are trusted.")] = "",
    cluster_dns: Annotated[str, typer.Option(help="DNS addresses for pods, with commas.")] = "",
    cluster_domain: Annotated[str, typer.Option(help="The cluster's domain.")] = "cluster.local",
    cluster_cidr: Annotated[str, typer.Option(help="All pods' addresses: they see one another's own.")] = "",
    resolv_conf: Annotated[str, typer.Option(help="The node's resolver.")] = "/etc/resolv.conf",
    docker_endpoint: Annotated[str, typer.Option(help="The Docker Engine.")] = "unix:///var/run/docker.sock",
    cgroup_parent: Annotated[
        str, typer.Option("--cgroup-parent", "--cgroup-root", help="Over all pods' cgroups.")
    ] = "",
    cgroup_driver: Annotated[str, typer.Option(help="auto, cgroupfs or systemd.")] = "auto",
    bridge: Annotated[str, typer.Option(help="The bridge's name.")] = "pykube0",
    chain_prefix: Annotated[str, typer.Option(help="How our iptables chains begin.")] = "PYKUBE",
    cluster_name: Annotated[str, typer.Option(help="Marks our containers in a shared Docker.")] = "pykube",
    max_pods: Annotated[int, typer.Option(help="The node's capacity.")] = 110,
    serialize_image_pulls: Annotated[bool, typer.Option(help="One image after the other.")] = False,  # noqa: FBT002
    max_parallel_image_pulls: Annotated[int, typer.Option(min=1, help="How many images side by side.")] = AT_ONCE,
    image_gc_high_threshold: Annotated[
        int, typer.Option(min=0, max=100, help="How full the images' disk may be, in percent, before images go.")
    ] = HIGH,
    image_gc_low_threshold: Annotated[int, typer.Option(min=0, max=100, help="How full it is to be then.")] = LOW,
    image_credential_provider_config: Annotated[
        str, typer.Option(help="A CredentialProviderConfig: programs that know registries' passwords.")
    ] = "",
    image_credential_provider_bin_dir: Annotated[str, typer.Option(help="Where these programs are.")] = "",
    allowed_unsafe_sysctls: Annotated[str, typer.Option(help="Names, or prefixes that end in *, with commas.")] = "",
    register_with_taints: Annotated[str, typer.Option(help="KEY=VALUE:EFFECT, with commas.")] = "",
    node_labels: Annotated[str, typer.Option(help="KEY=VALUE, with commas.")] = "",
) -> None:
    """Runs the pods of one node as Docker containers."""
    logs.configure("kubelet")
    options = Options(
        kubeconfig=kubeconfig,
        network_kubeconfig=network_kubeconfig,
        local_path_kubeconfig=local_path_kubeconfig,
        node_name=(node_name or socket.gethostname()).lower(),
        node_ip=node_ip or _default_ip(),
        root_dir=root_dir.absolute(),
        log_dir=log_dir.absolute(),
        port=port,
        tls_cert_file=tls_cert_file,
        tls_private_key_file=tls_private_key_file,
        client_ca_file=client_ca_file,
        cluster_dns=tuple(part for part in cluster_dns.split(",") if part),
        cluster_domain=cluster_domain,
        cluster_cidr=cluster_cidr,
        resolv_conf=resolv_conf,
        docker_endpoint=docker_endpoint,
        cgroup_parent=cgroup_parent,
        cgroup_driver=cgroup_driver,
        bridge=bridge,
        chain_prefix=chain_prefix,
        cluster_name=cluster_name,
        max_pods=max_pods,
        serialize_image_pulls=serialize_image_pulls,
        max_parallel_image_pulls=max_parallel_image_pulls,
        image_gc_high=image_gc_high_threshold,
        image_gc_low=image_gc_low_threshold,
        credential_config=image_credential_provider_config,
        credential_bin_dir=image_credential_provider_bin_dir,
        unsafe_sysctls=tuple(part for part in allowed_unsafe_sysctls.split(",") if part),
        taints=_parsed(parse_taints, register_with_taints, "--register-with-taints"),
        labels=_parsed(parse_labels, node_labels, "--node-labels"),
    )
    run(lambda stop: kubelet(options, stop))


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def main() -> None:
    app()


if __name__ == "__main__":
    main()
