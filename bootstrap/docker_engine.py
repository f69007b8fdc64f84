"""The Docker Engine a node needs: finds the one that runs, or starts one and remembers that it is ours.

A running Docker is the user's and is left as it is. Where none runs, systemd starts the distribution's; without
systemd we start `dockerd` ourselves, without a bridge and without iptables rules (pods are wired by the kubelet) and
with live-restore, so that its restart kills nothing. `stop` ends only what `ensure` started, and only when nothing
runs in it.
"""

import asyncio
import json
import shutil
import socket
import subprocess
from pathlib import Path

from bootstrap.spec import ClusterSpec
from bootstrap.supervisor import Running, is_alive, record, recorded, start_time, stop

_NAME = "dockerd"


class DockerMissing(Exception):
    """There is no Docker Engine and none can be started; the text says what to do."""


def answers(endpoint: str) -> bool:
    """Whether an engine listens on the endpoint and answers a ping."""
    path = endpoint.removeprefix("unix://")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(path)
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in connection.recv(200)
    except OSError:
        return False


def ask(endpoint: str, path: str) -> object:
    """The JSON answer of a GET to the engine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(endpoint.removeprefix("unix://"))
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return json.loads(data.partition(b"\r\n\r\n")[2])


async def answers_again(spec: ClusterSpec) -> bool:
    """Whether an engine answers; one that we started and that was killed is started once more."""
    if answers(spec.docker_endpoint):
        return True
    if recorded(spec.run, _NAME) is None:
        return False
    await ensure(spec)
    return True


async def ensure(spec: ClusterSpec) -> str:
    """Makes sure that an engine answers; says how ("running", "started by systemd", "started").

    Raises DockerMissing with what to do.
    """
    if answers(spec.docker_endpoint):
        return "running"
    if shutil.which("dockerd") is None:
        message = "Docker is not installed: run 'make up' as root (it installs docker.io), or install Docker yourself."
        raise DockerMissing(message)
    how = _start(spec)
    await _wait(spec)
    return how


def _start(spec: ClusterSpec) -> str:
    if Path("/run/systemd/system").exists():
        subprocess.run(("systemctl", "start", "docker"), check=False, capture_output=True)
        (spec.root / "docker-by-systemd").touch()
        return "started by systemd"
    _start_directly(spec)
    return "started"


def _start_directly(spec: ClusterSpec) -> None:
    # dockerd refuses to start over the pid file of one that was killed
    pidfile = Path("/var/run/docker.pid")
    if pidfile.exists() and not start_time(int(pidfile.read_text() or 0)):
        pidfile.unlink()
    spec.logs.mkdir(parents=True, exist_ok=True)
    spec.run.mkdir(parents=True, exist_ok=True)
    argv = ("dockerd", "--bridge=none", "--iptables=false", "--ip-forward=false", "--live-restore")
    with (spec.logs / "dockerd.log").open("ab") as log:
        child = subprocess.Popen(
            (*argv, f"--host={spec.docker_endpoint}"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    record(spec.run, _NAME, Running(child.pid, start_time(child.pid)))
    child.returncode = 0


async def _wait(spec: ClusterSpec) -> None:
    started = recorded(spec.run, _NAME)
    try:
        async with asyncio.timeout(30):
            while not answers(spec.docker_endpoint):
                if started is not None and not is_alive(started):
                    break
                await asyncio.sleep(0.05)
            else:
                return
    except TimeoutError:
        pass
    log = spec.logs / "dockerd.log"
    last = log.read_text().strip().rsplit("\n", 1)[-1] if log.exists() else "see 'journalctl -u docker'"
    message = f"dockerd did not start: {last}\nIts log is {log}. Mend it, then run 'make up' again."
    raise DockerMissing(message)


async def stop_ours(spec: ClusterSpec) -> bool:
    """Stops the engine if we started it and nothing runs in it any more; says whether it did."""
    by_systemd = spec.root / "docker-by-systemd"
    started = recorded(spec.run, _NAME)
    if not (is_alive(started) or by_systemd.exists()) or not answers(spec.docker_endpoint):
        return False
    if ask(spec.docker_endpoint, "/containers/json"):
        return False
    if by_systemd.exists():
        _stop_by_systemd()
        return True
    await stop(started)
    (spec.run / f"{_NAME}.json").unlink(missing_ok=True)
    return True


def _stop_by_systemd() -> None:
    subprocess.run(("systemctl", "stop", "docker.socket", "docker"), check=False, capture_output=True)
