"""One node whose doors are fakes, and an API server for its pods alone: what tests of the kubelet's core start from.

Works on virtual time and on an ordinary loop: the clock is the loop's.
"""

import asyncio
import contextlib
from pathlib import Path

from apimachinery.objects.base import view
from apimachinery.objects.core_v1 import Pod
from kubelet.agent import Agent
from kubelet.doors import Doors, Node
from kubelet.handlers import Handlers
from kubelet.network.fake import FakeNetwork
from kubelet.network.files import Resolver
from kubelet.pods.container_config import Machine
from kubelet.pods.images import Images
from kubelet.pods.security import Powers
from kubelet.runtime.fake import FakeRuntime
from kubelet.volumes.fake import FakeVolumes
from tests.cluster.virtual_time import advance


def without_nulls(tree):
    if isinstance(tree, dict):
        return {key: without_nulls(value) for key, value in tree.items() if value is not None}
    return [without_nulls(item) for item in tree] if isinstance(tree, list) else tree


class Api:
    """An API server for pods alone: merges statuses, deletes at once."""

    def __init__(self):
        self.pods, self.watchers, self.revision = {}, [], 1

    def put(self, name, *, status=None, **spec):
        one = {"name": "main", "image": "here", "imagePullPolicy": "IfNotPresent", **spec.pop("container", {})}
        meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        spec = {"containers": [one], "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, **spec}
        self._set({"metadata": meta, "spec": spec, "status": status or {"phase": "Pending"}})

    def _set(self, tree):
        self.revision += 1
        tree = {**tree, "metadata": {**tree["metadata"], "resourceVersion": str(self.revision)}}
        uid = tree["metadata"]["uid"]
        old, self.pods[uid] = self.pods.get(uid), tree
        self._tell(old, tree)
        return view(tree, Pod)

    def _tell(self, old, new):
        for watcher in self.watchers:
            watcher(old and view(old, Pod), new and view(new, Pod))

    def delete(self, name):
        tree = self.pods[f"uid-{name}"]
        meta = {"deletionTimestamp": "2024-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1}
        self._set({**tree, "metadata": tree["metadata"] | meta})

    async def patch_status(self, pod, body):
        tree = self.pods.get(pod.metadata.uid)
        if tree is None:
            return None
        changes = without_nulls(body["status"])
        return self._set({**tree, "status": tree["status"] | changes})

    async def forget(self, pod):
        old = self.pods.pop(pod.metadata.uid, None)
        self._tell(old, None)

    def status(self, name):
        return self.pods[f"uid-{name}"]["status"]

    # what the agent needs of a cache

    def subscribe(self, watcher):
        self.watchers.append(watcher)

    async def wait_synced(self): ...

    def list(self):
        return [view(tree, Pod) for tree in self.pods.values()]

    def get(self, namespace, name):
        return next((p for p in self.list() if p.metadata.name == name), None)


def clock():
    """Simulated seconds, after the deletions of `Api`."""
    return 1_800_000_000.0 + asyncio.get_running_loop().time()


class Site:
    """A node on fakes."""

    def __init__(self, root):
        self.root, self.api, self.events = Path(root), Api(), []
        self.runtime, self.network, self.volumes = FakeRuntime(["here"], clock=clock), FakeNetwork(), FakeVolumes()

    def event(self, pod, path, type, reason, message):
        self.events.append((reason, message))

    @contextlib.asynccontextmanager
    async def kubelet(self):
        await self.network.prepare("10.1.0.0/24")
        machine = Machine(
            powers=Powers(), memory=1 << 30, cgroup_parent="", systemd_cgroups=False, log_root=self.root / "pods.log"
        )
        node = Node(
            name="n1",
            addresses=["192.0.2.2"],
            root=self.root,
            log_root=self.root / "logs",
            links_root=self.root / "links",
            machine=machine,
            cluster_dns=["10.0.0.10"],
            cluster_domain="cluster.local",
            resolver=Resolver,
            allocatable=dict,
            services=list,
        )
        handlers = Handlers(self.runtime)
        async with asyncio.TaskGroup() as tasks:
            doors = Doors(
                runtime=self.runtime,
                network=self.network,
                volumes=self.volumes,
                objects=None,
                images=Images(self.runtime, clock=clock),
                handlers=handlers,
                api=self.api,
                events=self.event,
                clock=clock,
                spawn=tasks.create_task,
            )
            agent = Agent(self.api, node, doors, relist=0.05)
            running = tasks.create_task(agent.run())
            yield agent
            running.cancel()
            self.api.watchers.clear()
        await handlers.close()

    def container(self, name="main"):
        return next((c for c in self.runtime._all() if c.name == name and c.running), None)


async def eventually(holds, seconds=10):
    """Until that holds; fails after so many seconds of the loop's clock."""
    async with asyncio.timeout(seconds):
        while not holds():
            await advance(0.01)


def is_ready(site, name):
    found = {c["type"]: c["status"] for c in site.api.status(name).get("conditions", ())}
    return site.api.status(name)["phase"] == "Running" and found.get("Ready") == "True"
