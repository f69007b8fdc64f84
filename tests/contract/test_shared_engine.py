"""One Docker Engine under several clusters of a machine: who starts it, who stops it, whose it is. With real processes;
the engine is a small program that answers as dockerd does."""

import os
import signal
import sys

import pytest

from bootstrap import docker_engine
from bootstrap.spec import ClusterSpec
from bootstrap.supervisor import found, stop
from bootstrap.tenants import NameTaken, Tenants
from tests.e2e.conftest import eventually

DOCKERD = """#!{python}
import json, os, socket, sys
path = next(word for word in sys.argv if word.startswith("--host=")).removeprefix("--host=unix://")
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    connection, _ = server.accept()
    asked = connection.recv(1000).split()[1]
    running = json.dumps([{{"Id": "x"}}] if os.path.exists(path + ".runs") else [])
    connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + (b"OK" if asked == b"/_ping" else running.encode()))
    connection.close()
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A machine of the test's own, with a dockerd on PATH."""
    program = tmp_path / "bin/dockerd"
    program.parent.mkdir()
    program.write_text(DOCKERD.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(docker_engine, "_SYSTEMD", tmp_path / "none")
    yield Site(tmp_path)
    for engine in Site(tmp_path).engines():
        os.kill(engine.pid, signal.SIGKILL)


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.machine = Tenants(folder / "run", folder / "log")
        self.endpoint = f"unix://{folder}/d.sock"

    def cluster(self, name, home="home"):
        spec = ClusterSpec(name=name, home=str(self.folder / home), docker_endpoint=self.endpoint)
        self.machine.enter(spec)
        return spec

    async def up(self, name):
        spec = self.cluster(name)
        return spec, await docker_engine.ensure(spec, self.machine)

    async def down(self, spec):
        stopped = await docker_engine.stop_ours(spec, self.machine)
        (spec.root / "cluster.json").unlink()
        self.machine.leave(spec)
        return stopped

    def started_by_hand(self):
        pid = os.spawnlp(os.P_NOWAIT, "dockerd", "dockerd", f"--host={self.endpoint}")
        eventually(lambda: docker_engine.answers(self.endpoint), why="the user's engine")
        return pid

    def engines(self):
        return found(lambda words: f"--host={self.endpoint}" in words)


async def test_the_last_cluster_stops_what_the_first_one_started(site):
    one, how = await site.up("one")
    two, again = await site.up("two")
    assert (how, again) == ("started", "running")
    (engine,) = site.engines()
    assert not await site.down(one)
    assert site.engines() == [engine]
    assert await site.down(two)
    assert site.engines() == []
    assert not (site.folder / "run").exists(), "no trace of the machine's record"
    assert not (site.folder / "log").exists()


async def test_an_engine_in_which_something_runs_goes_on(site):
    one, _ = await site.up("one")
    (site.folder / "d.sock.runs").touch()
    assert not await site.down(one)
    assert len(site.engines()) == 1


async def test_the_users_engine_is_never_stopped(site):
    one, _ = await site.up("one")
    await stop(site.engines()[0])
    pid = site.started_by_hand()
    assert not await site.down(one)
    assert [engine.pid for engine in site.engines()] == [pid]
    two, how = await site.up("two")
    assert how == "running"
    assert not await site.down(two)
    assert [engine.pid for engine in site.engines()] == [pid]


async def test_one_that_was_killed_is_started_again_to_be_asked(site):
    one, _ = await site.up("one")
    os.kill(site.engines()[0].pid, signal.SIGKILL)
    eventually(lambda: not docker_engine.answers(site.endpoint), why="its end")
    assert await docker_engine.answers_again(one, site.machine)
    assert await site.down(one)
    assert not await docker_engine.answers_again(one, site.machine), "there is nothing of ours any more"


async def test_one_that_was_killed_and_is_not_started_again_leaves_no_record(site):
    one, _ = await site.up("one")
    os.kill(site.engines()[0].pid, signal.SIGKILL)
    eventually(lambda: not site.engines(), why="its end")
    assert not await site.down(one)
    assert not (site.folder / "run").exists()
    assert not (site.folder / "log").exists()


async def test_whoever_is_killed_while_it_starts_leaves_an_engine_that_is_known(site, monkeypatch):
    class Killed(BaseException): ...

    async def killed(*_):
        eventually(site.engines, why="its words: a process has none yet for a moment of its exec")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(docker_engine, "_wait", killed)
        with pytest.raises(Killed):
            await site.up("one")
    one, _ = await site.up("one")
    eventually(lambda: docker_engine.answers(site.endpoint), why="the engine")
    assert len(site.engines()) == 1
    assert await site.down(one)


async def test_one_name_is_one_cluster_whatever_its_home(site):
    site.cluster("same")
    with pytest.raises(NameTaken, match=f"{site.folder}/home/same: choose another one with --name, or take that one"):
        site.cluster("same", "other")
    assert not (site.folder / "other").exists(), "nothing was written"
    first = site.cluster("same")
    (first.root / "cluster.json").unlink()  # taken away by hand
    site.cluster("same", "other")
    with pytest.raises(NameTaken):
        site.machine.check(first)


async def test_engines_of_other_sockets_are_none_of_its_business(site):
    one, _ = await site.up("one")
    elsewhere = ClusterSpec(name="two", home=one.home, docker_endpoint="unix:///elsewhere.sock")
    site.machine.enter(elsewhere)
    assert await site.down(one)
