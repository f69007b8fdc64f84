"""Which drivers this node has: sockets appear in `plugins_registry`, tell who they are, and go.

A driver that has registered is in the node's CSINode (its own id of the node, its topology, how many volumes it takes),
in the node's annotation and labels; it leaves the CSINode when its socket goes. A restart finds the sockets again.
Sources: pkg/kubelet/pluginmanager, pkg/volume/csi/csi_plugin.go, nodeinfomanager.
"""

import asyncio
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from apimachinery.errors import ApiError
from apimachinery.types import Json
from kubelet.csi.wire import Socket, node_service, registrar
from kubelet.volumes.protocol import CsiProblem

log = structlog.get_logger("kubelet.csi")

PERIOD = 1.0
_RETRY = 10.0
_NODE_ID = "csi.volume.kubernetes.io/nodeid"


@dataclass(frozen=True, slots=True)
class Driver:
    """One driver as it introduced itself."""

    name: str
    node_id: str
    socket: Socket
    capabilities: frozenset[int]
    topology: Mapping[str, str] = field(default_factory=dict)
    max_volumes: int = 0

    def entry(self) -> Json:
        """Its part of a CSINode."""
        found: Json = {"name": self.name, "nodeID": self.node_id, "topologyKeys": sorted(self.topology) or None}
        if self.max_volumes > 0:
            found["allocatable"] = {"count": self.max_volumes}
        return found


class NodeApi(Protocol):
    """Where the drivers of the node are written down."""

    async def set_drivers(self, drivers: Sequence[Json]) -> None:
        """The node's CSINode names exactly these."""
        ...

    async def describe(self, annotations: Mapping[str, str], labels: Mapping[str, str]) -> None:
        """Merge into the Node."""
        ...


class Registry:
    """The drivers of the node, by name."""

    def __init__(self, folder: Path, api: NodeApi) -> None:
        self._folder, self._api = folder, api
        self._by_socket: dict[
            tuple[Path, int], Driver
        ] = {}  # by path and when it was made: a driver may come back at once
        self._failed: dict[tuple[Path, int], float] = {}
        self._told: list[Json] | None = None

    def find(self, name: str) -> Driver:
        """Raises CsiProblem."""
        for driver in self._by_socket.values():
            if driver.name == name:
                return driver
        raise CsiProblem(f"driver name {name} not found in the list of registered CSI drivers")

    async def run(self) -> None:
        """Forever: looks at the folder each second, which is cheap and misses nothing."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True, mode=0o750)
        while True:
            try:
                await self.look()
            except (ApiError, OSError) as error:
                log.warning("cannot tell of the drivers", error=str(error))
                await asyncio.sleep(_RETRY)
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """One look at the sockets, and the API told where something has changed."""
        there = set(await asyncio.to_thread(_sockets, self._folder))
        now = asyncio.get_running_loop().time()
        for socket in self._by_socket.keys() - there:
            driver = self._by_socket.pop(socket)
            await driver.socket.close()
            log.info("a driver has gone", driver=driver.name)
        self._failed = {socket: at for socket, at in self._failed.items() if socket in there}
        for found in sorted(there - self._by_socket.keys()):
            if now - self._failed.get(found, -_RETRY) >= _RETRY:
                await self._register(found, now)
        await self._tell()

    async def _register(self, found: tuple[Path, int], now: float) -> None:
        path, _ = found
        socket = registrar(str(path))
        try:
            info = await socket.call("GetInfo", patience=5.0)
            if info.type != "CSIPlugin":
                return  # device and DRA plugins are not for us
            try:
                driver = await _introduced(info.name, info.endpoint or str(path), info.supported_versions)
                await self._api.describe({_NODE_ID: json.dumps({driver.name: driver.node_id})}, driver.topology)
            except (CsiProblem, ApiError) as error:
                await socket.call("NotifyRegistrationStatus", plugin_registered=False, error=str(error))
                raise
            self._by_socket[found] = driver
            await self._tell()
            await socket.call("NotifyRegistrationStatus", plugin_registered=True)
            log.info("a driver has registered", driver=driver.name, node_id=driver.node_id)
        except (CsiProblem, ApiError) as error:
            self._failed[found] = now
            log.warning("cannot register a driver", socket=str(path), error=str(error))
        finally:
            await socket.close()

    async def _tell(self) -> None:
        entries = [driver.entry() for _, driver in sorted(self._by_socket.items())]
        if entries != self._told:
            await self._api.set_drivers(entries)
            self._told = entries


async def _introduced(name: str, endpoint: str, versions: Sequence[str]) -> Driver:
    if not any(version.removeprefix("v").split(".")[0] == "1" for version in versions):
        raise CsiProblem(f"validateVersions: unsupported versions {list(versions)} of CSI driver {name}")
    socket = node_service(endpoint)
    try:
        info = await socket.call("NodeGetInfo", patience=30.0)
        answer = await socket.call("NodeGetCapabilities", patience=30.0)
    except CsiProblem:
        await socket.close()
        raise
    return Driver(
        name=name,
        node_id=info.node_id,
        socket=socket,
        capabilities=frozenset(each.rpc.type for each in answer.capabilities),
        topology=dict(info.accessible_topology.segments),
        max_volumes=info.max_volumes_per_node,
    )


def _sockets(folder: Path) -> list[tuple[Path, int]]:
    found = [(path, _made(path)) for path in folder.rglob("*")] if folder.is_dir() else []
    return [(path, made) for path, made in found if made]


def _made(path: Path) -> int:
    """When a socket was made; 0 for anything else. The number of its inode might come back at once."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return 0
    return seen.st_ctime_ns if stat.S_ISSOCK(seen.st_mode) and not path.name.startswith(".") else 0
