"""What bounds this node's pods, out of the options, the machine, and what this very process may do."""

from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from apimachinery import quantity
from apimachinery.objects.core_v1 import Node as NodeView
from client.cache import Cache
from kubelet import node_status
from kubelet.configuration import BadConfiguration, Configuration
from kubelet.doors import Node
from kubelet.eviction.thresholds import thresholds
from kubelet.eviction.watch import Terms as PressureTerms
from kubelet.eviction.watch import for_all_pods
from kubelet.options import Options, withheld
from kubelet.pods import cgroups, slices
from kubelet.pods.admit import SAFE_SYSCTLS, Terms
from kubelet.pods.container_config import Machine
from kubelet.pods.security import Powers

log = structlog.get_logger("kubelet")

_SYS_RESOURCE = 1 << 24
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")


def machine_of(options: Options, machine: node_status.Machine, driver: str) -> Machine:
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
    by_systemd = (driver if wanted == "auto" else wanted) == "systemd"
    share = node_status.allocatable(machine, configuration.max_pods, withheld(configuration))
    return Machine(
        powers=powers,
        memory=machine.memory,
        cgroup_parent=slices.of_path(configuration.cgroup_root) if by_systemd else configuration.cgroup_root,
        systemd_cgroups=by_systemd,
        log_root=options.log_dir / "pods",
        log_max_size=configuration.log_max_size,
        log_max_files=configuration.log_max_files,
        pod_pids=max(configuration.pod_pids_limit, 0),
        pods_cpu=quantity.parse(share["cpu"]).milli(),
        pods_memory=quantity.parse(share["memory"]).value(),
        swap=machine.swap if configuration.swap_behavior == "LimitedSwap" and cgroups.is_unified() else 0,
        ends_whole=cgroups.is_unified() and not configuration.single_process_oom_kill,
        throttling=configuration.memory_throttling_factor if configuration.memory_qos else 0.0,
    )


def check(configuration: Configuration, machine: node_status.Machine, *, unified: bool) -> None:
    """Whether this machine can be what the configuration asks for. Raises BadConfiguration."""
    if machine.swap and configuration.fail_swap_on:
        raise BadConfiguration(
            "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false"
        )
    if configuration.memory_qos and not unified:
        raise BadConfiguration("featureGates: MemoryQoS needs cgroup v2, and this machine has v1")
    if configuration.single_process_oom_kill is False and not unified:
        raise BadConfiguration("singleProcessOOMKill must not be explicitly set to false when using cgroup v1")
    if configuration.swap_behavior == "LimitedSwap" and not unified:
        raise BadConfiguration("memorySwap: LimitedSwap needs cgroup v2, and this machine has v1")


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


def watched(options: Options, node: Node, image_root: Path) -> PressureTerms:
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
