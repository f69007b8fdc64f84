"""Docker's JSON, both ways: configurations to the bodies of create calls, inspected containers to `Container`.

Pure. Names and labels are those of upstream's dockershim, so that tools which know them go on to work; two labels of
our own (`io.pykube.cluster`, `io.pykube.node`) say whose a container is: several nodes and clusters may share one
Docker, and what carries other values, or none, is never looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apimachinery.types import Json
from kubelet.runtime.pause import NETWORK
from kubelet.runtime.protocol import (
    CREATED,
    EXITED,
    RUNNING,
    Container,
    ContainerConfig,
    Device,
    Image,
    Mount,
    PodRef,
    Resources,
    SandboxConfig,
    Security,
)

CLUSTER = "io.pykube.cluster"
NODE = "io.pykube.node"
POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
ATTEMPT = "io.kubernetes.container.restartCount"
TYPE = "io.kubernetes.docker.type"
SANDBOX_ID = "io.kubernetes.sandbox.id"
LOG_LINK = "io.kubernetes.container.logpath"

_SANDBOX_NAME = "POD"  # how dockershim called the sandbox's container
_STATES = {"created": CREATED, "running": RUNNING, "paused": RUNNING, "restarting": RUNNING}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose containers these are."""

    cluster: str
    node: str

    def labels(self) -> dict[str, str]:
        return {CLUSTER: self.cluster, NODE: self.node}

    def filters(self, **more: str) -> dict[str, list[str]]:
        """The filter of a list or events call: ours alone. `more` are further labels, by their Docker names."""
        return {"label": [f"{key}={value}" for key, value in (self.labels() | more).items()]}


def container_name(pod: PodRef, name: str, attempt: int) -> str:
    """`k8s_web_web-0_default_UID_0`; the sandbox's name is `POD`."""
    return f"k8s_{name or _SANDBOX_NAME}_{pod.name}_{pod.namespace}_{pod.uid}_{attempt}"


def _pod_labels(pod: PodRef, name: str, attempt: int) -> dict[str, str]:
    return {
        POD_NAME: pod.name,
        POD_NAMESPACE: pod.namespace,
        POD_UID: pod.uid,
        CONTAINER_NAME: name or _SANDBOX_NAME,
        ATTEMPT: str(attempt),
        TYPE: "container" if name else "podsandbox",
    }


def makes_network(config: SandboxConfig) -> bool:
    """Whether the sandbox's own process makes the pod's network namespace. Sysctls of it are set by runc alone."""
    return not config.host_network and not any(name.startswith("net.") for name in config.sysctls)


def sandbox_body(config: SandboxConfig, owner: Owner, image: str, *, own_network: bool = False) -> Json:
    """The create call of a sandbox: a pause container without a network (the kubelet wires it itself).

    `own_network`: it starts in Docker's namespace and leaves it at once for one that it makes (pause.py), since Docker
    takes 140 ms to make one.
    """
    host: Json = {
        "NetworkMode": "host" if config.host_network or own_network else "none",
        "IpcMode": "host" if config.host_ipc else "shareable",
        "PidMode": "host" if config.host_pid else "",
        "CgroupParent": config.cgroup_parent,
        "OomScoreAdj": config.oom_score_adj,
        "CpuShares": 2,
        "LogConfig": {"Type": "none"},
        "SecurityOpt": ["seccomp=unconfined"],
        "Sysctls": dict(config.sysctls),
        "Runtime": config.runtime,
    }
    body: Json = {
        "Image": image,
        "Labels": dict(config.labels) | _pod_labels(config.pod, "", config.attempt) | owner.labels(),
        "HostConfig": host,
    }
    if own_network:
        host["CapAdd"] = ["SYS_ADMIN"]
        body["Cmd"] = [NETWORK]
    if config.hostname and not config.host_network:
        body["Hostname"] = config.hostname
    return body


def container_body(config: ContainerConfig, owner: Owner, sandbox_id: str) -> Json:
    """The create call of a container that joins a sandbox's namespaces."""
    labels = dict(config.labels) | _pod_labels(config.pod, config.name, config.attempt) | owner.labels()
    labels |= {SANDBOX_ID: sandbox_id, LOG_LINK: config.log_link}
    body: Json = {
        "Image": config.image,
        "Env": [f"{name}={value}" for name, value in config.env],
        "Labels": labels,
        "User": config.security.user,
        "Tty": config.tty,
        "OpenStdin": config.stdin,
        "StdinOnce": config.stdin_once,
        "Cmd": list(config.args),
        "HostConfig": _host_config(config, sandbox_id),
        "Healthcheck": {"Test": ["NONE"]},  # the image's own check is Docker's idea, not a pod's
    }
    if config.command:
        body["Entrypoint"] = list(config.command)
    if config.working_dir:
        body["WorkingDir"] = config.working_dir
    if config.stop_signal:
        body["StopSignal"] = config.stop_signal
    return body


def _rotation(config: ContainerConfig) -> Json:
    if config.log_max_size <= 0:
        return {}
    return {"max-size": str(config.log_max_size), "max-file": str(config.log_max_files)}


