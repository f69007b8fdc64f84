"""The doors between the kubelet's HTTPS API and its core: what the server asks of whoever runs the pods.

The core implements `Pods`; its runtime door gives `Session`s. Everything is refused with `ApiError` in upstream's
words: `container_id` and the rest raise 404 for what is not there.
"""

import asyncio
from pathlib import Path
from typing import Protocol

from apimachinery.types import Json


class Session(Protocol):
    """One process run by exec, or a container attached to. Reading and writing happen in different tasks."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next output: (1 stdout | 2 stderr, data); None when there is no more. With a tty everything is stdout."""

    async def write(self, data: bytes) -> None:
        """To its stdin; waits while it does not read. ConnectionError when it has ended."""

    async def close_stdin(self) -> None:
        """The end of stdin, where the runtime can say it."""

    async def resize(self, width: int, height: int) -> None:
        """The terminal's new size in columns and rows; nothing happens without a tty."""

    async def wait(self) -> int:
        """The exit code, once the process has ended (an attached container: once it is detached, 0)."""

    async def close(self) -> None:
        """Let go of the connection to the runtime; an attached container goes on."""


class Pods(Protocol):
    """The node's pods, as the server needs them. Names are the API's; `pod` is a pod's name in `namespace`."""

    def list_pods(self) -> Json:
        """Every pod assigned to the node, static ones included: a v1 PodList."""

    async def running_pods(self) -> Json:
        """The pods that run according to the runtime: a v1 PodList."""

    def container_id(self, namespace: str, pod: str, container: str) -> str:
        """The running container; ApiError 404 `pod does not exist` / `container not found ("x")`."""

    def check_running(self, namespace: str, pod: str) -> None:
        """ApiError 404 `pod does not exist` when the pod is not on the node or has no sandbox."""

    async def exec(self, container_id: str, command: list[str], *, stdin: bool, tty: bool) -> Session:
        """Start a process in the container."""

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> Session:
        """Attach to the container's main process."""

    def container_tty(self, namespace: str, pod: str, container: str) -> bool:
        """Whether the container's spec says `tty`: an attach follows it, whatever the client asks."""

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection to the port inside the pod (its localhost); OSError when there is none, ApiError 404."""

    def log_path(self, namespace: str, pod: str, container: str, *, previous: bool) -> Path:
        """The log file (Docker's json-file or CRI's format).

        ApiError 404 `pod does not exist`, 400 `container "c" in pod "p" is waiting to start: ContainerCreating`,
        `previous terminated container "c" in pod "p" not found`.
        """

    async def container_ended(self, namespace: str, pod: str, container: str) -> bool:
        """Whether the container whose log is followed has ended: then no more lines come."""

    async def stats_summary(self) -> Json:
        """/stats/summary: the node's and the pods' usage (v1alpha1 Summary)."""

    async def cadvisor_metrics(self) -> str:
        """/metrics/cadvisor in Prometheus' text format."""

    async def resource_metrics(self) -> str:
        """/metrics/resource in Prometheus' text format."""

    def probe_metrics(self) -> str:
        """/metrics/probes in Prometheus' text format."""

    def config(self) -> Json:
        """/configz: the KubeletConfiguration in force."""

    async def check(self) -> None:
        """/healthz: raises when the kubelet is not well (its loop hangs, the runtime is away)."""
