"""A runtime over another, each of whose calls is counted and timed under the name that CRI has for it.

Source: pkg/kubelet/cri/remote, kuberuntime/instrumented_services.go.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TypeVar

from kubelet import metrics
from kubelet.runtime.protocol import (
    Container,
    ContainerConfig,
    ContainerRuntime,
    Disk,
    Event,
    Image,
    Process,
    Resources,
    SandboxConfig,
    Version,
)
from serving.series import Number

T = TypeVar("T")


class TimedRuntime:
    """A `ContainerRuntime`."""

    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime

    async def version(self) -> Version:
        return await _timed("version", self._runtime.version())

    async def prepare(self) -> None:
        await self._runtime.prepare()

    async def list(self, uid: str = "") -> Sequence[Container]:
        return await _timed("list_containers", self._runtime.list(uid))

    async def run_sandbox(self, config: SandboxConfig) -> Container:
        began = perf_counter()
        with _counting_failures(metrics.SANDBOX_ERRORS.of(config.runtime)):
            found = await _timed("run_podsandbox", self._runtime.run_sandbox(config))
        metrics.SANDBOX.of(config.runtime).add(perf_counter() - began)
        return found

    async def stop_sandbox(self, id: str) -> None:
        await _timed("stop_podsandbox", self._runtime.stop_sandbox(id))

    async def create(self, config: ContainerConfig, sandbox_id: str) -> str:
        return await _timed("create_container", self._runtime.create(config, sandbox_id))

    async def start(self, id: str) -> None:
        await _timed("start_container", self._runtime.start(id))

    async def update(self, id: str, resources: Resources) -> None:
        await _timed("update_container", self._runtime.update(id, resources))

    async def stop(self, id: str, grace: float) -> None:
        await _timed("stop_container", self._runtime.stop(id, grace))

    async def remove(self, id: str) -> None:
        await _timed("remove_container", self._runtime.remove(id))

    async def exec(self, id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False) -> Process:
        return await _timed("exec", self._runtime.exec(id, command, tty=tty, stdin=stdin))

    async def exec_sync(self, id: str, command: Sequence[str], patience: float) -> tuple[int, bytes]:
        return await _timed("exec_sync", self._runtime.exec_sync(id, command, patience))

    async def attach(self, id: str, *, stdin: bool = False) -> Process:
        return await _timed("attach", self._runtime.attach(id, stdin=stdin))

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> str:
        return await _timed("pull_image", self._runtime.pull(image, auth))

    async def image(self, name: str) -> Image | None:
        return await _timed("image_status", self._runtime.image(name))

    async def images(self) -> Sequence[Image]:
        return await _timed("list_images", self._runtime.images())

    async def remove_image(self, id: str) -> None:
        await _timed("remove_image", self._runtime.remove_image(id))

    async def image_disk(self) -> Disk:
        return await _timed("image_fs_info", self._runtime.image_disk())

    def events(self) -> AsyncIterator[Event]:
        return self._runtime.events()


async def _timed(operation: str, call: Awaitable[T]) -> T:
    began = perf_counter()
    metrics.OPERATIONS.of(operation).value += 1
    try:
        with _counting_failures(metrics.OPERATION_ERRORS.of(operation)):
            return await call
    finally:
        metrics.OPERATION_SECONDS.of(operation).add(perf_counter() - began)


@contextlib.contextmanager
def _counting_failures(errors: Number) -> Iterator[None]:
    """One more error unless the block comes to its end; one that was given up counts, too (a cancelled context)."""
    with contextlib.ExitStack() as unless_done:
        unless_done.callback(_count, errors)
        yield
        unless_done.pop_all()


def _count(errors: Number) -> None:
    errors.value += 1
