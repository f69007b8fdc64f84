"""Makes a pod's sandbox and starts its containers: the acts behind MakeSandbox, Wire and Start.

Each raises `NotNow` with the Failure that the status shows, or succeeds. Source of reasons, events and order:
pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod), kuberuntime_container.go (startContainer).
"""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import structlog

from apimachinery.errors import ApiError
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet import metrics
from kubelet.doors import Doors, Node
from kubelet.hooks import HookProblem, run_hook
from kubelet.network import files as names
from kubelet.network.protocol import HostPort, NetworkError
from kubelet.pods import cgroups
from kubelet.pods.container_config import (
    AnyContainer,
    Prepared,
    container_config,
    log_link,
    sandbox_config,
    unified,
)
from kubelet.pods.decide import Start
from kubelet.pods.env import ConfigProblem, Fetched, environment, references
from kubelet.pods.expansion import expand, references_in
from kubelet.pods.fields import Facts
from kubelet.pods.images import Event, ImageProblem
from kubelet.pods.world import Failure, ref
from kubelet.pulling import Puller
from kubelet.runtime.protocol import Container, ContainerConfig, Image, Mount, RuntimeError_
from kubelet.threads import in_thread
from kubelet.volumes import hostpath
from kubelet.volumes.protocol import MountProblem
from kubelet.volumes.subpaths import check as check_subpath

log = structlog.get_logger("kubelet.starting")

_PROFILES = Path("/sys/kernel/security/apparmor/profiles")
RETRY = 10.0
_TYPES = {
    "init": "init_container",
    "sidecar": "init_container",
    "main": "container",
    "ephemeral": "ephemeral_container",
}


