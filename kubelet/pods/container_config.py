"""From a container of a pod's spec to what the runtime is told to make. Pure.

Sources: pkg/kubelet/kuberuntime/kuberuntime_container.go (generateContainerConfig), labels.go,
pkg/kubelet/kubelet_pods.go (makeMounts), pkg/kubelet/cm/pod_container_manager_linux.go (cgroup names).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apimachinery.objects import core_v1
from apimachinery.objects.core_v1 import Pod
from kubelet.pods import qos, slices
from kubelet.pods.admit import dotted
from kubelet.pods.decide import spec_hash
from kubelet.pods.env import ConfigProblem
from kubelet.pods.expansion import expand
from kubelet.pods.resize import SIZE_LABEL, text
from kubelet.pods.security import Powers, security
from kubelet.pods.world import HASH_LABEL, IMAGE_ID_LABEL, ref
from kubelet.runtime.protocol import ContainerConfig, Device, Image, Mount, PodRef, SandboxConfig

TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
GRACE = "io.kubernetes.pod.terminationGracePeriod"
_PROPAGATION = {"": "rprivate", "None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}

AnyContainer = core_v1.Container | core_v1.EphemeralContainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What of the node goes into every container."""

    powers: Powers
    memory: int  # bytes
    cgroup_parent: str  # "" where Docker decides
    systemd_cgroups: bool
    log_root: Path  # /var/log/pods
    log_max_size: int = 10 << 20  # of a container's log, in bytes
    log_max_files: int = 5
    pod_pids: int = 0  # processes that a pod may have, 0 for any number
    pods_cpu: int = 0  # milli: what all pods together may use
    pods_memory: int = 0  # bytes, 0 for no limit
    swap: int = 0  # bytes that burstable pods may share (LimitedSwap), 0 for none
    ends_whole: bool = False  # where the kernel kills one process for memory, the container ends (cgroup v2)
    throttling: float = 0.0  # from which part of its memory on a container is slowed down (MemoryQoS), 0 for never


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What has been made ready for one container before it is configured."""

    image: Image
    env: Sequence[tuple[str, str]]
    volumes: Mapping[str, Path]  # by the volume's name
    subpaths: Mapping[str, Path]  # by mountPath: where a subPath leads, checked
    files: Sequence[Mount]  # /etc/hosts, /etc/resolv.conf, the termination message
    profiles: Mapping[str, str]
    target: str = ""  # the container whose processes this one sees
    runtime: str = ""  # the OCI runtime


def sandbox_config(pod: Pod, *, attempt: int, hostname: str, machine: Machine, runtime: str = "") -> SandboxConfig:
    """The pod's sandbox."""
    context = pod.spec.security_context
    return SandboxConfig(
        pod=ref(pod),
        attempt=attempt,
        hostname=hostname,
        host_network=bool(pod.spec.host_network),
        host_pid=bool(pod.spec.host_pid),
        host_ipc=bool(pod.spec.host_ipc),
        cgroup_parent=cgroup_parent(pod, machine),
        sysctls={dotted(s.name): s.value for s in (context.sysctls if context else ())},
        oom_score_adj=max(-998, machine.powers.lowest_oom_score),
        runtime=runtime,
    )


def container_config(
    pod: Pod, container: AnyContainer, *, attempt: int, prepared: Prepared, machine: Machine
) -> ContainerConfig:
    """One container; raises ConfigProblem."""
    values = dict(prepared.env)
    identity = ref(pod)
    sized = container if isinstance(container, core_v1.Container) else core_v1.Container()
    return ContainerConfig(
        pod=identity,
        name=container.name,
        image=container.image,
        attempt=attempt,
        command=[expand(word, values) for word in container.command],
        args=[expand(word, values) for word in container.args],
        env=prepared.env,
        working_dir=container.working_dir,
        mounts=[*_mounts(pod, container, prepared), *prepared.files],
        labels=_labels(pod, container, prepared.image),
        resources=qos.container_resources(
            pod, sized, capacity=machine.memory, lowest=machine.powers.lowest_oom_score, swap=machine.swap
        ),
        security=security(
            pod,
            container,
            powers=machine.powers,
            image_user=prepared.image.user,
            profiles=dict(prepared.profiles),
        ),
        cgroup_parent=cgroup_parent(pod, machine),
        tty=bool(container.tty),
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdin_once),
        host_pid=bool(pod.spec.host_pid),
        share_pid=bool(pod.spec.share_process_namespace),
        target=prepared.target,
        host_ipc=bool(pod.spec.host_ipc),
        stop_signal=_stop_signal(container),
        runtime=prepared.runtime,
        log_max_size=machine.log_max_size,
        log_max_files=machine.log_max_files,
        log_link=str(log_link(machine.log_root, identity, container.name, attempt)),
        devices=_devices(pod, container, prepared),
    )


