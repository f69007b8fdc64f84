"""A cluster of the bench's own: its name, ports and networks meet nobody's, and it is taken away whatever happens."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootstrap import kubeconfig, preflight
from bootstrap.spec import ClusterSpec, Ports, load
from client.client import Client
from client.config import load_kubeconfig

PYKUBEADM = Path(sys.executable).parent / "pykubeadm"
#: What `up` prints when a stage is reached.
READY, ANSWERING = "The cluster is ready after", "The demo answers after"


class Failed(Exception):
    """The cluster did not come up; the text is what `up` said."""


def free():
    """Flags for ports and networks that nobody uses at the moment."""
    for step in range(100):
        service, pod = f"10.{89 + step}.0.0/16", f"10.{189 - step}.0.0/16"
        spec = ClusterSpec(ports=Ports.shifted(21000 + 100 * step), service_cidr=service, pod_cidr=pod)
        if not preflight.problems(spec, preflight.facts(spec)):
            first = 30700 + 20 * step
            offset = f"--port-offset={21000 + 100 * step}"
            return offset, f"--service-cidr={service}", f"--pod-cidr={pod}", f"--node-port-range={first}-{first + 19}"
    message = "no free ports on this machine"
    raise Failed(message)


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach the cluster, and how long it took to make."""

    name: str
    home: Path
    ready: float = 0.0
    answering: float = 0.0

    @property
    def spec(self):
        return load(self.name, str(self.home))

    @property
    def environment(self):
        home = {"PYKUBE_HOME": str(self.home), "KUBECONFIG": str(self.home / "kubeconfig"), "PYTHONUNBUFFERED": "1"}
        return os.environ | home

    def client(self):
        """A client with the admin's rights."""
        return Client(load_kubeconfig(str(kubeconfig.path(self.spec, "admin"))), user_agent="pykube-bench")

    def down(self):
        subprocess.run(
            (PYKUBEADM, "down", f"--name={self.name}"), env=self.environment, capture_output=True, check=True
        )


def up(name, home):
    """Makes the cluster with the demo; the times count from the start of the command, interpreter included."""
    cluster, said, at = Cluster(name, home), [], {}
    argv = (PYKUBEADM, "up", f"--name={name}", *free(), "--demo")
    began = time.monotonic()
    with subprocess.Popen(
        argv, env=cluster.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as command:
        for line in command.stdout:
            said.append(line)
            at |= {stage: time.monotonic() - began for stage in (READY, ANSWERING) if line.startswith(stage)}
    if command.returncode or len(at) < 2:
        raise Failed("".join(said))
    return Cluster(name, home, at[READY], at[ANSWERING])


@contextmanager
def running(name, home):
    """The cluster within a block."""
    try:
        yield up(name, home)
    finally:
        Cluster(name, home).down()
