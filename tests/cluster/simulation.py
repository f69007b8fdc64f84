"""A whole cluster in one process on virtual time: API server, memory storage, controllers, scheduler, simulated kubelets.

    async with Cluster(nodes=3) as c:
        await c.apply(DEPLOYMENT)
        await c.settle()

The parts are the real ones but for the store (which passed etcd's contract) and the kubelets (stages as data). No
sockets, no threads, no wall clock: the same test does the same thing each time, and an hour costs what happens in it.
Needs a running `virtual_time.VirtualLoop` for jumps in time; on an ordinary loop it is a cluster in real time (bench).
"""

import asyncio
import ipaddress
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import BY_KIND, DEPLOYMENTS, NODES, PODS, REPLICASETS, Kind
from apimachinery.types import Json
from apiserver.app import Administrators, Options, create_app
from apiserver.storage.memory import MemoryStorage
from client.asgi import AsgiTransport
from client.client import Client
from client.config import ClientConfig
from client.events import EventRecorder
from controllers.catalog import NAMES, Controllers, Settings
from scheduler.loop import Scheduler
from tests.cluster.kubelets import LIFE, Kubelets, Stage

EPOCH = 1_700_000_000.0
#: Keys that change as time goes by, whether or not anything happens.
HEARTBEATS = ("/registry/leases/", "/registry/masterleases/", "/registry/events/")
LONGEST = 3600.0