def _devices(pod: Pod, container: AnyContainer, prepared: Prepared) -> list[Device]:
    """The block volumes, as devices."""
    fixed = {v.name for v in pod.spec.volumes if v.persistent_volume_claim and v.persistent_volume_claim.read_only}
    found = []
    for device in container.volume_devices:
        if device.name not in prepared.volumes:
            raise ConfigProblem(f'cannot find volume "{device.name}" to pass into container "{container.name}"')
        permissions = "r" if device.name in fixed else "mrw"
        found.append(Device(str(prepared.volumes[device.name]), device.device_path, permissions))
    return found


def _stop_signal(container: AnyContainer) -> str:
    return container.lifecycle.stop_signal if container.lifecycle else ""


def _labels(pod: Pod, container: AnyContainer, image: Image) -> dict[str, str]:
    grace = pod.spec.termination_grace_period_seconds
    return {
        HASH_LABEL: spec_hash(container) if isinstance(container, core_v1.Container) else "",
        IMAGE_ID_LABEL: image_id(image),
        TERMINATION_PATH: container.termination_message_path or "/dev/termination-log",
        TERMINATION_POLICY: container.termination_message_policy or "File",
        GRACE: str(30 if grace is None else grace),
        SIZE_LABEL: text(container) if isinstance(container, core_v1.Container) else "{}",
    }


def image_id(image: Image) -> str:
    """As dockershim said it: by digest where a registry gave one."""
    return f"docker-pullable://{image.digests[0]}" if image.digests else f"docker://{image.id}"


def _is_read_only(volume: core_v1.Volume) -> bool:
    """Whether no container may write to it: what the kubelet writes itself, and what the pod's spec says so of."""
    claim, csi, nfs = volume.persistent_volume_claim, volume.csi, volume.nfs
    ours = volume.config_map or volume.secret or volume.downward_api or volume.projected or volume.image
    return bool(ours or (claim and claim.read_only) or (csi and csi.read_only) or (nfs and nfs.read_only))


def _check_recursion(mount: core_v1.VolumeMount) -> None:
    """Docker makes mounts below a volume read-only too from 25.0 on; what is asked for and not there is refused."""
    wanted, refused = mount.recursive_read_only, "failed to resolve recursive read-only mode: volume"
    if wanted in ("", "Disabled"):
        return
    if not mount.read_only:
        raise ConfigProblem(f'{refused} "{mount.name}" requested recursive read-only mode, but it is not read-only')
    if mount.mount_propagation not in ("", "None"):
        what = f'but it is not compatible with propagation "{mount.mount_propagation}"'
        raise ConfigProblem(f'{refused} "{mount.name}" requested recursive read-only mode, {what}')
    if wanted == "Enabled":
        what = "but it is not supported by the runtime"
        raise ConfigProblem(f'{refused} "{mount.name}" requested recursive read-only mode, {what}')


def _mounts(pod: Pod, container: AnyContainer, prepared: Prepared) -> list[Mount]:
    ours = {v.name for v in pod.spec.volumes if _is_read_only(v)}
    found = []
    for mount in container.volume_mounts:
        if mount.sub_path or mount.sub_path_expr:
            source = prepared.subpaths[mount.mount_path]
        elif mount.name in prepared.volumes:
            source = prepared.volumes[mount.name]
        else:
            raise ConfigProblem(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
        _check_recursion(mount)
        target = mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"
        read_only = bool(mount.read_only) or mount.name in ours
        found.append(Mount(str(source), target, read_only, _PROPAGATION[mount.mount_propagation]))
    return found


def log_link(root: Path, pod: PodRef, name: str, attempt: int) -> Path:
    """/var/log/pods/NS_NAME_UID/CONTAINER/N.log, where log collectors look."""
    return pod_log_folder(root, pod) / name / f"{attempt}.log"


def pod_log_folder(root: Path, pod: PodRef) -> Path:
    return root / f"{pod.namespace}_{pod.name}_{pod.uid}"


def cgroup_parent(pod: Pod, machine: Machine) -> str:
    """The pod's cgroup, under the class of its quality of service."""
    root = machine.cgroup_parent
    if not root:
        return ""
    quality = qos.qos_class(pod).lower()
    middle = "" if quality == "guaranteed" else quality
    if machine.systemd_cgroups:
        return slices.below(slices.below(root, middle), slices.pod_name(pod.metadata.uid))
    return "/" + "/".join(filter(None, (root.strip("/"), middle, f"pod{pod.metadata.uid}")))


def unified(container: AnyContainer, machine: Machine) -> dict[str, str]:
    """What Docker cannot be told of cgroup v2: MemoryQoS, and that a container ends as a whole."""
    values = {"memory.oom.group": "1"} if machine.ends_whole else {}
    if machine.throttling and isinstance(container, core_v1.Container):
        values |= qos.protection(container, allocatable=machine.pods_memory, factor=machine.throttling)
    return values
