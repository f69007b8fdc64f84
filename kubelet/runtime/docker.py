"""The container runtime on the Docker Engine, through Docker's own SDK.

The SDK blocks: its calls run in a thread pool of this class. The API version is negotiated. A container is inspected
when its state has changed since the last list, so that a relist of many quiet pods is one call. Only containers with
this node's labels are seen or touched (docker_json.py). Exec and attach take the connection over (docker_streams.py).
"""

import asyncio
import contextlib
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import docker
import structlog
from docker import errors

from kubelet.pods import cgroups
from kubelet.runtime import docker_json, pause
from kubelet.runtime.docker_json import Owner
from kubelet.runtime.docker_streams import DockerProcess, hijack
from kubelet.runtime.ooms import OomKills
from kubelet.runtime.protocol import (
    CREATED,
    Container,
    ContainerConfig,
    Disk,
    Event,
    Image,
    NoSuchContainer,
    NoSuchImage,
    Process,
    Resources,
    RuntimeError_,
    SandboxConfig,
    Version,
)

log = structlog.get_logger("kubelet.docker")
T = TypeVar("T")
_THREADS = 128  # a stop waits for a whole grace period in its thread
_NO_NAMESPACE = "the sandbox could not make a network namespace"
_REFUSALS = 3  # user namespaces, rootless, a policy: from then on Docker makes them
_LOOK, _LOOKS = 0.002, 500  # seconds between looks for it, and how many
_WATCHED = ["start", "die", "oom", "destroy"]


def _words(error: errors.APIError) -> str:
    return str(error.explanation or error)