class Cluster:
    """See the module. `seed` decides everything random."""

    def __init__(
        self,
        nodes: int = 3,
        *,
        seed: int = 0,
        stages: Sequence[Stage] = LIFE,
        settings: Settings = Settings(root_ca="-----BEGIN CERTIFICATE-----"),
        controllers: Sequence[str] = NAMES,
    ) -> None:
        self._nodes, self._stages, self._settings, self._names = nodes, stages, settings, controllers
        self.random = random.Random(seed)
        self.storage = MemoryStorage()
        self.checks: list[Callable[[], None]] = []  # run whenever something changed: invariants of a test
        self._changed_at = 0.0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        self.app = create_app(
            self.storage, Options(), clock=self.clock, random=self.random, authenticator=Administrators()
        )
        self._running = [self._start(self.app.run()), self._start(self._notice_changes())]
        await self.app.wait_ready()
        self.client = await self._stack.enter_async_context(self._client("simulation"))
        await self._start_components()
        for number in range(self._nodes):
            await self.kubelets.join(f"node-{number}", labels={"topology.kubernetes.io/zone": f"zone-{number % 3}"})
        await self.settle()
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                await self.settle()
                await self.validate()
        finally:
            for task in reversed(self._running):
                task.cancel()
            await asyncio.wait(self._running)
            await self._stack.aclose()

    # ---------------------------------------------------------------------------------------- parts

    def clock(self) -> float:
        """The wall time of the simulated world."""
        return EPOCH + asyncio.get_running_loop().time()

    def _client(self, agent: str) -> Client:
        config = ClientConfig(server="http://simulated")
        return Client(config, transport=AsgiTransport(self.app), user_agent=agent, random=self.random.random)

    def _start(self, coroutine: Any) -> asyncio.Task[None]:
        return self._tasks.create_task(coroutine)

    async def _start_components(self) -> None:
        self.kubelets = Kubelets(self.client, self.clock, self._stages)
        recorder = EventRecorder(self.client, "default-scheduler", clock=self.clock)
        self.scheduler = Scheduler(self.client, recorder, clock=self.clock)
        self._running += [self._start(each) for each in (self.kubelets.run(), recorder.run(), self.scheduler.run())]
        self.start_controllers()

    def start_controllers(self) -> None:
        self.controllers = Controllers(
            self.client, self._settings, self._names, clock=self.clock, random=self.random.random
        )
        self._controlling = self._start(self.controllers.run())
        self._running.append(self._controlling)

    async def stop_controllers(self) -> None:
        """As if killed: whatever they were doing stays half done."""
        self._controlling.cancel()
        await asyncio.wait([self._controlling])
        self._running.remove(self._controlling)

    async def restart_controllers(self) -> None:
        await self.stop_controllers()
        self.start_controllers()

    async def _notice_changes(self) -> None:
        async for batch in self.storage.watch("/registry/", after=0):
            for change in batch:
                stored = change.new or change.old
                if not stored.key.startswith(HEARTBEATS):
                    self._changed_at = asyncio.get_running_loop().time()
                    for check in self.checks:
                        check()

    # ---------------------------------------------------------------------------------------- time

    async def advance(self, seconds: float) -> None:
        """Let that much time go by."""
        await asyncio.sleep(seconds)

    async def settle(self, quiet: float = 6.0) -> None:
        """Let time go by until nobody has work and nothing has changed for `quiet` seconds (heartbeats apart)."""
        loop = asyncio.get_running_loop()
        started, self._changed_at = loop.time(), loop.time()
        while loop.time() < self._changed_at + quiet or not self._is_idle():
            assert loop.time() - started < LONGEST, "the cluster does not come to rest"
            await asyncio.sleep(0.5)

    def _is_idle(self) -> bool:
        return self.controllers.idle and self.scheduler.idle and self.kubelets.runtime.idle

    # ---------------------------------------------------------------------------------------- objects

    async def apply(self, *trees: Json) -> None:
        """Create each object, or merge it into the one that is there."""
        for tree in trees:
            kind = BY_KIND[tree["apiVersion"], tree["kind"]]
            meta = tree["metadata"]
            namespace = meta.get("namespace", "default") if kind.namespaced else ""
            try:
                await self.client.create(kind, tree, namespace=namespace)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
                await self.client.patch(kind, namespace, meta["name"], tree)

    async def items(self, kind: Kind, namespace: str = "default", labels: str = "") -> list[Json]:
        found: list[Json] = (await self.client.list(kind, namespace, labels=labels))["items"]
        return found

    async def get(self, kind: Kind, name: str, namespace: str = "default") -> Json | None:
        try:
            return await self.client.get(kind, namespace if kind.namespaced else "", name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def stored(self, kind: Kind) -> list[Json]:
        """All objects of a kind as the store has them at this moment; for `checks`, which cannot wait."""
        prefix = kind.storage_prefix()
        return [msgspec.json.decode(s.value) for key, s in self.storage._now.items() if key.startswith(prefix)]

    async def messages(self, reason: str, namespace: str = "default") -> list[str]:
        """What was told with that reason, sorted."""
        found = await self.items(BY_KIND["v1", "Event"], namespace)
        return sorted(event["message"] for event in found if event["reason"] == reason)

    # ---------------------------------------------------------------------------------------- truth

    async def validate(self) -> None:
        """What must hold of a cluster at rest."""
        self.controllers.validate()
        await self._caches_equal_storage()
        await self._no_orphans()
        pods = [pod for pod in await self.items(PODS, "") if pod["status"].get("phase") in ("Pending", "Running")]
        addresses = Counter(pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP"))
        assert all(count == 1 for count in addresses.values()), f"two pods with one address: {addresses}"
        ranges = [ipaddress.ip_network(node["spec"]["podCIDR"]) for node in await self.items(NODES, "")]
        assert len(set(ranges)) == len(ranges), "two nodes with one pod range"

    async def _caches_equal_storage(self) -> None:
        for cache in self.controllers.caches.all():
            if self.controllers.caches.whole(cache.kind) is not None:
                held = {(i.metadata.namespace, i.metadata.name, i.metadata.resource_version) for i in cache.list()}
                stored = {_identity(tree) for tree in await self.items(cache.kind, "")}
                assert held == stored, f"the cache of {cache.kind.plural} differs: {held ^ stored}"

    async def _no_orphans(self) -> None:
        owners = {tree["metadata"]["uid"] for kind in (DEPLOYMENTS, REPLICASETS) for tree in await self.items(kind, "")}
        for kind in (REPLICASETS, PODS):
            for tree in await self.items(kind, ""):
                for owner in tree["metadata"].get("ownerReferences", ()):
                    known = owner["kind"] not in ("ReplicaSet", "Deployment") or owner["uid"] in owners
                    assert known, f"{tree['metadata']['name']} is an orphan"


def _identity(tree: Json) -> tuple[str, str, str]:
    meta = tree["metadata"]
    return meta.get("namespace", ""), meta["name"], meta["resourceVersion"]
