"""What a pod's worker works with: the doors to the world, and what is true for every pod of the node."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from apimachinery.objects.core_v1 import Pod, Service
from apimachinery.types import Json
from kubelet.handlers import Handlers
from kubelet.network.files import Resolver
from kubelet.network.protocol import NodeNetwork
from kubelet.objects import Objects
from kubelet.pods.container_config import Machine
from kubelet.pods.images import Images
from kubelet.pods.world import Preemption, Verdict
from kubelet.probe_counts import ProbeCounts
from kubelet.runtime.protocol import ContainerRuntime
from kubelet.volumes.protocol import Volumes


class PodApi(Protocol):
    """Where a pod's status is told."""

    async def patch_status(self, pod: Pod, body: Json) -> Pod | None:
        """The pod as it is then; None where that very pod is there no more."""
        ...

    async def forget(self, pod: Pod) -> None:
        """Delete the object now (grace period 0), if it is still that very pod."""
        ...


class Events(Protocol):
    def __call__(self, pod: Pod, field_path: str, type: str, reason: str, message: str) -> None:
        """Tell of something that happened to a pod, or to the part of it at `field_path`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Node:
    """What every pod of the node needs to know; the callables say what is true now."""

    name: str
    addresses: Sequence[str]
    root: Path  # /var/lib/kubelet
    log_root: Path  # /var/log/pods
    links_root: Path  # /var/log/containers
    machine: Machine
    cluster_dns: Sequence[str]
    cluster_domain: str
    resolver: Callable[[], Resolver]
    allocatable: Callable[[], Mapping[str, str]]
    services: Callable[[], Sequence[Service]]
    runtime: Callable[[str], str] = lambda _class: ""  # RuntimeClass -> OCI runtime; LookupError where there is none
    #: Why a new pod is refused, or who goes for it; the others are those that the node has taken.
    admit: Callable[[Pod, Sequence[Pod]], Verdict | Preemption | None] = lambda _pod, _others: None
    resize: Callable[[Pod, Sequence[Pod]], tuple[str, str] | None] = lambda _pod, _others: None  # or why it cannot grow


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Everything that acts."""

    runtime: ContainerRuntime
    network: NodeNetwork
    volumes: Volumes
    objects: Objects
    images: Images
    handlers: Handlers
    api: PodApi
    events: Events
    clock: Callable[[], float]
    spawn: Callable[[Coroutine[Any, Any, None]], Any]
    probes: ProbeCounts = field(default_factory=ProbeCounts)
