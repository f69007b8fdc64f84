"""Whether this node takes a pod that was bound to it. Pure: the scheduler asked the same, but may not have been asked.

A pod that brings its own `spec.nodeName` has passed no scheduler; others may have been placed on what was true a
moment ago. Who is refused fails at once and for good; nothing of it is started. Reasons and wording:
pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/sysctl/allowlist.go, pkg/kubelet/kubelet.go (rejectPod).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import quantity
from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from apimachinery.placement import selected, tolerates
from kubelet.pods.world import TERMINAL, Verdict, is_sidecar

OS_LABEL = "kubernetes.io/os"
PODS = "pods"
_FIRST = (PODS, "cpu", "memory", "ephemeral-storage")  # the order in which upstream looks
_NAMESPACED = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net.")
_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a pod is measured by. `labels` and `taints` are None while the Node object has not been seen."""

    name: str
    labels: Mapping[str, str] | None = None
    taints: Sequence[core_v1.Taint] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)
    sysctls: Sequence[str] = SAFE_SYSCTLS  # allowed ones; `net.core.*` allows all that begin so
    apparmor: bool = True  # whether the kernel enforces profiles


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason against the pod. Where it is a resource that is short: which, and by how much."""

    reason: str
    message: str
    resource: str = ""
    missing: int = 0


def admit(pod: Pod, others: Iterable[Pod], terms: Terms) -> Verdict | None:
    """Why the pod cannot be here, or None. `others` are the pods that the node has taken before."""
    found = next(objections(pod, list(others), terms), None)
    return None if found is None else Verdict(found.reason, found.message, rejected=True)


def objections(pod: Pod, others: Sequence[Pod], terms: Terms) -> Iterator[Objection]:
    """Everything that speaks against the pod, in upstream's order; the first is what is told."""
    for refusal in _sysctls(pod, terms.sysctls):
        yield Objection("SysctlForbidden", f"forbidden sysctl: {refusal}")
    yield from _systems(pod)
    yield from _groups(pod)
    yield from _resources(pod, others, terms)
    if not _is_selected(pod, terms):
        text = "node(s) didn't match Pod's node affinity/selector"
        yield Objection("NodeAffinity", f"Predicate NodeAffinity failed: {text}")
    mine = _host_ports(pod)
    if any(_clash(a, b) for other in others for a in _host_ports(other) for b in mine):
        text = "node(s) didn't have free ports for the requested pod ports"
        yield Objection("NodePorts", f"Predicate NodePorts failed: {text}")
    evicting = [taint for taint in terms.taints if taint.effect == "NoExecute"]
    if not is_static(pod) and any(not any(tolerates(t, taint) for t in pod.spec.tolerations) for taint in evicting):
        text = "node(s) had taints that the pod didn't tolerate"
        yield Objection("TaintToleration", f"Predicate TaintToleration failed: {text}")
    yield from _profiles(pod, terms)


def is_static(pod: Pod) -> bool:
    """Whether it came from a manifest of this node's."""
    return pod.metadata.annotations.get("kubernetes.io/config.source", "api") != "api"


def _systems(pod: Pod) -> Iterator[Objection]:
    if pod.metadata.labels.get(OS_LABEL, "linux") != "linux":
        text = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
        yield Objection("PodOSSelectorNodeLabelDoesNotMatch", text)
    if pod.spec.os is not None and pod.spec.os.name not in ("", "linux"):
        yield Objection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")


def _groups(pod: Pod) -> Iterator[Objection]:
    shared = pod.spec.security_context
    if shared is not None and shared.supplemental_groups_policy == "Strict":
        # differs: Docker cannot be kept from adding the groups that the image's /etc/group gives the user
        text = "SupplementalGroupsPolicy=Strict is not supported in this node"
        yield Objection("SupplementalGroupsPolicyNotSupported", text)


def _profiles(pod: Pod, terms: Terms) -> Iterator[Objection]:
    every: list[core_v1.Container | core_v1.EphemeralContainer] = [*pod.spec.init_containers, *pod.spec.containers]
    every += pod.spec.ephemeral_containers
    contexts = [pod.spec.security_context, *(c.security_context for c in every)]
    profiles = [context.app_armor_profile for context in contexts if context]
    if not terms.apparmor and any(p is not None and p.type != "Unconfined" for p in profiles):
        yield Objection("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")