class DockerRuntime:
    """`ContainerRuntime` on a Docker Engine."""

    def __init__(self, owner: Owner, endpoint: str = "unix:///var/run/docker.sock", *, timeout: float = 120) -> None:
        self._owner, self._endpoint = owner, endpoint
        self._client = docker.APIClient(base_url=endpoint, version="auto", timeout=int(timeout), max_pool_size=_THREADS)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="docker")
        self._refusals = 0  # how many sandboxes in a row could not make their own network namespace
        self._seen: dict[str, tuple[str, Container]] = {}  # id -> (state in the list, as inspected then)
        self._ooms = OomKills(cgroups.oom_kills)

    async def _call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """One call of the SDK in a thread; its errors become ours."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, functools.partial(function, *args, **kwargs))
        except errors.ImageNotFound as error:
            raise NoSuchImage(_words(error)) from error
        except errors.NotFound as error:
            raise NoSuchContainer(_words(error)) from error
        except errors.APIError as error:
            raise RuntimeError_(_words(error)) from error
        except errors.DockerException as error:
            raise RuntimeError_(str(error)) from error
        except OSError as error:  # requests' errors are OSErrors: dockerd is away
            raise RuntimeError_(f"the Docker Engine does not answer: {error}") from error

    async def _through(self, function: Callable[..., T], *args: Any) -> T:
        """A call that makes something: awaited even when we are cancelled, so that nothing appears later."""
        call = asyncio.ensure_future(self._call(function, *args))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait([call])
            raise

    def close(self) -> None:
        """Let go of the threads and connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def version(self) -> Version:
        found, info = await self._call(self._client.version), await self._call(self._client.info)
        return Version(
            name="docker",
            version=found["Version"],
            api=found["ApiVersion"],
            cgroup_driver=info.get("CgroupDriver", "cgroupfs"),
            root=info.get("DockerRootDir", "/var/lib/docker"),
            runtimes=sorted(info.get("Runtimes") or ()),
        )

    async def prepare(self) -> None:
        if await self.image(pause.reference()) is None:
            name, _, tag = pause.reference().partition(":")
            await self._call(
                self._client.import_image_from_data,
                pause.archive(),
                repository=name,
                tag=tag,
                changes=list(pause.CHANGES),
            )

    async def list(self, uid: str = "") -> Sequence[Container]:
        filters = self._owner.filters(**({docker_json.POD_UID: uid} if uid else {}))
        rows = await self._call(self._client.containers, all=True, filters=filters)
        found = await asyncio.gather(*(self._look(row["Id"], row["State"]) for row in rows))
        if not uid:
            alive = {row["Id"] for row in rows}
            self._seen = {id: seen for id, seen in self._seen.items() if id in alive}
            self._ooms.forget()
        return docker_json.order([container for container in found if container is not None])

    async def _look(self, id: str, state: str) -> Container | None:
        seen = self._seen.get(id)
        if seen is not None and seen[0] == state and state != CREATED:
            return seen[1]
        try:
            inspected = await self._call(self._client.inspect_container, id)
        except NoSuchContainer:
            return None
        return self._known(inspected)

    async def run_sandbox(self, config: SandboxConfig) -> Container:
        if self._refusals >= _REFUSALS or not docker_json.makes_network(config):
            return await self._sandbox(config, own_network=False)
        try:
            made = await self._sandbox(config, own_network=True)
        except RuntimeError_ as error:
            made = await self._sandbox(config, own_network=False)  # whatever it was: does it work Docker's way?
            self._refusals += 1
            log.warning("a sandbox could not make its own network namespace", error=str(error))
        else:
            self._refusals = 0
        return made

    async def _sandbox(self, config: SandboxConfig, *, own_network: bool) -> Container:
        name = docker_json.container_name(config.pod, "", config.attempt)
        body = docker_json.sandbox_body(config, self._owner, pause.reference(), own_network=own_network)
        try:
            id = await self._create(name, body)
        except NoSuchImage:  # somebody pruned it
            await self.prepare()
            id = await self._create(name, body)
        try:
            await self._through(self._client.start, id)
            made = self._known(await self._call(self._client.inspect_container, id))
            if own_network and not await _has_own_network(made.pid):
                raise RuntimeError_(_NO_NAMESPACE)  # noqa: TRY301 - removed as any that failed
        except RuntimeError_:
            await self.remove(id)
            raise
        return made

    def _known(self, inspected: Mapping[str, Any]) -> Container:
        """Remember what was just seen: the next list need not ask again."""
        parent = inspected["HostConfig"].get("CgroupParent", "")
        container = docker_json.observed(inspected)
        before = self._seen.get(container.id)
        if before is None or before[1].state != container.state:
            container = self._ooms.told(container, parent)
        elif before[1].oom_killed:
            container = before[1]
        self._seen[container.id] = (inspected["State"]["Status"], container)
        return container

    async def _create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create; what an earlier life of ours left under the name without starting it is removed first."""
        self._ooms.begin(body["HostConfig"]["CgroupParent"])
        try:
            made = await self._through(self._client.create_container_from_config, body, name)
        except RuntimeError_ as error:
            if "is already in use" not in str(error) or not await self._remove_leftover(name):
                raise
            made = await self._through(self._client.create_container_from_config, body, name)
        return str(made["Id"])

    async def _remove_leftover(self, name: str) -> bool:
        found = await self._call(self._client.inspect_container, name)
        mine = self._owner.labels().items() <= (found["Config"]["Labels"] or {}).items()
        if not mine or found["State"]["Running"]:
            return False
        await self.remove(found["Id"])
        return True

    async def stop_sandbox(self, id: str) -> None:
        await self.stop(id, 0)

    async def create(self, config: ContainerConfig, sandbox_id: str) -> str:
        name = docker_json.container_name(config.pod, config.name, config.attempt)
        return await self._create(name, docker_json.container_body(config, self._owner, sandbox_id))

    async def start(self, id: str) -> None:
        await self._through(self._client.start, id)
        inspected = await self._call(self._client.inspect_container, id)
        self._known(inspected)
        link = (inspected["Config"]["Labels"] or {}).get(docker_json.LOG_LINK)
        if link and inspected.get("LogPath"):
            try:
                _link(Path(link), inspected["LogPath"])
            except OSError as error:  # it runs all the same, and its log is found without
                log.warning("cannot link a container's log", container=id, error=str(error))

    async def update(self, id: str, resources: Resources) -> None:
        call = functools.partial(self._client.update_container, id, **docker_json.update_arguments(resources))
        await self._through(call)

    async def stop(self, id: str, grace: float) -> None:
        try:
            if grace <= 0:
                await self._call(self._client.kill, id)
                await self._call(self._client.wait, id, timeout=30)
            else:
                await self._call(self._client.stop, id, timeout=max(1, round(grace)))
        except NoSuchContainer:
            pass
        except RuntimeError_ as error:
            if "is not running" not in str(error):
                raise
        self._seen.pop(id, None)

    async def remove(self, id: str) -> None:
        with contextlib.suppress(NoSuchContainer):
            await self._call(self._client.remove_container, id, force=True, v=True)
        self._seen.pop(id, None)

    async def exec(self, id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False) -> Process:
        made = await self._call(self._client.exec_create, id, list(command), stdin=stdin, tty=tty)
        exec_id = made["Id"]
        path = f"/v{self._client.api_version}/exec/{exec_id}/start"
        reader, writer = await hijack(self._endpoint, path, {"Detach": False, "Tty": tty})

        async def resize(width: int, height: int) -> None:
            with contextlib.suppress(RuntimeError_):  # it may just have ended
                await self._call(self._client.exec_resize, exec_id, height=height, width=width)

        async def exit_code() -> int:
            while (found := await self._call(self._client.exec_inspect, exec_id))["Running"]:
                await asyncio.sleep(0.02)  # the streams may end a moment before the process
            return int(found["ExitCode"] or 0)

        return DockerProcess(reader, writer, tty=tty, resize=resize, exit_code=exit_code)

    async def exec_sync(self, id: str, command: Sequence[str], patience: float) -> tuple[int, bytes]:
        async with asyncio.timeout(patience):
            process = await self.exec(id, command)
            try:
                output = b""
                while piece := await process.read():
                    output += piece[1]
                return await process.wait(), output
            finally:
                await process.close()

    async def attach(self, id: str, *, stdin: bool = False) -> Process:
        query = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}"
        path = f"/v{self._client.api_version}/containers/{id}/attach?{query}"
        reader, writer = await hijack(self._endpoint, path, {})
        try:
            inspected = await self._call(self._client.inspect_container, id)
            if not inspected["State"]["Running"]:  # Docker would wait for its next start; the log has what it wrote
                raise NoSuchContainer(f"container not running ({id})")
        except RuntimeError_:
            writer.close()
            raise

        async def resize(width: int, height: int) -> None:
            with contextlib.suppress(RuntimeError_):
                await self._call(self._client.resize, id, height=height, width=width)

        async def attached() -> int:
            return 0  # the end of an attach says nothing of the container: clients read its exit code from the pod

        return DockerProcess(reader, writer, tty=bool(inspected["Config"]["Tty"]), resize=resize, exit_code=attached)

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> str:
        def fetch() -> None:
            credentials = dict(auth) if auth else None
            lines: Any = self._client.pull(*_repository(image), stream=True, decode=True, auth_config=credentials)
            for line in lines:
                if "error" in line:
                    raise RuntimeError_(line["error"])

        await self._call(fetch)
        found = await self.image(image)
        if found is None:
            raise NoSuchImage(f"{image} is not there after the pull")
        return found.id

    async def image(self, name: str) -> Image | None:
        try:
            return docker_json.image_of(await self._call(self._client.inspect_image, name))
        except NoSuchImage:
            return None

    async def images(self) -> Sequence[Image]:
        return [docker_json.image_of(row) for row in await self._call(self._client.images)]

    async def remove_image(self, id: str) -> None:
        with contextlib.suppress(NoSuchImage):
            await self._call(self._client.remove_image, id)  # one that somebody gave a second name stays

    async def image_disk(self) -> Disk:
        root = (await self._call(self._client.info)).get("DockerRootDir", "/var/lib/docker")
        found = await asyncio.to_thread(os.statvfs, root)
        return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    async def events(self) -> AsyncIterator[Event]:
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Event | None]()
        filters = self._owner.filters() | {"type": ["container"], "event": _WATCHED}
        stream = await self._call(self._client.events, decode=True, filters=filters)

        def put(event: Event | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed while the thread was waiting
                loop.call_soon_threadsafe(queue.put_nowait, event)

        def read() -> None:
            try:
                event: Any
                for event in stream:
                    put(Event(event["Actor"]["Attributes"].get(docker_json.POD_UID, ""), event["Action"]))
            except (errors.DockerException, OSError, ValueError) as error:
                # Docker went away, or `events` is over: who reads it lists everything again and comes back.
                log.info("Docker tells no more events", why=str(error))
            finally:
                put(None)

        threading.Thread(target=read, name="docker-events", daemon=True).start()
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            stream.close()


async def _has_own_network(pid: int) -> bool:
    """Whether the process has left the network namespace of the one that started it; it does so at once."""
    for _ in range(_LOOKS):
        try:
            if _is_apart(pid):
                return True
        except (OSError, IndexError):
            return False  # it has ended: it could not
        await asyncio.sleep(_LOOK)
    return False


def _is_apart(pid: int) -> bool:
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    return not Path(f"/proc/{pid}/ns/net").samefile(f"/proc/{parent}/ns/net")


def _repository(image: str) -> tuple[str, str]:
    """`name:tag` or `name@digest` as Docker's pull wants it: two words."""
    if "@" in image:
        name, _, digest = image.partition("@")
        head, colon, tag = name.rpartition(":")
        return head if colon and "/" not in tag else name, digest  # a tag beside a digest says nothing
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:  # no tag, or the colon was a registry's port
        return image, "latest"
    return name, tag


def _link(link: Path, target: str) -> None:
    """A symbolic link that replaces what was there, atomically."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, link)  # noqa: PTH105 - Path.replace is the same call
