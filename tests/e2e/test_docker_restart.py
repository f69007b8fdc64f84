"""dockerd is restarted under a cluster: its containers die once, are started again, and restartCount says so; with
live-restore nothing happens at all. On a dockerd of the test's own, since the machine's is the user's."""

import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootstrap import docker_engine
from tests import needs
from tests.e2e.conftest import eventually, make


@dataclass
class Dockerd:
    """A private Docker Engine: no bridge, no rules, everything of it under one folder."""

    folder: Path
    flags: tuple[str, ...] = ()
    process: subprocess.Popen | None = field(default=None)

    @property
    def endpoint(self):
        return f"unix://{self.folder}/docker.sock"

    def start(self):
        own = {name: self.folder / name.removesuffix("-root") for name in ("data-root", "exec-root", "pidfile")}
        argv = ("dockerd", f"--host={self.endpoint}", *(f"--{name}={path}" for name, path in own.items()))
        networkless = ("--bridge=none", "--iptables=false", "--ip-forward=false")
        apart = (f"--containerd-namespace={self.folder.name}", f"--containerd-plugins-namespace={self.folder.name}-p")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen((*argv, *networkless, *apart, *self.flags), stdout=log, stderr=log)
        eventually(lambda: docker_engine.answers(self.endpoint), why="dockerd")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture
def engine(request):
    # Short: it holds sockets. Letters and digits alone: containerd makes a namespace's name of it.
    folder = Path(tempfile.gettempdir()) / f"pkd-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    one = Dockerd(folder, request.param)
    one.start()
    yield one
    if one.process.poll() is None:
        one.stop()
    for mount in sorted((line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()), reverse=True):
        if mount.startswith(str(folder)):
            subprocess.run(("umount", mount), check=False)
    shutil.rmtree(folder)


def web(one):
    """Of each web pod: its container's id and how often it was restarted; {} while not all three are ready."""
    pods = one.get("pods", "-l", "app=web")["items"]
    statuses = {pod["metadata"]["uid"]: pod["status"].get("containerStatuses", [{}])[0] for pod in pods}
    if len(pods) != 3 or not all(status.get("ready") for status in statuses.values()):
        return {}
    return {uid: (status["containerID"], status["restartCount"]) for uid, status in statuses.items()}


@pytest.mark.parametrize(
    ("engine", "restarts"),
    [
        pytest.param((), 1, id="as it comes"),
        pytest.param(("--live-restore",), 0, id="with live-restore"),
    ],
    indirect=["engine"],
)
def test_pods_survive_a_restart_of_dockerd(engine, restarts, tmp_path):
    needs.program("kubectl")
    one = make("restart", tmp_path, 20000, 81)
    try:
        one.up("--demo", f"--docker-endpoint={engine.endpoint}")
        before = eventually(lambda: web(one), why="the demo")
        assert (engine.folder / "data/containers").exists()
        engine.stop()
        engine.start()
        after = eventually(lambda: is_settled(one, before, restarts), seconds=90, why="the pods")
        same = {uid: identifier for uid, (identifier, _) in before.items()}
        assert ({uid: identifier for uid, (identifier, _) in after.items()} == same) is (restarts == 0)
        one.kubectl("run", "later", "--image=pykube/web:demo", "--image-pull-policy=Never")
        one.kubectl("wait", "pod/later", "--for=condition=Ready", "--timeout=60s")
        assert web(one) == after
    finally:
        one.down()


def is_settled(one, before, restarts):
    """The same pods as before, each ready and restarted as often as expected."""
    now = web(one)
    return now if now.keys() == before.keys() and {count for _, count in now.values()} == {restarts} else None