# Resources


def _resources(pod: Pod, others: Sequence[Pod], terms: Terms) -> Iterator[Objection]:
    capacity = {name: _amount(name, text) for name, text in terms.allocatable.items()}
    wanted = {PODS: 1, **requested(pod)}
    for name in sorted(wanted, key=lambda n: (_FIRST.index(n) if n in _FIRST else len(_FIRST), n)):
        amount = wanted[name]
        if not amount or ("/" in name and name not in capacity):
            continue  # an extended resource that this node knows nothing of is somebody else's to count
        used = sum(asked(other, name) for other in others)
        there = capacity.get(name, 0)
        if used + amount > there:
            numbers = f"requested: {amount}, used: {used}, capacity: {there}"
            text = f"Node didn't have enough resource: {name}, {numbers}"
            yield Objection(f"OutOf{name}", text, name, amount - (there - used))


def asked(pod: Pod, resource: str) -> int:
    """What the pod asks for of one resource; it is one pod."""
    return 1 if resource == PODS else requested(pod).get(resource, 0)


def requested(pod: Pod) -> dict[str, int]:
    """What a pod asks for in all: the sum of its containers and sidecars, or its greediest init container."""
    overhead = {name: _amount(name, text) for name, text in pod.spec.overhead.items()}
    sidecars: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in pod.spec.init_containers:
        own = _requests(container)
        if is_sidecar(container):
            sidecars = _sum(sidecars, own)
            own = {}
        most = _larger(most, _sum(sidecars, own))
    total = sidecars
    for container in pod.spec.containers:
        total = _sum(total, _requests(container))
    total = _larger(total, most)
    if pod.spec.resources is not None:
        total |= {name: _amount(name, text) for name, text in pod.spec.resources.requests.items()}
    return _sum(total, overhead)


def _requests(container: core_v1.Container) -> dict[str, int]:
    if container.resources is None:
        return {}
    asked = {**container.resources.limits, **container.resources.requests}
    return {name: _amount(name, text) for name, text in asked.items()}


def _amount(resource: str, text: str) -> int:
    parsed = quantity.parse(text)
    return parsed.milli() if resource == "cpu" else parsed.value()


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}


def _larger(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: max(left.get(name, 0), right.get(name, 0)) for name in {**left, **right}}


# Node selectors, ports, taints


def _is_selected(pod: Pod, terms: Terms) -> bool:
    if terms.labels is None:
        return True
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return selected(pod.spec.node_selector, required, name=terms.name, labels=terms.labels)


def _host_ports(pod: Pod) -> list[tuple[str, int, str]]:
    containers = [*pod.spec.containers, *(c for c in pod.spec.init_containers if is_sidecar(c))]
    ports = [port for container in containers for port in container.ports if port.host_port]
    return [(port.protocol or "TCP", port.host_port or 0, port.host_ip or "0.0.0.0") for port in ports]  # noqa: S104


def _clash(one: tuple[str, int, str], other: tuple[str, int, str]) -> bool:
    return one[:2] == other[:2] and (one[2] == other[2] or "0.0.0.0" in (one[2], other[2]))  # noqa: S104


# Sysctls


def _sysctls(pod: Pod, allowed: Sequence[str]) -> Iterator[str]:
    for sysctl in pod.spec.security_context.sysctls if pod.spec.security_context else ():
        name = dotted(sysctl.name)
        if not name.startswith(_NAMESPACED) or not any(_covers(pattern, name) for pattern in allowed):
            yield f'"{sysctl.name}" not allowlisted'
        elif pod.spec.host_network and name.startswith("net."):
            yield f'"{sysctl.name}" not allowed with host net enabled'
        elif pod.spec.host_ipc and name.startswith(_IPC):
            yield f'"{sysctl.name}" not allowed with host ipc enabled'


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def dotted(name: str) -> str:
    """`net/ipv4/conf/eth0.1/x` is `net.ipv4.conf.eth0/1.x`: the first separator says which of the two it is."""
    first = next((c for c in name if c in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))


def active(pods: Iterable[Pod]) -> list[Pod]:
    """The pods that hold something of the node."""
    return [pod for pod in pods if pod.status.phase not in TERMINAL and pod.spec.containers]
