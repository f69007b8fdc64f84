"""The Docker Engine a node needs: finds the one that runs, or starts one and remembers that it is ours.

A running Docker is the user's and is left as it is. Where none runs, systemd starts the distribution's; without
systemd we start `dockerd` ourselves, without a bridge and without iptables rules (pods are wired by the kubelet) and
with live-restore, so that its restart kills nothing. That it is ours is written down for the whole machine before it
is started (bootstrap/tenants.py), and the process itself is known by a label in its command line: whoever is killed in
between leaves nothing unknown. `stop` ends only what `ensure` started, only when no other cluster uses it and nothing
runs in it.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
from pathlib import Path

from bootstrap.spec import ClusterSpec
from bootstrap.supervisor import Running, found, is_alive, start_time, stop
from bootstrap.tenants import MACHINE, Tenants

_SYSTEMD = Path("/run/systemd/system")
_LABEL = "--label=io.pykube.engine=started"


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


async def answers_again(spec: ClusterSpec, machine: Tenants = MACHINE) -> bool:
    """Whether an engine answers; one that we started and that was killed is started once more."""
    if answers(spec.docker_endpoint):
        return True
    if not machine.engine(spec.docker_endpoint).exists():
        return False
    await ensure(spec, machine)
    return True


async def ensure(spec: ClusterSpec, machine: Tenants = MACHINE) -> str:
    """Makes sure that an engine answers; says how ("running", "started by systemd", "started").

    Raises DockerMissing with what to do.
    """
    with machine.alone():
        how = "running"
        if not answers(spec.docker_endpoint):
            how = _start(spec.docker_endpoint, machine)
            await _wait(spec, machine)
        _link_log(spec, machine)
    return how


def _start(endpoint: str, machine: Tenants) -> str:
    if shutil.which("dockerd") is None:
        message = "Docker is not installed: run 'make up' as root (it installs docker.io), or install Docker yourself."
        raise DockerMissing(message)
    record = machine.engine(endpoint)
    if _SYSTEMD.exists():
        record.write_text("systemd")
        _systemctl("start", "docker")
        return "started by systemd"
    record.write_text("directly")
    if _ours(endpoint) is None:  # else one that an `up` started which was killed as it waited
        _start_directly(endpoint, machine.engine_log(endpoint))
    return "started"


def _systemctl(*words: str) -> None:
    subprocess.run(("systemctl", *words), check=False, capture_output=True)


def _start_directly(endpoint: str, log: Path) -> None:
    # dockerd refuses to start over the pid file of one that was killed
    pidfile = Path("/var/run/docker.pid")
    if pidfile.exists() and not start_time(int(pidfile.read_text() or 0)):
        pidfile.unlink()
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = ("dockerd", "--bridge=none", "--iptables=false", "--ip-forward=false", "--live-restore", _LABEL)
    with log.open("ab") as output:
        child = subprocess.Popen(
            (*argv, f"--host={endpoint}"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    child.returncode = 0


def _ours(endpoint: str) -> Running | None:
    """The engine that we started for this socket, as it runs."""
    return next(iter(found(lambda words: _LABEL in words and f"--host={endpoint}" in words)), None)


def _link_log(spec: ClusterSpec, machine: Tenants) -> None:
    """The engine's log among the cluster's: shown by `pykubeadm logs dockerd`, rotated by any cluster's supervisor."""
    log, link = machine.engine_log(spec.docker_endpoint), spec.logs / "dockerd.log"
    if log.exists():
        spec.logs.mkdir(parents=True, exist_ok=True, mode=0o750)
        link.unlink(missing_ok=True)
        link.symlink_to(log)


async def _wait(spec: ClusterSpec, machine: Tenants) -> None:
    started = _ours(spec.docker_endpoint)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while not answers(spec.docker_endpoint):
                if started is not None and not is_alive(started):
                    break
                await asyncio.sleep(0.05)
            else:
                return
    log = machine.engine_log(spec.docker_endpoint)
    last = log.read_text().strip().rsplit("\n", 1)[-1] if log.exists() else "see 'journalctl -u docker'"
    message = f"dockerd did not start: {last}\nIts log is {log}. Mend it, then run 'make up' again."
    raise DockerMissing(message)


async def stop_ours(spec: ClusterSpec, machine: Tenants = MACHINE) -> bool:
    """Stops the engine if we started it and nobody uses it any more; says whether it did."""
    endpoint = spec.docker_endpoint
    with machine.alone():
        record = machine.engine(endpoint)
        if not record.exists() or machine.others(spec):
            return False
        if not answers(endpoint):
            if record.read_text() == "directly" and _ours(endpoint) is None:
                _forget(endpoint, machine)  # it was killed
            return False
        if ask(endpoint, "/containers/json"):
            return False
        if record.read_text() == "systemd":
            _systemctl("stop", "docker.socket", "docker")
        elif (engine := _ours(endpoint)) is not None:
            await stop(engine)
        else:  # ours was killed, and the one that answers now is the user's
            _forget(endpoint, machine)
            return False
        _forget(endpoint, machine)
        return True


def _forget(endpoint: str, machine: Tenants) -> None:
    """There is no engine of ours for this socket any more."""
    machine.engine(endpoint).unlink()
    machine.engine_log(endpoint).unlink(missing_ok=True)
