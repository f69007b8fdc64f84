"""The container runtime in memory: for tests of all that stands above the door, and for simulated nodes.

A container runs until it is stopped, unless its command is one of the few words it knows: `true`, `false`, `exit N`,
`sh -c "exit N"`; what begins with `/missing` cannot be started. `end` makes one end, as a process would by itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kubelet.runtime.protocol import (
    CREATED,
    EXITED,
    RUNNING,
    Container,
    ContainerConfig,
    Disk,
    Event,
    Image,
    NoSuchContainer,
    NoSuchImage,
    PodRef,
    Process,
    Resources,
    RuntimeError_,
    SandboxConfig,
    Version,
)

_KILLED, _NOT_FOUND = 137, 127
SANDBOX_LABEL = "io.kubernetes.sandbox.id"


@dataclass(frozen=True, slots=True)
class _Life:
    container: Container
    command: Sequence[str]
    stops_with: int = 143


class FakeRuntime:
    """`ContainerRuntime` without containers. `pullable` are the images that a pull finds."""

    def __init__(self, images: Sequence[str] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._images = {name: Image(id=f"sha256:{name}", tags=(name,), size=1) for name in images}
        self._lives: dict[str, _Life] = {}
        self._made = 0
        self._listeners: list[asyncio.Queue[Event]] = []
        self.pullable: set[str] = set()
        self.disk = Disk(100, 50)
        self.execs: list[tuple[str, Sequence[str]]] = []
        self.updates: list[tuple[str, Resources]] = []
        self.exec_result: tuple[int, bytes] = (0, b"")

    async def version(self) -> Version:
        return Version("fake", "1", "1")

    async def prepare(self) -> None:
        await asyncio.sleep(0)

    async def list(self, uid: str = "") -> Sequence[Container]:
        await asyncio.sleep(0)
        found = [life.container for life in self._lives.values()]
        return sorted((c for c in found if uid in ("", c.pod.uid)), key=lambda c: (c.name, -c.attempt, -c.created_at))

    def _new(self, pod: PodRef, name: str, attempt: int, labels: Mapping[str, str], image: str) -> Container:
        if any((c.pod.uid, c.name, c.attempt) == (pod.uid, name, attempt) for c in self._all()):
            raise RuntimeError_(f"the name of {name or 'POD'} {attempt} of {pod} is already in use")
        self._made += 1
        return Container(
            id=f"{self._made:064x}",
            pod=pod,
            name=name,
            attempt=attempt,
            state=CREATED,
            created_at=self._clock(),
            labels=dict(labels),
            image=image,
            image_id=f"sha256:{image}",
        )

    def _all(self) -> Sequence[Container]:
        return [life.container for life in self._lives.values()]

    def _set(self, container: Container, what: str, command: Sequence[str] | None = None) -> None:
        known = self._lives.get(container.id)
        kept = command if command is not None else known.command if known else ()
        self._lives[container.id] = _Life(container, kept)
        self._tell(container, what)

    def _tell(self, container: Container, what: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(Event(container.pod.uid, what))

    async def run_sandbox(self, config: SandboxConfig) -> Container:
        await asyncio.sleep(0)
        made = self._new(config.pod, "", config.attempt, config.labels, "pause")
        made = replace(made, state=RUNNING, started_at=self._clock(), pid=1000 + self._made)
        self._set(made, "start", ())
        return made

    async def stop_sandbox(self, id: str) -> None:
        await self.stop(id, 0)

    async def create(self, config: ContainerConfig, sandbox_id: str) -> str:
        await asyncio.sleep(0)
        if config.image not in self._images:
            raise NoSuchImage(f"No such image: {config.image}")
        labels = {**config.labels, SANDBOX_LABEL: sandbox_id}
        made = self._new(config.pod, config.name, config.attempt, labels, config.image)
        self._set(made, "create", (*config.command, *config.args))
        return made.id

    async def start(self, id: str) -> None:
        await asyncio.sleep(0)
        life = self._get(id)
        if life.command and life.command[0].startswith("/missing"):
            error = f'exec: "{life.command[0]}": stat {life.command[0]}: no such file or directory'
            failed = replace(life.container, state=EXITED, exit_code=_NOT_FOUND, error=error)
            self._set(replace(failed, finished_at=failed.created_at), "die")
            raise RuntimeError_(error)
        running = replace(life.container, state=RUNNING, started_at=self._clock(), pid=1000)
        self._set(running, "start")
        code = _exit_code(life.command)
        if code is not None:
            self.end(id, code)

    def end(self, id: str, code: int = 0, *, oom_killed: bool = False) -> None:
        """The process ends by itself."""
        container = self._get(id).container
        ended = replace(
            container, state=EXITED, exit_code=code, oom_killed=oom_killed, finished_at=self._clock(), pid=0
        )
        self._set(ended, "die")

    async def update(self, id: str, resources: Resources) -> None:
        await asyncio.sleep(0)
        self._running(id)
        self.updates.append((id, resources))

    async def stop(self, id: str, grace: float) -> None:
        await asyncio.sleep(0)
        life = self._lives.get(id)
        if life is not None and life.container.running:
            self.end(id, life.stops_with if grace > 0 else _KILLED)

    async def remove(self, id: str) -> None:
        await asyncio.sleep(0)
        life = self._lives.pop(id, None)
        if life is not None:
            self._tell(life.container, "destroy")

    def _get(self, id: str) -> _Life:
        if id not in self._lives:
            raise NoSuchContainer(f"No such container: {id}")
        return self._lives[id]

    def _running(self, id: str) -> None:
        if not self._get(id).container.running:
            raise NoSuchContainer(f"Container {id} is not running")

    async def exec(self, id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False) -> Process:  # noqa: ARG002
        await asyncio.sleep(0)
        self._running(id)
        self.execs.append((id, tuple(command)))
        return _FakeProcess(*_run(command, self.exec_result))

    async def exec_sync(self, id: str, command: Sequence[str], patience: float) -> tuple[int, bytes]:
        if command and command[0] == "sleep" and float(command[1]) > patience:
            raise TimeoutError
        process = await self.exec(id, command)
        output = b""
        while piece := await process.read():
            output += piece[1]
        return await process.wait(), output

    async def attach(self, id: str, *, stdin: bool = False) -> Process:  # noqa: ARG002 - nothing reads it
        await asyncio.sleep(0)
        self._running(id)
        return _FakeProcess(0, b"")

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> str:  # noqa: ARG002 - all may pull
        await asyncio.sleep(0)
        if image not in self.pullable:
            raise RuntimeError_(f"pull access denied for {image}, repository does not exist")
        self._images[image] = Image(id=f"sha256:{image}", tags=(image,), size=1)
        return f"sha256:{image}"

    async def image(self, name: str) -> Image | None:
        await asyncio.sleep(0)
        return self._images.get(name)

    async def images(self) -> Sequence[Image]:
        return list(self._images.values())

    async def remove_image(self, id: str) -> None:
        await asyncio.sleep(0)
        if any(life.container.image_id == id for life in self._lives.values()):
            raise RuntimeError_(f"unable to delete {id}: image is being used")
        self._images = {name: image for name, image in self._images.items() if image.id != id}

    async def image_disk(self) -> Disk:
        return self.disk

    async def events(self) -> AsyncIterator[Event]:
        queue = asyncio.Queue[Event]()
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)


def _exit_code(command: Sequence[str]) -> int | None:
    """How a command of the few known words ends; None for what goes on running."""
    words = command[2].split() if command[:2] == ("sh", "-c") or list(command[:2]) == ["sh", "-c"] else list(command)
    match words:
        case ["true"]:
            return 0
        case ["false"]:
            return 1
        case ["exit", code]:
            return int(code)
    return None


def _run(command: Sequence[str], default: tuple[int, bytes]) -> tuple[int, bytes]:
    code = _exit_code(command)
    if code is not None:
        return code, b""
    if command and command[0] == "echo":
        return 0, (" ".join(command[1:]) + "\n").encode()
    return default


class _FakeProcess:
    """`Process` whose whole life is known from the start."""

    def __init__(self, code: int, output: bytes) -> None:
        self._code, self._output = code, output

    async def read(self) -> tuple[int, bytes] | None:
        output, self._output = self._output, b""
        return (1, output) if output else None

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        return self._code

    async def close(self) -> None: ...
