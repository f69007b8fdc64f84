"""Three hundred pods come and go in random order, with random faults: afterwards there is nothing over and nothing missing."""

import asyncio
import contextlib
import os
import random
import signal
import time
from pathlib import Path

import docker
import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import PODS
from bootstrap.spec import load
from client.client import Client
from client.config import load_kubeconfig
from kubelet.pods import slices
from tests.e2e.conftest import eventually
from tests.e2e.test_pods import IMAGE, output

NUMBER, AT_A_TIME, KILLS = 300, 24, 7
WITHIN = 90.0  # seconds until nothing is left


def leftovers(cluster):
    """Everything of pods on this machine."""
    (node,) = (cluster.root / "nodes").iterdir()
    spec = load(cluster.name, str(cluster.home))
    chains = f"-A {spec.chain_prefix}-POD-"
    links = output("ip", "-o", "link", "show", "master", spec.bridge)
    parents = spec.cgroup_parent.lstrip("/")
    top, slice_ = Path("/sys/fs/cgroup"), slices.folder(slices.of_path(parents))
    cgroups = [p for here in ("", "*/") for p in top.glob(f"{here}{parents}/**/pod*")]
    cgroups += top.glob(f"{slice_}/**/*-pod*.slice")  # where Docker's driver is systemd
    return {
        "containers": set(output("docker", "ps", "-aq", "--filter", f"label=io.pykube.cluster={cluster.name}").split()),
        "mounts": Path("/proc/self/mountinfo").read_text().count(f"{node}/pods/"),
        "folders": {p.name for p in (node / "pods").iterdir()},
        "addresses": {p.name for p in (node / "network/addresses").iterdir()} - {"last"},
        "rules": {line for line in output("iptables-save").splitlines() if line.startswith(chains)},
        "links": {line.split()[1] for line in links.splitlines()},
        "cgroups": {str(p) for p in cgroups},
    }


def strangers(cluster):
    """The folders of pods that the API does not know any more."""
    (node,) = (cluster.root / "nodes").iterdir()
    known = {pod["metadata"]["uid"] for pod in cluster.get("pods", "--all-namespaces")["items"]}
    return {path.name for path in (node / "pods").iterdir()} - known


SHAPES = (
    {"command": ["true"]},
    {"command": ["sleep", "1000"]},
    {"command": ["sh", "-c", "exit 1"], "restartPolicy": "Always"},
    {"command": ["sleep", "1000"], "initContainers": [{"name": "init", "image": IMAGE, "command": ["true"]}]},
    {"command": ["sleep", "1000"], "restartPolicy": "Always", "terminationGracePeriodSeconds": 3},
    {
        "command": ["sleep", "1000"],
        "container": {
            "resources": {"limits": {"cpu": "50m", "memory": "16Mi"}},
            "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
        },
        "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
    },
)


def manifest(name, shape, port):
    """One pod; `port` of the node leads into it where it is not 0."""
    main = {"name": "main", "image": IMAGE, "command": shape["command"], **shape.get("container", {})}
    if port:
        main["ports"] = [{"containerPort": 80, "hostPort": port}]
    more = {key: value for key, value in shape.items() if key not in ("command", "container")}
    spec = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [main], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


class Harm:
    """Pods come and go, and things happen to them and to the kubelet; a seed tells which."""

    def __init__(self, cluster, namespace, client, engine, seed):
        self.cluster, self.namespace, self.client, self.engine = cluster, namespace, client, engine
        self.random, self.names = random.Random(seed), []

    async def come(self, number):
        name = f"p{number}"
        port = 31000 + number if self.random.random() < 0.2 else 0
        body = manifest(name, self.random.choice(SHAPES), port)
        await self.client.create(PODS, body, namespace=self.namespace)
        self.names.append(name)

    async def go(self, grace=None):
        if self.names:
            name = self.names.pop(self.random.randrange((len(self.names) + 1) // 2))  # of the older half: most have run
            with contextlib.suppress(ApiError):  # it may just have gone by itself
                await self.client.delete(PODS, self.namespace, name, grace_period=grace)

    async def force(self):
        await self.go(grace=0)

    async def remove_container(self):
        mine = [f"io.pykube.cluster={self.cluster.name}", f"io.kubernetes.pod.namespace={self.namespace}"]
        found = sorted(row["Id"] for row in self.engine.containers(all=True, filters={"label": mine}))
        if found:  # whoever ends at this moment is removed by the kubelet too: one of both comes too late
            with contextlib.suppress(docker.errors.APIError):
                await asyncio.to_thread(self.engine.remove_container, self.random.choice(found), force=True)

    def kill_kubelet(self):
        with contextlib.suppress(ProcessLookupError):  # the one before has not come back yet
            os.kill(self.cluster.pid("kubelet"), signal.SIGKILL)

    async def there(self):
        return len((await self.client.list(PODS, self.namespace))["items"])

    async def pending(self):
        pods = (await self.client.list(PODS, self.namespace))["items"]
        return sum(pod["status"].get("phase") == "Pending" for pod in pods)

    async def rage(self):
        faults = (self.go, self.force, self.remove_container, self.remove_container)
        kills = set(self.random.sample(range(20, NUMBER), KILLS))
        for number in range(NUMBER):
            await self.come(number)
            await self.random.choice(faults)()
            if number in kills:
                self.kill_kubelet()
            while await self.there() > AT_A_TIME:
                await self.go()
                await asyncio.sleep(0.1)
            while await self.pending() > AT_A_TIME * 2 // 3:  # no faster than the machine: most are to have run
                await asyncio.sleep(0.1)


@pytest.mark.timeout(900)  # a minute and a half on a machine of its own
def test_300_pods_come_and_go_amid_faults_and_nothing_is_left(cluster, namespace):
    cluster.kubectl("-n", "default", "rollout", "status", "deployment/web", "--timeout=90s")
    eventually(lambda: not strangers(cluster), why="the end of what the tests before have left")
    before = leftovers(cluster)
    asyncio.run(storm(cluster, namespace))
    events = cluster.get("-n", namespace, "events")["items"]
    started = {event["involvedObject"]["uid"] for event in events if event["reason"] == "Started"}
    assert len(started) > NUMBER / 3, "most pods went before they ran"
    with contextlib.suppress(pytest.fail.Exception):  # the assertion says what it is that was left
        eventually(lambda: leftovers(cluster) == before, seconds=WITHIN)
    assert leftovers(cluster) == before


async def storm(cluster, namespace):
    engine = docker.APIClient(version="auto")
    async with Client(load_kubeconfig(str(cluster.home / "kubeconfig")), user_agent="storm") as client:
        harm = Harm(cluster, namespace, client, engine, seed=34)
        await harm.rage()
        deadline = time.monotonic() + 200
        await client.delete_collection(PODS, namespace)
        while await harm.there():
            assert time.monotonic() < deadline, "pods do not go"
            await asyncio.sleep(0.2)
    engine.close()