class NotNow(Exception):
    """It did not work out; `failure` says why and when to try again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def field_path(pod: Pod, name: str) -> str:
    """`spec.containers{web}`: which part of the pod an event is about."""
    if any(c.name == name for c in pod.spec.init_containers):
        return f"spec.initContainers{{{name}}}"
    if any(c.name == name for c in pod.spec.ephemeral_containers):
        return f"spec.ephemeralContainers{{{name}}}"
    return f"spec.containers{{{name}}}"


def spec_of(pod: Pod, name: str) -> AnyContainer | None:
    """The container of that name in any list of the spec."""
    every: list[AnyContainer] = [*pod.spec.containers, *pod.spec.init_containers, *pod.spec.ephemeral_containers]
    return next((c for c in every if c.name == name), None)


class Starter:
    """Starts things for one pod after the other; keeps nothing of any."""

    def __init__(self, node: Node, doors: Doors) -> None:
        self._node, self._doors = node, doors
        self._puller = Puller(doors.objects, doors.images, doors.events)

    def _later(self, reason: str, message: str) -> NotNow:
        return NotNow(Failure(reason, message, self._doors.clock() + RETRY))

    async def mount(self, pod: Pod) -> Mapping[str, Path]:
        """Every volume of the pod, ready."""
        try:
            return await self._doors.volumes.mount(pod)
        except MountProblem as problem:
            self._doors.events(pod, "", "Warning", problem.reason, str(problem))
            raise self._later(problem.reason, str(problem)) from problem

    async def make_sandbox(self, pod: Pod, attempt: int) -> Container:
        self._tell_names(pod)
        try:
            named = names.hostname(pod, node_name=self._node.name, cluster_domain=self._node.cluster_domain)
            name = names.kernel_name(pod, *named)
            runtime = self._node.runtime(pod.spec.runtime_class_name)
            _refuse_user_namespace(pod, runtime)
            config = sandbox_config(pod, attempt=attempt, hostname=name, machine=self._node.machine, runtime=runtime)
            began = perf_counter()
            await in_thread(cgroups.ensure, config.cgroup_parent, pod, self._node.machine)
            metrics.CGROUPS.of("create").add(perf_counter() - began)
            sandbox = await self._doors.runtime.run_sandbox(config)
        except (RuntimeError_, OSError, ValueError, LookupError) as error:
            metrics.POD_ERRORS.of().value += 1
            raise self._no_sandbox(pod, error.args[0] if isinstance(error, LookupError) else error) from error
        await self.wire(pod, sandbox)
        metrics.STARTED_PODS.of().value += 1
        return sandbox

    def _resolver(self, pod: Pod) -> tuple[names.Resolver, list[str]]:
        node = self._node
        return names.limited(
            names.resolver(pod, node=node.resolver(), cluster_dns=node.cluster_dns, cluster_domain=node.cluster_domain)
        )

    def _tell_names(self, pod: Pod) -> None:
        for problem in self._resolver(pod)[1]:
            self._doors.events(pod, "", "Warning", "DNSConfigForming", problem)
        policy = pod.spec.dns_policy or "ClusterFirst"
        wants = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.spec.host_network)
        if wants and not self._node.cluster_dns:
            fallback = 'cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.'
            message = f'pod: "{ref(pod)}". kubelet does not have ClusterDNS IP configured and {fallback}'
            self._doors.events(pod, "", "Warning", "MissingClusterDNS", message)

    def _no_sandbox(self, pod: Pod, error: Exception | str) -> NotNow:
        message = f"Failed to create pod sandbox: {error}"
        self._doors.events(pod, "", "Warning", "FailedCreatePodSandBox", message)
        return self._later("FailedCreatePodSandBox", message)

    async def wire(self, pod: Pod, sandbox: Container) -> None:
        if pod.spec.host_network:
            return
        try:
            await self._doors.network.attach(sandbox.id, sandbox.pid, host_ports(pod))
        except (NetworkError, OSError) as error:
            raise self._no_sandbox(pod, error) from error

    async def start(
        self, pod: Pod, action: Start, sandbox: Container, volumes: Mapping[str, Path], target: str = ""
    ) -> None:
        """One container, from its image to its postStart hook. `target` is the container it is to look into."""
        container = spec_of(pod, action.name)
        if container is None:
            return
        path = field_path(pod, action.name)

        def event(type: str, reason: str, message: str) -> None:
            self._doors.events(pod, path, type, reason, message)

        try:
            image = await self._puller.of_container(pod, container, event)
            config = await self._configured(pod, container, action.attempt, sandbox, volumes, image, target)
        except ImageProblem as problem:
            event("Warning", "Failed", f"Error: {problem.failure.reason}")
            raise NotNow(problem.failure) from problem
        except (ConfigProblem, hostpath.PathProblem, ApiError, OSError, LookupError) as problem:
            event("Warning", "Failed", f"Error: {problem}")
            raise self._later("CreateContainerConfigError", str(problem)) from problem
        id = ""
        try:
            _refuse_unknown_profile(config.security.apparmor)
            id = await self._doors.runtime.create(config, sandbox.id)
            event("Normal", "Created", f"Created container: {container.name}")
            await self._doors.runtime.start(id)
        except RuntimeError_ as error:
            reason = "RunContainerError" if id else "CreateContainerError"
            metrics.START_ERRORS.of(_TYPES[action.role], reason).value += 1
            event("Warning", "Failed", f"Error: {error}")
            raise self._later(reason, str(error)) from error
        metrics.STARTED_CONTAINERS.of(_TYPES[action.role]).value += 1
        event("Normal", "Started", f"Started container {container.name}")
        await in_thread(self._link, pod, container.name, action.attempt, id)
        await self._protect(pod, container, id)
        await self._post_start(pod, container, id, sandbox, event)

    async def _protect(self, pod: Pod, container: AnyContainer, id: str) -> None:
        """What Docker cannot be told."""
        values = unified(container, self._node.machine)
        if not values:
            return
        made = next((c for c in await self._doors.runtime.list(pod.metadata.uid) if c.id == id and c.running), None)
        try:
            if made is not None:
                await in_thread(cgroups.protect, made.pid, values)
        except (OSError, StopIteration) as error:  # it may have ended already
            log.warning("cannot protect a container's memory", pod=str(ref(pod)), error=str(error))

    async def _configured(
        self,
        pod: Pod,
        container: AnyContainer,
        attempt: int,
        sandbox: Container,
        volumes: Mapping[str, Path],
        image: Image,
        target: str,
    ) -> ContainerConfig:
        env = await self._environment(pod, container, sandbox)
        prepared = Prepared(
            image=image,
            env=env,
            volumes=volumes,
            subpaths=await self._subpaths(pod, container, volumes, dict(env)),
            files=await in_thread(self._files, pod, container, attempt, sandbox),
            profiles=self._profiles(pod),
            target=target,
            runtime=self._node.runtime(pod.spec.runtime_class_name),
        )
        return container_config(pod, container, attempt=attempt, prepared=prepared, machine=self._node.machine)

    async def _subpaths(
        self, pod: Pod, container: AnyContainer, volumes: Mapping[str, Path], env: Mapping[str, str]
    ) -> dict[str, Path]:
        found = {}
        for index, mount in enumerate(container.volume_mounts):
            wanted = subpath_of(mount, env)
            if not wanted or mount.name not in volumes:
                continue
            volume = (mount.name, volumes[mount.name])
            try:
                found[mount.mount_path] = await self._doors.volumes.subpath(
                    pod.metadata.uid, container.name, index, volume, wanted
                )
            except (OSError, hostpath.PathProblem) as error:  # its words would tell of the node's file system
                log.warning("cannot prepare a subPath", pod=str(ref(pod)), container=container.name, error=str(error))
                what = f'subPath for volumeMount "{mount.name}" of container "{container.name}"'
                raise ConfigProblem(f"failed to prepare {what}") from error
        return found

    async def _environment(self, pod: Pod, container: AnyContainer, sandbox: Container) -> list[tuple[str, str]]:
        namespace, uid = pod.metadata.namespace, pod.metadata.uid
        configmaps, secrets = references([container])
        objects = self._doors.objects
        fetched = Fetched(
            configmaps={n: m for n in configmaps if (m := await objects.configmap(namespace, n, uid))},
            secrets={n: s for n in secrets if (s := await objects.secret(namespace, n, uid))},
        )
        services = self._node.services()
        return environment(pod, container, fetched=fetched, services=services, facts=self._facts(pod, sandbox))

    def _facts(self, pod: Pod, sandbox: Container) -> Facts:
        hosts = self._node.addresses
        own = hosts if pod.spec.host_network else [self._doors.network.address(sandbox.id)]
        return Facts(self._node.name, hosts, own, self._node.allocatable())

    def _profiles(self, pod: Pod) -> dict[str, str]:
        """The local seccomp profiles that the pod names."""
        contexts = [pod.spec.security_context, *(c.security_context for c in _every(pod))]
        found = {}
        for context in contexts:
            profile = context.seccomp_profile if context else None
            if profile is not None and profile.type == "Localhost":
                file = Path(self._node.machine.powers.seccomp_root) / profile.localhost_profile
                if file.is_file():
                    found[profile.localhost_profile] = file.read_text()
        return found

    def _files(self, pod: Pod, container: AnyContainer, attempt: int, sandbox: Container) -> list[Mount]:
        """The files the kubelet keeps for a container: names, and where it may leave its last words."""
        folder = self._node.root / "pods" / pod.metadata.uid
        taken = {mount.mount_path.rstrip("/") for mount in container.volume_mounts}
        own = folder / "containers" / container.name
        own.mkdir(parents=True, exist_ok=True)
        words = own / str(attempt)
        words.touch()
        words.chmod(0o666)
        found = [Mount(str(words), container.termination_message_path or "/dev/termination-log")]
        for target, text in self._names(pod, sandbox).items():
            file = folder / "etc" / target.rpartition("/")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_text() != text:
                file.write_text(text)  # in place: containers that run have this very file
                file.chmod(0o644)
            if target not in taken:
                found.append(Mount(str(file), target))
        return found

    def _names(self, pod: Pod, sandbox: Container) -> dict[str, str]:
        node = self._node
        resolver, _ = self._resolver(pod)
        name, domain = names.hostname(pod, node_name=node.name, cluster_domain=node.cluster_domain)
        own = Path("/etc/hosts").read_text() if pod.spec.host_network else ""
        address = self._doors.network.address(sandbox.id)
        hosts = names.hosts(pod, address=address, name=name, domain=domain, node_hosts=own)
        return {
            "/etc/hosts": hosts,
            "/etc/resolv.conf": resolver.text(),
            "/etc/hostname": f"{names.kernel_name(pod, name, domain)}\n",
        }

    def _link(self, pod: Pod, name: str, attempt: int, id: str) -> None:
        """/var/log/containers/POD_NS_CONTAINER-ID.log, as log collectors expect it."""
        link = self._node.links_root / f"{pod.metadata.name}_{pod.metadata.namespace}_{name}-{id}.log"
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(log_link(self._node.log_root, ref(pod), name, attempt))
        except OSError as error:  # the container runs all the same
            log.warning("cannot link a container's log", pod=str(ref(pod)), error=str(error))

    async def _post_start(self, pod: Pod, container: AnyContainer, id: str, sandbox: Container, event: Event) -> None:
        hook = container.lifecycle.post_start if container.lifecycle else None
        if hook is None:
            return
        address = self._node.addresses[0] if pod.spec.host_network else self._doors.network.address(sandbox.id)
        try:
            told = await run_hook(self._doors.handlers, container, hook, id=id, address=address, pod=str(ref(pod)))
            if told:
                self._doors.events(pod, "", "Warning", "LifecycleHTTPFallback", told)
        except HookProblem as problem:
            event("Warning", "FailedPostStartHook", "PostStartHook failed")  # what it said may hold secrets
            event("Normal", "Killing", "FailedPostStartHook")
            grace = pod.spec.termination_grace_period_seconds
            await self._doors.runtime.stop(id, 30 if grace is None else max(grace, 1))
            raise self._later("PostStartHookError", str(problem)) from problem


def _every(pod: Pod) -> list[AnyContainer]:
    return [*pod.spec.init_containers, *pod.spec.containers, *pod.spec.ephemeral_containers]


def _refuse_user_namespace(pod: Pod, runtime: str) -> None:
    """Docker maps users for all of its containers or for none."""
    if pod.spec.host_users is False:
        who = f'RuntimeClass handler "{runtime}"' if runtime else "runtime"
        raise LookupError(f"can't set `spec.hostUsers: false`, {who} does not support user namespaces")


def _refuse_unknown_profile(profile: str) -> None:
    """A profile that the kernel has not: Docker would find out only when the container has begun."""
    known = _PROFILES.read_text() if profile and profile != "unconfined" and _PROFILES.exists() else ""
    if known and not any(line.rpartition(" (")[0] == profile for line in known.splitlines()):
        raise RuntimeError_(f"failed to generate apparmor spec opts: apparmor profile not found {profile}")


def subpath_of(mount: core_v1.VolumeMount, env: Mapping[str, str]) -> str:
    """What part of the volume is asked for, "" for all of it. Raises ConfigProblem, PathProblem."""
    wanted = mount.sub_path or _expanded(mount.sub_path_expr, env)
    check_subpath(wanted)
    return wanted


def _expanded(text: str, env: Mapping[str, str]) -> str:
    """A subPathExpr. Every variable in it must have a value."""
    missing = sorted(name for name in references_in(text) if not env.get(name))
    if missing:
        raise ConfigProblem(f"missing value for {', '.join(missing)}")
    return expand(text, env)


def host_ports(pod: Pod) -> list[HostPort]:
    """The ports of the node that lead into the pod."""
    if pod.spec.host_network:
        return []
    containers: list[core_v1.Container] = [*pod.spec.init_containers, *pod.spec.containers]
    return [
        HostPort(port.protocol or "TCP", port.host_port, port.container_port, port.host_ip)
        for container in containers
        for port in container.ports
        if port.host_port
    ]
