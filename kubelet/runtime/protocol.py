"""The container runtime's door: what a pod needs of Docker, and nothing more.

A pod is a sandbox (a container that only waits, and owns the network namespace) and containers that live in it. The
runtime remembers everything the kubelet must know after a restart of its own, as labels of each container: the pod,
the container's name, its attempt. Two runtimes pass one contract suite (tests/contract/test_runtime.py): docker.py
and fake.py. Neither knows an API object: configurations are plain values, made by kubelet/pods/.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

State = Literal["created", "running", "exited"]

#: A container is started once and never again: a restart is a new container with the next attempt.
CREATED: State = "created"
RUNNING: State = "running"
EXITED: State = "exited"


@dataclass(frozen=True, slots=True)
class PodRef:
    """The identity of a pod. The uid tells namesakes apart."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.name}_{self.namespace}({self.uid})"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the node, seen inside a container."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = "rprivate"  # rprivate, rslave, rshared


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the node, as a container has it; `permissions` are the cgroup's letters."""

    source: str
    target: str
    permissions: str = "mrw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits in cgroup terms; 0 means none was asked for (but for cpu_shares: the kernel's default)."""

    cpu_shares: int = 0
    cpu_quota: int = 0  # microseconds per period
    cpu_period: int = 100_000
    memory: int = 0  # bytes
    swap: int = 0  # bytes beyond them
    pids: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What a container's process may do. `user` is `uid[:gid]` or a name; "" is the image's."""

    user: str = ""
    groups: Sequence[int] = ()
    add: Sequence[str] = ()
    drop: Sequence[str] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    seccomp: str = ""  # "", "unconfined" or a profile's JSON
    apparmor: str = ""
    unmasked: bool = False  # procMount: Unmasked
    all_devices: bool = False  # the machine's, as a privileged container has them anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """What a pod's containers share."""

    pod: PodRef
    attempt: int = 0
    hostname: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    cgroup_parent: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    resolv_conf: str = ""
    oom_score_adj: int = -998
    runtime: str = ""  # the OCI runtime by the engine's name for it, "" for its default


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """One container, ready to be created in its sandbox. `labels` are kept and given back by `list`."""

    pod: PodRef
    name: str
    image: str  # what was asked for, or the id it resolved to
    attempt: int = 0
    command: Sequence[str] = ()  # () is the image's entrypoint
    args: Sequence[str] = ()
    env: Sequence[tuple[str, str]] = ()
    working_dir: str = ""
    mounts: Sequence[Mount] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()
    security: Security = Security()
    cgroup_parent: str = ""
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    host_pid: bool = False
    share_pid: bool = False
    target: str = ""  # the container whose process namespace it joins, "" for none
    host_ipc: bool = False
    host_network: bool = False
    stop_signal: str = ""
    runtime: str = ""
    log_link: str = ""  # where a symbolic link to the runtime's log is kept, "" for none
    log_max_size: int = 10 << 20  # bytes, then the next file is begun; from 0 down: never
    log_max_files: int = 5
    devices: Sequence[Device] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as observed. A sandbox has the name "". Times are seconds since the epoch, 0 for never."""

    id: str
    pod: PodRef
    name: str
    attempt: int
    state: State
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    image: str = ""
    image_id: str = ""
    pid: int = 0
    log_path: str = ""
    layer: str = ""  # the folder of what it has written to its own file system, "" where unknown
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sandbox(self) -> bool:
        return not self.name

    @property
    def running(self) -> bool:
        return self.state == RUNNING

    @property
    def exited(self) -> bool:
        return self.state == EXITED


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is on the node. `tags` and `digests` are full references."""

    id: str
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()
    size: int = 0
    user: str = ""
    entrypoint: Sequence[str] = ()
    layers: Sequence[str] = ()  # the folders of its content, the topmost first; () where unknown


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that images lie on, in bytes."""

    capacity: int
    available: int

    @property
    def used_percent(self) -> int:
        return 100 - self.available * 100 // self.capacity if self.capacity else 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a container of ours: look at its pod. `uid` "" means: look at every pod."""

    uid: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """What the node reports of its runtime."""

    name: str
    version: str
    api: str
    cgroup_driver: str = "cgroupfs"
    root: str = "/var/lib/docker"  # where its images and containers lie
    runtimes: Sequence[str] = ()  # OCI runtimes by name


@dataclass(frozen=True, slots=True)
class Usage:
    """One container's use of the machine now."""

    id: str
    cpu_nanoseconds: int
    memory_bytes: int
    memory_working_set: int


class RuntimeError_(Exception):  # noqa: N801 - the built-in has the plain name
    """The runtime refused; its words are the message."""


class NoSuchContainer(RuntimeError_):
    """The container is gone, or has stopped where a running one is needed."""


class NoSuchImage(RuntimeError_):
    """The image is not on the node."""


class Process(Protocol):
    """The streams of a process in a container (exec), or of its main process (attach).

    The same shape as `Session` of kubelet/server/doors.py, which gets them.
    """

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece as (1 for stdout | 2 for stderr, data); None at the end of both."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        """The exit code, once the process has ended."""
        ...

    async def close(self) -> None: ...


class ContainerRuntime(Protocol):
    """Everything is idempotent: to stop what has stopped, or remove what is gone, is success."""

    async def version(self) -> Version: ...

    async def prepare(self) -> None:
        """Whatever must be there before the first pod (the pause image)."""
        ...

    async def list(self, uid: str = "") -> Sequence[Container]:
        """Every sandbox and container of this node and cluster, or of one pod; newest attempt first."""
        ...

    async def run_sandbox(self, config: SandboxConfig) -> Container: ...

    async def stop_sandbox(self, id: str) -> None: ...

    async def create(self, config: ContainerConfig, sandbox_id: str) -> str:
        """The new container's id."""
        ...

    async def start(self, id: str) -> None: ...

    async def update(self, id: str, resources: Resources) -> None:
        """Give a running container more or less of the machine, as it runs."""
        ...

    async def stop(self, id: str, grace: float) -> None:
        """Send the stop signal, wait `grace` seconds at most, kill. Cancelling does not stop the process's end."""
        ...

    async def remove(self, id: str) -> None: ...

    async def exec(self, id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False) -> Process: ...

    async def exec_sync(self, id: str, command: Sequence[str], patience: float) -> tuple[int, bytes]:
        """Exit code and output of a command; raises TimeoutError after `patience` seconds."""
        ...

    async def attach(self, id: str, *, stdin: bool = False) -> Process: ...

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> str:
        """Fetch from the registry; the image's id."""
        ...

    async def image(self, name: str) -> Image | None: ...

    async def images(self) -> Sequence[Image]: ...

    async def remove_image(self, id: str) -> None:
        """Take it off the node; refused while any container uses it."""
        ...

    async def image_disk(self) -> Disk: ...

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on, forever; ends (or raises) when the runtime goes away."""
        ...