def _host_config(config: ContainerConfig, sandbox_id: str) -> Json:
    resources = config.resources
    host: Json = {
        "NetworkMode": f"container:{sandbox_id}",
        "IpcMode": "host" if config.host_ipc else f"container:{sandbox_id}",
        "PidMode": _processes(config, sandbox_id),
        "CgroupParent": config.cgroup_parent,
        "Mounts": [_mount(mount) for mount in config.mounts],
        "LogConfig": {"Type": "json-file", "Config": _rotation(config)},
        "CpuShares": resources.cpu_shares,
        "Memory": resources.memory,
        "OomScoreAdj": resources.oom_score_adj,
        "Runtime": config.runtime,
    }
    devices = [Device("/dev", "/dev"), *config.devices] if config.security.all_devices else config.devices
    if devices:
        host["Devices"] = [
            {"PathOnHost": each.source, "PathInContainer": each.target, "CgroupPermissions": each.permissions}
            for each in devices
        ]
    if resources.cpu_quota:
        host |= {"CpuQuota": resources.cpu_quota, "CpuPeriod": resources.cpu_period}
    if resources.memory:
        host["MemorySwap"] = resources.memory + resources.swap  # the sum of both
    if resources.pids:
        host["PidsLimit"] = resources.pids
    return host | _security(config.security)


def update_arguments(resources: Resources) -> Json:
    """The arguments of the SDK's update. The limit of memory and the one that counts swap go together."""
    both = resources.memory + resources.swap
    memory = {"mem_limit": resources.memory, "memswap_limit": both} if resources.memory else {}
    cpu = {"cpu_shares": resources.cpu_shares, "cpu_period": resources.cpu_period}
    return cpu | {"cpu_quota": resources.cpu_quota or -1} | memory


def _processes(config: ContainerConfig, sandbox_id: str) -> str:
    if config.host_pid:
        return "host"
    shared = sandbox_id if config.share_pid else config.target
    return f"container:{shared}" if shared else ""


def _mount(mount: Mount) -> Json:
    found: Json = {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    if (
        mount.propagation != "rprivate"
    ):  # Docker's own choice, but for folders over its own (`/`), which it makes rslave
        found["BindOptions"] = {"Propagation": mount.propagation}
    return found


def _security(security: Security) -> Json:
    options = []
    if security.no_new_privileges:
        options.append("no-new-privileges")
    if security.seccomp:
        options.append(f"seccomp={security.seccomp}")
    if security.apparmor:
        options.append(f"apparmor={security.apparmor}")
    host: Json = {
        "Privileged": security.privileged,
        "CapAdd": list(security.add),
        "CapDrop": list(security.drop),
        "GroupAdd": [str(group) for group in security.groups],
        "ReadonlyRootfs": security.read_only_root,
        "SecurityOpt": options,
    }
    if security.all_devices:
        host["DeviceCgroupRules"] = ["a *:* rwm"]  # those that come later, too
    if security.unmasked:
        host |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return host


def epoch(text: str) -> float:
    """Docker's RFC 3339 with nanoseconds; its zero time is 0."""
    if not text or text.startswith("0001-"):
        return 0.0
    whole, _, zone = text.partition("Z") if text.endswith("Z") else (text[:-6], "", text[-6:])
    seconds, _, fraction = whole.partition(".")
    stamp = datetime.fromisoformat(seconds + (zone or "+00:00")).timestamp()
    return stamp + float(f"0.{fraction or 0}")


def observed(inspected: Mapping[str, Any]) -> Container:
    """An inspected container as the kubelet knows it."""
    labels: Mapping[str, str] = inspected["Config"]["Labels"] or {}
    state = inspected["State"]
    name = labels.get(CONTAINER_NAME, "")
    known = _STATES.get(state["Status"], EXITED)
    if known == CREATED and state["ExitCode"]:
        known = EXITED  # the start failed: it will never run
    started, created = epoch(state["StartedAt"]), epoch(inspected["Created"])
    # Docker notes the start when runc has answered: a short life may have ended before that.
    finished = max(epoch(state["FinishedAt"]), started)
    return Container(
        id=inspected["Id"],
        pod=PodRef(labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""), labels.get(POD_UID, "")),
        name="" if labels.get(TYPE) == "podsandbox" else name,
        attempt=int(labels.get(ATTEMPT, "0")),
        state=known,
        created_at=created,
        started_at=started,
        finished_at=(finished or created) if known == EXITED else 0.0,
        exit_code=state["ExitCode"],
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error", ""),
        image=inspected["Config"]["Image"],
        image_id=inspected["Image"],
        pid=state.get("Pid", 0),
        log_path=inspected.get("LogPath", ""),
        layer=((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir", ""),
        labels=labels,
    )


def image_of(inspected: Mapping[str, Any]) -> Image:
    """An inspected image."""
    config = inspected.get("Config") or {}
    return Image(
        id=inspected["Id"],
        tags=tuple(inspected.get("RepoTags") or ()),
        digests=tuple(inspected.get("RepoDigests") or ()),
        size=inspected.get("Size", 0),
        user=config.get("User", ""),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        layers=_layers(inspected.get("GraphDriver") or {}),
    )


def _layers(driver: Mapping[str, Any]) -> tuple[str, ...]:
    data = driver.get("Data") or {}
    if driver.get("Name") != "overlay2" or not data.get("UpperDir"):
        return ()
    return (data["UpperDir"], *filter(None, data.get("LowerDir", "").split(":")))


def order(containers: Sequence[Container]) -> list[Container]:
    """Newest attempt first, as `list` promises; sandboxes before containers."""
    return sorted(containers, key=lambda c: (c.name, -c.attempt, -c.created_at))
