"""A real cluster for the tests below: etcd, Docker, iptables; its own name, ports and networks, beside whatever runs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootstrap import preflight
from bootstrap.spec import ClusterSpec, Ports

REPOSITORY = Path(__file__).parent.parent.parent
PROGRAMS = Path(sys.executable).parent
KUBECTLS = Path("/usr/lib/google-cloud-sdk/bin")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(600))


def eventually(ask, seconds=60.0, why="it"):
    """The first true answer of `ask`; fails after `seconds` with its last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"{why} did not come true within {seconds} s: {answer!r}")
        time.sleep(0.1)
    return answer


@dataclass
class Cluster:
    """One cluster, and kubectl on it."""

    name: str
    home: Path
    flags: tuple[str, ...]
    kubectl_program: str = "kubectl"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.environment = os.environ | {"PYKUBE_HOME": str(self.home), "KUBECONFIG": str(self.home / "kubeconfig")}

    @property
    def root(self):
        return self.home / self.name

    def pykubeadm(self, *arguments, check=True, timeout=180):
        return run((str(PROGRAMS / "pykubeadm"), *arguments), self.environment, check=check, timeout=timeout)

    def up(self, *more, check=True):
        return self.pykubeadm("up", f"--name={self.name}", *self.flags, *more, check=check)

    def down(self, check=True):
        return self.pykubeadm("down", f"--name={self.name}", check=check)

    def kubectl(self, *arguments, stdin=None, check=True, timeout=120, program=None):
        """The standard output of one kubectl command; fails with its standard error."""
        argv = (program or self.kubectl_program, *arguments)
        return run(argv, self.environment, check=check, stdin=stdin, timeout=timeout).stdout

    def refused(self, *arguments, stdin=None):
        """The standard error of a kubectl command that must fail."""
        done = run((self.kubectl_program, *arguments), self.environment, check=False, stdin=stdin)
        assert done.returncode, f"{arguments} succeeded: {done.stdout}"
        return done.stderr

    def apply(self, manifest, *more):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.kubectl("apply", "-f", "-", *more, stdin=text)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", "-o", "json", *arguments))

    def pid(self, process):
        return json.loads((self.root / "run" / f"{process}.json").read_bytes())["pid"]


def run(argv, environment, *, check=True, stdin=None, timeout=120):
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}  # never the terminal of the tests
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=timeout, check=False, **given)
    if check and done.returncode:
        pytest.fail(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def end_abandoned():
    """Takes away the clusters of test runs that were killed: nobody else will."""
    for file in Path(tempfile.gettempdir()).glob("pytest-of-*/pytest-*/*/*.pytest-pid"):
        try:
            command = Path("/proc", file.read_text(), "cmdline")
        except FileNotFoundError:  # another run was quicker, or this one came here by a link
            continue
        if not command.exists() or b"pytest" not in command.read_bytes():
            Cluster(file.stem, file.parent, ()).down()
            file.unlink(missing_ok=True)


def make(name, home, offset, octet):
    """A cluster's description: nothing in it meets another cluster's, not even that of another run of these tests.

    `offset` and `octet` are where to begin to look for ports and networks. The ports stay below 32768 (offsets below 22,500):
    from there on any connection of this machine may have one at the moment at which a component starts again.
    """
    end_abandoned()
    name = f"{name}{os.getpid()}"  # kubelets of clusters of one name would end each other's containers
    (home / f"{name}.pytest-pid").write_text(str(os.getpid()))
    while preflight.facts(ClusterSpec(ports=Ports.shifted(offset))).taken_ports:
        offset += 100
    while any(
        preflight.overlaps(
            spec := ClusterSpec(service_cidr=f"10.{octet}.0.0/16", pod_cidr=f"10.{octet + 100}.0.0/16"),
            preflight.facts(spec),
        )
    ):
        octet += 1
    flags = (
        f"--port-offset={offset}",
        f"--service-cidr=10.{octet}.0.0/16",
        f"--pod-cidr=10.{octet + 100}.0.0/16",
        f"--node-port-range={30000 + octet * 20}-{30000 + octet * 20 + 19}",
    )
    return Cluster(name, home, flags)


@pytest.fixture
def namespace(cluster, request):
    """A namespace of the test's own, gone when it ends."""
    name = request.node.name.replace("_", "-").split("[")[0].lower()[:50].strip("-")
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true")
