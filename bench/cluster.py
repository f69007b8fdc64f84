"""A cluster of the bench's own: its name, ports and networks meet nobody's, and it is taken away whatever happens."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootstrap import kubeconfig
from bootstrap.spec import load
from client.client import Client
from client.config import load_kubeconfig

PYKUBEADM = Path(sys.executable).parent / "pykubeadm"
FLAGS = (
    "--port-offset=23000",
    "--service-cidr=10.89.0.0/16",
    "--pod-cidr=10.189.0.0/16",
    "--node-port-range=30700-30799",
)
#: What `up` prints when a stage is reached.
READY, ANSWERING = "The cluster is ready after", "The demo answers after"


class Failed(Exception):
    """The cluster did not come up; the text is what `up` said."""


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
    argv = (PYKUBEADM, "up", f"--name={name}", *FLAGS, "--demo")
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
